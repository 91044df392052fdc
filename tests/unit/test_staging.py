"""The Arrow columns that travel to the store: the same as pyarrow would build, without what that costs."""

import subprocess
import sys
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holocron_assets.tables.staging import BOOLEAN, FLOAT, INTEGER, TEXT, TIME, column_of, table_of, vector_column

VALUES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (TEXT, st.text()),
    (INTEGER, st.integers(-(2**63), 2**63 - 1)),
    (FLOAT, st.floats(allow_nan=False)),
    (BOOLEAN, st.booleans()),
    (TIME, st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))),  # noqa: DTZ001 - naive UTC
]


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=["text", "integer", "float", "boolean", "time"])
@settings(deadline=None)  # the first `pa.array` loads pandas
@given(data=st.data())
def test_columns_are_those_of_pyarrow(kind: pa.DataType, value: st.SearchStrategy[Any], data: st.DataObject) -> None:
    """Whatever the values, and whichever are missing, the column equals the one that `pa.array` builds."""
    values = data.draw(st.lists(st.none() | value, max_size=40))

    column = column_of(values, kind)

    column.validate(full=True)
    assert column == pa.array(values, type=kind)


def test_what_a_column_cannot_hold_is_an_error() -> None:
    """What is no text, too large a number or no Unicode is refused, not turned into something else."""
    for no_text in (5, 0, False):
        with pytest.raises(AttributeError):
            column_of([no_text], TEXT)
    with pytest.raises(OverflowError):
        column_of([2**63], INTEGER)
    with pytest.raises(UnicodeEncodeError):
        column_of(["\ud800"], TEXT)


def test_vectors_keep_every_number() -> None:
    """A matrix of vectors becomes one list column with a list for each row."""
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)

    column = vector_column(vectors[::2])

    column.validate(full=True)
    assert column.to_pylist() == vectors[::2].tolist()
    assert vector_column(vectors.astype(np.float64)[::2]) == column  # type: ignore[arg-type]
    assert vector_column(np.empty((0, 3), np.float32)).to_pylist() == []


def test_no_rows_make_an_empty_table() -> None:
    """A table without rows still has its columns."""
    table = table_of({"a": TEXT, "b": TIME}, [])

    assert (table.num_rows, table.schema.types) == (0, [TEXT, TIME])


def test_staging_does_not_load_pandas() -> None:
    """Building a table loads no data frame library, which every run would pay for."""
    program = (
        "import sys; from holocron_assets.tables.staging import *; import numpy; "
        "table_of({'a': TEXT, 'b': INTEGER}, [('x', 1)]); vector_column(numpy.zeros((2, 3), 'f4')); "
        "sys.exit('pandas' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
