"""What the `openai` provider makes of a server's answers, good and bad; the rest is in the contract's tests."""

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from holocron_assets.errors import (
    ConfigurationError,
    HolocronError,
    InputRejectedError,
    ModelMissingError,
    ProviderError,
    ProviderUnavailableError,
)
from holocron_assets.model_servers import OpenAISettings
from holocron_assets.ports import Purpose
from holocron_assets.settings import Settings, load_settings
from holocron_assets.spaces import space_of
from resources.providers import open_provider
from resources.providers.openai import OpenAI
from tests.http_double import Answer, answer, hashed
from tests.openai_double import OpenAIDouble, error

MODEL = "text-embedding-3-small"
KEY = "sk-proj-4f/9+unmistakable"
PACKED = base64.b64encode(np.ones(32, "<f4").tobytes()).decode()


@pytest.fixture
def double() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as server:
        yield server


@pytest.fixture
def locked(double: OpenAIDouble, monkeypatch: pytest.MonkeyPatch) -> OpenAIDouble:
    """A server that wants a key, which the environment has."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    double.key = KEY
    return double


def opened(double: OpenAIDouble, model: str = MODEL, **options: Any) -> OpenAI:
    return OpenAI(model, options, OpenAISettings(base_url=double.base_url, timeout_seconds=5))


def data(*vectors: Any) -> dict[str, Any]:
    return {"data": [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]}


def test_the_identity_is_the_name_and_the_server(double: OpenAIDouble) -> None:
    """The digest is empty, because none is told; the tag is the host, because a name is one server's own."""
    identity = opened(double).describe()

    assert (identity.provider, identity.model_name, identity.model_digest) == ("openai", MODEL, "")
    assert identity.model_tag == double.url.removeprefix("http://")
    assert (identity.dimensions, identity.normalize, identity.is_plain) == (32, True, True)
    assert identity.preprocess_policy == {"document_prefix": "", "query_prefix": "", "dimensions": None}


def test_another_server_is_another_space(double: OpenAIDouble) -> None:
    """One model name of two servers is two spaces, unless the settings say that they are one server."""
    with OpenAIDouble() as other:
        spaces = [space_of(opened(one).describe()) for one in (double, other)]
        settings = OpenAISettings(base_url=other.base_url, server_name=spaces[0].model_tag)
        moved = space_of(OpenAI(MODEL, {}, settings).describe())

    assert spaces[0].embedding_space_id != spaces[1].embedding_space_id
    assert moved == spaces[0]


def test_another_policy_is_another_space(double: OpenAIDouble) -> None:
    """Prefixes and fewer dimensions mark the tag; saying the default aloud changes nothing."""
    plain = space_of(opened(double).describe())
    spelled = space_of(opened(double, query_prefix="").describe())
    other = space_of(opened(double, query_prefix="query: ").describe())

    assert spelled == plain
    assert other.model_tag.startswith(f"{plain.model_tag}+")


def test_only_documented_fields_are_sent(double: OpenAIDouble) -> None:
    """Model, texts with their prefix, packed numbers, and dimensions where they are asked for."""
    provider = opened(double, document_prefix="d: ", query_prefix="q: ", dimensions=8)
    provider.embed(["one of several texts", "two of several texts"])
    provider.embed(["what is the third?"], Purpose.QUERY)

    always = {"model": MODEL, "encoding_format": "base64", "dimensions": 8}
    assert double.requests[1:] == [
        always | {"input": ["d: one of several texts", "d: two of several texts"]},
        always | {"input": ["q: what is the third?"]},
    ]


@pytest.mark.parametrize("encodings", ["float", "float only"])
def test_servers_that_pack_no_numbers_are_understood(double: OpenAIDouble, encodings: str) -> None:
    """Whether they ignore what is asked for or refuse it, the vectors have the same bytes."""
    packed = opened(double).embed(["one", "two"]).values
    double.encodings = encodings

    assert opened(double).embed(["one", "two"]).values.tobytes() == packed.tobytes()


def test_vectors_are_put_in_order(double: OpenAIDouble) -> None:
    """The number beside a vector says whose it is, not its place in the answer."""
    provider = opened(double)
    expected = provider.embed(["one", "two"]).values
    shuffled = data(*[base64.b64encode(vector.tobytes()).decode() for vector in expected])
    shuffled["data"].reverse()
    double.instead = [answer(200, shuffled)]

    assert np.array_equal(provider.embed(["one", "two"]).values, expected)


def test_what_the_server_calls_the_model_is_recorded(double: OpenAIDouble) -> None:
    """The runtime names the server, and the model as the answer does: a file, or a version."""
    double.instead = [answer(200, data(PACKED) | {"model": "text-embedding-ada-002-v2"})]

    assert opened(double).runtime() == {
        "engine": "openai",
        "server": f"openai at {double.base_url}",
        "served_as": "text-embedding-ada-002-v2",
    }


def test_dimensions_are_checked(double: OpenAIDouble) -> None:
    """A server that ignores the wish is found out before anything is stored."""
    assert opened(double, dimensions=8).describe().dimensions == 8

    double.ignores_dimensions = True
    with pytest.raises(ProviderError, match="asked for 8 dimensions of text-embedding-3-small and gave 32"):
        opened(double, dimensions=8).describe()


def test_what_embeds_nothing_is_no_space(double: OpenAIDouble) -> None:
    """A server that rejects a harmless sentence is to blame, not the sentence."""
    double.instead = [error(400, "The model does not support Embeddings API")] * 2

    with pytest.raises(ProviderError, match=r"not support Embeddings API.* an embedding model") as caught:
        opened(double).describe()
    assert type(caught.value) is ProviderError


@pytest.mark.parametrize(
    "said",
    [
        error(400, "Invalid 'input': maximum context length is 8192 tokens."),
        error(400, "This model's maximum context length is 512 tokens.", code="context_length_exceeded"),
        error(400, "'$.input' is invalid. Please check the API reference."),
        error(400, "Requested 300001 tokens, max 300000 tokens per request", code="max_tokens_per_request"),
        error(500, "input (992 tokens) is too large to process. increase the physical batch size", "server_error"),
        answer(413, {"message": "`inputs` must have less than 512 tokens. Given: 992", "type": "Validation"}),
        answer(422, {"detail": [{"loc": ["body", "input"], "msg": "too long"}]}),
    ],
)
def test_a_text_that_is_too_long_is_rejected(double: OpenAIDouble, said: Answer) -> None:
    """Whoever says so, and however: the batch is to blame, and so it is halved, not tried again as it is."""
    provider = opened(double)
    provider.describe()
    double.instead = [said]

    with pytest.raises(InputRejectedError, match=r"tokens|input"):
        provider.embed(["text"])


@pytest.mark.parametrize(
    ("bad", "kind", "message"),
    [
        (error(429, "Rate limit reached", "tokens", "rate_limit_exceeded"), ProviderUnavailableError, "Rate limit"),
        (error(429, "Check your plan", "insufficient_quota", "insufficient_quota"), ProviderError, "Raise its limit"),
        (error(429, "Check your plan", "insufficient_quota", "credit_balance_exhausted"), ProviderError, "add credit"),
        (error(429, "Not active", "billing_not_active", "billing_not_active"), ProviderError, "nothing left to spend"),
        (error(402, "Insufficient credits"), ProviderError, "nothing left to spend"),
        (error(401, "You didn't provide an API key."), ProviderError, "Set OPENAI_API_KEY: it is not set"),
        (error(403, "Country, region, or territory not supported"), ProviderError, "refuses access: .* not supported"),
        (error(404, "Invalid URL (POST /embeddings)"), ProviderError, "has no /embeddings: .*ends in /v1"),
        (answer(404, {"detail": "Not Found"}), ProviderError, "has no /embeddings: HTTP 404: Not Found"),
        (answer(405, {"detail": "Method Not Allowed"}), ProviderError, "has no /embeddings"),
        (error(500, "The server had an error", "server_error"), ProviderUnavailableError, "had an error"),
        (error(503, "Slow down", "service_unavailable_error"), ProviderUnavailableError, "Slow down"),
        (answer(520, b"<html>unknown error</html>", "text/html"), ProviderUnavailableError, "HTTP 520"),
        (answer(424, {"message": "inference failed", "type": "Backend"}), ProviderUnavailableError, "inference failed"),
        (error(501, "not here"), ProviderError, "HTTP 501: not here"),
        (error(418, "teapot"), ProviderError, "HTTP 418: teapot"),
        (answer(200, {"error": "Unexpected endpoint or method."}), ProviderError, "'Unexpected endpoint.*ends in /v1"),
        (answer(200, [[1.0]]), ProviderError, "answers without vectors"),
        (answer(200, b"<html>Sign in</html>", "text/html"), ProviderError, "Sign in.*a page of a proxy"),
        (answer(200, b'{"data": [{"ind', "application/json"), ProviderUnavailableError, "no whole JSON"),
        (answer(302, b"", Location="https://elsewhere.example/"), ProviderError, "redirects to https://elsewhere"),
        (answer(200, data(PACKED)), ProviderError, "answered 2 texts with 1 vectors"),
        (answer(200, data(PACKED, PACKED, PACKED)), ProviderError, "answered 2 texts with 3 vectors"),
        (answer(200, {"data": data(PACKED)["data"] * 2}), ProviderError, r"numbered \[0\]: .* which belongs to which"),
        (answer(200, {"data": [{"embedding": PACKED}] * 2}), ProviderError, "vectors that are none: 'index'"),
        (answer(200, data([1.0], [1.0, 2.0])), ProviderError, "vectors that are none"),
        (answer(200, data([[1.0]], [[1.0]])), ProviderError, "vectors that are none, of shape"),
        (answer(200, data("AAA", "AAA")), ProviderError, "vectors that are none"),
        (answer(200, data("AAAA", "AAAA")), ProviderError, "vectors that are none"),
        (answer(200, data("?" * 8, PACKED)), ProviderError, "vectors that are none"),
        (answer(200, data(["a"], ["b"])), ProviderError, "vectors that are none"),
        (answer(200, data({}, {})), ProviderError, "vectors that are none"),
        (answer(200, {"data": [1, None]}), ProviderError, "vectors that are none"),
        ((0, "", b"", {}), ProviderUnavailableError, "broke off"),
    ],
)
def test_whatever_the_server_answers_is_an_error_of_ours(
    double: OpenAIDouble, bad: Answer, kind: type[HolocronError], message: str
) -> None:
    """What may pass by itself is transient, the rest needs a person, and nothing here is a text's fault."""
    provider = opened(double)
    provider.describe()
    double.instead = [bad]

    with pytest.raises(kind, match=message) as caught:
        provider.embed(["one", "two"])

    assert type(caught.value) is kind


def test_numbers_that_are_none_reach_the_check_on_vectors(double: OpenAIDouble) -> None:
    """What is not finite is passed on as such, written or packed, and refused where vectors are checked."""
    provider = opened(double)
    provider.describe()
    double.spoil = lambda vectors: np.full_like(vectors, np.nan)
    assert np.isnan(provider.embed(["text"]).values).all()

    double.instead = [answer(200, data([1e300, None]))]
    assert not np.isfinite(provider.embed(["text"]).values).any()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after_ms": "1500", "Retry_After": "2"}, 1.5),
        ({"retry_after_ms": "soon", "Retry_After": "2"}, 2.0),
        ({}, None),
    ],
)
def test_a_rate_limit_says_when_to_come_back(
    double: OpenAIDouble, headers: dict[str, str], seconds: float | None
) -> None:
    """In milliseconds where they are told; and a busy server is told from one that a text may have broken."""
    provider = opened(double)
    provider.describe()
    double.instead = [answer(429, {"error": {"message": "slow down"}}, **headers)]

    with pytest.raises(ProviderUnavailableError) as caught:
        provider.embed(["text"])

    assert (caught.value.retry_after, caught.value.is_busy) == (seconds, True)


def test_a_missing_model_is_named(double: OpenAIDouble) -> None:
    """The error names it, and repeats what the server says."""
    with pytest.raises(ModelMissingError, match=r"no model text-embedding-4: HTTP 404: .*does not exist.*`model:`"):
        opened(double, "text-embedding-4").describe()


@pytest.mark.parametrize("ending", ["", "/", "//"])
def test_a_base_url_may_end_with_a_slash(double: OpenAIDouble, ending: str) -> None:
    """`/embeddings` is added to it as a person means it."""
    assert OpenAI(MODEL, {}, OpenAISettings(base_url=double.base_url + ending)).describe().dimensions == 32
    assert double.paths == ["/v1/embeddings"]


@pytest.mark.parametrize("path", ["/embeddings", "/openai/v1/embeddings", "/v1beta/openai/embeddings"])
def test_a_base_url_may_have_any_path(double: OpenAIDouble, path: str) -> None:
    """Gateways have it where they like."""
    double.path = path

    assert opened(double).describe().dimensions == 32


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://host", "http://", "http://host/v1?api-version=1"])
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    """The error says what is wrong with it; what follows a `?` would be lost in silence."""
    with pytest.raises(ConfigurationError, match="openai: its base URL"):
        OpenAI(MODEL, {}, OpenAISettings(base_url=url))


def test_a_name_too_long_for_a_tag_is_refused() -> None:
    """The tag of a space has its limit in a database; the error names the setting that helps."""
    with pytest.raises(ConfigurationError, match=r"Set `openai\.server_name`"):
        OpenAI(MODEL, {}, OpenAISettings(base_url=f"http://{'sub.' * 30}example"))


def test_the_variable_of_other_programs_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI itself, unless `OPENAI_BASE_URL` says otherwise."""
    assert OpenAISettings().base_url == "https://api.openai.com/v1"

    monkeypatch.setenv("OPENAI_BASE_URL", "http://box:8000/v1")
    assert OpenAISettings().base_url == "http://box:8000/v1"


def test_the_key_is_sent_where_there_is_one(locked: OpenAIDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a bearer token, without the line's end that a file may bring; without a key there is no header."""
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    assert opened(locked).describe().dimensions == 32
    assert locked.headers[-1]["Authorization"] == f"Bearer {KEY}"

    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ProviderError, match=r"refuses access: HTTP 401: You didn't.* Set OPENAI_API_KEY: it is not"):
        opened(locked).describe()
    assert "Authorization" not in locked.headers[-1]


def test_the_key_is_shown_nowhere(
    locked: OpenAIDouble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in what is recorded or logged, nor in an error, even where the server repeats it."""
    caplog.set_level(logging.DEBUG)
    settings = OpenAISettings(base_url=locked.base_url)
    provider = OpenAI(MODEL, {}, settings)
    recorded = [provider.describe(), provider.runtime(), settings, provider, vars(provider)]
    caplog.set_level(logging.INFO)  # the library below tells, at DEBUG, what headers a server sent
    for leak in (
        error(401, f"Incorrect API key provided: {KEY}."),
        error(400, "x" * 290 + KEY),
        answer(200, f"<p>{KEY}".encode(), "text/html"),
        answer(500, f"{' ' * 5000}{KEY}".encode(), "text/plain"),
        answer(200, {"error": f"{KEY} is no key"}),
        answer(200, {"data": [{"index": KEY, "embedding": PACKED}]}),
        answer(200, data([KEY])),
        answer(302, b"", Location=f"https://elsewhere.example/?key={KEY}"),
    ):
        locked.instead = [leak]
        with pytest.raises(ProviderError) as caught:
            provider.embed(["text"])
        recorded += [caught.value, caught.value.__cause__]

    assert KEY[:8] not in " ".join(map(repr, recorded)) + caplog.text
    assert "provided: ***. Set OPENAI_API_KEY to one that is valid there" in str(recorded[5])


@pytest.mark.parametrize("key", ["sk-two words", "sk-umläut", "sk-\nX-Other: header"])
def test_a_key_that_is_none_is_refused(double: OpenAIDouble, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """Before it is sent, and without repeating it."""
    monkeypatch.setenv("OPENAI_API_KEY", key)

    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY holds a space or another") as caught:
        opened(double)
    assert "sk-" not in str(caught.value)


def test_credentials_are_sent_and_never_shown(
    double: OpenAIDouble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway's user and password go where a key would go, so that both are too much."""
    caplog.set_level(logging.DEBUG)
    settings = OpenAISettings(base_url=double.base_url.replace("http://", "http://someone:a-secret@"))
    provider = OpenAI(MODEL, {}, settings)

    assert "a-secret" not in str(provider.runtime()) + repr(settings) + repr(provider.describe()) + caplog.text
    assert double.headers[-1]["Authorization"] == "Basic " + base64.b64encode(b"someone:a-secret").decode()

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(ConfigurationError, match="leave one out") as caught:
        OpenAI(MODEL, {}, settings)
    assert "a-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "openai: {api_key: sk-unmistakable}",
        "openai: {base_url: 'http://me:sk-unmistakable@host'}",
        "spaces: [{provider: openai, model: m, options: {api_key: sk-unmistakable}}]",
        "spaces: [{provider: openai, model: m, options: {Authorization: sk-unmistakable}}]",
    ],
)
def test_a_secret_in_the_settings_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    """The error says where it belongs, and neither it nor its cause repeats it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holocron.yaml").write_text(text)

    with pytest.raises(ConfigurationError, match=r"OPENAI_(API_KEY|BASE_URL).*files are copied") as caught:
        load_settings()
    assert "unmistakable" not in f"{caught.value} {caught.value.__cause__}"


def test_a_secret_among_options_is_refused(tmp_path: Path) -> None:
    """So it is where a space is added by hand."""
    with pytest.raises(ConfigurationError, match="api_key: secrets come from the environment alone") as caught:
        open_provider("openai", MODEL, {"api_key": "sk-unmistakable"}, Settings(base_dir=tmp_path))
    assert "unmistakable" not in str(caught.value)


def test_models_may_have_any_name(double: OpenAIDouble) -> None:
    """A colon and a slash are part of it: nothing is read into them."""
    double.models["nomic-ai/nomic-embed-text:v1.5"] = hashed(64)

    assert opened(double, "nomic-ai/nomic-embed-text:v1.5").describe().model_name == "nomic-ai/nomic-embed-text:v1.5"


def test_a_servers_name_has_no_mark_in_it() -> None:
    """What follows a `+` in a tag marks options, so a name that held one would be cut there."""
    with pytest.raises(ValidationError, match="server_name"):
        OpenAISettings(server_name="gateway+eu")
