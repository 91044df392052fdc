"""The `embedding_spaces` asset: the registry of spaces, and the partitions that mirror it."""

from collections.abc import Sequence

import dagster as dg

from holocron_assets.assets import schemas
from holocron_assets.assets.steps import step_errors
from holocron_assets.partitions import mirror_spaces
from holocron_assets.ports import ProviderCatalog, Store
from holocron_assets.preflight import prepare
from holocron_assets.records import EmbeddingSpace
from holocron_assets.settings import Settings
from holocron_assets.stages.register import RegistrationReport, register_spaces


@dg.asset(
    group_name="embeddings",
    kinds={"table"},
    metadata=schemas.table("vector.embedding_space", schemas.EMBEDDING_SPACES, ["embedding_space_id"]),
)
def embedding_spaces(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    providers: dg.ResourceParam[ProviderCatalog],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """The models whose vectors are kept, each with everything its vectors depend on.

    Registers what `spaces:` in holocron.yaml declares and the store lacks. A declaration that changed is
    another space; what is registered is never changed from there. One that fails is told of and left to
    `embeddings`, which fails for it after filling the others.
    """
    with step_errors():
        prepare(store, settings)
        report = up_to_date_registry(context, store, providers, settings)
    failures = {name: str(error) for name, error in report.failures.items()}
    for name, why in failures.items():
        context.log.warning(f"the declared space {name} failed: {why}")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(report.registered),
            "new spaces": len(report.new),
            "declarations that failed": failures,
            "spaces": spaces_table(report.registered),
        }
    )


def up_to_date_registry(
    context: dg.AssetExecutionContext, store: Store, providers: ProviderCatalog, settings: Settings
) -> RegistrationReport:
    """Register what is declared, and let the partitions mirror the registry."""
    report = register_spaces(store, providers, settings)
    mirror_spaces(context.instance, report.registered, this_run=context.run.run_id)
    for space in report.new:
        context.log.info(f"registered the embedding space {space.slug}")
    return report


def spaces_table(spaces: Sequence[EmbeddingSpace]) -> dg.MetadataValue:
    """The spaces as a table."""
    return schemas.samples(
        spaces, ["slug", "provider", "model_name", "model_tag", "dimensions", "is_active", "model_digest"]
    )
