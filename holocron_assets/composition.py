"""Putting the parts together without Dagster: from settings to an open store and providers.

The only module of this package that sees `resources`. `definitions.py` builds Dagster's definitions on it;
commands use it as it is, and need not wait for Dagster to be imported (docs/decisions/0002-composition.md).
"""

import os
import threading
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from holocron_assets.errors import ConfigurationError
from holocron_assets.ports import EmbeddingProvider, ProviderCatalog, Store, Webhook
from holocron_assets.records import EmbeddingSpace
from holocron_assets.settings import Settings
from holocron_assets.spaces import options_of
from resources.providers import PROVIDERS, model_of, open_provider
from resources.rerankers import open_reranker
from resources.stores import open_store
from resources.webhook import open_webhook

if TYPE_CHECKING:
    from holocron_assets.search import Searcher

#: How long a session waits for a store that another process holds. A step of a run can afford to wait;
#: a person cannot, and is told who holds it; a sensor comes again soon.
STEP_WAIT_SECONDS = 120.0
COMMAND_WAIT_SECONDS = 15.0
SENSOR_WAIT_SECONDS = 0.0
#: Who looks at a page sees that it loads, and can load it again.
PAGE_WAIT_SECONDS = 3.0


class InstalledProviders:
    """The providers of `resources.providers`, each opened once: a model is loaded once per process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: dict[str, EmbeddingProvider] = {}
        self._lock = threading.Lock()

    def open(self, provider: str, model: str, options: Mapping[str, Any]) -> EmbeddingProvider:
        """See `holocron_assets.ports.ProviderCatalog`."""
        key = repr((provider, model, sorted(options.items())))
        with self._lock:
            if key not in self._opened:
                self._opened[key] = open_provider(provider, model, options, self._settings)
            return self._opened[key]

    def reopen(self, space: EmbeddingSpace) -> EmbeddingProvider:
        """See `holocron_assets.ports.ProviderCatalog`."""
        if space.provider not in PROVIDERS:
            raise ConfigurationError(
                f"space {space.slug} was filled by the provider {space.provider!r}, which this version does not have. "
                f"Known: {', '.join(PROVIDERS)}."
            )
        return self.open(space.provider, model_of(space), options_of(space))


def command_store(settings: Settings) -> Store:
    """The store as a command uses it."""
    return open_store(settings, wait_seconds=COMMAND_WAIT_SECONDS)


def step_store(settings: Settings) -> Store:
    """The store as a step of a Dagster run uses it."""
    return open_store(settings, wait_seconds=STEP_WAIT_SECONDS)


def sensor_store(settings: Settings) -> Store:
    """The store as a sensor looks at it."""
    return open_store(settings, wait_seconds=SENSOR_WAIT_SECONDS)


def page_store(settings: Settings) -> Store:
    """The store as the search page uses it."""
    return open_store(settings, wait_seconds=PAGE_WAIT_SECONDS)


def installed_providers(settings: Settings) -> ProviderCatalog:
    """Every provider that this installation has."""
    return InstalledProviders(settings)


def searcher(settings: Settings, store: Store | None = None) -> "Searcher":
    """What answers questions of `store` as the settings say; without one it waits for the store as a command does."""
    # What searches need takes long to import, and most commands do not search.
    from holocron_assets.retrieval_log import log_retrieval  # noqa: PLC0415
    from holocron_assets.search import Searcher  # noqa: PLC0415
    from holocron_assets.stages.canary import CanaryPolicy  # noqa: PLC0415
    from holocron_assets.stages.indexing import IndexPlace  # noqa: PLC0415

    searched = store or command_store(settings)
    return Searcher(
        searched,
        InstalledProviders(settings),
        CanaryPolicy.of(settings),
        IndexPlace.of(settings),
        partial(log_retrieval, searched),
        open_reranker(settings.rerank.name, settings.rerank.options, settings),
        rerank_depth=settings.rerank.depth,
        logs=settings.search.log,
    )


def alert_webhook() -> Webhook | None:
    """Where alerts are posted to, if the environment says so."""
    return open_webhook(os.environ)
