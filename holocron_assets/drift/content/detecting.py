"""How little drift would be noticed: the least that has a verdict in four of five cases.

Permutations tell what a figure is without drift: its mean, its spread, and what it must reach to be significant. Drift
adds a known amount to the mean. A verdict needs more than one significant test: p must survive the correction for all
that were tested, which is surely so where it is a share 1 / tests of the rate of false discoveries, and the effect must
reach the floor.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from holocron_assets.drift.content.statistics import jensen_shannon, triangular
from holocron_assets.drift.verdicts import FALSE_DISCOVERY_RATE

POWER = 0.8
#: With fewer clusters, a new topic shares one, with about half as many texts of the reference as are in a cluster that
#: was there: of twelve topics, .16 of them with 5 clusters, .09 with 7, .04 with 10 and .01 with 15, where such a
#: cluster has .27, .20, and .14 with 10.
_LEAST_CLUSTERS = 12
#: By which part of itself a share is changed to see how steep something is.
_STEP = 1e-6

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What it takes to say how little would be noticed, of a comparison in which so many figures are tested.

    `shifts` are the lengths of the shift of the mean that permutations gave, `occupancies` and `divergences` the
    statistics and the effects of occupancy, each of shape (permutations,). `documents` is how many equally large
    documents the current window is worth. `joined` is the share of the cluster that a text of the reference is in, on
    average. `own_cluster` is the least share of the current window that has as many texts as a cluster has on average:
    texts on a new topic that are fewer may be scattered over the clusters of others. `clusters` is how many there are
    of all texts. `spread` is how far they are from the common centre (root mean square).
    """

    tests: int
    shifts: Numbers
    occupancies: Numbers
    divergences: Numbers
    documents: float
    joined: float
    own_cluster: float
    clusters: int
    spread: float


def least_shift(seen: Detection, floor: float) -> float:
    """The least length of a shift of the mean that is noticed; infinite where none is.

    A shift of length s adds s^2 to the squared length. Its product with the noise has mean 0 and a variance of
    4 s^2 v, where v is the variance of the noise along the shift: here that of directions in which documents do vary,
    which is spread^2 / (2 mean) of the squared lengths.
    """
    squared = np.square(seen.shifts)
    mean, spread = float(squared.mean()), float(squared.std())
    reached = max(_significant(squared, seen.tests), mean + floor**2)
    if reached == np.inf:
        return np.inf
    along = spread**2 / (2 * mean) if mean > 0 else 0.0

    def margin(added: float) -> float:
        return mean + added - ndtri(POWER) * float(np.sqrt(spread**2 + 4 * along * added)) - reached

    most = max(reached, np.finfo(np.float64).tiny)
    while margin(most) <= 0:
        most *= 2
    return float(np.sqrt(brentq(margin, 0.0, most))) if margin(0.0) < 0 else 0.0


def least_topic(seen: Detection, floor: float, shift_floor: float) -> float:
    """The least share of the current window that texts on a topic unlike all others must have; at most 1.

    It is noticed by its cluster, which it shares where there are few, or since it moves the mean by its share of
    `spread`.
    """
    by_shift = least_shift(seen, shift_floor) / seen.spread if seen.spread > 0 else np.inf
    shared = 0.0 if seen.clusters >= _LEAST_CLUSTERS else seen.joined / 2
    by_cluster = max(_least_share(seen, floor, joined=shared), seen.own_cluster)
    return float(min(by_cluster, by_shift, 1.0))


def least_growth(seen: Detection, floor: float) -> float:
    """The least share of the current window that texts must have which join a cluster of the usual size; at most 1."""
    return _least_share(seen, floor, joined=seen.joined)


def _least_share(seen: Detection, floor: float, *, joined: float) -> float:
    significant = _solved(
        seen.occupancies, _significant(seen.occupancies, seen.tests), triangular, seen.documents, joined
    )
    large = _solved(seen.divergences, float(seen.divergences.mean()) + floor, jensen_shannon, seen.documents, joined)
    return max(significant, large)


def _significant(chance: Numbers, tests: int) -> float:
    """What is to be exceeded: infinite where even the largest of all permutations leaves p too large."""
    exceeded = int(FALSE_DISCOVERY_RATE / tests * (1 + chance.size) * (1 + 1e-9)) - 1
    return float(np.sort(chance)[-1 - exceeded]) if exceeded >= 0 else np.inf


def _solved(
    chance: Numbers, reached: float, differ: Callable[[Numbers, Numbers], Numbers], documents: float, joined: float
) -> float:
    """The least share that makes a figure reach something in four of five cases, or 1.

    Of a share f, a cluster that had a share j has j + f (1 - j), and all others shrink alike, so that they count as
    one. How many documents are on the topic is chance too.
    """
    mean, spread = float(chance.mean()), float(chance.std())
    if reached == np.inf:
        return 1.0

    def added_by(share: float) -> float:
        grown = joined + share * (1 - joined)
        return float(differ(np.array([joined, 1 - joined]), np.array([grown, 1 - grown])))

    def margin(share: float) -> float:
        added = added_by(share)
        slope = (added - added_by(share * (1 - _STEP))) / (share * _STEP) if share else 0.0
        drawn = slope**2 * share * (1 - share) / documents
        return mean + added - ndtri(POWER) * float(np.sqrt(spread**2 + drawn)) - reached

    if margin(1.0) < 0:
        return 1.0
    # From the largest downwards: where documents are few, chance alone makes the margin fall before it grows.
    shares = np.linspace(0, 1, 201)
    missed = np.flatnonzero([margin(float(share)) < 0 for share in shares])
    return float(brentq(margin, shares[missed[-1]], shares[missed[-1] + 1])) if missed.size else 0.0
