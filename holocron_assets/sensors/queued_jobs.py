"""The `queued_jobs` sensor: works through the job queue, `vector.job` (docs/decisions/0020-dispatching.md)."""

import json
import re
from collections.abc import Sequence
from functools import partial
from uuid import uuid4

import dagster as dg

from holocron_assets.clock import utc_now
from holocron_assets.dispatching import ClaimRun, Request, RunState, take_turn
from holocron_assets.errors import StoreError, TransientError
from holocron_assets.partitions import SPACES
from holocron_assets.ports import Store
from holocron_assets.recovery import end_dead_dagster_runs
from holocron_assets.routing import ROUTED_ASSETS
from holocron_assets.run_history import FAILURE_TAG, PERMANENT
from holocron_assets.settings import Settings

#: On the runs that are asked for: the claim whose jobs they do.
CLAIM_TAG = "holocron/claim"

_STATES = {
    dg.DagsterRunStatus.SUCCESS: RunState.SUCCEEDED,
    dg.DagsterRunStatus.FAILURE: RunState.FAILED,
    dg.DagsterRunStatus.CANCELED: RunState.CANCELLED,
}
_DISPATCHER = re.compile("[0-9a-f]{12}")


def queued_jobs(settings: Settings) -> dg.SensorDefinition:
    """The sensor, looking as often as the settings say."""

    @dg.sensor(
        name="queued_jobs",
        asset_selection=[dg.AssetKey(name) for name in ROUTED_ASSETS],
        minimum_interval_seconds=settings.sensors.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Claims what waits in `vector.job`, asks for a run for each kind of work, and finishes the jobs "
        "when it ends.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, sensor_store: dg.ResourceParam[Store]
    ) -> dg.SensorResult | dg.SkipReason:
        dispatcher = _dispatcher(context.cursor)
        if dispatcher is None:
            # Claims carry the name: it must be kept before the first is made.
            dispatcher = uuid4().hex[:12]
            return dg.SensorResult(
                skip_reason=f"this dispatcher is called {dispatcher} from now on",
                cursor=json.dumps({"dispatcher": dispatcher}),
            )
        try:
            turn = take_turn(sensor_store, dispatcher, settings.queue, partial(_runs_of, context.instance), utc_now())
        except StoreError as error:
            # Asked only now: it costs as much as the turn does.
            if isinstance(error, TransientError) or not sensor_store.exists() or sensor_store.pending_migrations():
                return dg.SkipReason(str(error))
            raise
        if not turn.requests:
            return dg.SkipReason(str(turn))
        context.log.info(str(turn))
        # A space may have been registered since the partitions mirrored the registry.
        if asked := sorted({one.work.partition for one in turn.requests if one.work.partition}):
            context.instance.add_dynamic_partitions(str(SPACES.name), asked)
        return dg.SensorResult(run_requests=[_run_request(one) for one in turn.requests])

    return sensor


def _dispatcher(cursor: str | None) -> str | None:
    try:
        name = json.loads(cursor or "{}")["dispatcher"]
    except (ValueError, TypeError, KeyError):
        return None
    return name if isinstance(name, str) and _DISPATCHER.fullmatch(name) else None


def _run_request(request: Request) -> dg.RunRequest:
    work = request.work
    config = {"ops": {name: {"config": dict(work.config)} for name in work.assets}} if work.config else {}
    return dg.RunRequest(
        run_key=request.claim,
        asset_selection=[dg.AssetKey(name) for name in work.assets],
        partition_key=work.partition,
        run_config=config,
        # The queue tries again by itself, with its own pauses.
        tags={CLAIM_TAG: request.claim, "dagster/max_retries": "0"},
    )


def _runs_of(instance: dg.DagsterInstance, claims: Sequence[str]) -> dict[str, ClaimRun]:
    """The newest run of each claim that was launched; a person may have started one again."""
    runs = instance.get_runs(filters=dg.RunsFilter(tags={CLAIM_TAG: list(claims)}))
    # With nothing else to begin, nobody else looks whether they still live.
    dead = end_dead_dagster_runs(instance, runs)
    found: dict[str, ClaimRun] = {}
    for run in runs:
        claim = run.tags[CLAIM_TAG]
        if claim in found or run.status == dg.DagsterRunStatus.NOT_STARTED:
            continue
        state = RunState.FAILED if run.run_id in dead else _STATES.get(run.status, RunState.UNDER_WAY)
        error = _why(instance, run.run_id) if state is RunState.FAILED else ""
        if state is RunState.FAILED and run.tags.get(FAILURE_TAG) == PERMANENT:
            state = RunState.FAILED_FOR_GOOD
        found[claim] = ClaimRun(run_id=run.run_id, state=state, error=error)
    return found


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    """What the first step that failed said, else what is said of the whole run."""
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    for record in instance.get_records_for_run(run_id, of_type=kinds).records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        if event.is_step_failure:
            failure = event.step_failure_data
            said = failure.user_failure_data.description if failure.user_failure_data else None
            cause = failure.error.cause or failure.error if failure.error else None
            return f"{event.step_key}: {said or (cause.message.strip() if cause else 'no reason was given')}"
        if event.message:
            return event.message
    return "no reason was given"
