"""What every asset's step does alike: progress in the log, our errors as Dagster's failures."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from holocron_assets.errors import HolocronError, TransientError
from holocron_assets.ports import Progress
from holocron_assets.run_ends import told_when_run_ends
from holocron_assets.run_history import FAILURE_TAG, PERMANENT
from holocron_assets.runs import Origin

#: How often a step is tried again.
RETRIES = 2
_LOG_EVERY_SECONDS = 10.0
_RETRY_SECONDS = 15.0


@contextmanager
def step_errors() -> Iterator[None]:
    """A failure with the message a person needs; only what may pass by itself is tried again."""
    try:
        yield
    except TransientError as error:
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=_RETRY_SECONDS) from error
    except HolocronError as error:
        mark_permanent()
        raise dg.Failure(description=str(error), allow_retries=False) from error


def mark_permanent() -> None:
    """Say on the run that trying it again changes nothing: `allow_retries` speaks to the step's retries only."""
    context = dg.OpExecutionContext.get()
    context.instance.add_run_tags(
        context.run.run_id, {FAILURE_TAG: PERMANENT, "dagster/retry_on_asset_or_op_failure": "false"}
    )


def origin_of(context: dg.AssetExecutionContext) -> Origin:
    """This Dagster run, as the store records it; the artefacts of what it records go where the settings say."""
    on_end = told_when_run_ends(context.resources.settings, context.log.warning)
    return Origin(kind="dagster", reference=context.run.run_id, on_end=on_end)


def logged_progress(context: dg.AssetExecutionContext, what: str) -> Progress:
    """Says how far a stage is every ten seconds: each line is a write to Dagster's database."""
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _LOG_EVERY_SECONDS:
            last = time.monotonic()
            context.log.info(f"{what}: {done} of {total}" if total else f"{what}: {done}")

    return report
