"""Rankings of documents, from whatever ranks chunks."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from holocron_assets.evaluation.metrics import DEPTH, ranked
from holocron_assets.retrieval.hits import Method, Scores

#: So many queries are asked at once.
_QUERIES = 64
#: How many chunks are asked for first, and how many times as many where their documents are too few.
_FIRST_CHUNKS, _MORE = 2 * DEPTH, 4


class Candidate(Protocol):
    """A chunk that was found."""

    @property
    def chunk_id(self) -> str:
        """Which it is."""
        ...

    @property
    def source_id(self) -> str:
        """What it is part of."""
        ...

    @property
    def scores(self) -> Scores:
        """What it was found by."""
        ...


class Ranker(Protocol):
    """Finds the chunks that fit queries best, in one space."""

    def rank(
        self, texts: Sequence[str], vectors: NDArray[np.float32] | None, method: Method, top_k: int
    ) -> Sequence[Sequence[Candidate]]:
        """For each query up to `top_k` chunks, the best first; `vectors` has shape (len(texts), dimensions)."""
        ...


def rank_documents(
    ranker: Ranker, texts: Sequence[str], vectors: NDArray[np.float32], method: Method, *, of_chunks: bool
) -> list[list[str]]:
    """For each query the first hundred documents, or all that are found: sources, or with `of_chunks` chunks.

    A document is worth what its best chunk is. Where a hundred do not come together among the chunks that were found,
    more are asked for.
    """
    rankings: list[list[str]] = [[] for _ in texts]
    for first in range(0, len(texts), _QUERIES):
        waiting, top_k = list(range(first, min(first + _QUERIES, len(texts)))), _FIRST_CHUNKS
        while waiting:
            found = ranker.rank([texts[row] for row in waiting], vectors[waiting], method, top_k)
            lacking = []
            for row, candidates in zip(waiting, found, strict=True):
                documents = _documents(candidates, method, of_chunks=of_chunks)
                rankings[row] = documents[:DEPTH]
                if len(documents) < DEPTH and len(candidates) >= top_k:
                    lacking.append(row)
            waiting, top_k = lacking, top_k * _MORE
    return rankings


def _documents(candidates: Sequence[Candidate], method: Method, *, of_chunks: bool) -> list[str]:
    best: dict[str, float] = {}
    for one in candidates:
        document = one.chunk_id if of_chunks else one.source_id
        best[document] = max(method.score(one.scores), best.get(document, -np.inf))
    return ranked(best)
