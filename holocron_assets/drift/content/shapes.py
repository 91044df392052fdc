"""How the vectors of one window lie, and how their lengths differ from those of the other. Context: none is tested."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp, wasserstein_distance


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Of some vectors: the mean cosine of two of them, and in how many directions they spread.

    `effective_rank` is exp(H) of the shares of variance (Roy and Vetterli, EUSIPCO 2007, with variances),
    `participation_ratio` 1 over the sum of their squares. All are 0 where vectors are all equal, or have no direction.
    """

    mean_cosine: float
    effective_rank: float
    participation_ratio: float


def shape_of(vectors: NDArray[np.float32]) -> Shape:
    """Of vectors of shape (n, dimensions)."""
    wide = vectors.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    directions = wide[norms > 0] / norms[norms > 0, None]
    count = len(directions)
    total = float(np.square(directions.sum(axis=0)).sum())
    wide -= wide.mean(axis=0)
    variances = np.maximum(np.linalg.eigvalsh(wide.T @ wide), 0)
    is_spread = float(variances.sum()) > 1e-12 * float(np.square(norms).sum())
    shares = variances[variances > 0] / variances.sum() if is_spread else np.zeros(0)
    return Shape(
        mean_cosine=(total - count) / (count * (count - 1)) if count > 1 else 0.0,
        effective_rank=float(np.exp(-(shares * np.log(shares)).sum())) if shares.size else 0.0,
        participation_ratio=float(1 / np.square(shares).sum()) if shares.size else 0.0,
    )


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
