"""The schedules: what is started by the clock, at the times that the settings say."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from holocron_assets.asset_jobs import INCREMENT, drift, evaluation, ingest, nightly, verification
from holocron_assets.partitions import SPACES
from holocron_assets.ports import Store
from holocron_assets.run_history import RunHistory
from holocron_assets.settings import Settings


def schedules(settings: Settings) -> Iterator[dg.ScheduleDefinition]:
    """A schedule for each job that has a time."""
    times = settings.schedules
    for job, cron in (
        (nightly, times.nightly),
        (verification, times.verification),
        (evaluation, times.evaluation),
        (drift, times.drift),
        (ingest, times.ingest),
    ):
        if cron is not None:
            yield _schedule(job.name, cron, times.time_zone, of_spaces=job in (evaluation, drift))


def freshness_policies(settings: Settings) -> dict[str, dg.FreshnessPolicy]:
    """By the asset's name, for what is materialised every day: a night that was missed warns, two fail.

    Where the settings have it done more seldom than that, nothing says how old is too old.
    """
    policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=54), warn_window=timedelta(hours=30))
    times = settings.schedules
    names = [
        *(("ingest_records", *INCREMENT) if _is_daily(times.nightly) else ()),
        *(("store_verification",) if _is_daily(times.verification) else ()),
    ]
    return dict.fromkeys(names, policy)


def _is_daily(cron: str | None) -> bool:
    return cron is not None and cron.split()[2:] == ["*", "*", "*"]


def _schedule(job_name: str, cron: str, time_zone: str, *, of_spaces: bool) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=job_name,
        job_name=job_name,
        cron_schedule=cron,
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Starts the job {job_name}{' for each space' if of_spaces else ''}, unless it is still under way "
        "from the last time.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, sensor_store: dg.ResourceParam[Store]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        under_way = RunHistory(instance=context.instance, store=sensor_store.name).under_way((), [job_name])
        if under_way:
            return dg.SkipReason(f"run {under_way[0].run_id} of {job_name} has not ended yet")
        if not of_spaces:
            return [dg.RunRequest()]
        partitions = sorted(context.instance.get_dynamic_partitions(str(SPACES.name)))
        if not partitions:
            return dg.SkipReason("no space is active yet")
        return [dg.RunRequest(run_key=one, partition_key=one) for one in partitions]

    return schedule
