"""What a set of vectors looks like by itself: how many directions it fills, how crowded, its hubs. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.paired.pairs import Matrix
from holocron_assets.drift.shapes import shape_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Of one set of vectors; `mean_cosine` is None where fewer than two have a direction."""

    effective_rank: float
    participation_ratio: float
    mean_cosine: float | None
    hubness: float


def geometry(vectors: Matrix, lists: NDArray[np.int64]) -> Geometry:
    """Of vectors (n, dimensions) that are finite; `lists`, of shape (queries, k), are neighbours among them."""
    shape = shape_of(vectors)
    return Geometry(
        effective_rank=shape.effective_rank,
        participation_ratio=shape.participation_ratio,
        mean_cosine=shape.mean_cosine,
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
