"""Whether texts came that are unlike all that was there: how far each is from the nearest text of the reference.

The distance to centroids that both windows gave would not tell: a new topic has centroids of its own, and its texts are
near them. Which text of the reference is nearest depends on which documents are in it, so it is looked for again in
every permutation; for a text of the reference, among the other documents of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.dividing import floor_of_halves, floor_of_slices, surprise_of
from holocron_assets.drift.content.sampling import draw_documents, spread_rows
from holocron_assets.drift.content.slicing import beside_earlier, newest_slices
from holocron_assets.drift.content.windows import VectorSource, Windows, vectors_of

Matrix = NDArray[np.float64]

#: Documents of each window that are looked at, and half of the rows: every one is held beside every other.
_SIDE = 2000
_BLOCK_ROWS = 500
#: Neighbours that are looked through first for one of the reference.
_FIRST_LOOK = 8
#: Squared distances below this share of the mean are those of equal vectors.
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Novelty:
    """`distances` are those of the rows that were looked at to the nearest row of another document of the reference,
    squared, in units of the mean squared distance of two rows of different documents; of shape (rows,), as is
    `is_current`. `statistic` is by how much their mean is larger in the current window, and `p` how often permutations
    of documents give as much: one-sided, so that copies of what was there are no surprise. `effect` is the statistic
    less what permutations give on average; below 0, texts are nearer than those of the reference are to each other.
    `floor` is what 99 % of effects between random halves of the reference stay within."""

    statistic: float
    p: float
    effect: float
    floor: float
    distances: Matrix
    is_current: NDArray[np.bool_]

    @property
    def reference(self) -> float:
        """The mean distance of the reference's rows."""
        return float(self.distances[~self.is_current].mean())

    @property
    def current(self) -> float:
        """The mean distance of the current rows."""
        return float(self.distances[self.is_current].mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Neighbours:
    """Of rows of `documents`: the numbers of all rows, nearest first, those of the same document last, and squared
    distances to them; both of shape (rows, rows)."""

    documents: NDArray[np.intp]
    order: NDArray[np.uint16]
    distances: Matrix

    def nearest(self, is_reference: NDArray[np.bool_], is_current: NDArray[np.bool_]) -> Matrix:
        """The distance of each row to the nearest of the reference, of shape (rows,); NaN where in neither window.

        Windows are of shape (documents,).
        """
        is_target = is_reference[self.documents]
        found = np.full(self.documents.size, np.nan)
        waiting = np.flatnonzero(is_target | is_current[self.documents])
        first, width = 0, _FIRST_LOOK
        while waiting.size:
            is_hit = is_target[self.order[waiting, first : first + width]]
            at, has = is_hit.argmax(axis=1), is_hit.any(axis=1)
            found[waiting[has]] = self.distances[waiting[has], first + at[has]]
            waiting = waiting[~has]
            first, width = first + width, 4 * width
        return found

    def grown(self, is_reference: NDArray[np.bool_], is_current: NDArray[np.bool_]) -> float:
        """By how much the mean distance of the current rows exceeds that of the reference's; see `Divisible`."""
        found = self.nearest(is_reference, is_current)
        return float(found[is_current[self.documents]].mean() - found[is_reference[self.documents]].mean())


def compare_novelty(
    windows: Windows, source: VectorSource, dimensions: int, permutations: int, random: np.random.Generator
) -> Novelty:
    """Of some documents of each window, and as many rows of each as there is room for."""
    is_drawn = draw_documents(~windows.is_current, _SIDE, random) | draw_documents(windows.is_current, _SIDE, random)
    near = _drawn(windows, source, dimensions, is_drawn, random)
    is_current = windows.is_current[is_drawn]
    found = surprise_of(near, ~is_current, is_current, permutations, random, negligible=_EQUAL)
    reference = np.flatnonzero(~is_current)
    return Novelty(
        statistic=found.statistic,
        p=found.p,
        effect=found.effect,
        floor=floor_of_halves(near, reference, is_current.size - reference.size, is_current.size, random),
        distances=near.nearest(~is_current, is_current),
        is_current=is_current[near.documents],
    )


def novelty_of_slices(windows: Windows, source: VectorSource, dimensions: int, random: np.random.Generator) -> float:
    """What is ordinary of slices of the reference, each beside all that came before it.

    Among more texts, each is nearer to another one. So what came before is drawn as the reference is, and slices before
    which less than half of it came are left out.
    """
    is_reference = ~windows.is_current
    slices = beside_earlier(newest_slices(windows), int(np.count_nonzero(is_reference)))
    if not slices:
        return 0.0
    is_sliced = np.zeros_like(is_reference)
    is_sliced[np.concatenate(slices)] = True
    is_known = draw_documents(is_reference, _SIDE, random)
    is_drawn = is_known | draw_documents(is_sliced, _SIDE, random)
    near = _drawn(windows, source, dimensions, is_drawn, random)
    place = np.cumsum(is_drawn) - 1
    of_drawn = [place[some[is_drawn[some]]] for some in slices]
    return floor_of_slices(near, of_drawn, is_known[is_drawn], random, negligible=_EQUAL)


def _drawn(
    windows: Windows,
    source: VectorSource,
    dimensions: int,
    is_drawn: NDArray[np.bool_],
    random: np.random.Generator,
) -> _Neighbours:
    """Of some rows of the drawn documents, which are numbered anew."""
    rows = spread_rows(windows, is_drawn, 2 * _SIDE, random)
    documents = np.cumsum(is_drawn)[windows.document_of_row[rows]] - 1
    return _neighbours(vectors_of(source, rows, dimensions), documents)


def _neighbours(vectors: NDArray[np.float32], documents: NDArray[np.intp]) -> _Neighbours:
    points = vectors.astype(np.float64)
    points -= points.mean(axis=0)
    squares = np.square(points).sum(axis=1)
    order = np.empty((len(points), len(points)), np.uint16)
    distances = np.empty(order.shape)
    total = pairs = 0.0
    for first in range(0, len(points), _BLOCK_ROWS):
        some = slice(first, first + _BLOCK_ROWS)
        found = np.maximum(squares[some, None] + squares - 2 * points[some] @ points.T, 0)
        is_other = documents[some, None] != documents
        total, pairs = total + float(found[is_other].sum()), pairs + np.count_nonzero(is_other)
        found[~is_other] = np.inf
        # Not stable, which takes five times as long: of rows at one distance, any will do.
        order[some] = np.argsort(found, axis=1)
        distances[some] = np.take_along_axis(found, order[some], axis=1)
    mean = total / pairs
    distances[distances <= _EQUAL * mean] = 0.0
    return _Neighbours(documents=documents, order=order, distances=distances / (mean or 1.0))
