"""From findings to Dagster's check results."""

from collections.abc import Callable, Iterator, Sequence
from inspect import getdoc
from uuid import UUID

import dagster as dg

from holocron_assets.ports import Session
from holocron_assets.runs import stage_of
from holocron_assets.tables import runs
from holocron_assets.tables.checks import Written
from holocron_assets.verification.finding import Finding

Claim = Callable[..., Finding]

_RECENT_RUNS = 1000


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


def results(context: dg.AssetCheckExecutionContext, findings: Sequence[Finding]) -> Iterator[dg.AssetCheckResult]:
    """The results of those findings that were asked for."""
    by_claim = {finding.claim: finding for finding in findings}
    for key in context.selected_asset_check_keys:
        finding = by_claim[key.name]
        metadata: dict[str, dg.MetadataValue] = {
            name: dg.MetadataValue.int(figure) for name, figure in finding.figures.items()
        }
        if finding.offenders:
            metadata["offenders"] = dg.MetadataValue.md("\n".join(f"- {one}" for one in finding.offenders))
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=finding.holds,
            severity=dg.AssetCheckSeverity.ERROR if finding.blocks else dg.AssetCheckSeverity.WARN,
            description=finding.explanation,
            metadata=metadata,
        )


def written_for(context: dg.AssetCheckExecutionContext, session: Session, asset: str, stage: str) -> Written:
    """The rows to read back: what this Dagster run wrote.

    For a check that is asked for alone, what the last run of the stage did, of each embedding space its own.
    """
    dagster_run = context.run
    recorded = [
        run for run in runs.list_runs_locked_by(session, dagster_run.run_id) if stage_of(run.input_json) == stage
    ]
    if not recorded and dg.AssetKey(asset) not in context.job_def.asset_layer.selected_asset_keys:
        newest: dict[UUID | None, UUID] = {}
        for run in runs.list_recent_runs(session, _RECENT_RUNS):
            if stage_of(run.input_json) == stage:
                newest.setdefault(run.embedding_space_id, run.run_id)
        return Written(run_ids=tuple(newest.values()))
    return Written(run_ids=tuple(run.run_id for run in recorded))
