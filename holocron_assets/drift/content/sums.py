"""Sums over the rows of each group of documents: all that permutations need, in one matrix."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.fitting import Fit
from holocron_assets.drift.content.streaming import Streamed, stream
from holocron_assets.drift.content.windows import Categorical, VectorSource, Windows

Matrix = NDArray[np.float64]

#: Names that figures of our own have, so that no attribute can.
NORM, OCCUPANCY = "norm", "occupancy"

#: Rows that are worked on at once.
_STEP = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where in the matrix what is. Columns 0, 1 and 2 are how many rows, the square of that, and the squared length of
    the random features; `mean` and `random` hold vectors and random features, `numbers` a column for each number, and
    `shares` a column for each name."""

    mean: slice
    random: slice
    numbers: Mapping[str, int]
    shares: Mapping[str, slice]
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """`matrix`, of shape (groups, columns): sums of what rows differ from the mean of all rows by, so that any two
    sides that are all rows together have opposite ones. `pooled`, of shape (columns,), is that mean.

    `negligible` says, by figure, below what it is nothing but rounding.
    """

    matrix: Matrix
    columns: Columns
    pooled: NDArray[np.float64]
    negligible: Mapping[str, float]


def columns_of(windows: Windows, dimensions: int, features: int, clusters: int) -> Columns:
    """The layout; raises ValueError for an attribute with a name that a figure of our own has."""
    taken = {NORM, OCCUPANCY, "mean_shift", "mmd", "duplicates", "novelty", "classifier"} & windows.attributes.keys()
    if taken:
        raise ValueError(f"attributes cannot be named {', '.join(sorted(taken))}")
    first = 3 + dimensions + 2 * features
    numeric = [name for name, one in windows.attributes.items() if not isinstance(one, Categorical)]
    numbers = {name: first + at for at, name in enumerate([NORM, *numeric])}
    first += len(numbers)
    shares = {}
    for name, size in [(OCCUPANCY, clusters), *_levels(windows)]:
        shares[name] = slice(first, first + size)
        first += size
    return Columns(
        mean=slice(3, 3 + dimensions),
        random=slice(3 + dimensions, 3 + dimensions + 2 * features),
        numbers=numbers,
        shares=shares,
        width=first,
    )


def sum_up(
    windows: Windows, source: VectorSource, fit: Fit, group_of_document: NDArray[np.intp], columns: Columns
) -> tuple[Sums, Streamed]:
    """The pass over the vectors, and the sums of what is known of rows otherwise."""
    group_of_row = group_of_document[windows.document_of_row]
    groups = int(group_of_document.max()) + 1
    matrix = np.zeros((groups, columns.width))
    streamed = stream(source, fit, group_of_row, matrix[:, columns.mean.start : columns.random.stop])
    matrix[:, 0] = np.bincount(group_of_row)
    matrix[:, 1] = np.square(matrix[:, 0])
    codes = {OCCUPANCY: streamed.clusters}
    values = {NORM: streamed.norms}
    for name, attribute in windows.attributes.items():
        if isinstance(attribute, Categorical):
            codes[name] = np.asarray(attribute.codes, np.int32)
        else:
            values[name] = np.asarray(attribute.values, np.float64)
    # Sizes of whole vectors, not of how they differ: all that is smaller than their rounding is none.
    negligible = {"mean_shift": 1e-12 * float(streamed.norms.mean()), "mmd": 1e-20}
    for name, where in columns.shares.items():
        size = where.stop - where.start
        counts = np.bincount(group_of_row * size + codes[name], minlength=groups * size)
        matrix[:, where] = counts.reshape(groups, size)
        negligible[name] = 1e-14
    for name, at in columns.numbers.items():
        matrix[:, at] = np.bincount(group_of_row, values[name])
        negligible[name] = 1e-12 * float(np.abs(values[name]).max())
    pooled = _centre(matrix, columns)
    return Sums(matrix=matrix, columns=columns, pooled=pooled, negligible=negligible), streamed


def _centre(matrix: Matrix, columns: Columns) -> NDArray[np.float64]:
    """Take the mean of all rows off in place, and add the squared lengths; returns the mean."""
    pooled = matrix.sum(axis=0) / matrix[:, 0].sum()
    pooled[:3] = 0.0
    for first in range(0, len(matrix), _STEP):
        some = matrix[first : first + _STEP]
        some -= some[:, :1] * pooled
        some[:, 2] = np.square(some[:, columns.random]).sum(axis=1)
    return np.asarray(pooled)


def _levels(windows: Windows) -> list[tuple[str, int]]:
    return [(name, len(one.names)) for name, one in windows.attributes.items() if isinstance(one, Categorical)]
