"""Looking up chunks of one table of keys in another."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from holocron_assets.stages.chunk_keys import ChunkRows, places_of


def keys(*rows: tuple[str, str]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ((), ())
    return pa.table({name: pa.array(one, pa.large_string()) for name, one in zip(NAMES, columns, strict=True)})


NAMES = ("chunk_id", "content_sha256")


def test_a_chunk_is_found_by_its_id_and_content() -> None:
    """One of another content is not found, and one that stands twice is found twice."""
    chunks = keys(("b", "1"), ("a", "1"), ("c", "1"), ("b", "2"), ("b", "1"))

    assert places_of(chunks, keys(("a", "2"), ("b", "1"), ("c", "1"))).tolist() == [1, -1, 2, -1, 1]
    assert places_of(pa.concat_tables([chunks, chunks]), keys()).tolist() == [-1] * 10
    assert places_of(keys(), chunks.slice(0, 3)).tolist() == []


@given(
    among=st.dictionaries(st.text("abü", max_size=3), st.sampled_from("12")),
    chunks=st.lists(st.tuples(st.text("abü", max_size=3), st.sampled_from("12"))),
    size=st.integers(1, 4),
)
def test_blocks_are_looked_up_as_the_whole(among: dict[str, str], chunks: list[tuple[str, str]], size: int) -> None:
    """Whatever order keys stand in and how many are asked at once, the row is that of this id and content."""
    rows = {key: row for row, key in enumerate(among.items())}
    table = ChunkRows(keys(*rows))
    found = [row for first in range(0, len(chunks), size) for row in table.of(keys(*chunks[first : first + size]))]
    assert found == [rows.get(key, -1) for key in chunks]
