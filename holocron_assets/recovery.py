"""Ending Dagster runs whose process is gone, before a new run meets what they left behind.

A run that was killed keeps its slots in the concurrency pools, and nobody gives them back while no daemon
watches: the next run would wait for ever. So the executor looks first (docs/decisions/0006-dead-runs.md).
"""

import platform
from collections.abc import Sequence

import dagster as dg
import psutil

#: Tag of a run: the host that its process is on. None but ours has it.
HOST_TAG = "holocron/host"

_ALIVE_STATUSES = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_ENDED_STATUSES = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def _recover_and_create(context: dg.InitExecutorContext) -> dg.Executor:
    end_dead_dagster_runs(context.instance)
    create = dg.in_process_executor.executor_creation_fn
    if create is None:
        raise NotImplementedError("this version of Dagster creates its in-process executor in another way")
    return create(context)


#: Dagster's in-process executor, which ends dead runs before it begins. In process, because DuckDB lets one
#: process write.
recovering_in_process_executor = dg.ExecutorDefinition(
    name="in_process",
    config_schema=dg.in_process_executor.config_schema.config_type,
    requirements=[],
    executor_creation_fn=_recover_and_create,
    description="Runs every step in the run's own process, after ending runs whose process is gone.",
)


def end_dead_dagster_runs(instance: dg.DagsterInstance, among: Sequence[dg.DagsterRun] | None = None) -> list[str]:
    """Mark runs failed whose process on this machine is gone, and free their pools; returns their ids.

    Of a run that does not say on which host it is nothing can be told: other projects may share the instance.
    """
    ended = []
    here = dg.RunsFilter(statuses=_ALIVE_STATUSES, tags={HOST_TAG: platform.node()})
    for run in instance.get_runs(filters=here) if among is None else among:
        if run.status in _ALIVE_STATUSES and _process_is_gone(instance, run):
            instance.report_run_failed(run, "Its process ended without finishing it. The next run continues its work.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.run_id)
    _free_pools_of_ended_runs(instance)
    return ended


def _free_pools_of_ended_runs(instance: dg.DagsterInstance) -> None:
    """Free the pools of runs that somebody else ended when their process was gone: Dagster's code server does no more.

    A process that lives on after its run was called off may still be at work.
    """
    if holders := instance.event_log_storage.get_concurrency_run_ids():
        for run in instance.get_runs(filters=dg.RunsFilter(run_ids=list(holders), statuses=_ENDED_STATUSES)):
            if _process_is_gone(instance, run):
                instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def host_tag() -> dict[str, str]:
    """Says of a run which machine, or container, its process is on: elsewhere its number means another one, or none."""
    return {HOST_TAG: platform.node()}


def _process_is_gone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Of a run that has not said which process it is in, or that it is on this host, nothing can be told."""
    if run.tags.get(HOST_TAG) != platform.node():
        return False
    said = [
        (record.timestamp, int(str(named.value)))
        for record in instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
        if record.event_log_entry.dagster_event is not None
        and (named := record.event_log_entry.dagster_event.engine_event_data.metadata.get("pid")) is not None
        and str(named.value).isdigit()
    ]
    if not said:
        return False
    timestamp, pid = max(said)
    try:
        # A process that began after the run spoke was given the number of the one that is gone.
        return psutil.Process(pid).create_time() > timestamp + 1
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
