"""The `embeddings` asset: a vector of every current chunk in every active space.

It has no partitions, so that `dagster asset materialize --select embeddings` brings everything up to date;
`space_embeddings` is the same work for the spaces that are asked for.
"""

from typing import Any

import dagster as dg

from holocron_assets.assets.chunks import chunks
from holocron_assets.assets.embedding_spaces import embedding_spaces, up_to_date_registry
from holocron_assets.assets.embedding_steps import (
    LINEAGE,
    METADATA,
    complete_sources,
    embed_spaces,
    embedding_checks,
    fail_with,
    log_filled_partitions,
    work_table,
)
from holocron_assets.assets.steps import step_errors
from holocron_assets.next_steps import EVERYTHING
from holocron_assets.ports import ProviderCatalog, Store
from holocron_assets.preflight import prepare
from holocron_assets.settings import Settings
from holocron_assets.stages.extract import count_waiting_records
from holocron_assets.tables import chunks as chunk_table


@dg.asset(
    deps=[chunks, embedding_spaces],
    group_name="embeddings",
    kinds={"python", "table"},
    pool="embedding",
    metadata=METADATA,
)
def embeddings(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    providers: dg.ResourceParam[ProviderCatalog],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """A vector of every current chunk in every active embedding space.

    Embeds what is missing and nothing else. Each batch is committed by itself, so a run that is killed
    loses one batch, and the next run continues. A space that fails does not stop the others; the run then
    fails and names it.
    """
    with step_errors():
        prepare(store, settings)
        registry = up_to_date_registry(context, store, providers, settings)
        waiting = _warn_of_waiting(context, store, settings)
        active = [space for space in registry.registered if space.is_active]
        reports, failures = embed_spaces(context, store, providers, settings, active)
        completed, totals = complete_sources(store)
    log_filled_partitions(context, reports, totals)
    figures: dict[str, Any] = {
        "dagster/row_count": sum(totals.values()),
        "embedded": sum(report.embedded for report in reports),
        "seconds in providers": round(sum(report.seconds for report in reports), 3),
        "bytes embedded": sum(report.bytes_processed for report in reports),
        "sources now complete": completed,
        **waiting,
        "spaces": work_table(reports, totals),
    }
    fail_with(failures | dict(registry.failures), figures)
    return dg.MaterializeResult(metadata={**figures, "dagster/column_lineage": LINEAGE})


embeddings_checks = embedding_checks("embeddings")


def _warn_of_waiting(context: dg.AssetExecutionContext, store: Store, settings: Settings) -> dict[str, int | str]:
    """What waits upstream of this asset, which it does not run, and the command that brings it."""
    with store.session(write=False) as session:
        records = count_waiting_records(session, settings.sources)
        backlog = chunk_table.get_chunking_backlog(session, settings.chunking.version)
    figures = {"records waiting for extraction": records, "texts waiting for chunking": backlog.pending_sources}
    if backlog.current_chunks and not any(figures.values()):
        return {**figures}
    context.log.warning(
        f"{records} ingest records wait for extraction and {backlog.pending_sources} texts for chunking; "
        f"there are {backlog.current_chunks} chunks to embed from. To bring everything up to date: {EVERYTHING}"
    )
    return {**figures, "to bring everything up to date": EVERYTHING}
