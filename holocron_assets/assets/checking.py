"""From findings to Dagster's check results."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import getdoc
from uuid import UUID

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from holocron_assets.assets.steps import mark_permanent
from holocron_assets.clock import utc_now
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.runs import stage_of
from holocron_assets.tables import runs, spaces
from holocron_assets.tables.checks import Written
from holocron_assets.verification.finding import Finding

Claim = Callable[..., Finding]

_RECENT_RUNS = 1000
#: Of so many that passed, one was over this store, where several stores share an instance.
_RECENT_EVALUATIONS = 12
#: What a check that reads back says of that, for the next.
_STORE, _READ_AT = "store", "read back at"


def specs(asset: str, blocking: Sequence[Claim], warnings: Sequence[Claim] = ()) -> list[dg.AssetCheckSpec]:
    """The checks of an asset: those whose violation stops what follows, and those that only tell.

    Each is named and described as the function is that looks whether it holds.
    """
    return [
        *(
            dg.AssetCheckSpec(claim.__name__, asset=asset, description=getdoc(claim), blocking=True)
            for claim in blocking
        ),
        *(dg.AssetCheckSpec(claim.__name__, asset=asset, description=getdoc(claim)) for claim in warnings),
    ]


def asked_partitions(context: dg.AssetCheckExecutionContext) -> Sequence[str]:
    """The spaces that the run is on; none where it is on no partition."""
    return context.partition_keys if context.has_partition_key or context.has_partition_key_range else []


def spaces_to_check(session: Session, partitions: Sequence[str]) -> list[EmbeddingSpace]:
    """Every active space, whichever the run is on, and those that it is on.

    A check has one result, and that of the last run hides all others: a space that is fine must not hide one that is
    not.
    """
    return [one for one in spaces.list_spaces(session) if one.is_active or one.slug in partitions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Rows to read back, for which claims, and what their results say of it."""

    claims: frozenset[str]
    written: Written
    told: Mapping[str, dg.MetadataValue]


def results(
    context: dg.AssetCheckExecutionContext, findings: Sequence[Finding], reading: Reading | None = None
) -> Iterator[dg.AssetCheckResult]:
    """The results of those findings that were asked for. One that blocks and does not hold is not tried again."""
    by_claim = {finding.claim: finding for finding in findings}
    asked = [(key, by_claim[key.name]) for key in context.selected_asset_check_keys]
    if any(finding.blocks and not finding.holds for _, finding in asked):
        mark_permanent()
    for key, finding in asked:
        metadata: dict[str, dg.MetadataValue] = {
            name: dg.MetadataValue.int(figure) for name, figure in finding.figures.items()
        }
        if finding.offenders:
            metadata["offenders"] = dg.MetadataValue.md("\n".join(f"- {one}" for one in finding.offenders))
        if reading and finding.claim in reading.claims:
            metadata |= reading.told
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=finding.holds,
            severity=dg.AssetCheckSeverity.ERROR if finding.blocks else dg.AssetCheckSeverity.WARN,
            description=finding.explanation,
            metadata=metadata,
        )


def to_read_back(
    context: dg.AssetCheckExecutionContext,
    store: Store,
    session: Session,
    stage: str,
    claims: Sequence[Claim],
    assets: Sequence[str],
) -> Reading:
    """What runs of a stage wrote since it was last found right, by the checks `claims` of one of the `assets`.

    So what a run wrote that failed its check, or was killed before it, is read until it is found right. For a check
    that is asked for alone, also what the last run of the stage did, of each embedding space its own.
    """
    read_at = utc_now()
    right = [_found_right(context.instance, store, claim.__name__, assets, read_at) for claim in claims]
    since = None if None in right else min(one for one in right if one is not None)
    wanted = runs.list_runs_of_stage(session, stage, since=since, locked_by=context.run.run_id)
    if not {dg.AssetKey(asset) for asset in assets} & context.job_def.asset_layer.selected_asset_keys:
        newest: dict[UUID | None, UUID] = {}
        for run in runs.list_recent_runs(session, _RECENT_RUNS):
            if stage_of(run.input_json) == stage:
                newest.setdefault(run.embedding_space_id, run.run_id)
        wanted = list({*wanted, *newest.values()})
    return Reading(
        claims=frozenset(claim.__name__ for claim in claims),
        written=Written(run_ids=tuple(wanted)),
        told={
            _STORE: dg.MetadataValue.text(store.name),
            _READ_AT: dg.MetadataValue.timestamp(read_at.replace(tzinfo=UTC)),
        },
    )


def _found_right(
    instance: dg.DagsterInstance, store: Store, claim: str, assets: Sequence[str], now: datetime
) -> datetime | None:
    """When a check of one of the assets last began to read this store and passed; None where nothing tells.

    A time of the future was told by a clock that has been put back since.
    """
    found = []
    for asset in assets:
        for record in instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey(asset), claim),
            limit=_RECENT_EVALUATIONS,
            status={AssetCheckExecutionRecordStatus.SUCCEEDED},
        ):
            said = record.event and record.event.dagster_event
            told = said.asset_check_evaluation_data.metadata if said else {}
            if _READ_AT not in told or told[_STORE].value != store.name:
                continue
            read_at = datetime.fromtimestamp(float(str(told[_READ_AT].value)), UTC).replace(tzinfo=None)
            if read_at <= now:
                found.append(read_at)
                break
    return max(found, default=None)
