"""The rows nearest to some vectors, in order, and how much two such lists have in common. Pure.

Everything is compared in float64 and rounded to 6 decimals, so that equal texts tie, also where rounding made their
vectors differ; ties are in the order of rows. A list has an end, whatever ties there: a model that answers every text
alike costs no more than another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.paired.pairs import COSINE_DECIMALS, Matrix, directions, require_finite
from holocron_assets.errors import InputError, NotReadyError

#: How far down lists are compared; a list of fewer is compared down to its end.
DEPTHS = (1, 10, 100)
#: What a person looks at.
DEPTH = 10
#: How much each rank counts for rank-biased overlap, relative to the one before.
PERSISTENCE = 0.9

#: Rows and queries whose similarities are computed at once; fixed, so that sums are always cut alike.
_BLOCK_ROWS, _BLOCK_QUERIES = 4096, 1024
#: Comparisons of one place with another that are held at once.
_COMPARED_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourChange:
    """What the lists of q queries have in common; every array is of shape (q,), from 0 for nothing to 1 for all.

    `overlap` is by depth: the share of the first k that are on both lists. `jaccard` and `rbo` are of the first 10.
    `choices` is how many rows a list is drawn from; depths that take all of them are left out, for they always agree.
    """

    choices: int
    overlap: Mapping[int, NDArray[np.float64]]
    jaccard: NDArray[np.float64]
    rbo: NDArray[np.float64]

    def chance(self, depth: int) -> float:
        """The overlap of lists that have nothing to do with each other."""
        return depth / self.choices


def nearest_lists(
    queries: Matrix, corpus: Iterable[Matrix], *, depth: int, own: NDArray[np.integer] | None = None
) -> NDArray[np.int64]:
    """The `depth` rows nearest to each query by cosine, nearest first, of shape (queries, depth); exact.

    The corpus comes in blocks of any size, and its rows are numbered through all of them. `own`, of shape (queries,),
    is the row that a query itself is, which is left out. -1 fills up where there are fewer rows: none is near to a
    query without direction, nor is a row without one near to any. Raises `VectorError` for a row that is not finite.
    """
    require_finite(queries, "query")
    asked = directions(queries)
    lost = np.asarray(~asked.any(axis=1))
    rows = np.full((len(asked), depth), -1)
    similarities = np.full((len(asked), depth), -np.inf)
    first = 0
    for block in _blocks(corpus):
        facing = _faced(block, asked.shape[1], first)
        nowhere = ~facing.any(axis=1)
        for start in range(0, len(asked), _BLOCK_QUERIES):
            some = slice(start, start + _BLOCK_QUERIES)
            found = np.round(asked[some] @ facing.T, COSINE_DECIMALS)
            found[:, nowhere] = -np.inf
            found[lost[some]] = -np.inf
            if own is not None:
                itself = own[some] - first
                here = np.flatnonzero((itself >= 0) & (itself < len(block)))
                found[here, itself[here]] = -np.inf
            _take(rows[some], similarities[some], found, first)
        first += len(block)
    return rows


def compare_lists(old: NDArray[np.int64], new: NDArray[np.int64], *, choices: int) -> NeighbourChange:
    """How much the lists of the same queries, of shape (q, depth), have in common; -1 is no row.

    The shorter list of a query lacks what the longer one has; two that are empty are the same.
    """
    if old.shape != new.shape:
        raise InputError(f"lists of shape {old.shape} cannot be compared with lists of shape {new.shape}")
    if choices <= DEPTH or old.shape[1] < DEPTH:
        raise NotReadyError(
            f"{DEPTH + 1} rows to choose neighbours from are needed to compare the nearest {DEPTH}; there are {choices}"
        )
    shared = _shared_by_depth(old, new)
    ranks = np.arange(old.shape[1]) + 1
    lengths = [np.minimum((lists >= 0).sum(axis=1)[:, None], ranks) for lists in (old, new)]
    overlap = _share(shared, np.maximum(*lengths))
    jaccard = _share(shared, np.add(*lengths) - shared)
    return NeighbourChange(
        choices=choices,
        overlap={depth: overlap[:, depth - 1] for depth in DEPTHS if depth <= old.shape[1] and depth < choices},
        jaccard=jaccard[:, DEPTH - 1],
        rbo=rank_biased_overlap(old[:, :DEPTH], new[:, :DEPTH]),
    )


def rank_biased_overlap(old: NDArray[np.int64], new: NDArray[np.int64]) -> NDArray[np.float64]:
    """RBO_ext at p = .9 of lists of shape (q, depth), ended by -1: agreement at every depth, the first ranks most.

    Webber, Moffat and Zobel, "A Similarity Measure for Indefinite Rankings", 2010, equation 32, which extrapolates
    beyond the ends, also where one list ends before the other: lists that are the same give exactly 1. Not RBO_min
    (equation 11), which assumes that nothing beyond the ends agrees, and is .8556 for the same ten.
    """
    lengths = [(lists >= 0).sum(axis=1)[:, None] for lists in (old, new)]
    shorter, longer = np.minimum(*lengths), np.maximum(*lengths)
    # Beyond the longer list the agreement is what it was at its end, which is what the extrapolation says.
    ranks = np.minimum(np.arange(old.shape[1]) + 1, np.maximum(longer, 1))
    shared = _shared_by_depth(old, new)
    at_end = np.take_along_axis(shared, np.maximum(shorter, 1) - 1, axis=1)
    beyond = np.maximum(ranks - shorter, 0) * at_end / (np.maximum(shorter, 1) * ranks)
    agreement = np.where(longer == 0, 1.0, shared / ranks + beyond)
    weights = (1 - PERSISTENCE) * PERSISTENCE ** np.arange(old.shape[1])
    weights[-1] += PERSISTENCE ** old.shape[1]
    # The weights sum up to 1, but for rounding that must not show where nothing differs, nor where nothing agrees.
    return np.asarray(np.maximum(1.0 - ((1.0 - agreement) * weights).sum(axis=1), 0.0))


def _blocks(corpus: Iterable[Matrix]) -> Iterable[Matrix]:
    for part in corpus:
        yield from (part[start : start + _BLOCK_ROWS] for start in range(0, len(part), _BLOCK_ROWS))


def _faced(block: Matrix, dimensions: int, first: int) -> NDArray[np.float64]:
    if block.shape[1] != dimensions:
        raise InputError(f"queries of {dimensions} dimensions have no neighbours among rows of {block.shape[1]}")
    require_finite(block, "corpus", first)
    return directions(block)


def _take(rows: NDArray[np.int64], similarities: NDArray[np.float64], found: NDArray[np.float64], first: int) -> None:
    """Put what was found, of shape (queries, rows from `first` on), into the lists where it is nearer; in place."""
    depth = rows.shape[1]
    # Later rows lose ties.
    nearer = found > similarities[:, -1:]
    if not first and depth < found.shape[1]:
        nearer &= found >= np.partition(found, -depth, axis=1)[:, -depth, None]
    queries, columns = np.nonzero(nearer)
    changed, counts = np.unique(queries, return_counts=True)
    if not changed.size:
        return
    of = np.concatenate([np.repeat(changed, depth), queries])
    candidates = np.concatenate([rows[changed].ravel(), first + columns])
    values = np.concatenate([similarities[changed].ravel(), found[queries, columns]])
    order = np.lexsort((candidates, -values, of))
    starts = np.cumsum(depth + counts) - (depth + counts)
    best = order[starts[:, None] + np.arange(depth)]
    rows[changed], similarities[changed] = candidates[best], values[best]


def _shared_by_depth(old: NDArray[np.int64], new: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of shape (q, depth): how many of the first 1, 2, ... rows of both lists are the same."""
    depth = old.shape[1]
    step = max(_COMPARED_AT_ONCE // depth**2, 1)
    shared = np.zeros(old.shape, np.int64)
    for start in range(0, len(old), step):
        before, after = old[start : start + step], new[start : start + step]
        query, place, other = np.nonzero((before[:, :, None] == after[:, None, :]) & (before >= 0)[:, :, None])
        # A row counts from where the later of its two places is.
        from_here = np.bincount(query * depth + np.maximum(place, other), minlength=before.size)
        shared[start : start + step] = from_here.reshape(before.shape).cumsum(axis=1)
    return shared


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(whole == 0, 1.0, part / np.maximum(whole, 1))
