"""Numbers for pictures: points of both windows on the same axes, and counts on the same bins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.fitting import Fit

_MOST_POINTS = 600
_BINS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Points of each window, of shape (n, 2), in the two directions in which both together vary most.

    `explained` are the shares of all variance that the axes show.
    """

    reference: NDArray[np.float64]
    current: NDArray[np.float64]
    explained: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How many rows of each window are between two edges; of shape (bins,), and edges (bins + 1,)."""

    name: str
    edges: NDArray[np.float64]
    reference: NDArray[np.int64]
    current: NDArray[np.int64]


def project(
    fit: Fit,
    vectors: NDArray[np.float32],
    is_current: NDArray[np.bool_],
    random: np.random.Generator,
) -> Projection:
    """Of sampled vectors, of shape (sampled, dimensions), at most 600 of each window."""
    chosen = [np.sort(random.permutation(np.flatnonzero(is_current == side))[:_MOST_POINTS]) for side in (False, True)]
    points = [(vectors[some].astype(np.float64) - fit.centre) @ fit.directions for some in chosen]
    return Projection(
        reference=points[0],
        current=points[1],
        explained=fit.explained,
    )


def histogram(name: str, values: NDArray[np.float64], is_current: NDArray[np.bool_]) -> Histogram:
    """Of a number for each row, of shape (rows,); one wide bin in the middle where all are equal."""
    edges = np.histogram_bin_edges(values, _BINS)
    return Histogram(
        name=name,
        edges=edges,
        reference=np.histogram(values[~is_current], edges)[0],
        current=np.histogram(values[is_current], edges)[0],
    )
