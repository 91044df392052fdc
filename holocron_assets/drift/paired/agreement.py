"""How far the new vector of each text is from its old one. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.paired.pairs import Matrix, require_pairs

_BLOCK_ROWS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of the pairs: the share equal in every bit, how far the others are, and the cosines of all, shape (n,).

    `largest_difference` is of any two numbers in one place, `largest_length_change` a share of the longer vector.
    Two vectors without direction agree (cosine 1); one with and one without do not (0).
    """

    bitwise_equal: float
    largest_difference: float
    largest_length_change: float
    cosines: NDArray[np.float64]

    @property
    def mean_cosine(self) -> float:
        """Over all pairs."""
        return float(self.cosines.mean())

    @property
    def least_cosine(self) -> float:
        """That of the worst pair."""
        return float(self.cosines.min())

    def cosine_quantile(self, share: float) -> float:
        """The cosine that this share of the pairs does not exceed; between two pairs on the line through them."""
        return float(np.quantile(self.cosines, share))


def agreement(old: Matrix, new: Matrix) -> Agreement:
    """Compare row by row; with zeros in the dimensions that one has and the other lacks."""
    require_pairs(old, new, least=1)
    dimensions = max(old.shape[1], new.shape[1])
    equal, difference, length_change = 0, 0.0, 0.0
    cosines = np.empty(len(old))
    for start in range(0, len(old), _BLOCK_ROWS):
        some = slice(start, start + _BLOCK_ROWS)
        before, after = _padded(old[some], dimensions), _padded(new[some], dimensions)
        if old.shape == new.shape:
            equal += int((before.view(np.uint32) == after.view(np.uint32)).all(axis=1).sum())
        first, second = before.astype(np.float64), after.astype(np.float64)
        difference = max(difference, float(np.abs(first - second).max(initial=0.0)))
        first_squared, second_squared = (first**2).sum(axis=1), (second**2).sum(axis=1)
        longer = np.sqrt(np.maximum(first_squared, second_squared))
        change = np.abs(np.sqrt(first_squared) - np.sqrt(second_squared)) / np.where(longer > 0, longer, 1.0)
        length_change = max(length_change, float(change.max()))
        # One square root of the product: equal vectors then get exactly 1.
        both = np.sqrt(first_squared * second_squared)
        cosines[some] = np.where(both > 0, (first * second).sum(axis=1) / np.where(both > 0, both, 1.0), longer == 0)
    return Agreement(
        bitwise_equal=equal / len(old),
        largest_difference=difference,
        largest_length_change=length_change,
        cosines=np.clip(cosines, -1.0, 1.0),
    )


def _padded(vectors: Matrix, dimensions: int) -> Matrix:
    return np.ascontiguousarray(np.pad(vectors, [(0, 0), (0, dimensions - vectors.shape[1])]), np.float32)
