"""Whether two sets of vectors are one shape in another position: the orthogonal Procrustes problem. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.paired.pairs import EQUAL, Matrix, centred, require_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Procrustes:
    """What is left of the old shape when the new one is laid over it, from 0 for nothing to 1 for all.

    `before` it is turned and `after`; moved and scaled it is for both. `rotation`, of shape (new dimensions, old
    dimensions), turns it; directions in which there was nothing to go by become zeros.
    """

    before: float
    after: float
    rotation: NDArray[np.float64]


def procrustes(old: Matrix, new: Matrix) -> Procrustes | None:
    """Lay the new shape over the old one; None where all vectors of one side are the same, which has no shape.

    Both are centred, brought to a Frobenius norm of 1, and the one of fewer dimensions gets zeros: `after` is the
    disparity that `scipy.spatial.procrustes` reports (Schönemann, 1966; Gower, 1975).
    """
    require_pairs(old, new, least=2)
    first, second = centred(old), centred(new)
    sizes = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if not all(sizes):
        return None
    cross = (second / sizes[1]).T @ (first / sizes[0])
    rotation, covered = turn(cross)
    return Procrustes(before=_left(float(np.trace(cross))), after=_left(covered), rotation=rotation)


def turn(cross: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """The orthogonal map nearest to a cross product, of its shape, and how much it covers: the sum of singular values.

    The cross product is of two sets with Frobenius norm 1, so that singular values of rounding size mean no direction.
    """
    left, values, right = np.linalg.svd(cross, full_matrices=False)
    known = values > max(cross.shape) * np.finfo(np.float64).eps
    return np.asarray(left[:, known] @ right[known]), float(values.sum())


def _left(covered: float) -> float:
    """The squared distance of two shapes of size 1, at the best scale, that have `covered` in common."""
    left = 1.0 - min(max(covered, 0.0), 1.0) ** 2
    return left if left > EQUAL else 0.0
