"""Whether a database is fit to be written to: its schema, its settings, and how much would be added. Reads only."""

from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakSet

from holocron_assets.contract import DUCKDB, RECORDS, TABLES
from holocron_assets.errors import SchemaError
from holocron_assets.estimate import EMBEDDED, SERVER, SERVER_WITH_JSON, Estimate, estimate
from holocron_assets.observations import Observation, Severity, observations
from holocron_assets.ports import Session, Store
from holocron_assets.settings import Settings
from holocron_assets.tables import preflight
from holocron_assets.tables.preflight import ActualColumn, Database
from holocron_assets.verification.finding import Finding


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
            observations=list(observations(session, database, columns, settings, is_complete=not pending)),
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
        return list(observations(session, database, columns, settings, is_complete=is_complete))


def _estimate(
    session: Session,
    actual: Mapping[str, Mapping[str, ActualColumn]],
    settings: Settings,
    database: Database,
    *,
    is_complete: bool,
) -> Estimate | None:
    """None where there is no table of records, or one that lacks columns."""
    if not set(TABLES[RECORDS]) <= set(actual.get(RECORDS, {})):
        return None
    form = EMBEDDED if database.edition == DUCKDB else SERVER_WITH_JSON if settings.sqlserver.vector_json else SERVER
    return estimate(session, form, has_tables=is_complete)
