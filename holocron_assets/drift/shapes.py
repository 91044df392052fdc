"""How a set of vectors lies by itself: how alike any two are, and how many directions they fill. Pure."""

from dataclasses import dataclass

import numpy as np

from holocron_assets.drift.paired.pairs import EQUAL, Matrix, centred, directions


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Of one set of vectors.

    `mean_cosine` is None where fewer than two have a direction. With the eigenvalues of the covariance as shares,
    `effective_rank` is e to the power of their entropy (Roy and Vetterli, EUSIPCO 2007), and `participation_ratio` 1 by
    the sum of their squares. Both are the number of directions, where these are filled alike, and 0 where all vectors
    are the same.
    """

    mean_cosine: float | None
    effective_rank: float
    participation_ratio: float


def shape_of(vectors: Matrix) -> Shape:
    """Of vectors of shape (n, dimensions) that are finite."""
    rank, ratio = _spread(vectors)
    return Shape(mean_cosine=mean_cosine(vectors), effective_rank=rank, participation_ratio=ratio)


def mean_cosine(vectors: Matrix) -> float | None:
    """Of all pairs of two different rows that have a direction: (|sum of directions|² - n) / (n (n - 1))."""
    facing = directions(vectors)
    count = int(facing.any(axis=1).sum())
    if count < 2:
        return None
    total = facing.sum(axis=0)
    return min((float(total @ total) - count) / (count * (count - 1)), 1.0)


def _spread(vectors: Matrix) -> tuple[float, float]:
    moved = centred(vectors)
    few, many = sorted(moved.shape)
    # Both products have the same eigenvalues, but for zeros.
    values = np.linalg.eigvalsh(moved @ moved.T if few == len(moved) else moved.T @ moved)
    total = float(values.sum())
    if total <= EQUAL * float(np.square(vectors, dtype=np.float64).sum()):
        return 0.0, 0.0
    shares = values[values > total * many * np.finfo(np.float64).eps] / total
    return float(np.exp(-(shares * np.log(shares)).sum())), 1.0 / float((shares**2).sum())
