"""What a set of vectors looks like by itself: how many directions it fills, how crowded, its hubs. Pure."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.paired.pairs import Matrix
from holocron_assets.drift.shapes import Shape, shape_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry(Shape):
    """Of one set of vectors, with how crowded it is."""

    hubness: float


def geometry(vectors: Matrix, lists: NDArray[np.int64]) -> Geometry:
    """Of vectors (n, dimensions) that are finite; `lists`, of shape (queries, k), are neighbours among them."""
    return Geometry(**asdict(shape_of(vectors)), hubness=hubness(lists, len(vectors)))


def hubness(lists: NDArray[np.int64], rows: int) -> float:
    """The skewness of how often each of `rows` rows is on the lists; -1 is no row.

    Radovanović, Nanopoulos and Ivanović, JMLR 2010, section 3. About 0 where neighbourhood is shared out evenly, above
    1 where a few rows are neighbours of many. 0 where every row is listed as often as any other.
    """
    times = np.bincount(lists[lists >= 0], minlength=rows).astype(np.float64)
    times -= times.mean()
    variance = float((times**2).mean())
    return float((times**3).mean()) / variance**1.5 if variance > np.finfo(np.float64).eps else 0.0
