"""What two sets of vectors of the same texts must be to be compared. Pure.

Row i of the one and row i of the other are of one text. Sets of other numbers of dimensions are compared as if the
smaller had zeros where it has nothing.
"""

import numpy as np
from numpy.typing import NDArray

from holocron_assets.errors import InputError, NotReadyError, VectorError

#: Vectors of shape (n, dimensions), as they are stored.
Matrix = NDArray[np.float32]

#: From so many pairs on, ten neighbours drawn by chance out of the others are alike for less than a third: 10 / 31.
LEAST_PAIRS = 32

#: Squared distances below this share of the squared lengths are those of equal vectors: float32 tells no more.
EQUAL = 1e-12

#: Cosines are rounded to so many: float32 moves them by less, which must not tell equal texts apart.
COSINE_DECIMALS = 6


def require_finite(vectors: Matrix, name: str, first: int = 0) -> None:
    """Raise `VectorError`, naming the row, where a number of `vectors` is none; rows are numbered from `first` on."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise VectorError(
            f"row {first + int(np.argmin(finite))} of the {name} vectors is not finite, so it cannot be compared. "
            "Embed its text again."
        )


def require_pairs(old: Matrix, new: Matrix, *, least: int) -> None:
    """Raise unless `old` and `new` are finite and of the same texts, `least` of them or more.

    `InputError` for different numbers of rows, `NotReadyError` for too few, `VectorError` for a row that is not finite.
    """
    if len(old) != len(new):
        raise InputError(
            f"{len(old)} old vectors cannot be paired with {len(new)} new ones: both must be of the same texts"
        )
    if len(old) < least:
        raise NotReadyError(
            f"{least} texts embedded on both sides are needed for this comparison; there are {len(old)}"
        )
    require_finite(old, "old")
    require_finite(new, "new")


def directions(vectors: Matrix) -> NDArray[np.float64]:
    """The vectors at length 1, in float64; one without direction (all zeros) stays as it is."""
    wide = vectors.astype(np.float64)
    lengths = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    return np.asarray(wide / np.where(lengths > 0, lengths, 1.0))


def centred(vectors: Matrix) -> NDArray[np.float64]:
    """The vectors less their mean, in float64; exact zeros where all are the same."""
    wide = vectors.astype(np.float64)
    # Relative to the first: the mean of equal numbers may differ from them by rounding.
    wide -= wide[0].copy()
    return np.asarray(wide - wide.mean(axis=0))
