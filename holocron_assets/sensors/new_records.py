"""The sensor `new_records`: stored records become vectors with no further hand.

It compares a cheap hint with what it saw before; what is pending, the run finds out. Why one change is never worked on
twice, and none is missed: docs/decisions/0019-staying-current.md.
"""

import time
from collections.abc import Iterator

import dagster as dg

from holocron_assets.asset_jobs import INCREMENT, INCREMENTAL_JOBS, bring_up_to_date
from holocron_assets.ports import Store
from holocron_assets.run_history import HINT_TAG, failures_since_success, runs_under_way, successes
from holocron_assets.settings import Settings
from holocron_assets.tables.ingest_records import IngestHint, get_ingest_hint
from holocron_assets.watching import Failures, Unseen, hint_json, hint_of, is_news, look, reason_to_wait

_BY_HAND = "materialise the job bring_up_to_date."


def new_records(settings: Settings) -> dg.SensorDefinition:
    """The sensor, looking as often as the settings say."""

    @dg.sensor(
        name="new_records",
        job=bring_up_to_date,
        minimum_interval_seconds=settings.sensors.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for one run of bring_up_to_date when records came, and again after a run that failed.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, sensor_store: dg.ResourceParam[Store]
    ) -> dg.RunRequest | dg.SkipReason:
        now = look(sensor_store, get_ingest_hint)
        if isinstance(now, Unseen):
            return dg.SkipReason(now.reason)
        if not now.records:
            return dg.SkipReason("there are no ingest records yet")
        # After the look and before asking what was covered: a run that ends meanwhile is seen by one or the other.
        under_way = runs_under_way(context.instance, INCREMENT, INCREMENTAL_JOBS)
        if under_way:
            return dg.SkipReason(f"run {under_way[0].run_id} does this work; when it ended, this looks again")
        has_news = is_news(now, hint_of(context.cursor), _covered(context.instance))
        failures = _failures(context.instance)
        if not has_news and failures is None:
            context.update_cursor(hint_json(now))
            return dg.SkipReason(f"nothing new among {_described(now)}")
        if failures and (reason := reason_to_wait(failures, time.time(), has_news=has_news, by_hand=_BY_HAND)):
            return dg.SkipReason(reason)
        context.update_cursor(hint_json(now))
        return dg.RunRequest()

    return sensor


def _covered(instance: dg.DagsterInstance) -> Iterator[IngestHint]:
    """What the newest runs that succeeded in all of this work began with, whoever started them."""
    for record in successes(instance, INCREMENT, INCREMENTAL_JOBS):
        if (hint := hint_of(record.dagster_run.tags.get(HINT_TAG))) is not None:
            yield hint


def _failures(instance: dg.DagsterInstance) -> Failures | None:
    """The failed runs of the job, unless somebody succeeded in the same work since."""
    failures = failures_since_success(instance, bring_up_to_date.name, {})
    if failures is None:
        return None
    made_good = successes(instance, INCREMENT, INCREMENTAL_JOBS)
    return None if any(record.storage_id > failures.position for record in made_good) else failures


def _described(hint: IngestHint) -> str:
    newest = f"{hint.newest_fetch_utc:%Y-%m-%d %H:%M:%S}"
    return f"{hint.records:,} ingest records, the newest fetched {newest} UTC"
