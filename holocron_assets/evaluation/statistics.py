"""Whether one series of per-query values is really better than another, over the same queries. Pure.

Smucker, Allan and Carterette, CIKM 2007, compare the tests of retrieval research; this is the one that assumes least.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: A difference is significant when chance alone gives one as large less often than this.
ALPHA = 0.05

#: So many differing queries have every way of flipping their signs looked at: 2 ** 13 ways.
_MOST_EXACT = 13
_FLIPS = 9_999
_RESAMPLES = 9_999
_SEED = 20_070_611
#: Numbers that one step may draw, which bounds its memory.
_DRAWN_AT_ONCE = 2_000_000
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The mean of `new - old` over queries, the interval it is in with 95 % confidence, and how surprising it is."""

    queries: int
    mean: float
    low: float
    high: float
    p: float

    @property
    def is_loss(self) -> bool:
        """Whether the new values are worse, and chance would seldom make them so."""
        return self.mean < 0 and self.p < ALPHA

    @property
    def is_gain(self) -> bool:
        """Whether the new values are better, and chance would seldom make them so."""
        return self.mean > 0 and self.p < ALPHA


def compare(old: ArrayLike, new: ArrayLike) -> Difference:
    """What changed from `old` to `new`, both of shape (queries,) and of the same queries in one order."""
    differences = np.asarray(new, np.float64) - np.asarray(old, np.float64)
    low, high = bootstrap_interval(differences)
    return Difference(
        queries=differences.size,
        mean=float(differences.mean()) if differences.size else 0.0,
        low=low,
        high=high,
        p=sign_flip_p(differences),
    )


def sign_flip_p(differences: NDArray[np.float64]) -> float:
    """How often flipping the signs of paired differences at random gives a mean as far from 0 as theirs; both sides.

    Every way of flipping counts where few queries differ, else 9,999 of them, always the same. The signs as they are
    count too, so that p is never 0: Phipson and Smyth, "Permutation P-values Should Never Be Zero", 2010.
    """
    differing = differences[differences != 0]
    if not differing.size:
        return 1.0
    # Sums of the same numbers in another order may differ by rounding, and are the same all the same.
    reached = abs(differing.sum()) - 1e-12 * np.abs(differing).sum()
    if differing.size <= _MOST_EXACT:
        ways = np.arange(2**differing.size)[:, None] >> np.arange(differing.size) & 1
        return float((np.abs((2 * ways - 1) @ differing) >= reached).mean())
    random = np.random.default_rng(_SEED)
    as_far = 0
    for first, last in pairwise(_steps(_FLIPS, differing.size)):
        signs = 2 * random.integers(0, 2, (last - first, differing.size), np.int8) - 1
        as_far += int((np.abs(signs @ differing) >= reached).sum())
    return (1 + as_far) / (1 + _FLIPS)


def bootstrap_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Between what the mean lies with 95 % confidence, from 9,999 draws of the queries.

    Efron and Tibshirani, 1993, chapter 13; for retrieval Sakai, SIGIR 2006. The draws are always the same.
    """
    if not differences.any():
        return 0.0, 0.0
    random = np.random.default_rng(_SEED)
    means = [
        differences[random.integers(0, differences.size, (last - first, differences.size))].mean(axis=1)
        for first, last in pairwise(_steps(_RESAMPLES, differences.size))
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return float(low), float(high)


def _steps(repetitions: int, width: int) -> list[int]:
    """From 0 to `repetitions` in steps that draw a bounded number of values each."""
    step = max(_DRAWN_AT_ONCE // width, 1)
    return [*range(0, repetitions, step), repetitions]
