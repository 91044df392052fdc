"""The `space_embeddings` asset: what `embeddings` does, for the embedding spaces that are asked for."""

import dagster as dg

from holocron_assets.assets.chunks import chunks
from holocron_assets.assets.embedding_spaces import embedding_spaces
from holocron_assets.assets.embedding_steps import (
    LINEAGE,
    METADATA,
    complete_sources,
    embed_spaces,
    embedding_checks,
    fail_with,
    log_filled_partitions,
    space_metadata,
    work_table,
)
from holocron_assets.assets.steps import step_errors
from holocron_assets.partitions import SPACES
from holocron_assets.ports import ProviderCatalog, Store
from holocron_assets.preflight import prepare
from holocron_assets.settings import Settings
from holocron_assets.tables import spaces as space_table


@dg.asset(
    deps=[chunks, embedding_spaces],
    partitions_def=SPACES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="embeddings",
    kinds={"python", "table"},
    pool="embedding",
    metadata=METADATA,
)
def space_embeddings(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    providers: dg.ResourceParam[ProviderCatalog],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """A vector of every current chunk, one partition per embedding space.

    Filled by `embeddings` too; materialise a partition here to bring one space up to date by itself.
    """
    with step_errors():
        prepare(store, settings)
        with store.session(write=False) as session:
            registered = {space.slug: space for space in space_table.list_spaces(session)}
        unknown = [slug for slug in context.partition_keys if slug not in registered]
        wanted = [registered[slug] for slug in context.partition_keys if slug in registered]
        reports, failures = embed_spaces(context, store, providers, settings, wanted)
        _, totals = complete_sources(store)
    failures |= dict.fromkeys(unknown, "no such space is registered in the store")
    if failures:
        # A result would mark every partition of the run as filled.
        log_filled_partitions(context, reports, totals)
    fail_with(failures, {"spaces": work_table(reports, totals)})
    for report in reports:
        metadata = space_metadata(report, totals) | {"dagster/column_lineage": LINEAGE}
        context.add_asset_metadata(metadata, partition_key=report.space.slug)
    return dg.MaterializeResult()


space_embeddings_checks = embedding_checks("space_embeddings")
