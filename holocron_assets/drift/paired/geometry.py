"""What a set of vectors looks like by itself: how many directions it fills, how crowded, its hubs. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.paired.pairs import Matrix, centred, directions


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Of one set of vectors; `mean_cosine` is None where fewer than two have a direction."""

    effective_rank: float
    participation_ratio: float
    mean_cosine: float | None
    hubness: float


def geometry(vectors: Matrix, lists: NDArray[np.int64]) -> Geometry:
    """Of vectors (n, dimensions) that are finite; `lists`, of shape (queries, k), are neighbours among them."""
    rank, ratio = _spread(vectors)
    return Geometry(
        effective_rank=rank,
        participation_ratio=ratio,
        mean_cosine=mean_cosine(vectors),
        hubness=hubness(lists, len(vectors)),
    )


def hubness(lists: NDArray[np.int64], rows: int) -> float:
    """The skewness of how often each of `rows` rows is on the lists; -1 is no row.

    Radovanović, Nanopoulos and Ivanović, JMLR 2010, section 3. About 0 where neighbourhood is shared out evenly, above
    1 where a few rows are neighbours of many. 0 where every row is listed as often as any other.
    """
    times = np.bincount(lists[lists >= 0], minlength=rows).astype(np.float64)
    times -= times.mean()
    variance = float((times**2).mean())
    return float((times**3).mean()) / variance**1.5 if variance > np.finfo(np.float64).eps else 0.0


def mean_cosine(vectors: Matrix) -> float | None:
    """Of all pairs of two different rows that have a direction: (|sum of directions|² - n) / (n (n - 1))."""
    facing = directions(vectors)
    count = int(facing.any(axis=1).sum())
    if count < 2:
        return None
    total = facing.sum(axis=0)
    return min((float(total @ total) - count) / (count * (count - 1)), 1.0)


def _spread(vectors: Matrix) -> tuple[float, float]:
    """The effective rank and the participation ratio, both 0 where all vectors are the same.

    With the eigenvalues of the covariance as shares: e to the power of their entropy (Roy and Vetterli, 2007), and 1 by
    the sum of their squares. Both are the number of directions, where these are filled alike.
    """
    moved = centred(vectors)
    few, many = sorted(moved.shape)
    # Both products have the same eigenvalues, but for zeros.
    values = np.linalg.eigvalsh(moved @ moved.T if few == len(moved) else moved.T @ moved)
    total = float(values.sum())
    if total <= 0:
        return 0.0, 0.0
    shares = values[values > total * many * np.finfo(np.float64).eps] / total
    return float(np.exp(-(shares * np.log(shares)).sum())), 1.0 / float((shares**2).sum())
