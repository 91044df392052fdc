"""Embedding providers, one module each, and the table that names them.

Adding a provider is one new module that implements `holocron_assets.ports.EmbeddingProvider`, one line
in `PROVIDERS` and one in `tests/contract/test_provider.py`. Which spaces exist, and what is embedded
when, is decided elsewhere.
"""

import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from holocron_assets.errors import ConfigurationError, HolocronError, ProviderError
from holocron_assets.ports import EmbeddingProvider, Purpose
from holocron_assets.records import EmbeddingSpace, SpaceIdentity
from holocron_assets.settings import Settings
from holocron_assets.spaces import plain_tag
from holocron_assets.vectors import Vectors
from holocron_assets.wrapped import WrappedProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A class, called with a model and its options, and with the `section` of the settings where it has one.

    It is imported only when it is asked for, so one that lacks its driver disturbs nobody else. `has_tags` says that
    users write the tag behind the model's name.
    """

    target: str
    section: str | None = None
    has_tags: bool = False


#: What `provider:` may say in holocron.yaml.
PROVIDERS: dict[str, Entry] = {
    "embedded": Entry(target="resources.providers.minilm:MiniLM"),
    "hashing": Entry(target="resources.providers.hashing:ByteNgrams"),
    "ollama": Entry(target="resources.providers.ollama:Ollama", section="ollama", has_tags=True),
    "openai": Entry(target="resources.providers.openai:OpenAI", section="openai"),
}


def model_of(space: EmbeddingSpace) -> str:
    """The model of a registered space, as a user writes it."""
    return f"{space.model_name}:{plain_tag(space)}" if PROVIDERS[space.provider].has_tags else space.model_name


def open_provider(
    provider: str, model: str, options: Mapping[str, Any], settings: Settings | None = None
) -> EmbeddingProvider:
    """The provider of one space, by default with the plain settings; nothing large is loaded before it is first used.

    `options` are what the user wrote for the space, or the whole preprocess policy of a registered
    space, which describes that same space again. Raises `ConfigurationError` when the provider, the
    model or an option is not known; whatever else goes wrong, here or later, is a `ProviderError`.
    """
    if provider not in PROVIDERS:
        raise ConfigurationError(
            f"there is no embedding provider {provider!r}. Known: {', '.join(PROVIDERS)}. "
            "Correct `provider:` under `spaces:` in holocron.yaml."
        )
    entry = PROVIDERS[provider]
    with _errors_of_ours(provider):
        provider_class: Callable[..., EmbeddingProvider] = pkgutil.resolve_name(entry.target)
        how = [getattr(settings, entry.section)] if settings and entry.section else []
        return _Opened(provider, provider_class(model, options, *how))


class _Opened(WrappedProvider):
    """A provider that raises errors of ours only, whatever the libraries below it raise."""

    def __init__(self, name: str, provider: EmbeddingProvider) -> None:
        super().__init__(provider)
        self._name = name

    def describe(self) -> SpaceIdentity:
        with _errors_of_ours(self._name):
            return self._provider.describe()

    def runtime(self) -> Mapping[str, str]:
        with _errors_of_ours(self._name):
            return self._provider.runtime()

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        with _errors_of_ours(self._name):
            return self._provider.embed(texts, purpose)


@contextmanager
def _errors_of_ours(provider: str) -> Iterator[None]:
    try:
        yield
    except HolocronError:
        raise
    except Exception as error:
        raise ProviderError(
            f"provider {provider!r} failed with {type(error).__name__}: {error}. Mend it or its installation and "
            "run again."
        ) from error
