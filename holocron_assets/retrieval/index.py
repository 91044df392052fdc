"""A search index that is open: ranks chunks for a query, and tells what there is to show of them.

Every answer is the same as that of an index which was built at once, whatever the number of segments; and exact, unless
the index is so large that graphs lead to the candidates for the nearest vectors.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from holocron_assets.errors import IndexDamagedError
from holocron_assets.retrieval.bm25 import WordIndex, WordPart
from holocron_assets.retrieval.filters import Filters
from holocron_assets.retrieval.fusion import reciprocal_ranks, weighted_scores
from holocron_assets.retrieval.hits import Fusion, Hit, Method, Mode, Scores
from holocron_assets.retrieval.manifest import Manifest, looks
from holocron_assets.retrieval.nearest import Part, cosines, nearest_rows
from holocron_assets.retrieval.rows import hit_of, live_rows, readable
from holocron_assets.retrieval.segment import Segment, open_segment
from holocron_assets.retrieval.words import analyzer_of

#: How many of each leg a hybrid search fuses, at least.
FUSED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A chunk that was found, by its row of the index, counted through all segments."""

    row: int
    chunk_id: str
    source_id: str
    scores: Scores


@dataclass(frozen=True, slots=True)
class _Leg:
    """Rows in the order of one score, the best first, and that score; both of shape (m,).

    `of_all`: the score of every row of the index, where that was computed.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    of_all: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def pairs(self) -> Iterator[tuple[int, float]]:
        """Row and score of each."""
        return zip(self.rows.tolist(), self.scores.tolist(), strict=True)


_NOTHING = _Leg(np.zeros(0, np.int64), np.zeros(0))


class SearchIndex:
    """The published index of one space. May be used by several threads at once."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        segments: Sequence[Segment],
        live: Sequence[Any],
        seen: Mapping[str, tuple[int, int, int]],
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self._seen = seen
        self.segments = segments
        self.live: Sequence[NDArray[np.bool_]] = live
        self._starts = np.cumsum([0, *(segment.row_count for segment in segments)])
        self._analyzer = analyzer_of(manifest.language)
        self._words = WordIndex(
            [WordPart(postings=one.postings, live=counted) for one, counted in zip(segments, live, strict=True)]
        )

    def rank(
        self,
        texts: Sequence[str],
        vectors: NDArray[np.float32] | None,
        method: Method,
        top_k: int,
        filters: Filters | None = None,
    ) -> list[list[Candidate]]:
        """For each query its best `top_k` chunks, the best first, ties by chunk id.

        `vectors`, of shape (len(texts), dimensions), are those of the queries; a lexical search needs none. A lexical
        search finds only what has a word of the query. Raises `IndexDamagedError` where its files turn out damaged.
        """
        allowed = list(self.live)
        if filters is not None and filters != Filters():
            with readable(self.folder):
                allowed = [live & filters.mask(one.rows) for live, one in zip(self.live, self.segments, strict=True)]
        depth = top_k if method.mode is not Mode.HYBRID else max(FUSED, top_k)
        near = self._nearest(vectors, allowed, depth) if method.mode is not Mode.LEXICAL else [_NOTHING] * len(texts)
        ranked: list[list[tuple[int, Scores]]] = []
        for number, text in enumerate(texts):
            matching = self._matching(text, allowed, depth) if method.mode is not Mode.VECTOR else _NOTHING
            if method.mode is Mode.HYBRID and vectors is not None:
                ranked.append(self._fused(near[number], matching, vectors[number], method, top_k))
            elif method.mode is Mode.VECTOR:
                ranked.append([(row, Scores(cosine_similarity=score)) for row, score in near[number].pairs()])
            else:
                ranked.append([(row, Scores(bm25=score)) for row, score in matching.pairs()])
        # All at once, because to look into a column costs the same for one row as for many.
        candidates = iter(self._candidates([found for some in ranked for found in some]))
        return [[next(candidates) for _ in some] for some in ranked]

    def hits(self, candidates: Sequence[Candidate]) -> list[Hit]:
        """What there is to show of candidates, in their order.

        Raises `IndexDamagedError` where a text is not, any more, what its hash says.
        """
        return [self._hit(rank, one) for rank, one in enumerate(candidates, start=1)]

    def vectors(self, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
        """The vectors of candidates, of shape (n, dimensions)."""
        places = [self._place(one.row) for one in candidates]
        rows = [np.asarray(segment.vectors[row]) for segment, row in places]
        return np.stack(rows) if rows else np.zeros((0, self.manifest.dimensions), np.float32)

    def sampled(self, count: int) -> list[Candidate]:
        """Up to `count` chunks, spread evenly, without scores; none whose vector has no direction."""
        parts = zip(self._starts[:-1], self.segments, self.live, strict=True)
        rows = np.concatenate(
            [start + np.flatnonzero(live & (one.norms > 0)) for start, one, live in parts] or [np.zeros(0, np.int64)]
        )
        chosen = rows[np.unique(np.linspace(0, rows.size - 1, min(count, rows.size)).astype(np.int64))]
        return self._candidates([(row, Scores()) for row in chosen.tolist()])

    @property
    def kind(self) -> str:
        """How vectors are compared: `exact`, all of them, or `approximate`, those that a graph leads to."""
        return "approximate" if any(one.graph for one in self.segments) else "exact"

    def exactly(self) -> "SearchIndex":
        """The same index, comparing every vector."""
        segments = [replace(one, graph=None) for one in self.segments]
        return SearchIndex(self.folder, self.manifest, segments, self.live, self._seen)

    def terms(self, text: str) -> list[str]:
        """The terms by which a query is compared."""
        return self._analyzer.query_terms(text)

    def passages(self, source_id: str) -> list[Hit]:
        """Every chunk of a source, in the order of its text, without scores; raises as `hits`."""
        wanted = Filters(source_id=(source_id,))
        with readable(self.folder):
            rows = [
                (int(start + row), Scores())
                for start, live, segment in zip(self._starts[:-1], self.live, self.segments, strict=True)
                for row in np.flatnonzero(live & wanted.mask(segment.rows))
            ]
        found = [self._hit(0, one) for one in self._candidates(rows)]
        return sorted(found, key=lambda hit: (hit.start_offset, hit.end_offset))

    def stamped(self, stamp: str | None) -> "SearchIndex":
        """The same index, known to be current while the store looks like `stamp` from outside."""
        index = copy(self)
        index.manifest = self.manifest.model_copy(update={"stamp": stamp})
        return index

    def is_whole(self) -> bool:
        """Whether nobody wrote to a file that this index reads, or replaced it, since it was opened."""
        try:
            return looks(self.folder, self.manifest) == self._seen
        except IndexDamagedError:
            return False

    def _nearest(self, vectors: NDArray[np.float32] | None, allowed: Sequence[Any], limit: int) -> list[_Leg]:
        if vectors is None:
            raise ValueError("queries are compared by their vectors, and there are none")
        near = nearest_rows(self._parts(allowed), vectors, limit)
        return [self._in_order(one.rows, one.similarities, limit) for one in near]

    def _matching(self, text: str, allowed: Sequence[NDArray[np.bool_]], limit: int) -> _Leg:
        with readable(self.folder):
            scores = np.concatenate([np.zeros(0), *self._words.scores(self._analyzer.query_terms(text))])
        rows = np.flatnonzero((scores > 0) & np.concatenate([np.zeros(0, bool), *allowed]))
        best = self._in_order(rows, scores[rows], limit)
        return _Leg(best.rows, best.scores, of_all=scores)

    def _fused(
        self, near: _Leg, matching: _Leg, vector: NDArray[np.float32], method: Method, top_k: int
    ) -> list[tuple[int, Scores]]:
        rows = np.union1d(near.rows, matching.rows)
        if not rows.size:
            return []
        # What only one leg brought here has a score by the other as well, if it can be compared.
        cosine = cosines(self._parts(self.live), rows, vector[None], np.zeros(rows.size, np.int64))
        cosine[~(vector.any() & self._has_direction(rows))] = np.nan
        words = matching.of_all[rows]
        weights = (method.vector_weight, 1 - method.vector_weight)
        is_rrf = method.fusion is Fusion.RRF
        if is_rrf:
            legs = np.searchsorted(rows, near.rows), np.searchsorted(rows, matching.rows)
            # Weights that are 1 where both legs weigh the same.
            fused = reciprocal_ranks(legs, [2 * weight for weight in weights], rows.size)
        else:
            fused = weighted_scores((cosine, words), weights)
        best = self._in_order(rows, fused, top_k)
        at = np.searchsorted(rows, best.rows)
        return [
            (
                row,
                Scores(
                    cosine_similarity=None if math.isnan(similarity) else similarity,
                    bm25=bm25_score or None,
                    rrf=score if is_rrf else None,
                    weighted=None if is_rrf else score,
                ),
            )
            for row, similarity, bm25_score, score in zip(
                best.rows.tolist(), cosine[at].tolist(), words[at].tolist(), best.scores.tolist(), strict=True
            )
        ]

    def _candidates(self, found: Sequence[tuple[int, Scores]]) -> list[Candidate]:
        rows = np.array([row for row, _ in found], np.int64)
        names = zip(found, self._texts("chunk_id", rows), self._texts("source_id", rows), strict=True)
        return [
            Candidate(row=row, chunk_id=chunk_id, source_id=source_id, scores=scores)
            for (row, scores), chunk_id, source_id in names
        ]

    def _in_order(self, rows: NDArray[np.int64], scores: NDArray[np.float64], limit: int) -> _Leg:
        """The best of some rows, ties by chunk id."""
        if rows.size > limit:
            kept = scores >= np.partition(scores, -limit)[-limit]
            rows, scores = rows[kept], scores[kept]
        order = np.argsort(-scores, kind="stable")
        rows, scores = rows[order], scores[order]
        # Most rows tie with none, and their ids need not be read.
        if (pairs := np.flatnonzero(scores[1:] == scores[:-1])).size:
            tied = np.union1d(pairs, pairs + 1)
            rows[tied] = rows[tied][np.lexsort((np.array(self._texts("chunk_id", rows[tied])), -scores[tied]))]
        return _Leg(rows[:limit], scores[:limit])

    def _texts(self, column: str, rows: NDArray[np.int64]) -> list[str]:
        """What stands in a column, in the order of the rows."""
        texts = np.empty(rows.size, dtype=object)
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        for owner in np.unique(owners):
            here = owners == owner
            found = self.segments[owner].rows.column(column).take(pa.array(rows[here] - self._starts[owner]))
            with readable(self.folder):
                texts[here] = found.to_pylist()
        return list(texts)

    def _has_direction(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the vectors of some rows are not zeros, which stand for those that cannot be compared."""
        norms = np.zeros(rows.size)
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        for owner in np.unique(owners):
            here = owners == owner
            norms[here] = self.segments[owner].norms[rows[here] - self._starts[owner]]
        return norms > 0

    def _parts(self, counted: Sequence[NDArray[np.bool_]]) -> list[Part]:
        return [
            Part(vectors=one.vectors, norms=one.norms, counted=mask, graph=one.graph)
            for one, mask in zip(self.segments, counted, strict=True)
        ]

    def _place(self, row: int) -> tuple[Segment, int]:
        owner = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self.segments[owner], row - int(self._starts[owner])

    def _hit(self, rank: int, candidate: Candidate) -> Hit:
        segment, local = self._place(candidate.row)
        with readable(self.folder):
            return hit_of(segment.rows.slice(local, 1).to_pylist()[0], rank, candidate.scores)


def open_index(folder: Path, manifest: Manifest) -> SearchIndex:
    """The index that a manifest describes; raises `IndexDamagedError` where it is not whole."""
    seen = looks(folder, manifest)
    segments = [
        open_segment(folder / one.name, manifest.dimensions, approximate=manifest.approximate)
        for one in manifest.segments
    ]
    live = [live_rows(folder, entry, segment) for entry, segment in zip(manifest.segments, segments, strict=True)]
    return SearchIndex(folder, manifest, segments, live, seen)
