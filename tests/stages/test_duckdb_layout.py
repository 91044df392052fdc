"""How the embedded store keeps its columns (`docs/decisions/0004-duckdb-layout.md`)."""

import re

from tests.world import World


def test_long_texts_and_digests_are_kept_uncompressed(world: World) -> None:
    """DuckDB would read compressed pages thousands at a time, and compressed digests three times as slowly."""
    tables = world.rows("select table_name, sql from duckdb_tables()")

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
