"""What filters leave out: whatever does not hold, however it is spelled, and nothing else."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from holocron_assets.retrieval.filters import Filters
from holocron_assets.retrieval.segment import ROW

NOON = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - stored times are naive UTC


def row(**columns: Any) -> dict[str, Any]:
    plain = {field.name: None if field.nullable else "" for field in ROW}
    return plain | {"tags": [], "start_offset": 0, "end_offset": 1, **columns}


ROWS = pa.Table.from_pylist(
    [
        row(chunk_id="a", source_id="s1", source_system="MediaWiki", source_name="straße", title="Tide clock 100%"),
        row(chunk_id="b", source_id="s1", resource_type="ΟΔΟΣ", page_type="Person", tags=["Ports", "İzmir"]),
        row(chunk_id="c", source_id="s2", source_system="files", fetched_utc=NOON, title="<b>it's</b>"),
        row(chunk_id="d", source_id="S2", tags=["ports of call"], fetched_utc=NOON - timedelta(days=1)),
    ],
    schema=ROW,
)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(), "abcd"),
        (Filters(source_system=("mediawiki", "FILES")), "ac"),
        (Filters(source_name=("STRASSE",)), ""),
        (Filters(source_name=("Straße",)), "a"),
        (Filters(resource_type=("ΟΔΟΣ",)), "b"),
        (Filters(page_type=("person",), tag=("PORTS",)), "b"),
        (Filters(tag=("İzmir",)), "b"),
        (Filters(tag=("port",)), ""),
        (Filters(title="CLOCK 100%"), "a"),
        (Filters(title=".*"), ""),
        (Filters(title="<B>IT'S"), "c"),
        (Filters(title="'; drop table vector.chunk; --"), ""),
        (Filters(source_id=("s2",)), "c"),
        (Filters(chunk_id=("d", "a", "nowhere")), "ad"),
        (Filters(since=NOON), "c"),
        (Filters(until=NOON), "d"),
        (Filters(since=datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))), "c"),
        (Filters(since=datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)), ""),
    ],
)
def test_what_holds_is_found(filters: Filters, found: str) -> None:
    """Names whole but for case, ids as they are, titles in part and as plain text, times half-open and in UTC."""
    mask = filters.mask(ROWS)

    assert "".join(ROWS.filter(pa.array(mask)).column("chunk_id").to_pylist()) == found


def test_nothing_is_left_of_no_rows() -> None:
    """A segment without rows is no special case."""
    assert Filters(tag=("a",), title="b", since=NOON, source_id=("c",)).mask(ROWS.slice(0, 0)).shape == (0,)
