"""Ordering once more what a search found. The rerankers that only calculate are here; others are in `resources`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from holocron_assets.errors import ConfigurationError, HolocronError, ProviderError
from holocron_assets.retrieval.hits import Hit, SearchResult
from holocron_assets.retrieval.nearest import unit_directions


@dataclass(frozen=True, slots=True, kw_only=True)
class HitVectors:
    """The vector of the query, of shape (dimensions,), and those of the hits, (hits, dimensions), in their order.

    A hit that the space has no vector of has a row of zeros: it is like nothing.
    """

    query: NDArray[np.float32]
    hits: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranking:
    """The places that the hits had, the best hit first, and the score of each in this new order."""

    order: tuple[int, ...]
    scores: tuple[float, ...]


class Reranker(Protocol):
    """Gives the hits of a search another order."""

    @property
    def name(self) -> str:
        """What it is called in results and logs, with the model that it asks."""
        ...

    def rerank(self, query: str, hits: Sequence[Hit], vectors: HitVectors | None) -> Reranking | None:
        """The order of all the hits; None to leave them as they are.

        `vectors` are None where the search compared none. Raises `HolocronError` when it cannot say.
        """
        ...


class NoReranker:
    """Leaves the order as it is."""

    name = "none"

    def rerank(self, query: str, hits: Sequence[Hit], vectors: HitVectors | None) -> None:
        """See `Reranker`."""


class MaximalMarginalRelevance:
    """Passes over what only repeats a better hit: Carbonell and Goldstein, SIGIR 1998.

    The next hit is the one with the largest `(1 - diversity) * relevance - diversity * likeness`: its cosine to the
    query, and its largest cosine to a hit before it, or 0 where that is less. With a `diversity` of 0 relevance alone
    counts, with 1 likeness alone. Scores lie between -1 and 1 and never rise; of equals the first by chunk id counts.
    """

    name = "mmr"

    def __init__(self, diversity: float = 0.3) -> None:
        if not 0 <= diversity <= 1:
            raise ConfigurationError(f"rerank: diversity is a share from 0 to 1, not {diversity:g}")
        self._diversity = diversity

    def rerank(self, query: str, hits: Sequence[Hit], vectors: HitVectors | None) -> Reranking:
        """See `Reranker`."""
        if vectors is None:
            raise ConfigurationError("it compares vectors, and this search had none")
        places = sorted(range(len(hits)), key=lambda place: hits[place].chunk_id)
        found = unit_directions(vectors.hits[places])
        relevance = (1 - self._diversity) * _cosines(found, unit_directions(vectors.query[None])[0])
        likeness = np.zeros(len(places))
        left = np.ones(len(places), bool)
        order: list[int] = []
        scores: list[float] = []
        for _ in places:
            value = relevance - self._diversity * likeness
            best = int(np.argmax(np.where(left, value, -np.inf)))
            left[best] = False
            order.append(places[best])
            scores.append(float(value[best]))
            likeness = np.maximum(likeness, _cosines(found, found[best]))
        return Reranking(order=tuple(order), scores=tuple(scores))


def reranked(result: SearchResult, reranker: Reranker, vectors: HitVectors | None, top_k: int) -> SearchResult:
    """The first `top_k` hits of a result in the order of a reranker.

    Where that fails they keep the order that they have, and a note of the result says so.
    """
    try:
        reranking = reranker.rerank(result.query, result.hits, vectors) if result.hits else None
        if reranking is None:
            return replace(result, hits=result.hits[:top_k])
        _require_whole(reranking, len(result.hits))
    except HolocronError as error:
        note = f"the reranker {reranker.name} failed, so hits are in the order of {result.ranked_by}: {error}"
        return replace(result, hits=result.hits[:top_k], notes=(*result.notes, note))
    ordered = zip(reranking.order, reranking.scores, strict=True)
    hits = tuple(
        replace(result.hits[place], rank=rank, scores=replace(result.hits[place].scores, rerank=score))
        for rank, (place, score) in enumerate(ordered, start=1)
    )
    return replace(result, hits=hits[:top_k], ranked_by="rerank", reranker=reranker.name)


def _require_whole(reranking: Reranking, count: int) -> None:
    if sorted(reranking.order) != list(range(count)) or len(reranking.scores) != count:
        raise ProviderError(f"it did not give each of {count} hits one place")
    if not all(math.isfinite(score) for score in reranking.scores):
        raise ProviderError("it gave a score that is no finite number")


def _cosines(vectors: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of unit vectors. Not a matrix product: that sums up a row otherwise depending on which rows are beside it."""
    cosines: NDArray[np.float64] = np.einsum("ij,j->i", vectors, vector)
    return cosines
