"""The state of a store in one reading: how much there is, what waits, what failed, what ran last, how fresh it is."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from holocron_assets.clock import utc_now
from holocron_assets.ports import Session, Store
from holocron_assets.records import Disk
from holocron_assets.settings import Settings
from holocron_assets.stages.extract import count_waiting_records
from holocron_assets.tables import (
    canaries,
    chunks,
    dispatch,
    embeddings,
    ingest_records,
    overview,
    quarantine,
    runs,
    spaces,
)
from holocron_assets.tables.canaries import Canary
from holocron_assets.tables.overview import Counts, RecordKind
from holocron_assets.tables.quarantine import QuarantineEntry
from holocron_assets.tables.runs import RecordedRun, StageSuccess

_KINDS = 20
_RUNS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStatus:
    """When a space's anchors were embedded; while that is not complete, its vectors are being replaced."""

    recorded_utc: datetime
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceStatus:
    """How far one space is."""

    space_id: UUID
    slug: str
    is_active: bool
    dimensions: int
    embeddings: int
    pending: int
    quarantined: int
    canary: CanaryStatus | None


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
    queue: dict[str, int]
    newest_fetch_utc: datetime | None
    future_fetches: int
    last_successes: list[StageSuccess]
    disk: Disk | None


def status_of(store: Store, settings: Settings, *, listed: int) -> Status:
    """Read everything in one session; of quarantined items the newest `listed`."""
    migrations = store.pending_migrations()
    with store.session(write=False) as session:
        freshness = ingest_records.get_fetch_freshness(session, utc_now())
        backlog = chunks.get_chunking_backlog(session, settings.chunking.version)
        return Status(
            store=store.name,
            pending_migrations=migrations,
            counts=overview.get_counts(session),
            kinds=overview.list_record_kinds(session, _KINDS),
            records_to_extract=count_waiting_records(session, settings.sources),
            sources_to_chunk=backlog.pending_sources,
            spaces=_spaces(session),
            quarantined=sum(one.n for one in quarantine.count_quarantined(session)),
            quarantine=quarantine.list_quarantined(session, listed),
            recent_runs=runs.list_recent_runs(session, _RUNS),
            queue=_queue(session),
            newest_fetch_utc=freshness.newest_fetch_utc,
            future_fetches=freshness.future_fetches,
            last_successes=runs.list_last_successes(session),
            disk=store.disk(),
        )


def _spaces(session: Session) -> list[SpaceStatus]:
    totals = overview.list_embedding_counts(session)
    states = []
    for space in spaces.list_spaces(session):
        count = embeddings.count_pending_chunks(session, space.embedding_space_id)
        states.append(
            SpaceStatus(
                space_id=space.embedding_space_id,
                slug=space.slug,
                is_active=space.is_active,
                dimensions=space.dimensions,
                embeddings=totals.get(space.embedding_space_id, 0),
                pending=count.pending - count.quarantined,
                quarantined=count.quarantined,
                canary=_canary(canaries.get_canary(session, space.embedding_space_id)),
            )
        )
    return states


def _queue(session: Session) -> dict[str, int]:
    """How many jobs the queue has, by status."""
    jobs: dict[str, int] = {}
    for one in dispatch.count_jobs(session):
        jobs[one.status] = jobs.get(one.status, 0) + one.n
    return jobs


def _canary(canary: Canary | None) -> CanaryStatus | None:
    if canary is None:
        return None
    return CanaryStatus(recorded_utc=canary.recorded_utc, is_complete=canary.is_complete)
