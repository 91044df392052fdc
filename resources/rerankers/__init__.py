"""Rerankers, and the table that names them. Adding one is a new module and a line in `RERANKERS`."""

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from holocron_assets.errors import ConfigurationError, HolocronError, ProviderError
from holocron_assets.retrieval.hits import Hit
from holocron_assets.retrieval.reranking import HitVectors, Reranker, Reranking
from holocron_assets.settings import Settings

#: What `rerank.name` may say -> what is called with its options and the settings, imported when it is asked for.
RERANKERS: dict[str, str] = {
    "none": "resources.rerankers.calculated:no_reranker",
    "mmr": "resources.rerankers.calculated:maximal_marginal_relevance",
    "ollama": "resources.rerankers.ollama:OllamaReranker",
}


def open_reranker(name: str, options: Mapping[str, Any], settings: Settings) -> Reranker:
    """The reranker of a name; nothing is asked or loaded yet. Raises `ConfigurationError`."""
    if name not in RERANKERS:
        raise ConfigurationError(
            f"there is no reranker {name!r}. Known: {', '.join(RERANKERS)}. Correct `rerank:` in holocron.yaml."
        )
    opened: Callable[..., Reranker] = pkgutil.resolve_name(RERANKERS[name])
    return _Opened(opened(options, settings))


class _Opened:
    """A reranker that raises errors of ours only, whatever goes wrong below it."""

    def __init__(self, reranker: Reranker) -> None:
        self._reranker = reranker
        self.name = reranker.name

    def rerank(self, query: str, hits: Sequence[Hit], vectors: HitVectors | None) -> Reranking | None:
        """See `holocron_assets.retrieval.reranking.Reranker`."""
        try:
            return self._reranker.rerank(query, hits, vectors)
        except HolocronError:
            raise
        except Exception as error:
            raise ProviderError(f"{type(error).__name__}: {error}") from error
