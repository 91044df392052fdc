"""Alerts of what Dagster says: runs that failed, and checks that failed in a run that ended, however it ended.

Dagster's own run failure sensor moves past a run whether its webhook took the news or not, and does not see the runs of
the command line; these look at the same events with a position of their own. A check that fails in every run, and says
the same each time, is told once until it passes or says something else.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import dagster as dg

from holocron_assets.alerts import Alert, Position, Teller, Told
from holocron_assets.events import event, event_file
from holocron_assets.ports import Webhook
from holocron_assets.settings import Settings

#: Ends of runs that one tick looks at.
_ENDS_PER_TICK = 20

#: What Dagster says of a run that it ended because its process was gone, or could not be started.
_MARKED = "This run has been marked as failed from outside the execution context."

End = Literal[dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_CANCELED]
_FAILED: tuple[End, ...] = (dg.DagsterEventType.RUN_FAILURE,)
_ENDED: tuple[End, ...] = (*_FAILED, dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_CANCELED)

#: The alerts of the end of a run, and what was told of after them.
AlertsOf = Callable[[dg.DagsterInstance, dg.DagsterRun, dg.EventLogRecord, Told], tuple[list[Alert], Told]]

#: Of so many checks it is known what the last alert said; of others it is told again.
_MOST_TOLD = 500
#: What Dagster tags a run with that is on some partitions.
_PARTITIONS = ("dagster/partition", "dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def alerts_of_failed_run(
    instance: dg.DagsterInstance, run: dg.DagsterRun, end: dg.EventLogRecord, told: Told
) -> tuple[list[Alert], Told]:
    """One: which steps failed, and why."""
    failed = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    steps = [_step(one.event_log_entry.dagster_event) for one in failed if one.event_log_entry.dagster_event]
    reasons = [f"{one['step']}: {one['error']}" for one in steps] or [_why_ended(instance, end)]
    alert = event(
        "dagster_run_failed",
        f"{run.run_id}:failed",
        text=f"Run {run.run_id[:8]} of {run.job_name} failed. {'; '.join(reasons)}",
        severity="error",
        dagster_run_id=run.run_id,
        job=run.job_name,
        failed_utc=_time(end),
        steps=steps,
    )
    return [alert], told


def alerts_of_failed_checks(
    instance: dg.DagsterInstance, run: dg.DagsterRun, _end: dg.EventLogRecord, told: Told
) -> tuple[list[Alert], Told]:
    """One for each check that failed in the run, warnings too, unless it said the same the last time it was told."""
    last = dict(told)
    evaluated = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    alerts: list[Alert] = []
    for record in evaluated:
        said = record.event_log_entry.dagster_event
        if said is None:
            continue
        check = said.asset_check_evaluation_data
        asset = check.asset_key.to_user_string()
        about, says = _about(asset, check, run), None if check.passed else _digest(check)
        is_news = last.pop(about, None) != says
        if says is None:
            continue
        last[about] = says
        if not is_news:
            continue
        alerts.append(
            event(
                "check_failed",
                ":".join([run.run_id, asset, check.check_name, *([check.partition] if check.partition else [])]),
                text=f"Check {check.check_name} of {asset} failed. {check.description or ''}".strip(),
                severity=check.severity.value.lower(),
                dagster_run_id=run.run_id,
                asset=asset,
                check=check.check_name,
                partition=check.partition,
                blocks=bool(check.blocking),
                failed_utc=_time(record),
                description=check.description,
            )
        )
    return alerts, dict(list(last.items())[-_MOST_TOLD:])


def _about(asset: str, check: dg.AssetCheckEvaluation, run: dg.DagsterRun) -> str:
    """What an alert is about: a check; one that blocks may look at the run's partitions alone."""
    partitions = [run.tags[tag] for tag in _PARTITIONS if tag in run.tags] if check.blocking else []
    return ":".join([asset, check.check_name, *([check.partition] if check.partition else []), *partitions])


def _digest(check: dg.AssetCheckEvaluation) -> str:
    """Of what a failed check says."""
    offenders = check.metadata.get("offenders")
    said = [check.severity.value, check.description, offenders and str(offenders.value)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def _why_ended(instance: dg.DagsterInstance, end: dg.EventLogRecord) -> str:
    """Why a run failed of which no step did: where only that was said, with what Dagster's engine said last."""
    said = end.event_log_entry.message or "Dagster says no reason."
    if said != _MARKED:
        return said
    run_id = end.event_log_entry.run_id
    last = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.ENGINE_EVENT, limit=1, ascending=False
    ).records
    return " ".join([*(one.event_log_entry.message for one in last), said])


def _step(failure: dg.DagsterEvent) -> dict[str, Any]:
    """A step that failed, with the message a person needs and no stack."""
    data = failure.step_failure_data
    error = data.error
    told = data.user_failure_data.description if data.user_failure_data else None
    while error is not None and error.cause is not None:
        error = error.cause
    return {"step": failure.step_key, "error": told or (error.message.strip() if error else "it failed")}


def _sensor(
    settings: Settings, name: str, description: str, types: Sequence[End], alerts_of: AlertsOf
) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        description=description,
        minimum_interval_seconds=settings.sensors.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sensor(context: dg.SensorEvaluationContext, webhook: dg.ResourceParam[Webhook | None]) -> dg.SkipReason:
        newest = max(_newest(context.instance, kind) for kind in types)
        position = Position.of(context.cursor)
        if position is None or position.after > newest:
            # The first tick, a cursor that is none, or one of an instance that was wiped since.
            context.update_cursor(Position(after=newest).to_json())
            return dg.SkipReason("Begins now: what fails from here on is told.")
        if position.after == newest:
            return dg.SkipReason("Nothing ended since the last tick.")
        teller = Teller(events=event_file(settings), webhook=webhook, warn=context.log.warning)
        ends = _ends(context.instance, types, position.after)
        position = teller.tell(_alerts(context, ends, alerts_of, position.told), position)
        context.update_cursor(position.to_json())
        done = f"Looked at {len(ends)} ended runs: {teller.written} events written, {teller.sent} alerts sent."
        return dg.SkipReason(" ".join([done, *teller.said]))

    return sensor


def _newest(instance: dg.DagsterInstance, kind: End) -> int:
    records = instance.fetch_run_status_changes(kind, limit=1).records
    return records[0].storage_id if records else 0


def _ends(instance: dg.DagsterInstance, types: Sequence[End], after: int) -> list[dg.EventLogRecord]:
    """The next ends of runs, in the order in which they were stored."""
    found = [
        record
        for kind in types
        for record in instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(event_type=kind, after_storage_id=after),
            limit=_ENDS_PER_TICK,
            ascending=True,
        ).records
    ]
    return sorted(found, key=lambda record: record.storage_id)[:_ENDS_PER_TICK]


def _alerts(
    context: dg.SensorEvaluationContext, ends: Sequence[dg.EventLogRecord], alerts_of: AlertsOf, told: Told
) -> Iterator[tuple[int, list[Alert], Told]]:
    """The alerts of each end; none of a run that another code location launched, or that was deleted."""
    here = context.code_location_origin.location_name if context.code_location_origin else None
    for end in ends:
        run = context.instance.get_run_by_id(end.event_log_entry.run_id)
        origin = run.remote_job_origin if run else None
        alerts: list[Alert] = []
        if run is not None and not (origin and here and origin.location_name != here):
            alerts, told = alerts_of(context.instance, run, end, told)
        yield end.storage_id, alerts, told


def _time(record: dg.EventLogRecord) -> datetime:
    """When it happened, UTC without a zone as everywhere."""
    return datetime.fromtimestamp(record.event_log_entry.timestamp, UTC).replace(tzinfo=None)


def failed_runs(settings: Settings) -> dg.SensorDefinition:
    """The sensor of failed runs."""
    what = "Tells of each Dagster run that failed: a line in the file of events, and a message to the webhook."
    return _sensor(settings, "failed_runs", what, _FAILED, alerts_of_failed_run)


def failed_checks(settings: Settings) -> dg.SensorDefinition:
    """The sensor of failed checks."""
    what = "Tells of each check that failed, with its severity, when its run has ended."
    return _sensor(settings, "failed_checks", what, _ENDED, alerts_of_failed_checks)
