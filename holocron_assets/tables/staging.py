"""Building the Arrow tables that travel to the store in one move. No query is run here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

# Offsets of 64 bits: a batch of long texts must not wrap around.
TEXT = pa.large_string()
INTEGER = pa.int64()
FLOAT = pa.float64()
BOOLEAN = pa.bool_()
TIME = pa.timestamp("us")

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - times are naive UTC throughout
#: What stands where a value is None, and how numbers are laid out.
_FORMS: Mapping[pa.DataType, tuple[Any, DTypeLike]] = {
    INTEGER: (0, np.int64),
    FLOAT: (0.0, np.float64),
    TIME: (_EPOCH, "datetime64[us]"),
}


def table_of(columns: Mapping[str, pa.DataType], rows: Iterable[Sequence[Any]]) -> pa.Table:
    """A table of typed columns from rows of plain values, in the columns' order."""
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [column_of(column, kind) for column, kind in zip(values, columns.values(), strict=True)]
    return pa.Table.from_arrays(arrays, names=list(columns))


def column_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Values of one of the five types above, or None, as a column.

    For such values `pa.array` does the same, but imports pandas to see whether it was given any: 0.4 s and 33 MB in
    every run.
    """
    is_given = [value is not None for value in values]
    validity = None if all(is_given) else _bits(is_given)
    if kind == TEXT:
        content, ends = bytearray(), [0]
        for value in values:
            content += ("" if value is None else value).encode()
            ends.append(len(content))
        return pa.Array.from_buffers(kind, len(values), [validity, _numbers(ends, np.int64), pa.py_buffer(content)])
    if kind == BOOLEAN:
        return pa.Array.from_buffers(kind, len(values), [validity, _bits([bool(value) for value in values])])
    filler, width = _FORMS[kind]
    filled = [filler if value is None else value for value in values]
    return pa.Array.from_buffers(kind, len(values), [validity, _numbers(filled, width)])


def number_column(numbers: Sequence[float]) -> pa.Array:
    """Numbers of 64 bits as a column, for the same reason."""
    return pa.Array.from_buffers(pa.float64(), len(numbers), [None, _numbers(numbers, np.float64)])


def vector_column(vectors: NDArray[np.float32]) -> pa.ListArray:
    """Vectors of shape (n, dimensions) as one list column of float32; numbers that are float32 are not copied."""
    count, dimensions = vectors.shape
    numbers = np.ascontiguousarray(vectors, np.float32)
    ends = range(0, (count + 1) * dimensions, dimensions)
    flat = pa.Array.from_buffers(pa.float32(), vectors.size, [None, pa.py_buffer(numbers)])
    kind = pa.list_(pa.float32())
    return pa.Array.from_buffers(kind, count, [None, _numbers(ends, np.int32)], children=[flat])


def _bits(flags: Sequence[bool]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(np.array(flags, dtype=bool), bitorder="little"))


def _numbers(values: Sequence[Any], width: DTypeLike) -> pa.Buffer:
    return pa.py_buffer(np.array(values, dtype=width))
