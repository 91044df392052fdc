"""The job queue: any program enqueues work, one worker at a time claims a job, and a dead worker's job comes back.

A worker names itself by an id that is its own, claims, renews its lock while it works, and completes or fails the job.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holocron_assets.identity import canonical_json
from holocron_assets.ports import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A row of `vector.job`."""

    job_id: uuid.UUID
    created_utc: datetime
    status: str
    priority: int
    job_type: str
    input_json: str
    embedding_space_id: uuid.UUID | None
    max_attempts: int
    attempt_count: int
    available_utc: datetime
    locked_by: str | None
    locked_utc: datetime | None
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueuedJob:
    """A job that now waits, or, as a duplicate, the live one that has the same type and key."""

    job_id: uuid.UUID
    is_duplicate: bool
    existing_status: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredJob:
    """A job whose worker died: `NEW` again, or `DEADLETTER` after its last attempt."""

    job_id: uuid.UUID
    final_status: str


def enqueue_job(
    session: Session,
    job_type: str,
    job_input: Mapping[str, Any],
    now: datetime,
    *,
    priority: int = 100,
    max_attempts: int = 3,
    space_id: uuid.UUID | None = None,
) -> EnqueuedJob:
    """Have work done once; `dedupe_key` in its input says which work is the same. A higher priority comes first."""
    (row,) = session.rows(
        "enqueue_job",
        job_id=uuid.uuid4(),
        job_type=job_type,
        input_json=canonical_json(dict(job_input)),
        priority=priority,
        max_attempts=max_attempts,
        embedding_space_id=space_id,
        now=now,
    )
    return EnqueuedJob(**row)


def claim_next_job(
    session: Session, worker_id: str, now: datetime, job_types: Sequence[str] | None = None
) -> Job | None:
    """The job that is this worker's from now on, of one of these types, if any waits."""
    types = None if job_types is None else list(job_types)
    rows = session.rows("claim_next_job", worker_id=worker_id, job_types=types, now=now)
    return Job(**rows[0]) if rows else None


def complete_job(session: Session, job_id: uuid.UUID, worker_id: str) -> bool:
    """Record that a job succeeded; false where it is no longer this worker's."""
    return bool(session.rows("complete_job", job_id=job_id, worker_id=worker_id))


def fail_job(
    session: Session,
    job_id: uuid.UUID,
    worker_id: str,
    error: str,
    now: datetime,
    *,
    is_permanent: bool = False,
    backoff_seconds: int = 60,
) -> str | None:
    """Record that a job failed; returns `NEW` or `DEADLETTER`, or None where it is no longer this worker's.

    It is tried again after `backoff_seconds` for each attempt it had, unless the error is permanent.
    """
    rows = session.rows(
        "fail_job",
        job_id=job_id,
        worker_id=worker_id,
        status="DEADLETTER" if is_permanent else "FAILED",
        error=error,
        backoff_seconds=backoff_seconds,
        now=now,
    )
    return str(rows[0]["final_status"]) if rows else None


def recover_stale_jobs(session: Session, stale_seconds: int, now: datetime) -> list[RecoveredJob]:
    """Bring back the jobs whose worker has not renewed its lock for so long."""
    return [RecoveredJob(**row) for row in session.rows("recover_stale_jobs", stale_seconds=stale_seconds, now=now)]


def renew_job_lock(session: Session, job_id: uuid.UUID, worker_id: str, now: datetime) -> bool:
    """Say that a job's worker still lives; false where the job is no longer its own."""
    return session.execute("renew_job_lock", job_id=job_id, worker_id=worker_id, now=now) > 0


def get_job(session: Session, job_id: uuid.UUID) -> Job | None:
    """One job, of whatever origin."""
    rows = session.rows("get_job", job_id=job_id)
    return Job(**rows[0]) if rows else None


def list_jobs(session: Session, limit: int, status: str | None = None) -> list[Job]:
    """The queue's jobs, of one status or of all, the newest first."""
    return [Job(**row) for row in session.rows("list_jobs", limit=limit, status=status)]
