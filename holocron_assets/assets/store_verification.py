"""The `store_verification` asset: every fact, over every row, where people look at assets."""

from collections.abc import Iterator

import dagster as dg

from holocron_assets.assets import schemas
from holocron_assets.assets.embeddings import embeddings
from holocron_assets.assets.steps import step_errors
from holocron_assets.next_steps import EVERYTHING
from holocron_assets.ports import Store
from holocron_assets.verification.verify import verify

SOUND = dg.AssetCheckSpec(
    "every_fact_holds", asset="store_verification", description="No fact that blocks is violated in any row."
)


@dg.asset(deps=[embeddings], group_name="verification", kinds={"python"}, pool="duckdb", check_specs=[SOUND])
def store_verification(store: dg.ResourceParam[Store]) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """What `holocron verify` finds: every hash and id computed anew, and what is missing, orphaned or double.

    Reads the whole store and writes nothing. The checks of the other assets look at what their run wrote; this
    looks at everything, so it also finds what was changed by hand or damaged on the disk.
    """
    with step_errors():
        found = verify(store).findings
    broken = [finding for finding in found if not finding.holds and finding.blocks]
    warned = [finding for finding in found if not finding.holds and not finding.blocks]
    advice = (
        f"{', '.join(finding.claim for finding in broken)} do not hold. `holocron verify` names the rows; "
        f"`holocron verify --repair`, then {EVERYTHING}, mends what can be made anew."
        if broken
        else f"{len(found) - len(warned)} facts hold, {len(warned)} warn."
    )
    figures = {"facts": len(found), "violated": len(broken), "warnings": len(warned)}
    yield dg.MaterializeResult(
        metadata={
            **figures,
            "findings": schemas.rows_table(
                ["fact", "holds", "blocks", "explanation", "offenders"],
                [
                    {
                        "fact": finding.claim,
                        "holds": finding.holds,
                        "blocks": finding.blocks,
                        "explanation": finding.explanation,
                        "offenders": ", ".join(finding.offenders),
                    }
                    for finding in found
                ],
            ),
        },
    )
    yield dg.AssetCheckResult(check_name=SOUND.name, passed=not broken, description=advice, metadata=figures)
