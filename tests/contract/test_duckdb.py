"""What only the embedded store promises: how it keeps its columns (`docs/decisions/0004-duckdb-layout.md`)."""

import re
import threading
import time
from pathlib import Path

import pytest

from holocron_assets.errors import StoreBusyError, StoreError
from holocron_assets.intake.rows import record_of
from holocron_assets.settings import Settings
from holocron_assets.tables import ingest_records, overview
from resources.stores import open_store
from resources.stores.base import SqlStore
from tests.world import json_row, raw


@pytest.fixture
def backend() -> str:
    """These are about the embedded database alone."""
    return "duckdb"


def test_long_texts_and_digests_are_kept_uncompressed(tmp_path: Path) -> None:
    """DuckDB would read compressed pages thousands at a time, and compressed digests three times as slowly."""
    store = open_store(Settings(base_dir=tmp_path, store_url="duckdb:///store.duckdb"), wait_seconds=60)
    store.migrate()
    with store.session(write=False) as session:
        tables = raw(session, "select table_name, sql from duckdb_tables()")

    assert {
        (table, column.strip('"'))
        for table, definition in tables
        for column in re.findall(r'("?\w+"?) VARCHAR USING COMPRESSION Uncompressed', definition)
    } == {
        ("IngestRecords", "payload"),
        ("extracted_text", "content"),
        ("chunk", "chunk_id"),
        ("chunk", "content_sha256"),
        ("chunk_version", "chunk_id"),
        ("chunk_version", "content_sha256"),
        ("embedding", "chunk_id"),
        ("embedding", "input_content_sha256"),
    }


def test_looking_makes_no_file(empty_store: SqlStore) -> None:
    """Asking what is pending, or failing to read, leaves no file behind."""
    empty_store.pending_migrations()
    with pytest.raises(StoreError, match="there is no store"), empty_store.session(write=False):
        pass

    assert not empty_store.exists()


def test_a_store_that_is_kept_open_computes_figures_once(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until something is written, a figure that was asked for is not computed again."""
    with store.kept_open():
        with store.session(write=False) as session:
            assert overview.get_counts(session).records == 0
        with store.session(write=False) as session:
            monkeypatch.setattr(session, "_rows", None)
            (asked,) = session.rows("get_counts")
            asked.clear()
            assert overview.get_counts(session).records == 0

    with store.session(write=False) as session:
        monkeypatch.setattr(session, "_rows", None)
        with pytest.raises(TypeError):
            overview.get_counts(session)


def test_a_run_that_writes_makes_way_for_others(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it has written, what it reads is not kept while it computes: another process may write meanwhile."""
    with store.kept_open():
        with store.session() as session:
            ingest_records.insert_ingest_records(session, [record_of(json_row("a", {})).record])
        with store.session(write=False) as session:
            assert overview.get_counts(session).records == 1
        while store._file.is_open:  # type: ignore[attr-defined]
            time.sleep(0.02)
        with store.session(write=False) as session:
            monkeypatch.setattr(session, "_rows", None)
            with pytest.raises(TypeError):
                overview.get_counts(session)


def test_an_error_that_is_kept_does_not_keep_the_file(settings: Settings) -> None:
    """Rows that were not read to their end when an error came are let go of: the next session may write."""
    store = open_store(settings, wait_seconds=0)
    store.migrate()
    with store.session() as session:
        ingest_records.insert_ingest_records(
            session, [record_of(json_row("a", {}, source_system="sql", resource_type="row")).record]
        )
    kept = []
    for stream in (
        lambda session: session.stream_user_query("select ingest_id from ingest.IngestRecords"),
        lambda session: session.stream("list_newest_row_hashes", source_name="notes"),
    ):
        with store.kept_open():
            try:
                with store.session(write=False) as session:
                    next(rows := stream(session))
                    raise KeyError(rows)
            except KeyError as error:
                kept.append(error)
            with store.session() as session:
                assert overview.get_counts(session).records == 1


def test_a_file_that_is_no_store_is_named(settings: Settings, tmp_path: Path) -> None:
    """Garbage where the store should be is an error that says what to do."""
    (tmp_path / "store.duckdb").write_bytes(b"garbage" * 1000)

    with pytest.raises(StoreError, match=r"is not a DuckDB file\. Restore it from a backup"):
        open_store(settings, wait_seconds=0).migrate()


def test_two_stores_of_one_process_take_turns(settings: Settings, store: SqlStore) -> None:
    """Whoever opens the file a second time in one process waits as another process would, and is told by whom."""
    other = open_store(settings, wait_seconds=0)
    with store.session(), pytest.raises(StoreBusyError, match="is in use by this very process"), other.session():
        pass

    patient = open_store(settings, wait_seconds=60)
    held = store.session()
    held.__enter__()
    waiting = threading.Timer(0.3, lambda: held.__exit__(None, None, None))
    waiting.start()
    with patient.session() as session:
        assert overview.get_counts(session).records == 0
    waiting.join()
