"""What every store does with a query that a user wrote."""

import uuid
from datetime import timedelta

import pytest

from holocron_assets.clock import utc_now
from holocron_assets.errors import StoreError
from holocron_assets.intake.query_rows import row_columns
from holocron_assets.intake.rows import record_of
from holocron_assets.tables import ingest_records
from resources.stores.base import SqlStore
from tests.notes import QUERY, Notes, answer
from tests.world import World, json_row

KEY = uuid.UUID("6f1d1c4e-7c0b-5f35-9d0e-3a1f0a4a7b11")
RECORDS = "select resource_id as id, variant as title, payload as text from ingest.IngestRecords"


def test_rows_come_as_text(store: SqlStore) -> None:
    """Numbers, keys, Unicode of every plane and long texts come as text, NULL as None."""
    long, odd = "\u00e9\u6f22\U0001f600 '" * 20_000, "\U0001f600 ' \" title "
    with store.session() as session:
        records = [record_of(json_row(odd, long, ingest_id=str(KEY), attempt=7)).record]
        ingest_records.insert_ingest_records(session, records)

    with store.session(write=False) as session:
        assert answer(session, RECORDS) == [{"id": odd, "title": None, "text": long}]
        (row,) = answer(session, "select ingest_id as id, attempt as title, rank as text from ingest.IngestRecords;")

    assert row == {"id": str(KEY), "title": "7", "text": None}


def test_rows_come_in_batches_in_their_order(store: SqlStore) -> None:
    """A result of thousands of rows is whole, and not in memory at once."""
    for first in range(0, 5000, 1000):
        records = [record_of(json_row(f"{n:05d}", {})).record for n in range(first, first + 1000)]
        with store.session() as session:
            ingest_records.insert_ingest_records(session, records)
    with store.session(write=False) as session:
        batches = list(session.stream_user_query(f"{RECORDS} order by resource_id -- the order counts"))

    assert [row for batch in batches for row in batch.column("id").to_pylist()] == [f"{n:05d}" for n in range(5000)]
    assert max(batch.num_rows for batch in batches) <= 2048


def test_columns_are_named_without_rows(store: SqlStore) -> None:
    """The first batch of a result says its columns, even where there is no row."""
    with store.session(write=False) as session:
        (batch,) = session.stream_user_query(f"with r as ({RECORDS}) select * from r")

    assert (batch.num_rows, batch.schema.names) == (0, ["id", "title", "text"])


@pytest.mark.parametrize("write", ["delete from ingest.Notes", "insert into ingest.Notes (note_id) values (2)"])
def test_a_query_that_writes_changes_nothing(world: World, write: str) -> None:
    """Whatever reaches the database as a user's query, a write is refused or taken back."""
    notes = Notes(world)
    notes.put(1, "One", "first")

    with pytest.raises(StoreError), world.store.session(write=False) as session:
        answer(session, write)

    assert world.rows("select note_id, body from ingest.Notes") == [(1, "first")]


def test_nothing_is_run_in_a_session_that_writes(store: SqlStore) -> None:
    """A user's query has no place in a transaction that is going to be committed."""
    with pytest.raises(StoreError, match="opened to read"), store.session() as session:
        answer(session, RECORDS)


def test_sessions_after_a_query_are_as_before(world: World) -> None:
    """Read to its end, left half-way or failed, a query leaves no transaction behind that others would be part of."""
    notes = Notes(world)
    with world.store.session(write=False) as session:
        assert answer(session, QUERY) == []
    with world.store.session(write=False) as session:
        next(session.stream_user_query(QUERY))
    with pytest.raises(StoreError, match="nowhere"), world.store.session(write=False) as session:
        answer(session, "select 1 as id from nowhere")
    notes.put(1, "One", "first")

    assert world.rows("select note_id from ingest.Notes") == [(1,)]


def test_the_newest_hash_of_each_row_is_found(store: SqlStore) -> None:
    """Of each row of one SQL source the hash of what was stored last, ids told apart by their case and spaces."""
    now = utc_now()
    stored = [
        ("a", "notes", "old", now),
        ("a", "notes", "new", now + timedelta(hours=1)),
        ("A", "notes", "upper", now),
        ("A ", "notes", "blank", now),
        ("a", "other", "other", now),
    ]
    records = [
        record_of(row_columns(name, key, {"title": None, "text": text}, read_at)).record
        for key, name, text, read_at in stored
    ]
    with store.session() as session:
        ingest_records.insert_ingest_records(session, [*records, record_of(json_row("a", {})).record])
        hashes = ingest_records.list_newest_row_hashes(session, "notes")

    assert hashes == {key: records[n].hash_sha256 for key, n in (("a", 1), ("A", 2), ("A ", 3))}
