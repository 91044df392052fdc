"""What a database must be like before anything is written to it."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from holocron_assets.clock import utc_now
from holocron_assets.contract import DIALECT_COLUMNS, KINDS, LOOKUPS, REFERENCES, TABLES
from holocron_assets.errors import SchemaError
from holocron_assets.observations import Severity
from holocron_assets.preflight import inspect, prepare
from holocron_assets.settings import Settings
from holocron_assets.tables import preflight
from holocron_assets.tables.preflight import ActualColumn, Database, Permissions
from resources.queries import load_migrations, load_queries
from resources.stores.base import SqlStore
from tests.tsql_on_duckdb import defined
from tests.world import World, page_row, prose, raw

SERVER = Database(
    version="17.0.1000.7",
    edition="Developer Edition",
    collation="SQL_Latin1_General_CP1_CI_AS",
    compatibility_level=170,
    is_read_only=False,
    now_utc=utc_now(),
)


@pytest.mark.parametrize("dialect", ["duckdb", "tsql"])
def test_the_migrations_make_what_is_expected(dialect: str) -> None:
    """The tables of each dialect's migrations have exactly the columns, kinds and nulls that are expected."""
    connection = duckdb.connect()
    for migration in load_migrations(dialect):
        for statement in defined(migration.text) if dialect == "tsql" else [migration.text]:
            connection.execute(statement)

    actual = connection.execute(
        "select schema_name || '.' || table_name, column_name, lower(data_type), is_nullable from duckdb_columns() "
        "where schema_name in ('ingest', 'vector') and table_name in (select table_name from duckdb_tables())"
    ).fetchall()

    expected = {
        (table, name): column
        for table, columns in TABLES.items()
        for name, column in {**columns, **DIALECT_COLUMNS[dialect].get(table, {})}.items()
    }
    assert {(table, name) for table, name, _, _ in actual} == set(expected)
    for table, name, kind, is_nullable in actual:
        column = expected[table, name]
        assert KINDS.get(kind, kind) in (column.kind, {"bigint": "integer"}.get(column.kind)), (table, name, kind)
        assert is_nullable or not column.is_nullable, (table, name)


def essential(store: SqlStore, settings: Settings) -> list[str]:
    return [one.subject for one in inspect(store, settings).essential]


def test_nothing_stands_in_the_way_of_a_new_store(empty_store: SqlStore, settings: Settings) -> None:
    """Before the first run, and after it, a store of our own is fit, and looking makes nothing."""
    assert essential(empty_store, settings) == []
    assert not empty_store.exists()

    assert prepare(empty_store, settings) != []
    assert inspect(empty_store, settings).observations == []


@pytest.mark.parametrize(
    ("fault", "subject", "reason"),
    [
        ("drop table vector.source_alias", "vector.source_alias", "the table is gone"),
        ("alter table vector.chunk drop column policy_json", "vector.chunk.policy_json", "the column is missing"),
        ("alter table ingest.IngestRecords drop column variant", "ingest.IngestRecords.variant", r"text\(20\)"),
        (
            "alter table vector.source_alias alter column updated_utc type varchar",
            "vector.source_alias.updated_utc",
            "it is varchar, and must be time",
        ),
        (
            "alter table vector.source_alias alter column alias_title set not null",
            "vector.source_alias.alias_title",
            "null is written to it",
        ),
    ],
)
def test_what_would_fail_is_found_before_anything_is_written(
    store: SqlStore, settings: Settings, fault: str, subject: str, reason: str
) -> None:
    """A missing table or column, a wrong type, a null that is refused: named, and no run begins."""
    with store.session() as session:
        raw(session, fault)

    assert essential(store, settings) == [subject]
    with pytest.raises(SchemaError, match=f"not fit to be written to.*{reason}"):
        prepare(store, settings)


def test_a_column_that_nothing_fills_is_found(store: SqlStore, settings: Settings) -> None:
    """Another program's column without a default would refuse every row of ours; one that fills itself does not."""
    with store.session() as session:
        raw(session, "drop table vector.source_alias")
        raw(
            session,
            "create table vector.source_alias (source_id varchar not null, alias_title varchar, target_title varchar, "
            "ingest_id uuid not null, updated_utc timestamp not null, theirs varchar not null, own integer default 1)",
        )

    assert essential(store, settings) == ["vector.source_alias.theirs"]


def test_a_missing_key_is_a_warning(store: SqlStore, settings: Settings) -> None:
    """Without its primary key a table works; only the checks keep it free of doubles."""
    with store.session() as session:
        raw(session, "create table vector.other as select * from vector.extracted_text")
        raw(session, "drop table vector.extracted_text")
        raw(session, "alter table vector.other rename to extracted_text")
    found = inspect(store, settings)

    assert "vector.extracted_text" in [one.subject for one in found.observations if one.severity is Severity.WARNING]


def test_the_estimate_shrinks_to_nothing(world: World) -> None:
    """Before a run about its size is foretold; what is stored is no longer counted."""
    world.add(*[page_row(f"Page {n}", n, prose(f"topic {n}", 20_000)) for n in range(1, 11)])
    before = inspect(world.store, world.settings).estimate
    world.run()
    after = inspect(world.store, world.settings).estimate

    assert before is not None
    assert after is not None
    assert before.chunks > 20
    assert before.text_and_chunk_bytes > 100_000
    assert after.chunks < before.chunks
    assert inspect(world.store, world.settings).rows["ingest.IngestRecords"] == 10


@pytest.fixture
def server(
    store: SqlStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[tuple[str, str]]]:
    """What is observed of a SQL Server that says this of itself, with the tables that the migrations make."""
    connection = duckdb.connect()
    for migration in load_migrations("tsql"):
        for statement in defined(migration.text):
            connection.execute(statement)
    connection.execute(load_queries("duckdb")["list_columns"].statements[0])
    names = [column[0] for column in connection.description or ()]
    columns: dict[str, dict[str, ActualColumn]] = {}
    for values in connection.fetchall():
        row = dict(zip(names, values, strict=True)) | {"collation": SERVER.collation}
        table = columns.setdefault(f"{row.pop('schema_name')}.{row.pop('table_name')}", {})
        name = row.pop("column_name")
        table[name] = ActualColumn(**row)

    def observed(
        database: Database = SERVER,
        allowed: Permissions = Permissions(reads_records=1, writes_vector=1, creates_tables=1),  # noqa: B008
        change: Callable[[dict[str, dict[str, ActualColumn]]], object] = lambda _: None,
        without: frozenset[str] = frozenset(),
    ) -> list[tuple[str, str]]:
        change(columns)
        # The suite may have begun long ago.
        of_now = replace(database, now_utc=utc_now() + (database.now_utc - SERVER.now_utc))
        monkeypatch.setattr(preflight, "get_database", lambda _: of_now)
        monkeypatch.setattr(preflight, "get_permissions", lambda _: allowed)
        monkeypatch.setattr(preflight, "list_columns", lambda _: columns)
        monkeypatch.setattr(preflight, "list_indexed_columns", lambda _: LOOKUPS - without)
        monkeypatch.setattr(preflight, "list_references", lambda _: REFERENCES - without)
        found = inspect(store, settings).observations
        return [(one.severity.value, one.subject) for one in found]

    return observed


def test_a_server_that_is_as_it_must_be_is_fit(server: Callable[..., list[tuple[str, str]]]) -> None:
    """The migrations' own tables, on a server of today, raise no objection."""
    assert server() == []


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        (replace(SERVER, version="14.0.3456.2"), ("essential", "server")),
        (replace(SERVER, version="12.0.2000.8", edition="SQL Azure"), None),
        (replace(SERVER, compatibility_level=120), ("essential", "compatibility level")),
        (replace(SERVER, is_read_only=True), ("essential", "database")),
        (replace(SERVER, now_utc=SERVER.now_utc + timedelta(hours=1)), ("warning", "clock")),
    ],
)
def test_a_server_is_judged(
    server: Callable[..., list[tuple[str, str]]], database: Database, expected: tuple[str, str] | None
) -> None:
    """Too old, without OPENJSON, read-only, or with a clock that goes wrong."""
    assert server(database) == ([expected] if expected else [])


def test_missing_permissions_are_named(server: Callable[..., list[tuple[str, str]]]) -> None:
    """What the user may not do is said; what does not exist yet cannot be forbidden."""
    assert server(allowed=Permissions(reads_records=0, writes_vector=0, creates_tables=0)) == [
        ("essential", "ingest.IngestRecords"),
        ("essential", "vector"),
    ]
    assert server(allowed=Permissions(reads_records=None, writes_vector=None, creates_tables=0)) == []


def test_columns_that_cannot_be_compared_are_named(server: Callable[..., list[tuple[str, str]]]) -> None:
    """A column of another collation than the database's cannot be joined; a short one refuses long values."""

    def change(columns: dict[str, dict[str, ActualColumn]]) -> None:
        chunk = columns["vector.chunk"]
        chunk["chunk_id"] = replace(chunk["chunk_id"], collation="Latin1_General_100_BIN2")
        chunk["source_id"] = replace(chunk["source_id"], max_length=100)

    assert server(change=change) == [("essential", "vector.chunk.chunk_id"), ("warning", "vector.chunk.source_id")]


def test_missing_indexes_and_foreign_keys_are_named(server: Callable[..., list[tuple[str, str]]]) -> None:
    """A lookup without an index is slow, so a warning; a missing foreign key is worth a note, as checks stand in."""
    assert server(without=frozenset({"vector.ingest_seen.resource_key", "vector.embedding.run_id"})) == [
        ("warning", "vector.ingest_seen.resource_key"),
        ("note", "vector.embedding.run_id"),
    ]


def test_the_expected_structure_is_made() -> None:
    """The migrations for SQL Server make every index and foreign key that is looked for."""
    script = "\n".join(migration.text for migration in load_migrations("tsql"))
    indexed = {
        f"{table}.{column}"
        for table, column in re.findall(r"create (?:clustered )?index \w+\s+on ([\w.]+) \((\w+)", script)
    }
    tables = re.findall(r"create table ([\w.]+) \((.*?)\n {4,8}\);", script, re.DOTALL)
    keyed = {f"{table}.{column}" for table, body in tables for column in re.findall(r"(\w+) [^\n]* primary key", body)}
    unique = {f"{table}.{column}" for table, body in tables for column in re.findall(r"unique \((\w+)", body)}
    tied = {f"{table}.{column}" for table, body in tables for column in re.findall(r"(\w+) [^\n]* references ", body)}

    assert indexed | keyed | unique >= LOOKUPS
    assert tied >= REFERENCES


def test_the_command_says_what_it_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`holocron preflight` ends with 0 where a run may begin."""
    from click.testing import CliRunner  # noqa: PLC0415

    from holocron_assets.cli import main  # noqa: PLC0415

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["preflight"])

    assert result.exit_code == 0, result.output
    assert "Nothing stands in the way of a run." in result.output
    assert not (tmp_path / ".holocron").exists()
