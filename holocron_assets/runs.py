"""Recording executions: a job and a run for whatever had work, and the end of those whose process is gone."""

import json
import os
import platform
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil

from holocron_assets.clock import utc_now
from holocron_assets.errors import StoreError
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.tables import runs as run_table
from holocron_assets.transactions import read, write

_MAX_ERROR_CHARACTERS = 4000

#: Is told of a run that ended, when the end is committed and no session is open.
RunEnded = Callable[[Store, uuid.UUID], None]


def ignore_end(_store: Store, _run_id: uuid.UUID) -> None:
    """For who wants nothing done when a run ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who started the work: `kind` is `dagster` or `cli`, `reference` the Dagster run id or the command.

    `on_end` is told of each run that ended, dead ones among them; it raises nothing, for the work of a run stands.
    """

    kind: str
    reference: str
    on_end: RunEnded = ignore_end


#: What the metrics of every run tell, if only that it was nothing.
METRICS = ("duration_ms", "chunks_processed", "embeddings_created", "api_calls", "api_duration_ms", "bytes_processed")


@dataclass(slots=True, kw_only=True)
class Run:
    """A run under way; stages count into `metrics`, which are stored when it ends.

    `error` makes it a failure although it came to its end, having done what it could.
    """

    run_id: uuid.UUID
    metrics: dict[str, int] = field(default_factory=lambda: dict.fromkeys(METRICS, 0))
    error: str | None = None

    def count(self, **amounts: int) -> None:
        """Add to the metrics."""
        for name, amount in amounts.items():
            self.metrics[name] = self.metrics.get(name, 0) + amount


@contextmanager
def recorded_run(
    store: Store,
    origin: Origin,
    job_type: JobType,
    *,
    stage: str,
    options: Mapping[str, Any] | None = None,
    space: EmbeddingSpace | None = None,
) -> Iterator[Run]:
    """Record the work done inside: RUNNING from here on, then SUCCEEDED or FAILED with metrics and error."""
    for dead_run in end_dead_runs(store):
        origin.on_end(store, dead_run)
    run = Run(run_id=uuid.uuid4())
    job_id = uuid.uuid4()

    def begin(session: Session) -> None:
        now = utc_now()
        job_input = {"stage": stage, "origin": origin.kind, "reference": origin.reference}
        space_id = space.embedding_space_id if space else None
        run_table.insert_job(session, job_id, job_type, job_input, space_id, origin.reference, now)
        run_table.insert_run(session, run.run_id, job_id, this_process(), space, dict(options or {}), now)

    write(store, begin)
    started = time.monotonic()
    try:
        yield run
    except BaseException as error:
        # A store that cannot be written just now must not hide why; the next run ends this one as dead.
        with suppress(StoreError):
            run.error = f"{type(error).__name__}: {error}"
            _finish(store, run, job_id, started)
            origin.on_end(store, run.run_id)
        raise
    _finish(store, run, job_id, started)
    origin.on_end(store, run.run_id)


def record_options(store: Store, run: Run, options: Mapping[str, Any]) -> None:
    """Record what a run works with, where that is known only after it began."""
    write(store, run_table.update_run_options, run.run_id, options)


def end_dead_runs(store: Store) -> list[uuid.UUID]:
    """Mark runs FAILED whose process on this machine is gone; returns which.

    What they had committed stays; what they had not is pending again by definition. A job that came from the queue
    is left to the queue, which gives it to another worker.
    """
    dead = [run for run in read(store, run_table.list_running_runs) if is_dead(run.worker_id)]
    for run in dead:
        error = f"its process {run.worker_id} ended without finishing it; the next run continues its work"
        ended_job = None if run.is_queued else run.job_id
        # When its process ended, nobody saw: between its beginning and now.
        lasted = max(round((utc_now() - run.started_utc).total_seconds() * 1000), 0)
        metrics = dict.fromkeys(METRICS, 0) | {"duration_ms": lasted}
        write(store, _end, run.run_id, ended_job, "FAILED", metrics, error)
    return [run.run_id for run in dead]


def this_process() -> str:
    """Names this process so that another can tell whether it still lives, even if its number was given again."""
    return f"{platform.node()}/{os.getpid()}/{int(psutil.Process().create_time())}"


def stage_of(input_json: str) -> str:
    """The stage that a job's input names."""
    return str(json.loads(input_json).get("stage", ""))


def is_dead(worker_id: str) -> bool:
    """Whether the process that `this_process` named so is gone; only of one of this machine can it be told."""
    host, _, rest = worker_id.partition("/")
    pid, _, created = rest.partition("/")
    if host != platform.node() or not pid.isdigit() or not created.isdigit():
        return False
    try:
        return abs(psutil.Process(int(pid)).create_time() - int(created)) > 2
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _finish(store: Store, run: Run, job_id: uuid.UUID, started: float) -> None:
    error = run.error and run.error[:_MAX_ERROR_CHARACTERS]
    status = "FAILED" if error else "SUCCEEDED"
    run.metrics["duration_ms"] = round((time.monotonic() - started) * 1000)
    write(store, _end, run.run_id, job_id, status, run.metrics, error)


def _end(
    session: Session,
    run_id: uuid.UUID,
    job_id: uuid.UUID | None,
    status: str,
    metrics: Mapping[str, int],
    error: str | None,
) -> None:
    run_table.finish_run(session, run_id, status, metrics, error, utc_now())
    if job_id is not None:
        run_table.finish_job(session, job_id, status, error)
