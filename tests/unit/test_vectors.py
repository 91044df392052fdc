"""The exact search among vectors, against the plainest way to say it."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holocron_assets.tables.staging import vector_column
from holocron_assets.vectors import nearest


def batches(vectors: dict[str, list[float]], size: int) -> Iterator[pa.RecordBatch]:
    """The vectors as a store hands them out."""
    items = list(vectors.items())
    for first in range(0, len(items), size):
        ids, rows = zip(*items[first : first + size], strict=True)
        columns = [pa.array(ids), vector_column(np.array(rows, np.float32))]
        yield pa.RecordBatch.from_arrays(columns, names=["chunk_id", "vector"])


ROWS = st.lists(st.integers(-3, 3).map(float), min_size=3, max_size=3)


@settings(deadline=None)
@given(
    vectors=st.dictionaries(
        st.text("abc", min_size=1, max_size=4),
        st.lists(st.integers(-3, 3).map(float), min_size=3, max_size=3),
        max_size=30,
    ),
    limit=st.integers(1, 8),
    size=st.integers(1, 9),
)
def test_the_nearest_are_found_however_they_come(vectors: dict[str, list[float]], limit: int, size: int) -> None:
    """The same hits as a full sort by cosine and id, whatever the batches; equal vectors tie by id."""
    query = np.array([1, 2, -1], np.float32)
    plain = sorted(
        (-round(float(np.dot(row, query) / (np.linalg.norm(row) * np.linalg.norm(query.tolist()))), 9), key)
        for key, row in vectors.items()
        if any(row)
    )

    found = nearest(batches(vectors, size), query, limit)

    assert [one.chunk_id for one in found] == [key for _, key in plain[:limit]]
    assert [one.cosine_similarity for one in found] == pytest.approx([-score for score, _ in plain[:limit]], abs=1e-8)


def test_vectors_without_direction_are_left_out() -> None:
    """Nothing is near to zeros or to what is not a number."""
    vectors = {"zero": [0.0, 0.0], "none": [float("nan"), 1.0], "one": [1.0, 0.0]}

    assert [one.chunk_id for one in nearest(batches(vectors, 2), np.array([1, 0], np.float32), 5)] == ["one"]


def test_a_vector_of_another_length_is_never_near() -> None:
    """What was damaged in the store is left out of a search, which finds the others."""
    batch = pa.record_batch(
        {"chunk_id": ["short", "whole"], "vector": pa.array([[1.0], [1.0, 0.0]], pa.list_(pa.float32()))}
    )
    found = nearest([batch], np.array([1.0, 0.0], np.float32), 5)
    assert [one.chunk_id for one in found] == ["whole"]
