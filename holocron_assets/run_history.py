"""What Dagster's instance knows of runs that do the same work: which are under way, and how the last ones ended."""

from collections.abc import Collection, Iterator
from itertools import takewhile

import dagster as dg

from holocron_assets.recovery import end_dead_dagster_runs
from holocron_assets.watching import Failures

UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

#: Tags of runs.
FAILURE_TAG = "holocron/failure"
PERMANENT = "permanent"
HINT_TAG = "holocron/hint"

#: As many runs back failures are counted: by then the pause has long reached its bound.
_RUNS_LOOKED_AT = 12


def runs_under_way(instance: dg.DagsterInstance, assets: Collection[str], jobs: Collection[str]) -> list[dg.DagsterRun]:
    """Runs that are queued or in progress and select one of the assets, or are a whole run of one of the jobs.

    Those whose process is gone are ended first: nobody else would, and the work would wait for them for ever.
    """
    end_dead_dagster_runs(instance)
    return [
        run
        for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNDER_WAY))
        if (not selected(run).isdisjoint(assets) if run.asset_selection else run.job_name in jobs)
    ]


def selected(run: dg.DagsterRun) -> set[str]:
    """The assets that a run selects by itself; none for a whole run of a job."""
    return {key.to_user_string() for key in run.asset_selection or ()}


def failures_since_success(instance: dg.DagsterInstance, job: str, tags: dict[str, str]) -> Failures | None:
    """The runs of a job since it last succeeded; None when its newest run did, or there is none."""
    filters = dg.RunsFilter(job_name=job, statuses=_ENDED, tags=tags)
    newest = next(iter(instance.get_run_records(filters=filters, limit=1)), None)
    if newest is None or _succeeded(newest):
        return None
    records = instance.get_run_records(filters=filters, limit=_RUNS_LOOKED_AT)
    run = newest.dagster_run
    return Failures(
        count=sum(1 for _ in takewhile(lambda record: not _succeeded(record), records)),
        run_id=run.run_id,
        position=newest.storage_id,
        ended=newest.end_time or newest.update_timestamp.timestamp(),
        is_final=run.status is dg.DagsterRunStatus.CANCELED or run.tags.get(FAILURE_TAG) == PERMANENT,
    )


def _succeeded(record: dg.RunRecord) -> bool:
    return record.dagster_run.status is dg.DagsterRunStatus.SUCCESS


def successes(instance: dg.DagsterInstance, assets: Collection[str], jobs: Collection[str]) -> Iterator[dg.RunRecord]:
    """The newest runs that succeeded in all of the assets, whoever started them, the newest first."""
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])
    for record in instance.get_run_records(filters=filters, limit=_RUNS_LOOKED_AT):
        run = record.dagster_run
        if selected(run).issuperset(assets) if run.asset_selection else run.job_name in jobs:
            yield record
