"""Whether a database is fit to be written to: its schema, its settings, and how much would be added. Reads only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from weakref import WeakSet

from holocron_assets.clock import utc_now
from holocron_assets.contract import DIALECT_COLUMNS, KEYS, KINDS, TABLES, Column
from holocron_assets.errors import SchemaError
from holocron_assets.estimate import EMBEDDED, SERVER, SERVER_WITH_JSON, Estimate, estimate
from holocron_assets.ports import Session, Store
from holocron_assets.settings import Settings
from holocron_assets.tables import preflight
from holocron_assets.tables.preflight import ActualColumn, Database, Permissions
from holocron_assets.verification.finding import Finding

_OLDEST_SQLSERVER = 15
_JSON_LEVEL = 130
_CLOCK_TOLERANCE = timedelta(minutes=2)
_DUCKDB = "DuckDB"
_RECORDS, _REGISTRY = "ingest.IngestRecords", "vector.source_registry"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What was found, how many rows there are, and about how much a run would add."""

    store: str
    version: str
    collation: str | None
    compatibility_level: int | None
    pending_migrations: list[str]
    rows: dict[str, int]
    estimate: Estimate | None
    observations: list[Observation]

    @property
    def essential(self) -> list[Observation]:
        """What must be mended before anything is written."""
        return [one for one in self.observations if one.severity is Severity.ESSENTIAL]


def inspect(store: Store, settings: Settings) -> Preflight:
    """Look at everything. Writes nothing, and needs no schema to be there."""
    pending = store.pending_migrations()
    if not store.exists():
        note = Observation(
            severity=Severity.NOTE, subject="store", message="there is nothing yet; the first run creates it"
        )
        return Preflight(
            store=store.name,
            version="",
            collation=None,
            compatibility_level=None,
            pending_migrations=pending,
            rows={},
            estimate=None,
            observations=[note],
        )
    with store.session(write=False) as session:
        database = preflight.get_database(session)
        columns = preflight.list_columns(session)
        return Preflight(
            store=store.name,
            version=f"{database.edition} {database.version}",
            collation=database.collation,
            compatibility_level=database.compatibility_level,
            pending_migrations=pending,
            rows=preflight.list_table_sizes(session),
            estimate=_estimate(session, columns, settings, database, is_complete=not pending),
            observations=list(_observations(session, database, columns, settings, is_complete=not pending)),
        )


def prepare(store: Store, settings: Settings) -> list[str]:
    """Before anything is written: see that the database is fit, and bring its schema up to date.

    Returns the migrations that were applied. Raises `SchemaError` with every reason against writing.
    """
    if store not in _FIT:
        _require_fit(store, settings)
        _FIT.add(store)
    return store.migrate()


#: Looked at by this process: what it found then, only others can have changed.
_FIT: WeakSet[Store] = WeakSet()


def _require_fit(store: Store, settings: Settings) -> None:
    reasons = [
        f"{one.subject}: {one.message}" for one in _observe(store, settings) if one.severity is Severity.ESSENTIAL
    ]
    if reasons:
        raise SchemaError(
            f"{store.name} is not fit to be written to, and nothing was: {'; '.join(reasons)}. "
            "`holocron preflight` shows everything that is looked at."
        )


def database_is_fit(store: Store, settings: Settings) -> Finding:
    """Tables, columns, keys, collation and permissions are as they must be; a run does not begin otherwise."""
    found = [one for one in _observe(store, settings) if one.severity is not Severity.NOTE]
    essential = [one for one in found if one.severity is Severity.ESSENTIAL]
    warnings = len(found) - len(essential)
    return Finding(
        claim="database_is_fit",
        holds=not found,
        explanation=f"{len(essential)} things must be mended before anything is written, {warnings} are worth knowing. "
        "`holocron preflight` shows everything that is looked at."
        if found
        else "The database is as it must be.",
        blocks=bool(essential),
        figures={"essential": len(essential), "warnings": warnings},
        offenders=[f"{one.severity.value}: {one.subject}: {one.message}" for one in found],
    )


def _observe(store: Store, settings: Settings) -> list[Observation]:
    if not store.exists():
        return []
    is_complete = not store.pending_migrations()
    with store.session(write=False) as session:
        database, columns = preflight.get_database(session), preflight.list_columns(session)
        return list(_observations(session, database, columns, settings, is_complete=is_complete))


def _observations(
    session: Session,
    database: Database,
    columns: Mapping[str, Mapping[str, ActualColumn]],
    settings: Settings,
    *,
    is_complete: bool,
) -> Iterator[Observation]:
    yield from _server(database)
    yield from _permissions(preflight.get_permissions(session), is_complete=is_complete)
    yield from _columns(columns, database, is_complete=is_complete)
    yield from _keys(columns, preflight.list_unique_keys(session))
    yield from _contents(session, columns, settings, database)


def _server(database: Database) -> Iterator[Observation]:
    if database.is_read_only:
        yield _essential("database", "it can only be read; have it opened for writing, or use another")
    if database.edition == _DUCKDB:
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
        yield _essential(_RECORDS, "this user may not read it: grant select on schema ingest")
    if allowed.writes_vector == 0:
        yield _essential(
            "vector", "this user may not write to it: grant select, insert, update, delete on schema vector"
        )
    if not is_complete and allowed.creates_tables == 0:
        yield _essential("database", "this user may not create the tables that are missing: grant create table")


def _columns(
    actual: Mapping[str, Mapping[str, ActualColumn]], database: Database, *, is_complete: bool
) -> Iterator[Observation]:
    own = DIALECT_COLUMNS["duckdb" if database.edition == _DUCKDB else "tsql"]
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


def _contents(
    session: Session, actual: Mapping[str, Mapping[str, ActualColumn]], settings: Settings, database: Database
) -> Iterator[Observation]:
    if "ingest_id" in _names(actual, _REGISTRY) and (foreign := preflight.count_foreign_sources(session)):
        yield _warning(
            _REGISTRY,
            f"{foreign:,} sources were registered by another program. They have no ingest record here, so the next run "
            "retires their chunks; the guard stops it where they are many",
        )
    if database.edition != _DUCKDB and not settings.sqlserver.vector_json:
        yield Observation(
            severity=Severity.NOTE,
            subject="vector.embedding.vector_json",
            message="sqlserver.vector_json is off: it gets [], and readers must use vector_binary",
        )


def _estimate(
    session: Session,
    actual: Mapping[str, Mapping[str, ActualColumn]],
    settings: Settings,
    database: Database,
    *,
    is_complete: bool,
) -> Estimate | None:
    """None where there is no table of records, or one that lacks columns."""
    if not set(TABLES[_RECORDS]) <= _names(actual, _RECORDS):
        return None
    form = EMBEDDED if database.edition == _DUCKDB else SERVER_WITH_JSON if settings.sqlserver.vector_json else SERVER
    return estimate(session, form, has_tables=is_complete)


def _is_of_others(table: str) -> bool:
    """Whether other programs made the table: then no migration of ours adds what it lacks."""
    return table == _RECORDS


def _names(actual: Mapping[str, Mapping[str, ActualColumn]], table: str) -> set[str]:
    return set(actual.get(table, {}))


def _described(column: Column) -> str:
    return f"{column.kind}({column.length})" if column.length else column.kind


def _essential(subject: str, message: str) -> Observation:
    return Observation(severity=Severity.ESSENTIAL, subject=subject, message=message)


def _warning(subject: str, message: str) -> Observation:
    return Observation(severity=Severity.WARNING, subject=subject, message=message)
