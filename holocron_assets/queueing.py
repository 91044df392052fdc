"""Asking for work by the job queue: a job that somebody wants, or one for each thing that a store still lacks."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from holocron_assets.clock import utc_now
from holocron_assets.errors import JobRefusedError
from holocron_assets.identity import canonical_json
from holocron_assets.ports import Session, Store
from holocron_assets.records import JobType
from holocron_assets.routing import route_of, work_of
from holocron_assets.settings import Settings
from holocron_assets.spaces import named_space
from holocron_assets.stages.extract import count_waiting_records
from holocron_assets.tables import candidates, chunks, dispatch, embeddings, queue, sources, spaces
from holocron_assets.tables.candidates import CandidateState
from holocron_assets.tables.dispatch import Kind
from holocron_assets.tables.queue import EnqueuedJob
from holocron_assets.transactions import read, write


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingWork:
    """A job that was asked for, or that waited already, and how much it is about."""

    job_id: UUID
    job_type: str
    subject: str
    items: int
    is_duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueued:
    """The states of everything that could be embedded, and the jobs for what is not searchable."""

    candidates: dict[CandidateState, int]
    jobs: list[MissingWork]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeued:
    """How many dead letters wait again, and of those that were left, how many for which reason."""

    requeued: int
    refused: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Work that somebody asks for. Without a `key` of its own, what is asked for is the key."""

    job_type: str
    space: str | None = None
    source: str | None = None
    replace: bool = False
    key: str | None = None


def enqueue_job(
    store: Store, settings: Settings, wanted: Wanted, *, priority: int = 100, max_attempts: int = 3
) -> EnqueuedJob:
    """One job, unless one with its key waits; raises `JobRefusedError` where nothing could do it."""
    route = route_of(wanted.job_type)
    known = read(store, spaces.list_spaces)
    if wanted.space is not None and route.space_asset is None:
        raise JobRefusedError(f"a {wanted.job_type} job is about no space: leave --space out")
    space = named_space(known, wanted.space) if wanted.space is not None else None
    job_input: dict[str, str | bool] = {}
    if wanted.source is not None:
        named = next((name for name in ("source_id", "source") if name in route.reads), None)
        if named is None:
            raise JobRefusedError(f"a {wanted.job_type} job is about no source: leave --source out")
        job_input[named] = wanted.source
    if wanted.replace:
        if "replace" not in route.reads:
            raise JobRefusedError(f"a {wanted.job_type} job replaces nothing: leave --replace out")
        job_input["replace"] = True
    space_id = None if space is None else space.embedding_space_id
    work_of(Kind(job_type=wanted.job_type, embedding_space_id=space_id), known)
    if "source_id" in job_input:
        _require_source(store, settings, str(wanted.source))
    asked = canonical_json({**job_input, "space": None if space is None else space.slug})
    job_input |= {"origin": "queue", "dedupe_key": wanted.key or asked}
    return write(
        store,
        queue.enqueue_job,
        wanted.job_type,
        job_input,
        utc_now(),
        priority=priority,
        max_attempts=max_attempts,
        space_id=space_id,
    )


def _require_source(store: Store, settings: Settings, source_id: str) -> None:
    """A source is known when a record of it was read; one that waits may be of any."""
    is_known = bool(read(store, sources.list_source_states, [source_id]))
    if not is_known and not read(store, count_waiting_records, settings.sources):
        raise JobRefusedError(f"there is no source {source_id!r}, and no record waits that could be of it")


def requeue_dead(session: Session, now: datetime) -> Requeued:
    """Let every dead letter that was not cancelled wait again, but for those that would be refused at once."""
    known = spaces.list_spaces(session)
    wanted: list[UUID] = []
    refused: dict[str, int] = {}
    for job in dispatch.list_dead_jobs(session):
        try:
            work_of(job.kind, known)
        except JobRefusedError as error:
            refused[str(error)] = refused.get(str(error), 0) + 1
        else:
            wanted.append(job.job_id)
    return Requeued(requeued=dispatch.release_dead_jobs(session, wanted, now), refused=refused)


def enqueue_missing(store: Store, settings: Settings) -> Enqueued:
    """One job to read and cut what is pending, and one for each active space that lacks vectors.

    Whoever works on a job does all there is of its kind, so a job that waits already is enough.
    """
    states = read(store, candidates.count_source_candidates)
    jobs = []
    waiting = read(store, count_waiting_records, settings.sources)
    waiting += read(store, chunks.get_chunking_backlog, settings.chunking.version).pending_sources
    if waiting:
        jobs.append(write(store, _enqueue, JobType.CHUNK_SOURCE, "sources", waiting))
    for space in read(store, spaces.list_spaces):
        if space.is_active:
            backlog = read(store, embeddings.count_pending_chunks, space.embedding_space_id)
            lacking = backlog.pending - backlog.quarantined
            if waiting or lacking:
                jobs.append(write(store, _enqueue, JobType.EMBED_CHUNKS, space.slug, lacking, space.embedding_space_id))
    return Enqueued(candidates=states, jobs=jobs)


def _enqueue(
    session: Session, job_type: JobType, subject: str, items: int, space_id: UUID | None = None
) -> MissingWork:
    wanted = {"origin": "queue", "dedupe_key": f"missing:{subject}"}
    job = queue.enqueue_job(session, job_type.value, wanted, utc_now(), space_id=space_id)
    return MissingWork(
        job_id=job.job_id, job_type=job_type.value, subject=subject, items=items, is_duplicate=job.is_duplicate
    )
