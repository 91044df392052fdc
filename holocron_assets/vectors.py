"""What a vector must be before it is stored. Pure."""

import numpy as np
from numpy.typing import NDArray

from holocron_assets.errors import SpaceMismatchError, VectorError
from holocron_assets.records import EmbeddingSpace

#: How far the length of a normalised vector may be from 1: float32 rounding over a few thousand
#: dimensions stays below 1e-4, a vector that was never normalised does not.
NORM_TOLERANCE = 1e-3


def require_valid(vectors: NDArray[np.float32], space: EmbeddingSpace, count: int) -> None:
    """Raise unless `vectors` are `count` storable vectors of `space`.

    `SpaceMismatchError` for another shape, which no single text can be to blame for; `VectorError`,
    naming the first offender, for values that must not be stored.
    """
    if vectors.shape != (count, space.dimensions):
        raise SpaceMismatchError(
            f"space {space.slug}: provider {space.provider!r} returned an array of shape {vectors.shape} for {count} "
            f"texts; the space has {space.dimensions} dimensions. Nothing of this batch was stored."
        )
    for fault, rows in faults(vectors, normalized=space.normalize).items():
        if rows.size:
            raise VectorError(f"space {space.slug}: the vector of text {int(rows[0])} of the batch {fault}")


def faults(vectors: NDArray[np.float32], *, normalized: bool) -> dict[str, NDArray[np.intp]]:
    """For each way in which a vector may be unusable, the rows of `vectors` (n, dimensions) that are."""
    finite = np.asarray(np.isfinite(vectors).all(axis=1))
    norms = np.linalg.norm(np.where(finite.reshape(-1, 1), vectors, 0.0).astype(np.float64), axis=1)
    wrong_length = np.abs(norms - 1.0) > NORM_TOLERANCE if normalized else norms == 0.0
    return {
        "is not finite": np.flatnonzero(~finite),
        "is not of unit length" if normalized else "is all zeros": np.flatnonzero(finite & wrong_length),
    }
