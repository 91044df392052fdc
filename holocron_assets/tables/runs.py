"""Jobs and runs: the record of every execution that had work."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holocron_assets.identity import canonical_json
from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace, JobType


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRun:
    """A run that says it is under way; `is_queued` if a worker does it for the job queue."""

    run_id: uuid.UUID
    job_id: uuid.UUID
    worker_id: str
    started_utc: datetime
    job_type: str
    input_json: str
    locked_by: str | None
    is_queued: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """A run as the history has it."""

    run_id: uuid.UUID
    job_type: str
    input_json: str
    status: str
    started_utc: datetime
    completed_utc: datetime | None
    embedding_space_id: uuid.UUID | None
    metrics_json: str | None
    error: str | None
    locked_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSuccess:
    """When a run of a stage last succeeded."""

    stage: str
    completed_utc: datetime


def insert_job(
    session: Session,
    job_id: uuid.UUID,
    job_type: JobType,
    job_input: Mapping[str, Any],
    space_id: uuid.UUID | None,
    locked_by: str,
    now: datetime,
) -> None:
    """Record a job that is running already."""
    session.execute(
        "insert_job",
        job_id=job_id,
        job_type=job_type.value,
        input_json=canonical_json(dict(job_input)),
        embedding_space_id=space_id,
        locked_by=locked_by,
        now=now,
    )


def insert_run(
    session: Session,
    run_id: uuid.UUID,
    job_id: uuid.UUID,
    worker_id: str,
    space: EmbeddingSpace | None,
    options: Mapping[str, Any],
    now: datetime,
) -> None:
    """Record that a job's run began."""
    session.execute(
        "insert_run",
        run_id=run_id,
        job_id=job_id,
        worker_id=worker_id,
        embedding_space_id=space.embedding_space_id if space else None,
        model_name=space.model_name if space else None,
        model_tag=space.model_tag if space else None,
        model_digest=space.model_digest if space else None,
        options_json=canonical_json(dict(options)),
        now=now,
    )


def update_run_options(session: Session, run_id: uuid.UUID, options: Mapping[str, Any]) -> None:
    """Record what a run that began works with."""
    session.execute("update_run_options", run_id=run_id, options_json=canonical_json(dict(options)))


def finish_run(
    session: Session, run_id: uuid.UUID, status: str, metrics: Mapping[str, Any], error: str | None, now: datetime
) -> None:
    """Record how a run ended."""
    session.execute(
        "finish_run",
        run_id=run_id,
        status=status,
        metrics_json=canonical_json(dict(metrics)),
        error=error,
        now=now,
    )


def finish_job(session: Session, job_id: uuid.UUID, status: str, error: str | None) -> None:
    """Record how a job ended."""
    session.execute("finish_job", job_id=job_id, status=status, error=error)


def list_running_runs(session: Session) -> list[RunningRun]:
    """Every run that says it is under way, the oldest first."""
    return [RunningRun(**row) for row in session.rows("list_running_runs")]


def list_recent_runs(session: Session, limit: int) -> list[RecordedRun]:
    """The newest runs first."""
    return [RecordedRun(**row) for row in session.rows("list_recent_runs", limit=limit)]


def list_runs_of_stage(session: Session, stage: str, *, since: datetime | None, locked_by: str) -> list[uuid.UUID]:
    """The runs of a stage that ended at or after `since`, or did not, and those that one Dagster run recorded."""
    rows = session.rows("list_runs_of_stage", stage=stage, since=since, locked_by=locked_by)
    return [row["run_id"] for row in rows]


def list_last_successes(session: Session) -> list[StageSuccess]:
    """Each stage, the one that succeeded last first; what other programs ran names none."""
    return [StageSuccess(**row) for row in session.rows("list_last_successes") if row["stage"]]
