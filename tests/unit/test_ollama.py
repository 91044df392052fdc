"""What the `ollama` provider makes of a server's answers, good and bad; the rest is in the contract's tests."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import numpy as np
import pytest

from holocron_assets.environment import local_ollama_url
from holocron_assets.errors import (
    ConfigurationError,
    HolocronError,
    InputRejectedError,
    ModelMissingError,
    ProviderError,
    ProviderUnavailableError,
)
from holocron_assets.model_servers import OllamaSettings
from holocron_assets.ports import Purpose
from holocron_assets.spaces import space_of
from resources.providers.ollama import Ollama, name_and_tag
from tests.http_double import Answer, answer, hashed
from tests.ollama_double import Model, OllamaDouble

LONG = "word " * 600


@pytest.fixture
def double() -> Iterator[OllamaDouble]:
    with OllamaDouble() as server:
        yield server


def opened(double: OllamaDouble, model: str = "all-minilm", **options: Any) -> Ollama:
    return Ollama(model, options, OllamaSettings(base_url=double.url, timeout_seconds=5))


def test_the_identity_is_what_the_server_says(double: OllamaDouble) -> None:
    """Name and tag apart, the manifest's digest, the dimensions, and the context that is asked for."""
    double.models["nomic-embed-text:v1.5"] = Model(
        encoder=hashed(64), embedding_length=64, digest="sha256:" + "c" * 64, context_length=2048
    )
    identity = opened(double, "nomic-embed-text:v1.5").describe()

    assert (identity.model_name, identity.model_tag, identity.model_digest) == ("nomic-embed-text", "v1.5", "c" * 64)
    assert (identity.dimensions, identity.normalize, identity.is_plain) == (64, True, True)
    assert identity.preprocess_policy == {
        "num_ctx": 2048,
        "num_batch": 2048,
        "overflow": "truncate",
        "document_prefix": "search_document: ",
        "query_prefix": "search_query: ",
        "dimensions": None,
    }
    assert identity.description == "bert 23M F16"


def test_another_policy_is_another_space(double: OllamaDouble) -> None:
    """The same model under another policy has another id and a marked tag; saying the default aloud changes nothing."""
    plain = space_of(opened(double).describe())
    spelled = space_of(opened(double, num_ctx=512, overflow="truncate", query_prefix="").describe())
    other = space_of(opened(double, query_prefix="query: ").describe())

    assert spelled == plain
    assert plain.model_tag == "latest"
    assert other.model_tag.startswith("latest+")
    assert other.embedding_space_id != plain.embedding_space_id


def test_requests_leave_the_server_no_choice(double: OllamaDouble) -> None:
    """Every request says how much to read and forbids cutting; documents and queries have their own prefixes."""
    provider = opened(double, document_prefix="d: ", query_prefix="q: ")
    provider.embed(["one", "two"])
    provider.embed(["three"], Purpose.QUERY)

    *_, documents, query = double.requests
    assert documents["input"] == ["d: one", "d: two"]
    assert query["input"] == ["q: three"]
    assert {request["truncate"] for request in double.requests} == {False}
    assert documents["options"] == {"num_ctx": 512, "num_batch": 512}
    assert documents["keep_alive"] == "5m"


def test_weights_and_version_are_recorded(double: OllamaDouble) -> None:
    """The runtime names Ollama's version and the weights' own digest, which the manifest's does not tell."""
    runtime = opened(double).runtime()

    assert runtime["version"] == "0.32.14"
    assert runtime["weights"] == "a" * 64
    assert runtime["server"] == f"Ollama at {double.url}"


def test_another_digest_is_noticed(double: OllamaDouble) -> None:
    """A model that is pulled anew describes itself anew, also to who asked before."""
    provider = opened(double)
    before = provider.describe()
    double.models["all-minilm:latest"].digest = "b" * 64

    assert provider.describe().model_digest == "b" * 64 != before.model_digest


def test_a_long_text_is_cut_and_counted(double: OllamaDouble) -> None:
    """Only the text that is too long is cut, by the server, and about how much was lost is said."""
    provider = opened(double)
    vectors = provider.embed(["short", LONG, "also short"])

    assert vectors.truncated_tokens.tolist()[::2] == [0, 0]
    assert 1 <= vectors.truncated_tokens[1] <= 400
    assert np.array_equal(vectors.values[0], provider.embed(["short"]).values[0])
    assert [request["input"] for request in double.requests if request["truncate"]] == [[LONG]]


def test_a_long_text_is_refused_when_the_space_says_so(double: OllamaDouble) -> None:
    """Under `overflow: refuse` nothing is cut: the text is to blame, with the server's words."""
    provider = opened(double, overflow="refuse")

    with pytest.raises(InputRejectedError, match=r"the input length exceeds the context length; .* 512 tokens"):
        provider.embed([LONG])
    assert all(request["truncate"] is False for request in double.requests)


@pytest.mark.parametrize(
    "said", ["input length exceeds maximum context length", "input exceeds maximum context length"]
)
def test_older_words_for_a_long_text_are_known(double: OllamaDouble, said: str) -> None:
    """Earlier versions said the same otherwise."""
    provider = opened(double, overflow="refuse")
    provider.describe()
    double.instead = [answer(400, {"error": said})]

    with pytest.raises(InputRejectedError, match=said):
        provider.embed(["text"])


def test_fewer_dimensions_are_asked_for_and_checked(double: OllamaDouble) -> None:
    """`dimensions` is sent, and a server that ignores it is found out before anything is stored."""
    assert opened(double, dimensions=8).describe().dimensions == 8
    with pytest.raises(ProviderError, match=r"asked for 64 dimensions of .* gave 32: the model has no"):
        opened(double, dimensions=64).describe()

    double.ignores_dimensions = True
    with pytest.raises(ProviderError, match=r"asked for 8 dimensions .* gave 32.*0\.11\.11"):
        opened(double, dimensions=8).describe()


def test_dimensions_are_the_servers_and_a_vector_must_have_them(double: OllamaDouble) -> None:
    """Where the metadata and a real vector disagree, the user says which it is."""
    double.models["odd:latest"] = Model(encoder=hashed(64), embedding_length=96)
    with pytest.raises(ProviderError, match=r"96 dimensions by its metadata and embeds in 64.*`dimensions: 64`"):
        opened(double, "odd").describe()

    assert opened(double, "odd", dimensions=64).describe().dimensions == 64


def test_a_missing_model_names_the_command(double: OllamaDouble) -> None:
    """The error says what to run, whether the model is missing from the start or goes away later."""
    with pytest.raises(ModelMissingError, match="Run `ollama pull no-such-model:latest` there"):
        opened(double, "no-such-model").describe()

    provider = opened(double)
    provider.describe()
    double.models.clear()
    with pytest.raises(ModelMissingError, match="`ollama pull all-minilm:latest`"):
        provider.embed(["text"])


@pytest.mark.parametrize("digest", [None, "", "abc"])
def test_a_tag_without_digest_is_refused(double: OllamaDouble, digest: str | None) -> None:
    """Without a digest nobody would notice another model under the same name."""
    double.models["all-minilm:latest"].digest = digest

    with pytest.raises(ProviderError, match="tells no digest of all-minilm:latest"):
        opened(double).describe()


def test_a_model_that_embeds_nothing_is_refused(double: OllamaDouble) -> None:
    """By its capabilities where the server tells them, else by what it answers."""
    double.models["all-minilm:latest"].capabilities = ["completion", "tools"]
    with pytest.raises(ProviderError, match=r"no embedding model \(it is for completion, tools\)"):
        opened(double).describe()

    double.models["all-minilm:latest"].capabilities = None
    assert opened(double).describe().dimensions == 32
    double.instead = [None, None, answer(501, {"error": "This server does not support embeddings."})]
    with pytest.raises(ProviderError, match="no embedding model"):
        opened(double).describe()


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (answer(404, b"404 page not found", "text/plain"), ProviderError, "older than Ollama 0.3"),
        (answer(200, b"<html><body>Sign in</body></html>", "text/html"), ProviderError, "Sign in.*a page of a proxy"),
        (answer(502, b"<html>Bad gateway</html>", "text/html"), ProviderUnavailableError, "HTTP 502: .*Bad gateway"),
        (answer(302, b"", Location="https://elsewhere.example/"), ProviderError, "redirects to https://elsewhere"),
        (answer(401, {"error": "unauthorized"}), ProviderError, "refuses access: HTTP 401: unauthorized"),
        (answer(500, {"error": {}}), ProviderUnavailableError, "HTTP 500"),
        (answer(503, {"error": "server busy, please try again."}), ProviderUnavailableError, "server busy"),
        (answer(400, {"error": "do embedding request: Post: EOF"}), ProviderUnavailableError, "EOF"),
        (answer(400, {"error": "embedding contains NaN or Inf values"}), InputRejectedError, "NaN or Inf"),
        (answer(200, b'{"embeddings": [[0.1, 0.', "application/json"), ProviderUnavailableError, "no whole JSON"),
        (answer(200, {"embeddings": []}), ProviderError, "answered 2 texts with 0 vectors"),
        (answer(200, {"embeddings": [[1.0]]}), ProviderError, "answered 2 texts with 1 vectors"),
        (answer(200, {"nothing": 1}), ProviderError, "answered 2 texts with no vectors"),
        (answer(200, {"embeddings": [[1.0], [1.0, 2.0]]}), ProviderError, "vectors that are none"),
        (answer(200, {"embeddings": [["a"], ["b"]]}), ProviderError, "vectors that are none"),
        (answer(200, [1, 2]), ProviderError, "is no Ollama"),
        ((0, "", b"", {}), ProviderUnavailableError, "broke off"),
        (answer(200, b"{}", Content_Length="9"), ProviderUnavailableError, "broke off|did not answer"),
    ],
)
def test_whatever_the_server_answers_is_an_error_of_ours(
    double: OllamaDouble, bad: Answer, error: type[HolocronError], message: str
) -> None:
    """What may pass by itself is transient, what a text is to blame for rejects the text, the rest needs a person."""
    provider = Ollama("all-minilm", {}, OllamaSettings(base_url=double.url, timeout_seconds=0.5))
    provider.describe()
    double.instead = [bad]

    with pytest.raises(error, match=message) as caught:
        provider.embed(["one", "two"])

    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("7", 7.0),
        (timedelta(seconds=90), 90.0),
        (timedelta(days=-1), 0.0),
        ("soon", None),
    ],
)
def test_retry_after_is_understood(double: OllamaDouble, given: str | timedelta, seconds: float | None) -> None:
    """As seconds, or as a date; one that has passed means at once, and nonsense nothing."""
    provider = opened(double)
    provider.describe()
    if isinstance(given, timedelta):
        given = format_datetime(datetime.now(UTC) + given, usegmt=True)
    double.instead = [answer(429, {"error": "slow down"}, Retry_After=given)]

    with pytest.raises(ProviderUnavailableError) as caught:
        provider.embed(["text"])

    assert caught.value.is_busy
    assert caught.value.retry_after == (None if seconds is None else pytest.approx(seconds, abs=5))


def test_an_answer_without_end_is_cut_off(double: OllamaDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither memory nor time is spent without limit on one answer."""
    provider = opened(double)
    provider.describe()
    monkeypatch.setattr("resources.providers.json_server._LARGEST_ANSWER_BYTES", 100_000)
    double.instead = [answer(200, b"[" * 200_000)]

    with pytest.raises(ProviderError, match="does not end"):
        provider.embed(["text"])


def test_a_slow_server_is_waited_for_no_longer_than_said(double: OllamaDouble) -> None:
    """The time-out is the whole answer's."""
    provider = Ollama("all-minilm", {}, OllamaSettings(base_url=double.url, timeout_seconds=0.3))
    provider.describe()
    double.seconds_per_request = 2

    with pytest.raises(ProviderUnavailableError, match=r"did not answer within 0\.3 s"):
        provider.embed(["text"])


def test_nobody_there_is_one_clear_error() -> None:
    """It names the address and what to look at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    with pytest.raises(ProviderUnavailableError, match=f"Ollama at {url} cannot be reached: .*Is it running"):
        Ollama("all-minilm", {}, OllamaSettings(base_url=url)).describe()


@pytest.mark.parametrize("ending", ["", "/", "//"])
def test_a_base_url_may_end_with_a_slash(double: OllamaDouble, ending: str) -> None:
    """Paths are joined as a person means it."""
    assert Ollama("all-minilm", {}, OllamaSettings(base_url=double.url + ending)).describe().dimensions == 32


def test_a_base_url_may_have_a_path(double: OllamaDouble) -> None:
    """A server behind a gateway is asked below its path."""
    with pytest.raises(ProviderError, match=r"has no /api/tags"):
        Ollama("all-minilm", {}, OllamaSettings(base_url=f"{double.url}/ollama/")).describe()

    assert double.paths == ["/ollama/api/tags"]


def test_credentials_are_sent_and_never_shown(double: OllamaDouble) -> None:
    """A user and password in the base URL stay out of every message and record."""
    url = double.url.replace("http://", "http://someone:a-secret@")
    provider = Ollama("all-minilm", {}, OllamaSettings(base_url=url))
    assert "a-secret" not in str(provider.runtime()) + repr(OllamaSettings(base_url=url))

    double.models.clear()
    with pytest.raises(ModelMissingError) as caught:
        provider.describe()
    assert "a-secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:11434", "ftp://host", "http://", "://x", "http://host:port"])
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    """The error shows what one looks like."""
    with pytest.raises(ConfigurationError, match="base URL"):
        Ollama("all-minilm", {}, OllamaSettings(base_url=url))


def test_names_may_have_tags_ports_and_folders() -> None:
    """The tag is behind the last colon, unless that belongs to a port."""
    assert name_and_tag("all-minilm") == ("all-minilm", "latest")
    assert name_and_tag("all-minilm:33m-l12-v2-fp16") == ("all-minilm", "33m-l12-v2-fp16")
    assert name_and_tag("hf.co/nomic-ai/nomic-embed:Q4_K_M") == ("hf.co/nomic-ai/nomic-embed", "Q4_K_M")
    assert name_and_tag("registry:5000/team/model") == ("registry:5000/team/model", "latest")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, "http://localhost:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("box:8080", "http://box:8080"),
        ("https://box", "https://box"),
    ],
)
def test_ollamas_own_variable_says_where_it_listens(host: str | None, url: str) -> None:
    """`OLLAMA_HOST` in every form that Ollama takes."""
    assert local_ollama_url({} if host is None else {"OLLAMA_HOST": host}) == url
