"""What stands in the way of writing to a database, what is worth knowing, and what to do about it. Reads only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from holocron_assets.clock import utc_now
from holocron_assets.contract import DIALECT_COLUMNS, DUCKDB, KEYS, KINDS, LOOKUPS, RECORDS, REFERENCES, TABLES, Column
from holocron_assets.ports import Session
from holocron_assets.settings import Settings
from holocron_assets.tables import preflight
from holocron_assets.tables.preflight import ActualColumn, Database, Permissions

_OLDEST_SQLSERVER = 15
_JSON_LEVEL = 130
_CLOCK_TOLERANCE = timedelta(minutes=2)
_REGISTRY = "vector.source_registry"


class Severity(StrEnum):
    """Whether nothing can be written before this is mended, or it is worth knowing, or it is only so."""

    ESSENTIAL = "essential"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Something about the database, and what to do about it."""

    severity: Severity
    subject: str
    message: str


def observations(
    session: Session,
    database: Database,
    columns: Mapping[str, Mapping[str, ActualColumn]],
    settings: Settings,
    *,
    is_complete: bool,
) -> Iterator[Observation]:
    """Everything there is to say of the database behind a session; before `is_complete` our tables may be missing."""
    yield from _server(database)
    yield from _permissions(preflight.get_permissions(session), is_complete=is_complete)
    yield from _columns(columns, database, is_complete=is_complete)
    yield from _keys(columns, preflight.list_unique_keys(session))
    if database.edition != DUCKDB:
        yield from _structure(columns, preflight.list_indexed_columns(session), preflight.list_references(session))
    yield from _contents(session, columns, settings, database)


def _server(database: Database) -> Iterator[Observation]:
    if database.is_read_only:
        yield _essential("database", "it can only be read; have it opened for writing, or use another")
    if database.edition == DUCKDB:
        return
    major = database.version.partition(".")[0]
    if major.isdecimal() and int(major) < _OLDEST_SQLSERVER and "azure" not in database.edition.lower():
        yield _essential("server", f"version {database.version} is older than SQL Server 2019 (15.0)")
    if (database.compatibility_level or _JSON_LEVEL) < _JSON_LEVEL:
        yield _essential(
            "compatibility level",
            f"{database.compatibility_level} knows no OPENJSON; the owner of the database may raise it to "
            f"{_JSON_LEVEL} or more",
        )
    skew = abs(database.now_utc - utc_now())
    if skew > _CLOCK_TOLERANCE:
        yield _warning(
            "clock", f"the server's and this machine's differ by {skew}; which record is newest may be misjudged"
        )


def _permissions(allowed: Permissions, *, is_complete: bool) -> Iterator[Observation]:
    if allowed.reads_records == 0:
        yield _essential(RECORDS, "this user may not read it: grant select on schema ingest")
    if allowed.writes_vector == 0:
        yield _essential(
            "vector", "this user may not write to it: grant select, insert, update, delete, execute on schema vector"
        )
    if not is_complete and allowed.creates_tables == 0:
        yield _essential(
            "database",
            "this user may not create what is missing: grant create table, create view and create procedure, and alter "
            "and references on schema vector; where there is no such schema, create schema",
        )


def _columns(
    actual: Mapping[str, Mapping[str, ActualColumn]], database: Database, *, is_complete: bool
) -> Iterator[Observation]:
    own = DIALECT_COLUMNS["duckdb" if database.edition == DUCKDB else "tsql"]
    for table, shared in TABLES.items():
        expected = {**shared, **own.get(table, {})}
        found = actual.get(table)
        if found is None:
            if is_complete:
                yield _essential(
                    table, "the table is gone although its migration was applied; restore it from a backup"
                )
            continue
        for name, column in expected.items():
            if name in found:
                yield from _column(f"{table}.{name}", column, found[name], database)
            elif is_complete or _is_of_others(table):
                yield _essential(
                    f"{table}.{name}", f"the column is missing: its owner may add it as {_described(column)}"
                )
        for name, extra in found.items():
            if name not in expected and not extra.is_nullable and not extra.fills_itself:
                yield _essential(f"{table}.{name}", "an unknown column that may not be null and has no default")


def _column(name: str, expected: Column, found: ActualColumn, database: Database) -> Iterator[Observation]:
    kind = KINDS.get(found.type_name, found.type_name)
    if kind != expected.kind and {kind, expected.kind} != {"integer", "bigint"}:
        yield _essential(name, f"it is {found.type_name}, and must be {_described(expected)}")
    if expected.length and found.max_length and found.max_length < expected.length:
        yield _warning(
            name, f"it holds {found.max_length} characters of {expected.length}; longer values will be refused"
        )
    if expected.is_nullable and not found.is_nullable and not found.fills_itself:
        yield _essential(name, "it may not be null, and null is written to it")
    if expected.length and found.collation != database.collation:
        yield _essential(
            name, f"its collation is {found.collation}, the database's is {database.collation}: they cannot be compared"
        )


def _keys(
    actual: Mapping[str, Mapping[str, ActualColumn]], keys: Mapping[str, set[frozenset[str]]]
) -> Iterator[Observation]:
    for table, columns in KEYS.items():
        if table in actual and not any(key <= columns for key in keys.get(table, ())):
            yield _warning(table, f"nothing in the database keeps {', '.join(sorted(columns))} unique; only checks do")


def _structure(
    actual: Mapping[str, Mapping[str, ActualColumn]], indexed: set[str], references: set[str]
) -> Iterator[Observation]:
    for name in sorted(LOOKUPS - indexed):
        if name.rpartition(".")[0] in actual:
            yield _warning(name, "no index begins with it; runs will read the whole table instead")
    for name in sorted(REFERENCES - references):
        if name.rpartition(".")[0] in actual:
            yield Observation(
                severity=Severity.NOTE,
                subject=name,
                message="no foreign key holds it; only checks find what is orphaned",
            )


def _contents(
    session: Session, actual: Mapping[str, Mapping[str, ActualColumn]], settings: Settings, database: Database
) -> Iterator[Observation]:
    if {"source_system", "source_name"} <= _names(actual, RECORDS) and preflight.count_ambiguous_names(session):
        yield _essential(
            RECORDS,
            "two source names differ only in what the database's collation does not see, such as case: their sources "
            "would have one id. Use a database that is case-sensitive",
        )
    if "ingest_id" in _names(actual, _REGISTRY) and (foreign := preflight.count_foreign_sources(session)):
        yield _warning(
            _REGISTRY,
            f"{foreign:,} sources were registered by another program: no ingest record speaks for them, so they are "
            "left alone, and not searched",
        )
    if database.edition != DUCKDB and not settings.sqlserver.vector_json:
        yield _note(
            "vector.embedding.vector_json",
            "sqlserver.vector_json is off: it gets [], and readers must use vector_binary",
        )


def _is_of_others(table: str) -> bool:
    """Whether other programs made the table: then no migration of ours adds what it lacks."""
    return table == RECORDS


def _names(actual: Mapping[str, Mapping[str, ActualColumn]], table: str) -> set[str]:
    return set(actual.get(table, {}))


def _described(column: Column) -> str:
    return f"{column.kind}({column.length})" if column.length else column.kind


def _essential(subject: str, message: str) -> Observation:
    return Observation(severity=Severity.ESSENTIAL, subject=subject, message=message)


def _warning(subject: str, message: str) -> Observation:
    return Observation(severity=Severity.WARNING, subject=subject, message=message)


def _note(subject: str, message: str) -> Observation:
    return Observation(severity=Severity.NOTE, subject=subject, message=message)
