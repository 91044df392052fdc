"""Opening the rerankers that ask nobody (`holocron_assets/retrieval/reranking.py`)."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from holocron_assets.retrieval.reranking import MaximalMarginalRelevance, NoReranker
from holocron_assets.settings import Settings
from resources.rerankers.options import RerankOptions


class _NoOptions(RerankOptions):
    """There is nothing to say."""


class DiversityOptions(RerankOptions):
    """`diversity`: how much being unlike the hits before counts against relevance."""

    diversity: float = Field(default=0.3, ge=0, le=1)


def no_reranker(options: Mapping[str, Any], _settings: Settings) -> NoReranker:
    """The order of the search itself."""
    _NoOptions.read("none", options)
    return NoReranker()


def maximal_marginal_relevance(options: Mapping[str, Any], _settings: Settings) -> MaximalMarginalRelevance:
    """Relevant hits that do not repeat each other."""
    return MaximalMarginalRelevance(DiversityOptions.read("mmr", options).diversity)
