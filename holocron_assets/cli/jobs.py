"""`holocron jobs`: the job queue."""

import click

from holocron_assets.cli.output import json_option, print_json, say
from holocron_assets.composition import command_store
from holocron_assets.preflight import prepare
from holocron_assets.queueing import enqueue_missing
from holocron_assets.settings import load_settings


@click.group()
def command() -> None:
    """Ask for work by the job queue, `vector.job`."""


@command.command()
@click.option(
    "--missing",
    is_flag=True,
    required=True,
    expose_value=False,
    help="Whatever is needed to make everything searchable.",
)
@json_option
def enqueue(*, as_json: bool) -> None:
    """Enqueue a job to read and cut what is pending, and one for each active space that lacks vectors.

    A job of the same kind that waits or runs already is not enqueued again.
    """
    settings = load_settings()
    store = command_store(settings)
    prepare(store, settings)
    found = enqueue_missing(store, settings)
    if as_json:
        print_json(found)
        return
    say("Candidates: " + ", ".join(f"{amount:,} {state.value}" for state, amount in found.candidates.items()))
    for job in found.jobs:
        said = "waits already" if job.is_duplicate else "enqueued"
        say(f"{job.job_type} {job.subject} ({job.items:,}): {said}, job {job.job_id}")
    if not found.jobs:
        say("Nothing is missing.")
