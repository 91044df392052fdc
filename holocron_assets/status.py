"""The state of a store in one reading: how much there is, what waits, what failed, what ran last."""

from dataclasses import dataclass

from holocron_assets.ports import Store
from holocron_assets.settings import Settings
from holocron_assets.stages.extract import count_waiting_records
from holocron_assets.tables import chunks, embeddings, overview, quarantine, runs, spaces
from holocron_assets.tables.overview import Counts, RecordKind
from holocron_assets.tables.quarantine import QuarantineEntry
from holocron_assets.tables.runs import RecordedRun

_KINDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceStatus:
    """How far one space is."""

    slug: str
    is_active: bool
    dimensions: int
    embeddings: int
    pending: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What `holocron status` shows."""

    store: str
    pending_migrations: list[str]
    counts: Counts
    kinds: list[RecordKind]
    records_to_extract: int
    sources_to_chunk: int
    spaces: list[SpaceStatus]
    quarantined: int
    quarantine: list[QuarantineEntry]
    recent_runs: list[RecordedRun]


def status_of(store: Store, settings: Settings, *, listed: int) -> Status:
    """Read everything in one session; of quarantined items the newest `listed`."""
    migrations = store.pending_migrations()
    with store.session(write=False) as session:
        totals = overview.list_embedding_counts(session)
        backlog = chunks.get_chunking_backlog(session, settings.chunking.version)
        space_states = []
        for space in spaces.list_spaces(session):
            count = embeddings.count_pending_chunks(session, space.embedding_space_id)
            space_states.append(
                SpaceStatus(
                    slug=space.slug,
                    is_active=space.is_active,
                    dimensions=space.dimensions,
                    embeddings=totals.get(space.embedding_space_id, 0),
                    pending=count.pending - count.quarantined,
                    quarantined=count.quarantined,
                )
            )
        return Status(
            store=store.name,
            pending_migrations=migrations,
            counts=overview.get_counts(session),
            kinds=overview.list_record_kinds(session, _KINDS),
            records_to_extract=count_waiting_records(session, settings.sources),
            sources_to_chunk=backlog.pending_sources,
            spaces=space_states,
            quarantined=sum(one.n for one in quarantine.count_quarantined(session)),
            quarantine=quarantine.list_quarantined(session, listed),
            recent_runs=runs.list_recent_runs(session, 8),
        )
