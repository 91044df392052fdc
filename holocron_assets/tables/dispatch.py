"""Dispatching the job queue: its jobs by kind, claimed, finished and given up some thousands at a time."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from holocron_assets.ports import Session

#: SQL Server locks a whole table instead of 5000 of its rows; and a look that claims so many stays below 50 ms of CPU
#: on DuckDB, where one that claims twice as many does not.
MOST_AT_ONCE = 2000
#: Workers of others pause as they like, though hardly for longer: what waits for longer was dated by a wrong clock.
_LONGEST_FOREIGN_PAUSE_SECONDS = 3600
#: Tells what a person cancelled from what failed.
CANCELLED = "cancelled before it began"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What jobs that one statement can take together ask for, as their rows say it; nothing of it was judged.

    `source_prefix` is `$.source` of the input, `replaces` is `$.replace`; `is_object`: the input is a JSON object;
    `names_source`: it has a `$.source_id`.
    """

    job_type: str
    embedding_space_id: uuid.UUID | None = None
    is_object: bool = True
    space: str | None = None
    source_prefix: str | None = None
    replaces: str | None = None
    names_source: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingWork:
    """Jobs of one kind that wait; the first of them stands at `place` in the queue.

    `is_paused`: they failed and may not be taken before `available_utc`. `is_exhausted`: they have no attempt left.
    """

    kind: Kind
    is_exhausted: bool
    is_paused: bool
    jobs: int
    place: int
    available_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedWork:
    """Jobs of one kind that a worker has claimed, and since when it has said nothing of at least one of them."""

    kind: Kind
    locked_by: str
    jobs: int
    locked_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTimes:
    """How many jobs lost their worker, how many wait for their time, and of how many of these no clock meant it."""

    stale: int
    later: int
    misdated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadJob:
    """A dead letter, and what it asks for."""

    job_id: uuid.UUID
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCount:
    """How many jobs of the queue have a status and a type."""

    status: str
    job_type: str
    n: int


def list_waiting_work(session: Session, now: datetime, limit: int) -> list[WaitingWork]:
    """The kinds of jobs that wait: what may be taken first, and of those in the order of the queue."""
    return [
        WaitingWork(
            kind=_kind_of(row),
            is_exhausted=bool(row["is_exhausted"]),
            is_paused=bool(row["is_paused"]),
            jobs=int(row["jobs"]),
            place=int(row["place"]),
            available_utc=row["available_utc"],
        )
        for row in session.rows("list_waiting_work", now=now, limit=limit)
    ]


def list_claimed_work(session: Session, claims: str) -> list[ClaimedWork]:
    """What the workers have claimed whose ids begin with `claims`."""
    return [
        ClaimedWork(kind=_kind_of(row), locked_by=row["locked_by"], jobs=int(row["jobs"]), locked_utc=row["locked_utc"])
        for row in session.rows("list_claimed_work", claims=claims)
    ]


def get_queue_times(session: Session, stale_seconds: int, backoff_seconds: int, now: datetime) -> QueueTimes:
    """What the queue's locks and times say; failed jobs pause for `backoff_seconds` for each attempt."""
    (row,) = session.rows(
        "get_queue_times",
        stale_seconds=stale_seconds,
        backoff_seconds=backoff_seconds,
        least_seconds=_LONGEST_FOREIGN_PAUSE_SECONDS,
        now=now,
    )
    return QueueTimes(**row)


def release_misdated_jobs(session: Session, backoff_seconds: int, now: datetime) -> int:
    """Let jobs go that wait only because a clock was put back; returns how many."""
    return session.execute(
        "release_misdated_jobs", backoff_seconds=backoff_seconds, least_seconds=_LONGEST_FOREIGN_PAUSE_SECONDS, now=now
    )


def claim_jobs(session: Session, kind: Kind, worker_id: str, now: datetime) -> int:
    """Make the first jobs of a kind this worker's; returns how many, `MOST_AT_ONCE` at most."""
    return session.execute("claim_jobs", worker_id=worker_id, now=now, limit=MOST_AT_ONCE, **asdict(kind))


def fail_waiting_jobs(session: Session, kind: Kind, error: str, now: datetime, *, is_exhausted: bool) -> int:
    """Give up the first waiting jobs of a kind that nobody can do; returns how many, `MOST_AT_ONCE` at most."""
    return session.execute(
        "fail_waiting_jobs", error=error, is_exhausted=is_exhausted, now=now, limit=MOST_AT_ONCE, **asdict(kind)
    )


def renew_claim(session: Session, worker_id: str, now: datetime) -> int:
    """Say that a worker still lives; returns how many jobs it has."""
    return session.execute("renew_claim", worker_id=worker_id, now=now)


def complete_claim(session: Session, worker_id: str, done_by: str) -> int:
    """Record that all jobs of a worker succeeded, and what did them; returns how many."""
    return session.execute("complete_claim", worker_id=worker_id, done_by=done_by)


def fail_claim(
    session: Session,
    worker_id: str,
    error: str,
    now: datetime,
    *,
    done_by: str,
    is_permanent: bool,
    backoff_seconds: int,
) -> int:
    """Record that all jobs of a worker failed, as `fail_job` does for one; returns how many."""
    return session.execute(
        "fail_claim",
        worker_id=worker_id,
        status="DEADLETTER" if is_permanent else "FAILED",
        error=error,
        backoff_seconds=backoff_seconds,
        done_by=done_by,
        now=now,
    )


def fail_unread_jobs(session: Session, worker_id: str, done_by: str) -> int:
    """Give up those jobs of a worker that name a source which could not be read; returns how many."""
    return session.execute("fail_unread_jobs", worker_id=worker_id, done_by=done_by)


def count_jobs(session: Session) -> list[JobCount]:
    """How many jobs the queue has of each status and type."""
    return [JobCount(**row) for row in session.rows("count_jobs")]


def end_waiting_job(session: Session, job_id: uuid.UUID) -> bool:
    """Cancel a job of the queue that waits, or that is FAILED; false for any other."""
    return session.execute("end_waiting_job", job_id=job_id, error=CANCELLED) > 0


def list_dead_jobs(session: Session) -> list[DeadJob]:
    """The dead letters of the queue, but for those that were cancelled."""
    rows = session.rows("list_dead_jobs", cancelled=CANCELLED)
    return [DeadJob(job_id=row["job_id"], kind=_kind_of(row)) for row in rows]


def release_dead_jobs(session: Session, job_ids: Sequence[uuid.UUID], now: datetime) -> int:
    """Let dead letters wait again; returns how many do."""
    return session.execute("release_dead_jobs", job_ids=[str(job_id) for job_id in job_ids], now=now)


def _kind_of(row: Mapping[str, Any]) -> Kind:
    return Kind(
        job_type=row["job_type"],
        embedding_space_id=row["embedding_space_id"],
        is_object=bool(row["is_object"]),
        space=row["space"],
        source_prefix=row["source_prefix"],
        replaces=row["replaces"],
        names_source=bool(row["names_source"]),
    )
