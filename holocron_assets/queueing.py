"""Asking for work by the job queue: a job for each thing that a store still lacks."""

from dataclasses import dataclass
from uuid import UUID

from holocron_assets.clock import utc_now
from holocron_assets.ports import Session, Store
from holocron_assets.records import JobType
from holocron_assets.settings import Settings
from holocron_assets.stages.extract import count_waiting_records
from holocron_assets.tables import candidates, chunks, embeddings, queue, spaces
from holocron_assets.tables.candidates import CandidateState
from holocron_assets.transactions import read, write


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingWork:
    """A job that was asked for, or that was waiting or running already, and how much it is about."""

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
