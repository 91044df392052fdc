"""What Dagster's instance knows of runs that do the same work: which are under way, and how the last ones ended.

An instance may be shared with other projects, and with code locations of this one over other stores: what those do is
no news here (docs/decisions/0019-staying-current.md).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

import dagster as dg

from holocron_assets.ports import Store
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

#: Tags of runs. Those of our jobs say from the beginning which store they work on, others when they begin.
STORE_TAG = "holocron/store"
FAILURE_TAG = "holocron/failure"
PERMANENT = "permanent"
#: What a run of the whole increment began with, and that it is one.
HINT_TAG = "holocron/hint"
WHOLE_INCREMENT = {"holocron/covers": "increment"}

#: As many runs back failures are counted: by then the pause has long reached its bound.
_RUNS_LOOKED_AT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHistory:
    """The runs in an instance that work on the store of this name; `location` is the code location that asks."""

    instance: dg.DagsterInstance
    store: str
    location: str | None = None

    @classmethod
    def of(cls, context: dg.SensorEvaluationContext, store: Store) -> "RunHistory":
        """As the sensor of a code location sees it."""
        origin = context.code_location_origin
        return cls(instance=context.instance, store=store.name, location=origin.location_name if origin else None)

    def under_way(self, assets: Collection[str], jobs: Collection[str]) -> list[dg.DagsterRun]:
        """Runs that are queued or in progress and select one of the assets, or are a whole run of one of the jobs.

        Those whose process is gone are ended first: nobody else would, and the work would wait for them for ever.
        """
        runs = self.instance.get_runs(filters=dg.RunsFilter(statuses=UNDER_WAY))
        dead = end_dead_dagster_runs(self.instance, runs)
        return [
            run
            for run in runs
            if run.run_id not in dead
            and self._is_of_store(run)
            and (not _selected(run).isdisjoint(assets) if run.asset_selection else run.job_name in jobs)
        ]

    def _is_of_store(self, run: dg.DagsterRun) -> bool:
        """One that does not say so yet is, if the same code location or a command launched it."""
        origin = run.remote_job_origin
        is_here = origin is None or origin.location_name == self.location
        return run.tags[STORE_TAG] == self.store if STORE_TAG in run.tags else is_here

    def failures_since_success(
        self, job: str, tags: Mapping[str, str], *, since: datetime | None = None
    ) -> Failures | None:
        """The runs of a job, made after `since`, since it last succeeded; None if there is none, or the newest did."""
        filters = dg.RunsFilter(
            job_name=job, statuses=_ENDED, tags={STORE_TAG: self.store, **tags}, created_after=since
        )
        newest = next(iter(self.instance.get_run_records(filters=filters, limit=1)), None)
        if newest is None or _succeeded(newest):
            return None
        records = self.instance.get_run_records(filters=filters, limit=_RUNS_LOOKED_AT)
        run = newest.dagster_run
        return Failures(
            count=sum(1 for _ in takewhile(lambda record: not _succeeded(record), records)),
            run_id=run.run_id,
            position=newest.storage_id,
            ended=newest.end_time or newest.update_timestamp.timestamp(),
            is_final=run.status is dg.DagsterRunStatus.CANCELED or run.tags.get(FAILURE_TAG) == PERMANENT,
        )

    def newest_increment(self, tags: Mapping[str, str] | None = None) -> int | None:
        """The position of the newest run of the whole increment that has these tags and succeeded, whoever began it."""
        filters = dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.SUCCESS], tags={STORE_TAG: self.store, **WHOLE_INCREMENT, **(tags or {})}
        )
        newest = next(iter(self.instance.get_run_records(filters=filters, limit=1)), None)
        return newest.storage_id if newest else None


def _selected(run: dg.DagsterRun) -> set[str]:
    """The assets that a run selects by itself; none for a whole run of a job."""
    return {key.to_user_string() for key in run.asset_selection or ()}


def _succeeded(record: dg.RunRecord) -> bool:
    return record.dagster_run.status is dg.DagsterRunStatus.SUCCESS
