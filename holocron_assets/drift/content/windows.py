"""What is compared: the rows of two windows, what is known of each, and where their vectors come from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from holocron_assets.errors import NotReadyError, VectorError

#: Documents that a window must have. With so few on both sides, a new topic is noticed for sure only where two thirds
#: of the current window are on it (`python -m benchmarks drift-laws`); with fewer, a report says next to nothing.
MIN_DOCUMENTS = 20


#: Which way to move where the windows part, for a window with too few.
_EARLIER_OR_LATER = {"reference": "later", "current": "earlier"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Categorical:
    """One of some names for each row, such as its language: `codes`, of shape (rows,), count in `names` from 0."""

    codes: NDArray[np.integer]
    names: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """A finite number for each row, such as the logarithm of its length; 1 and 0 for yes and no. Of shape (rows,)."""

    values: NDArray[np.floating]


Attribute = Categorical | Numeric


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Which rows there are, in the order of `chunk_id` as bytes. A document is in one window; each has a row.

    `document_of_row`, of shape (rows,), numbers documents from 0; `is_current`, of shape (documents,), is false for
    those of the reference. `times`, of shape (documents,) where they are known, say when each came, in any unit: floors
    are then of what the reference differed by from one time to another.
    """

    document_of_row: NDArray[np.integer]
    is_current: NDArray[np.bool_]
    attributes: Mapping[str, Attribute]
    times: NDArray[np.floating] | None = None
    texts: NDArray[np.integer] | None = None

    @property
    def is_current_row(self) -> NDArray[np.bool_]:
        """Of shape (rows,)."""
        return np.asarray(self.is_current[self.document_of_row])

    @property
    def rows_of_document(self) -> NDArray[np.intp]:
        """How many rows each document has, of shape (documents,)."""
        return np.bincount(self.document_of_row, minlength=self.is_current.size)


class VectorSource(Protocol):
    """Where the vectors of the rows of two windows come from."""

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Every row once, in order, in blocks of any sizes and of shape (n, dimensions)."""
        ...

    def rows(self, wanted: NDArray[np.intp]) -> NDArray[np.float32]:
        """Some rows by their numbers, which ascend; of shape (wanted, dimensions)."""
        ...


def require_ready(windows: Windows) -> None:
    """Raises `NotReadyError` when a window has too few documents, ValueError when its arrays do not fit together."""
    current = int(np.count_nonzero(windows.is_current))
    counts = {"reference": windows.is_current.size - current, "current": current}
    for name, count in counts.items():
        if count < MIN_DOCUMENTS:
            raise NotReadyError(
                f"the {name} window has {count} documents, and at least {MIN_DOCUMENTS} are needed to tell drift from "
                f"chance. Divide them {_EARLIER_OR_LATER[name]} with --since or drift.window_days, or wait until more "
                "are embedded."
            )
    if windows.rows_of_document.size > windows.is_current.size or not windows.rows_of_document.all():
        raise ValueError("every row must belong to a document, and every document must have a row")
    if windows.times is not None and windows.times.shape != windows.is_current.shape:
        raise ValueError(f"there are {windows.times.size} times, and {windows.is_current.size} documents")
    if windows.texts is not None and windows.texts.shape != windows.document_of_row.shape:
        raise ValueError(f"there are {windows.texts.size} texts, and {windows.document_of_row.size} rows")
    for name, attribute in windows.attributes.items():
        values = attribute.codes if isinstance(attribute, Categorical) else attribute.values
        if values.shape != windows.document_of_row.shape:
            raise ValueError(f"{name!r} has shape {values.shape}, and there are {windows.document_of_row.size} rows")
        if isinstance(attribute, Categorical) and not 0 <= values.min() <= values.max() < len(attribute.names):
            raise ValueError(f"{name!r} has codes beyond its {len(attribute.names)} names")
        if not np.isfinite(values).all():
            raise ValueError(f"{name!r} is not finite in row {int(np.argmin(np.isfinite(values)))}")


def vectors_of(source: VectorSource, rows: NDArray[np.intp], dimensions: int) -> NDArray[np.float32]:
    """Some rows of a source, of shape (rows, dimensions); raises `VectorError` for what `require_vectors` refuses."""
    vectors = source.rows(rows)
    require_vectors(vectors, rows, dimensions)
    return vectors


def require_vectors(vectors: NDArray[np.float32], numbers: NDArray[np.intp], dimensions: int) -> None:
    """Raises `VectorError` unless vectors have the dimensions of their space and are finite; names the first row."""
    if vectors.shape != (numbers.size, dimensions):
        raise VectorError(
            f"vectors of shape {vectors.shape} came for {numbers.size} rows of {dimensions} dimensions. "
            "Run `holocron verify`."
        )
    # A sum is finite unless one of its terms is not: float64 holds the sum of any float32 numbers.
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(vectors.sum(axis=1, dtype=np.float64))
    if not finite.all():
        raise VectorError(
            f"the vector of row {int(numbers[np.argmin(finite)])} is not finite. Embed that chunk again, and look for "
            "others with `holocron verify`."
        )
