"""What only the embedded store promises: how it keeps its columns (`docs/decisions/0004-duckdb-layout.md`)."""

import re
from pathlib import Path

from holocron_assets.settings import Settings
from resources.stores import open_store
from tests.world import raw


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
