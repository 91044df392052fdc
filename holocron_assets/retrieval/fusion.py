"""Making one ranking of two. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from holocron_assets.retrieval.hits import RRF_K


def reciprocal_ranks(legs: Sequence[NDArray[np.int64]], weights: Sequence[float], count: int) -> NDArray[np.float64]:
    """Of `count` items the sum over legs of weight / (60 + rank); a leg that does not rank an item adds nothing.

    A leg holds items, numbered below `count`, the best first. Cormack, Clarke and Buettcher (2009).
    """
    scores = np.zeros(count)
    for leg, weight in zip(legs, weights, strict=True):
        scores[leg] += weight / (RRF_K + np.arange(1, leg.size + 1))
    return scores


def weighted_scores(legs: Sequence[NDArray[np.float64]], weights: Sequence[float]) -> NDArray[np.float64]:
    """The weighted sum of the legs' scores, each leg of shape (n,) brought to 0..1 by its minimum and maximum.

    A leg whose scores are all alike says nothing of any item, nor does one of an item that it has no score of (NaN).
    """
    total = np.zeros(legs[0].size if legs else 0)
    for leg, weight in zip(legs, weights, strict=True):
        there = ~np.isnan(leg)
        found = leg[there]
        span = float(np.ptp(found)) if found.size else 0.0
        if span > 0:
            total[there] += weight * (found - found.min()) / span
    return total
