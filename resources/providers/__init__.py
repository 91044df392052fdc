"""Embedding providers, one module each, and the table that names them.

Adding a provider is one new module that implements `holocron_assets.ports.EmbeddingProvider`, one line
in `PROVIDERS` and one in `tests/contract/test_provider.py`. Which spaces exist, and what is embedded
when, is decided elsewhere.
"""

import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from holocron_assets.errors import ConfigurationError
from holocron_assets.ports import EmbeddingProvider

#: What `provider:` may say in holocron.yaml, and the class behind it, called with a model and its options.
#: A class is imported only when it is asked for, so one that lacks its driver disturbs nobody else.
PROVIDERS: dict[str, str] = {
    "embedded": "resources.providers.minilm:MiniLM",
    "hashing": "resources.providers.hashing:ByteNgrams",
}


def open_provider(provider: str, model: str, options: Mapping[str, Any]) -> EmbeddingProvider:
    """The provider of one space; nothing large is loaded before it is first used.

    `options` are what the user wrote for the space, or the whole preprocess policy of a registered
    space, which describes that same space again. Raises `ConfigurationError` when the provider, the
    model or an option is not known.
    """
    if provider not in PROVIDERS:
        raise ConfigurationError(
            f"there is no embedding provider {provider!r}. Known: {', '.join(PROVIDERS)}. "
            "Correct `provider:` under `spaces:` in holocron.yaml."
        )
    provider_class: Callable[[str, Mapping[str, Any]], EmbeddingProvider] = pkgutil.resolve_name(PROVIDERS[provider])
    return provider_class(model, options)
