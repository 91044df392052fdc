"""The sensor `new_records`: stored records become vectors with no further hand.

It compares a cheap hint with what it saw before; what is pending, the run finds out. Why one change is never worked on
twice, and none is missed: docs/decisions/0019-staying-current.md.
"""

import time
from functools import partial

import dagster as dg

from holocron_assets.asset_jobs import INCREMENT, INCREMENTAL_JOBS, bring_up_to_date
from holocron_assets.ports import Store
from holocron_assets.run_history import HINT_TAG, RunHistory
from holocron_assets.settings import Settings
from holocron_assets.tables.ingest_records import IngestHint, get_ingest_hint
from holocron_assets.watching import Failures, Unseen, hint_json, hint_of, hint_tag, is_news, look, reason_to_wait

_BY_HAND = "materialise the job bring_up_to_date."


def new_records(settings: Settings) -> dg.SensorDefinition:
    """The sensor, looking as often as the settings say."""

    @dg.sensor(
        name="new_records",
        job_name=bring_up_to_date.name,
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
        history = RunHistory.of(context, sensor_store)
        under_way = history.under_way(INCREMENT, INCREMENTAL_JOBS)
        if under_way:
            return dg.SkipReason(f"run {under_way[0].run_id} does this work; when it ended, this looks again")
        has_news = is_news(now, hint_of(context.cursor), partial(_is_covered, history))
        failures = _failures(history)
        if not has_news and failures is None:
            context.update_cursor(hint_json(now))
            return dg.SkipReason(f"nothing new among {_described(now)}")
        if failures and (reason := reason_to_wait(failures, time.time(), has_news=has_news, by_hand=_BY_HAND)):
            return dg.SkipReason(reason)
        context.update_cursor(hint_json(now))
        return dg.RunRequest()

    return sensor


def _is_covered(history: RunHistory, hint: IngestHint) -> bool:
    """Whether a run that succeeded in all of this work began with it, whoever started that."""
    return history.newest_increment({HINT_TAG: hint_tag(hint)}) is not None


def _failures(history: RunHistory) -> Failures | None:
    """The failed runs of the job, unless somebody succeeded in the same work since."""
    failures = history.failures_since_success(bring_up_to_date.name, {})
    if failures is None:
        return None
    return None if (history.newest_increment() or 0) > failures.position else failures


def _described(hint: IngestHint) -> str:
    newest = f"{hint.newest_fetch_utc:%Y-%m-%d %H:%M:%S}"
    return f"{hint.records:,} ingest records, the newest fetched {newest} UTC"
