"""The rows nearest to some vectors, block by block, so that files larger than the memory can be searched. Pure.

Exact, but for parts with a graph, whose rows are compared only where that leads.

Every row is compared in float32, as fast as the processor multiplies matrices. Whatever rounding may have put on the
wrong side of the last place is compared again in float64, so that equal vectors get equal similarities wherever they
stand, and however many queries are asked at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from holocron_assets.retrieval.graph import Graph

#: Similarities that are computed at once, and rows at most. Each block makes the processor's cores wait for each other.
_BLOCK, _BLOCK_ROWS = 8_388_608, 65_536
_LEAST_ROWS = 4096
#: A sum of d products of float32 is wrong by less than d times this, for vectors of length 1 (Higham, Accuracy and
#: Stability of Numerical Algorithms, section 3.1).
_UNIT_ROUNDOFF = 2.0**-24
#: Lengths that differ from 1 by less are taken for 1.
_UNIT_LENGTH = 1e-6
#: Rows whose best show what is not worth a look.
_FIRST_ROWS = 2048
#: A share of rows below which they are gathered, rather than all compared.
_FEW = 0.05
_DECIMALS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows to search: vectors of shape (n, dimensions), their lengths (n,), and which of them count (n,).

    With a graph, rows that it does not lead to are not compared.
    """

    vectors: NDArray[np.float32]
    norms: NDArray[np.float64]
    counted: NDArray[np.bool_]
    graph: Graph | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Rows, numbered through all parts, and their cosine similarities; both of shape (m,), in no order."""

    rows: NDArray[np.int64]
    similarities: NDArray[np.float64]


def nearest_rows(parts: Sequence[Part], queries: NDArray[np.float32], limit: int) -> list[Near]:
    """For each query, of shape (q, dimensions), its `limit` nearest rows, and those that are as near as the last one.

    Similarities are rounded to 9 decimals. A row without direction (all zeros) is left out; to a query without one
    nothing is near.
    """
    directions = unit_directions(queries)
    near = _Nearest(directions, limit, margin=2 * (queries.shape[1] * _UNIT_ROUNDOFF + _UNIT_LENGTH))
    asked = directions.astype(np.float32)
    first = 0
    for part in parts:
        if (led_to := _led_to(part, queries, asked, limit)) is not None:
            near.take([first + rows for rows in led_to])
        else:
            for numbers, products in _compared(part, asked):
                near.add(first + numbers, products)
        first += part.norms.size
    queries_of, rows = near.pairs()
    similarities = cosines(parts, rows, directions, queries_of)
    found = []
    bounds = np.searchsorted(queries_of, np.arange(len(directions) + 1))
    for start, end in pairwise(bounds):
        some = similarities[start:end]
        kept = some >= (np.partition(some, -limit)[-limit] if some.size > limit else -np.inf)
        found.append(Near(rows=rows[start:end][kept], similarities=some[kept]))
    return found


def cosines(
    parts: Sequence[Part], rows: NDArray[np.int64], queries: NDArray[np.floating], queries_of: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The cosine similarities of m rows, numbered through all parts, each to one of the queries (q, dimensions).

    `queries_of`, of shape (m,), says to which. In float64, rounded to 9 decimals.
    """
    similarities = np.zeros(rows.size)
    directions = unit_directions(queries)
    first = 0
    for part in parts:
        here = np.flatnonzero((rows >= first) & (rows < first + part.norms.size))
        for start in range(0, here.size, _LEAST_ROWS):
            some = here[start : start + _LEAST_ROWS]
            local = rows[some] - first
            # Row by row, whatever stands beside it: a sum over several rows at once may be cut anywhere.
            products = (part.vectors[local] * directions[queries_of[some]]).sum(axis=1)
            similarities[some] = products / np.where(part.norms[local] > 0, part.norms[local], 1.0)
        first += part.norms.size
    return np.round(similarities, _DECIMALS)


def unit_directions(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Vectors of shape (n, dimensions) with length 1, in float64; one of zeros stays as it is."""
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(lengths > 0, lengths, 1.0))


def _led_to(
    part: Part, queries: NDArray[np.float32], asked: NDArray[np.float32], limit: int
) -> list[NDArray[np.int64]] | None:
    """The rows of a part to which its graph leads each query; None where all are to be compared for all of them."""
    if part.graph is None or not asked.any(axis=1).all():
        return None
    found = part.graph.candidates(asked, part.counted, limit)
    if found is None:
        return None
    unclear = [number for number, rows in enumerate(found) if rows is None]
    exact = iter(nearest_rows([replace(part, graph=None)], queries[unclear], limit) if unclear else ())
    return [next(exact).rows if rows is None else rows for rows in found]


def _compared(part: Part, asked: NDArray[np.float32]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Rows of a part and the similarities (q, rows) of all queries to them, in float32; -inf where one does not count.

    Lengths so near 1 that they change no float32 are left alone.
    """
    numbers = np.flatnonzero(part.counted) if np.count_nonzero(part.counted) < _FEW * part.counted.size else None
    is_unit = bool(np.abs(part.norms - 1).max(initial=0) < _UNIT_LENGTH)
    every = bool(part.counted.all())
    size = min(_BLOCK_ROWS, max(_LEAST_ROWS, _BLOCK // len(asked)))
    for start in range(0, part.norms.size if numbers is None else numbers.size, size):
        end = min(start + size, part.norms.size)
        rows = np.arange(start, end) if numbers is None else numbers[start : start + size]
        # A slice is a view, and the numbers of its rows would copy it.
        block = part.vectors[start:end] if numbers is None else part.vectors[rows]
        similarities: NDArray[np.float32] = (block @ asked[0])[None] if len(asked) == 1 else asked @ block.T
        if not is_unit:
            norms = part.norms[rows]
            similarities *= np.divide(1, norms, out=np.full(norms.size, np.nan), where=norms > 0).astype(np.float32)
            similarities[:, norms == 0] = -np.inf
        if numbers is None and not every:
            similarities[:, ~part.counted[rows]] = -np.inf
        yield rows, similarities


class _Nearest:
    """The rows seen so far that may be among the nearest of each query."""

    def __init__(self, queries: NDArray[np.float64], limit: int, margin: float) -> None:
        self._limit = limit
        self._margin = margin
        #: what a similarity must reach to matter; above -inf, which stands for rows that do not count
        self._least = np.where(queries.any(axis=1), np.finfo(np.float32).min, np.inf).astype(np.float32)
        self._queries = np.zeros(0, np.int64)
        self._rows = np.zeros(0, np.int64)
        self._similarities = np.zeros(0, np.float32)
        self._taken: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def add(self, rows: NDArray[np.int64], similarities: NDArray[np.float32]) -> None:
        first = similarities[:, : max(_FIRST_ROWS, 4 * self._limit)]
        if not self._rows.size and first.shape[1] > self._limit:
            # Nothing to compare with yet: the best of some rows keep most others out.
            reached = np.partition(first, -self._limit, axis=1)[:, -self._limit] - self._margin
            self._least = np.maximum(reached, self._least)
        at = np.flatnonzero(similarities >= self._least[:, None])
        if at.size:
            queries, columns = np.divmod(at, rows.size)
            self._queries = np.concatenate([self._queries, queries])
            self._rows = np.concatenate([self._rows, rows[columns]])
            self._similarities = np.concatenate([self._similarities, similarities.ravel()[at]])
            if self._rows.size > 2 * self._limit * self._least.size:
                self._prune()

    def take(self, rows: Sequence[NDArray[np.int64]]) -> None:
        """Some rows for each query, to be compared whatever they are like."""
        self._taken.append((np.repeat(np.arange(len(rows)), [one.size for one in rows]), np.concatenate(rows)))

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Queries, ascending, and a row for each."""
        # What was added last may still have to go.
        self._prune()
        queries = np.concatenate([self._queries, *(some for some, _ in self._taken)])
        order = np.argsort(queries, kind="stable")
        return queries[order], np.concatenate([self._rows, *(rows for _, rows in self._taken)])[order]

    def _prune(self) -> None:
        """Put them in the order of their queries, and leave out what is too far behind the best of each."""
        order = np.argsort(self._queries, kind="stable")
        queries, similarities = self._queries[order], self._similarities[order]
        bounds = np.searchsorted(queries, np.arange(self._least.size + 1))
        for query, (start, end) in enumerate(pairwise(bounds)):
            if end - start > self._limit:
                reached = np.partition(similarities[start:end], -self._limit)[-self._limit] - self._margin
                self._least[query] = max(self._least[query], reached)
        kept = similarities >= self._least[queries]
        self._queries, self._rows, self._similarities = queries[kept], self._rows[order][kept], similarities[kept]
