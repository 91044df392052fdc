"""Cutting a stream into batches."""

from hypothesis import given, settings
from hypothesis import strategies as st

from holocron_assets.batching import batches


@settings(deadline=None)
@given(st.lists(st.integers(0, 9)), st.integers(1, 20), st.none() | st.integers(1, 5))
def test_batches_hold_everything_and_end_in_time(items: list[int], size: int, count: int | None) -> None:
    """Nothing is lost or reordered, and no batch goes on after it is large or long enough."""
    cut = list(batches(items, lambda item: item, size=size, count=count))

    assert [item for batch in cut for item in batch] == items
    assert all(sum(batch[:-1]) < size and len(batch) <= (count or len(batch)) for batch in cut)
    assert all(sum(batch) >= size or len(batch) == count for batch in cut[:-1])
