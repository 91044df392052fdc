"""Building the Arrow tables that travel to the store in one move. No query is run here."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

TEXT = pa.string()
INTEGER = pa.int64()
BOOLEAN = pa.bool_()
TIME = pa.timestamp("us")


def table_of(columns: Mapping[str, pa.DataType], rows: Iterable[Sequence[Any]]) -> pa.Table:
    """A table of typed columns from rows of plain values, in the columns' order."""
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [pa.array(column, type=kind) for column, kind in zip(values, columns.values(), strict=True)]
    return pa.Table.from_arrays(arrays, names=list(columns))


def vector_column(vectors: NDArray[np.float32]) -> pa.ListArray:
    """Float32 vectors of shape (n, dimensions) as one list column, without copying the numbers."""
    count, dimensions = vectors.shape
    offsets = np.arange(0, (count + 1) * dimensions, dimensions, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.ascontiguousarray(vectors).reshape(-1)))
