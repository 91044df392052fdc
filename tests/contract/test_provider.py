"""What every embedding provider keeps, tried on every row of `PROVIDERS`. What one alone does is under `unit/`."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from holocron_assets.composition import InstalledProviders
from holocron_assets.errors import ConfigurationError, InputRejectedError, ModelMissingError
from holocron_assets.identity import canonical_json
from holocron_assets.model_servers import OllamaSettings, OpenAISettings
from holocron_assets.ports import EmbeddingProvider, Purpose
from holocron_assets.settings import Settings
from holocron_assets.spaces import require_same_space, space_of
from resources.providers import PROVIDERS, open_provider
from tests.ollama_double import Model, OllamaDouble
from tests.openai_double import OpenAIDouble

#: A model of each provider; a new provider brings its line.
MODELS = {
    "embedded": "all-minilm-l6-v2",
    "hashing": "ngram",
    "ollama": "all-minilm",
    "openai": "text-embedding-3-small",
}
#: Those whose servers tell no digest.
WITHOUT_DIGEST = {"openai"}

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "a",
    "The tide turned back at the ninth pillar. " * 8,
    "Die Fähre fährt bei Niedrigwasser über Land.",
    "a",
    "plain\ttext\nover\r\nlines",
    "The quick brown fox leaps over the lazy dog.",
]

ODD_TEXTS = {
    "empty": "",
    "blank": " \n\t ",
    "NUL": "\0",
    "NUL inside": "be\0fore",
    "control characters": "\x01\x1b[31m\x7f\u0085",
    "byte order mark": "\ufeff",
    "no character": "\uffff\U0010ffff",
    "emoji joined": "👩🏽\u200d🚀👨\u200d👩\u200d👧",
    "combining marks": "Z\u0351\u036b\u0343a\u0300\u0301\u0302l",
    "right to left": "\u202eأهلاً وسهلاً \u05e9\u05dc\u05d5\u05dd",
    "no spaces": "満潮時刻" * 50,
    "one long word": "a" * 5_000,
    "100,000 characters": "What is a lumbrel? " * 5_264,
    "the model's own marks": "[CLS] [SEP] [PAD] [MASK] <s> </s> <|endoftext|>",
}


@pytest.fixture(scope="module", params=PROVIDERS)
def name(request: pytest.FixtureRequest) -> str:
    """The provider's row in the table."""
    return str(request.param)


@pytest.fixture(scope="module")
def settings(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings under which the provider finds what it needs: for some a server with the real model behind it."""
    plain = Settings(base_dir=tmp_path_factory.mktemp("project"))
    minilm = open_provider("embedded", "all-minilm-l6-v2", {})
    with ExitStack() as servers:
        if name == "ollama":
            model = Model(encoder=lambda texts: minilm.embed(texts).values, embedding_length=384)
            ollama = servers.enter_context(OllamaDouble(models={"all-minilm:latest": model}))
            plain = plain.model_copy(update={"ollama": OllamaSettings(base_url=ollama.url)})
        if name == "openai":
            models = {MODELS[name]: lambda texts: minilm.embed(texts).values}
            openai = servers.enter_context(OpenAIDouble(models=models, longest=100_000, takes_empty_texts=True))
            plain = plain.model_copy(update={"openai": OpenAISettings(base_url=openai.base_url)})
        yield plain


@pytest.fixture(scope="module")
def provider(name: str, settings: Settings) -> EmbeddingProvider:
    """The provider with its plain options, shared: opening it again would only repeat the loading."""
    return open_provider(name, MODELS[name], {}, settings)


def test_describes_itself_completely(name: str, provider: EmbeddingProvider) -> None:
    """The identity names provider, model, tag and a SHA-256 (or nothing, where none is told); its policy is JSON."""
    identity = provider.describe()

    assert identity.provider == name
    assert identity.model_name == MODELS[name]
    assert identity.model_tag
    assert re.fullmatch("" if name in WITHOUT_DIGEST else r"[0-9a-f]{64}", identity.model_digest)
    assert identity.dimensions > 0
    assert identity.distance_metric == "cosine"
    assert identity.is_plain
    assert canonical_json(identity.preprocess_policy)


def test_description_is_stable(name: str, provider: EmbeddingProvider, settings: Settings) -> None:
    """Asking again, asking another instance and embedding in between change nothing of the identity."""
    before = provider.describe()
    provider.embed(["anything"])

    assert provider.describe() == before
    assert open_provider(name, MODELS[name], {}, settings).describe() == before


def test_policy_opens_the_same_space(provider: EmbeddingProvider, settings: Settings) -> None:
    """A registered space, opened again by what is stored of it, describes itself as it did."""
    registered = space_of(provider.describe())
    reopened = InstalledProviders(settings).reopen(registered)

    require_same_space(registered, reopened.describe())
    assert space_of(reopened.describe()) == registered


def test_runtime_is_names_and_versions(provider: EmbeddingProvider) -> None:
    """The runtime is a small table of texts that names the engine."""
    runtime = provider.runtime()

    assert runtime["engine"]
    assert json.loads(json.dumps(runtime)) == runtime
    assert {type(value) for value in runtime.values()} == {str}


def test_a_call_holds_something(provider: EmbeddingProvider) -> None:
    """There is at least one call at a time, with at least one text and one character."""
    assert min(provider.batch_size, provider.batch_characters, provider.concurrency) >= 1


def test_vectors_have_the_announced_form(provider: EmbeddingProvider) -> None:
    """n texts give n finite float32 vectors of the space's dimension and of unit length."""
    identity = provider.describe()
    values = provider.embed(TEXTS).values

    assert values.shape == (len(TEXTS), identity.dimensions)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert identity.normalize
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-6)


def test_vector_depends_on_its_text_alone(provider: EmbeddingProvider) -> None:
    """Alone, in a batch, in another order or a second time, a text has the same bytes as its vector."""
    together = provider.embed(TEXTS).values
    alone = [provider.embed([text]).values[0] for text in TEXTS]
    backwards = provider.embed(TEXTS[::-1]).values[::-1]

    assert [vector.tobytes() for vector in together] == [vector.tobytes() for vector in alone]
    assert together.tobytes() == backwards.tobytes()


def test_rows_follow_the_texts(provider: EmbeddingProvider) -> None:
    """Row i belongs to text i: equal texts have equal rows, other texts other rows."""
    rows = [vector.tobytes() for vector in provider.embed(TEXTS).values]

    assert [rows.index(row) for row in rows] == [TEXTS.index(text) for text in TEXTS]


def test_nearby_texts_are_nearer(provider: EmbeddingProvider) -> None:
    """A text is nearer to its paraphrase in nearly the same words than to a text on another matter."""
    fox, _, empire, *_, other_fox = provider.embed(TEXTS).values

    assert fox @ other_fox > 0.5 > fox @ empire


def test_empty_batch_is_no_vectors(provider: EmbeddingProvider) -> None:
    """No texts give no rows, still of the right width and type."""
    vectors = provider.embed([])

    assert vectors.values.shape == (0, provider.describe().dimensions)
    assert vectors.values.dtype == np.float32
    assert vectors.truncated_tokens.shape == (0,)


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_odd_texts_are_embedded(provider: EmbeddingProvider, text: str) -> None:
    """Whatever is valid Unicode has a vector like any other."""
    values = provider.embed([text]).values

    assert np.isfinite(values).all()
    assert np.linalg.norm(values[0]) == pytest.approx(1, abs=1e-6)


def test_broken_unicode_is_rejected(provider: EmbeddingProvider) -> None:
    """Half a surrogate pair is no text: it is rejected for good, and as an error of ours."""
    with pytest.raises(InputRejectedError, match="not valid Unicode"):
        provider.embed(["fine", "bro\ud800ken"])


def test_short_texts_are_whole(provider: EmbeddingProvider) -> None:
    """One count of lost tokens for each text, zero where everything was read."""
    truncated = provider.embed(TEXTS).truncated_tokens

    assert truncated.dtype == np.int32
    assert truncated.tolist() == [0] * len(TEXTS)


def test_queries_are_in_the_same_space(provider: EmbeddingProvider) -> None:
    """A query has a vector of the same form, near the document that holds its words."""
    document = provider.embed([TEXTS[0]], Purpose.DOCUMENT).values[0]
    query = provider.embed([TEXTS[0]], Purpose.QUERY).values[0]

    assert query.shape == document.shape
    assert query.dtype == np.float32
    assert query @ document > 0.9


def test_unknown_option_is_refused(name: str, settings: Settings) -> None:
    """An option that the provider does not know is an error that names it and those it knows."""
    known = open_provider(name, MODELS[name], {}, settings).describe().preprocess_policy

    with pytest.raises(ConfigurationError, match="max_tokenz") as caught:
        open_provider(name, MODELS[name], {"max_tokenz": 1})
    assert all(option in str(caught.value) for option in known)


def test_unknown_model_is_refused(name: str, settings: Settings) -> None:
    """A model that the provider does not serve is an error that names it."""
    with pytest.raises((ConfigurationError, ModelMissingError), match="no-such-model"):
        open_provider(name, "no-such-model", {}, settings).describe()


def test_unknown_provider_is_refused() -> None:
    """A provider that is not in the table is an error that lists the table."""
    with pytest.raises(ConfigurationError, match="embedded, hashing, ollama, openai"):
        open_provider("no-such-provider", "any", {})
