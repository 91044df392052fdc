"""How little drift would be seen: the least that is significant at .05 in four of five cases.

Permutations tell what a statistic is without drift: its mean, its spread, and what it must reach. Drift adds a known
amount to the mean.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

ALPHA, POWER = 0.05, 0.8
#: By which part of itself a share is changed to see how steep something is.
_STEP = 1e-6


def detectable_shift(chance: NDArray[np.float64]) -> float:
    """The least length of a shift of the mean, from the lengths that permutations gave.

    A shift of length s adds s^2 to the squared length. Its product with the noise has mean 0 and a variance of
    4 s^2 v, where v is the variance of the noise along the shift: here that of directions in which documents do vary,
    which is spread^2 / (2 mean) of the squared lengths.
    """
    squared = np.square(chance)
    mean, spread, reached = float(squared.mean()), float(squared.std()), float(np.quantile(squared, 1 - ALPHA))
    along = spread**2 / (2 * mean) if mean > 0 else 0.0

    def margin(added: float) -> float:
        return mean + added - ndtri(POWER) * float(np.sqrt(spread**2 + 4 * along * added)) - reached

    most = max(reached, np.finfo(np.float64).tiny)
    while margin(most) <= 0:
        most *= 2
    return float(np.sqrt(brentq(margin, 0.0, most))) if margin(0.0) < 0 else 0.0


def detectable_topic(chance: NDArray[np.float64], documents: float, *, joined: float = 0.0) -> float:
    """The least share of the current window that texts on a topic without precedent must have; at most 1.

    `chance` are the statistics of occupancy that permutations gave, `documents` how many equally large documents the
    current window is worth. A share f, in a cluster of its own, adds 2 f for that cluster, and 2 f^2 / (2 - f) for all
    others, each of which shrinks by f. With fewer clusters than topics it has none of its own: new texts that join a
    cluster with a share `joined` add less. How many documents are on the topic is chance too.
    """
    mean, spread, reached = float(chance.mean()), float(chance.std()), float(np.quantile(chance, 1 - ALPHA))

    def added_by(share: float) -> float:
        grown = share * (1 - joined)
        others = 2 * share**2 / (2 - share) * (1 - joined)
        return 2 * grown**2 / (2 * joined + grown) + others if grown else others

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
