"""A ranker that compares everything with everything, slowly and plainly: what an index must agree with."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np
from numpy.typing import NDArray

from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.hits import BM25_B, BM25_K1, RRF_K, Fusion, Method, Mode, Scores
from holocron_assets.settings import Settings
from holocron_assets.transactions import read
from holocron_assets.vectors import rows_of

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A chunk and what it was found by."""

    chunk_id: str
    source_id: str
    scores: Scores


class ExactRanker:
    """Ranks the current chunks of a space."""

    def __init__(self, store: Store, _settings: Settings, space: EmbeddingSpace) -> None:
        self.asked: list[int] = []
        self._chunks, self._vectors = read(store, _read, space)
        self._words = [Counter(_WORD.findall(content.lower())) for _, _, content in self._chunks]

    def rank(
        self, texts: Sequence[str], vectors: NDArray[np.float32] | None, method: Method, top_k: int
    ) -> list[list[Found]]:
        self.asked.append(top_k)
        assert vectors is not None
        return [self._rank(text, vector, method)[:top_k] for text, vector in zip(texts, vectors, strict=True)]

    def _rank(self, text: str, vector: NDArray[np.float32], method: Method) -> list[Found]:
        cosines = {row: round(float(cosine), 6) for row, cosine in enumerate(self._vectors @ vector)}
        bm25 = {row: score for row in cosines if (score := self._bm25(text, row)) > 0}
        legs = {Mode.VECTOR: [cosines], Mode.LEXICAL: [bm25]}.get(method.mode, [cosines, bm25])
        name = {Mode.VECTOR: "cosine_similarity", Mode.LEXICAL: "bm25"}.get(method.mode, method.fusion.value)
        fused = legs[0] if len(legs) == 1 else self._fused(legs, method)
        order = sorted(fused, key=lambda row: (-fused[row], self._chunks[row][0]))
        return [
            Found(
                chunk_id=self._chunks[row][0],
                source_id=self._chunks[row][1],
                scores=replace(Scores(), **{name: fused[row]}),
            )
            for row in order
        ]

    def _fused(self, legs: list[dict[int, float]], method: Method) -> dict[int, float]:
        fused: Counter[int] = Counter()
        for leg, weight in zip(legs, (method.vector_weight, 1 - method.vector_weight), strict=True):
            order = sorted(leg, key=lambda row: (-leg[row], self._chunks[row][0]))
            low, high = (min(leg.values()), max(leg.values())) if leg else (0.0, 0.0)
            for rank, row in enumerate(order, start=1):
                share = (leg[row] - low) / (high - low) if high > low else 1.0
                fused[row] += weight * (share if method.fusion is Fusion.WEIGHTED else 1 / (RRF_K + rank))
        return dict(fused)

    def _bm25(self, text: str, row: int) -> float:
        mean = sum(words.total() for words in self._words) / len(self._words)
        score = 0.0
        for word in set(_WORD.findall(text.lower())):
            having = sum(1 for words in self._words if word in words)
            often = self._words[row][word]
            length = BM25_K1 * (1 - BM25_B + BM25_B * self._words[row].total() / mean)
            score += log(1 + (len(self._words) - having + 0.5) / (having + 0.5)) * often / (often + length)
        return score


def _read(session: Session, space: EmbeddingSpace) -> tuple[list[tuple[str, str, str]], NDArray[np.float32]]:
    chunks, vectors = [], [np.empty((0, space.dimensions), np.float32)]
    for batch in session.stream("list_current_vectors", embedding_space_id=space.embedding_space_id):
        chunks += batch.column("chunk_id").to_pylist()
        vectors.append(rows_of(batch.column("vector"), space.dimensions))
    details = {row["chunk_id"]: row for row in session.rows("list_hit_details", chunk_ids=chunks)}
    return [(key, details[key]["source_id"], details[key]["content"]) for key in chunks], np.concatenate(vectors)
