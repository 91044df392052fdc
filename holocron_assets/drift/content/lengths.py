"""How the lengths of the vectors of two windows differ. Context: it is not tested."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp, wasserstein_distance


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How the distributions of lengths differ: Kolmogorov and Smirnov's D, and the mean distance that one must be
    moved by to become the other (Wasserstein). Rows of a document are alike, so D has no p; the figure `norm` has."""

    ks: float
    wasserstein: float


def compare_lengths(reference: NDArray[np.float64], current: NDArray[np.float64]) -> Lengths:
    """Of the lengths of rows, each of shape (rows,)."""
    return Lengths(
        ks=float(ks_2samp(reference, current, method="asymp").statistic),
        wasserstein=float(wasserstein_distance(reference, current)),
    )
