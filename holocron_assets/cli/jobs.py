"""`holocron jobs`: the job queue."""

from uuid import UUID

import click

from holocron_assets.cli.output import json_option, print_json, rows_table, say, shortened
from holocron_assets.cli.output import show as show_table
from holocron_assets.clock import utc_now
from holocron_assets.composition import command_store
from holocron_assets.errors import JobRefusedError
from holocron_assets.ports import Store
from holocron_assets.preflight import prepare
from holocron_assets.queueing import Requeued, Wanted, enqueue_job, enqueue_missing, requeue_dead
from holocron_assets.settings import Settings, load_settings
from holocron_assets.tables import dispatch, queue
from holocron_assets.transactions import read, write

_STATUSES = ["NEW", "RUNNING", "SUCCEEDED", "FAILED", "DEADLETTER"]


@click.group()
def command() -> None:
    """Ask for work by the job queue, `vector.job`, and see what became of it."""


@command.command()
@click.argument("job_type", metavar="[TYPE]", required=False)
@click.option("--missing", is_flag=True, help="Whatever is needed to make everything searchable.")
@click.option("--space", help="The embedding space that it is about; without, all active ones.")
@click.option("--source", help="CHUNK_SOURCE: the source that must be read. REEMBED_SPACE: how source ids begin.")
@click.option("--replace", is_flag=True, help="REEMBED_SPACE: replace vectors that differ, instead of stopping.")
@click.option("--priority", type=click.IntRange(0), default=100, show_default=True, help="A higher one comes first.")
@click.option("--max-attempts", type=click.IntRange(1), default=3, show_default=True, help="So often it is tried.")
@click.option("--key", help="Names the work: while a job of this type and key waits, it is not enqueued again.")
@json_option
def enqueue(
    *,
    job_type: str | None,
    missing: bool,
    space: str | None,
    source: str | None,
    replace: bool,
    priority: int,
    max_attempts: int,
    key: str | None,
    as_json: bool,
) -> None:
    """Enqueue a job of TYPE, or, with --missing, all that is needed.

    TYPE is CHUNK_SOURCE, EMBED_CHUNKS, REEMBED_SPACE, RETRIEVE_TEST or DRIFT_TEST.

    A job that asks for the same and waits already is answered instead; one that runs may have looked already. What
    nothing could do is refused.
    """
    if (job_type is None) != missing:
        raise click.UsageError("name a TYPE of job, or ask for what is --missing")
    settings = load_settings()
    store = command_store(settings)
    prepare(store, settings)
    if job_type is None:
        _enqueue_missing(store, settings, as_json=as_json)
        return
    wanted = Wanted(job_type=job_type, space=space, source=source, replace=replace, key=key)
    job = enqueue_job(store, settings, wanted, priority=priority, max_attempts=max_attempts)
    if as_json:
        print_json(job)
        return
    say(f"{job_type}: {_said(is_duplicate=job.is_duplicate)}, job {job.job_id}")


@command.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only jobs that are so.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="So many, the newest first.")
@json_option
def list_(*, status: str | None, limit: int, as_json: bool) -> None:
    """How many jobs there are of each status and type, and the newest of them."""
    store = command_store(load_settings())
    counts = read(store, dispatch.count_jobs)
    jobs = read(store, queue.list_jobs, limit, status)
    if as_json:
        print_json({"counts": counts, "jobs": jobs})
        return
    if not counts:
        say("The queue is empty, and always was.")
        return
    show_table(rows_table("Jobs", ["status", "type", "jobs"], [(c.status, c.job_type, c.n) for c in counts]))
    say(f"\nThe newest {status or 'jobs'}", "bold")
    for job in jobs:
        say(f"{job.job_id}  {job.status:<10}  {job.job_type:<13}  tried {job.attempt_count} of {job.max_attempts}")
        if job.last_error:
            say(f"    {shortened(job.last_error)}", "yellow")


@command.command()
@click.argument("job_id", metavar="JOB", type=click.UUID)
@json_option
def show(*, job_id: UUID, as_json: bool) -> None:
    """Everything that is known of a JOB: what it asks for, its attempts, and what did it last."""
    job = read(command_store(load_settings()), queue.get_job, job_id)
    if job is None:
        raise _unknown(job_id)
    if as_json:
        print_json(job)
        return
    for name, value in {
        "job": job.job_id,
        "type": job.job_type,
        "status": job.status,
        "priority": job.priority,
        "space": job.embedding_space_id or "",
        "input": job.input_json,
        "created": job.created_utc,
        "available": job.available_utc,
        "attempts": f"{job.attempt_count} of {job.max_attempts}",
        "locked": job.locked_utc or "",
        "by": _worker(job),
        "last error": job.last_error or "",
    }.items():
        say(f"{name:<11}{value}")


@command.command()
@click.argument("job_id", metavar="JOB", type=click.UUID)
@json_option
def cancel(*, job_id: UUID, as_json: bool) -> None:
    """Give up a JOB that waits, or is FAILED. One that runs is ended where it runs: cancel its run in Dagster."""
    store = command_store(load_settings())
    cancelled = write(store, dispatch.end_waiting_job, job_id)
    if not cancelled:
        job = read(store, queue.get_job, job_id)
        if job is None:
            raise _unknown(job_id)
        raise JobRefusedError(
            f"job {job_id} does not wait in the queue: it is {job.status}, {_worker(job)}".rstrip(", ")
        )
    if as_json:
        print_json({"cancelled": job_id})
        return
    say(f"job {job_id} is cancelled.")


@command.command()
@click.argument("job_ids", metavar="[JOB]...", nargs=-1, type=click.UUID)
@click.option("--all-dead", is_flag=True, help="Every dead letter, but not those cancelled or impossible.")
@json_option
def requeue(*, job_ids: tuple[UUID, ...], all_dead: bool, as_json: bool) -> None:
    """Let dead letters wait again, with all their attempts: the JOBs named, or --all-dead.

    Of several with one key the newest does, and none whose key waits again already.
    """
    if bool(job_ids) == all_dead:
        raise click.UsageError("name the JOBs, or ask for --all-dead")
    store = command_store(load_settings())
    if all_dead:
        found = write(store, requeue_dead, utc_now())
    else:
        found = Requeued(requeued=write(store, dispatch.release_dead_jobs, list(job_ids), utc_now()), refused={})
    if as_json:
        print_json(found)
        return
    say(f"{found.requeued:,} requeued.")
    for reason, jobs in found.refused.items():
        say(f"  {jobs:,} left, because {reason}", "yellow")
    if len(job_ids) > found.requeued:
        say(f"  {len(job_ids) - found.requeued:,} are no dead letters, or their key waits again", "yellow")


def _enqueue_missing(store: Store, settings: Settings, *, as_json: bool) -> None:
    found = enqueue_missing(store, settings)
    if as_json:
        print_json(found)
        return
    say("Candidates: " + ", ".join(f"{amount:,} {state.value}" for state, amount in found.candidates.items()))
    for job in found.jobs:
        said = _said(is_duplicate=job.is_duplicate)
        say(f"{job.job_type} {job.subject} ({job.items:,}): {said}, job {job.job_id}")
    if not found.jobs:
        say("Nothing is missing.")


def _said(*, is_duplicate: bool) -> str:
    return "waits already" if is_duplicate else "enqueued"


def _worker(job: queue.Job) -> str:
    """Who has a job or had it last: a Dagster run, or the claim that a run is tagged with."""
    kind, _, claim = (job.locked_by or "").rpartition(":")
    if kind.startswith("dagster:"):
        return f"the Dagster run with the tag holocron/claim={claim}"
    return job.locked_by or ""


def _unknown(job_id: UUID) -> JobRefusedError:
    return JobRefusedError(f"there is no job {job_id}; `holocron jobs list` shows those there are")
