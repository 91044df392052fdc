"""The `embeddings` asset: a vector of every current chunk in every active space.

It has no partitions, so that `dagster asset materialize --select embeddings` brings everything up to date;
`space_embeddings` is the same work for the spaces that are asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

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
    space_metadata,
)
from holocron_assets.assets.steps import step_errors
from holocron_assets.extraction import current_extractors
from holocron_assets.ports import ProviderCatalog, Store
from holocron_assets.settings import Settings
from holocron_assets.stages.embed import EmbeddingReport
from holocron_assets.tables import chunks as chunk_table
from holocron_assets.tables import ingest_records as record_table


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
) -> Iterator[dg.MaterializeResult[None]]:
    """A vector of every current chunk in every active embedding space.

    Embeds what is missing and nothing else. Each batch is committed by itself, so a run that is killed
    loses one batch, and the next run continues. A space that fails does not stop the others; the run then
    fails and names it.
    """
    with step_errors():
        store.migrate()
        registry = up_to_date_registry(context, store, providers, settings)
        waiting = _warn_of_waiting(context, store, settings)
        active = [space for space in registry.registered if space.is_active]
        reports, failures = embed_spaces(context, store, providers, active)
        completed, totals = complete_sources(store)
    for report in reports:
        total = totals.get(report.space.embedding_space_id, 0)
        context.log_event(
            dg.AssetMaterialization(
                "space_embeddings", partition=report.space.slug, metadata=space_metadata(report, total)
            )
        )
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(totals.values()),
            "embedded": sum(report.embedded for report in reports),
            "sources now complete": completed,
            **waiting,
            "spaces": _spaces_table(reports, totals),
            "dagster/column_lineage": LINEAGE,
        }
    )
    fail_with(failures | {name: str(error) for name, error in registry.failures.items()})


embeddings_checks = embedding_checks("embeddings")


def _warn_of_waiting(context: dg.AssetExecutionContext, store: Store, settings: Settings) -> dict[str, int]:
    """What waits upstream of this asset, which it does not run."""
    with store.session(write=False) as session:
        records = record_table.count_pending_records(session, current_extractors())
        backlog = chunk_table.get_chunking_backlog(session, settings.chunking.version)
    if records or backlog.pending_sources or not backlog.current_chunks:
        context.log.warning(
            f"{records} ingest records wait for extraction and {backlog.pending_sources} texts for chunking; "
            f"there are {backlog.current_chunks} chunks to embed from. To bring everything up to date: "
            "dagster asset materialize --select '+key:embeddings'"
        )
    return {"records waiting for extraction": records, "texts waiting for chunking": backlog.pending_sources}


def _spaces_table(reports: Sequence[EmbeddingReport], totals: Mapping[UUID, int]) -> dg.MetadataValue:
    records = [
        dg.TableRecord(
            {
                "space": report.space.slug,
                "embedded": report.embedded,
                "vectors in all": totals.get(report.space.embedding_space_id, 0),
                "vectors per second": report.vectors_per_second,
                "quarantined": report.quarantined,
            }
        )
        for report in reports
    ]
    return dg.MetadataValue.table(
        records,
        schema=dg.TableSchema(
            columns=[
                dg.TableColumn(name)
                for name in ("space", "embedded", "vectors in all", "vectors per second", "quarantined")
            ]
        ),
    )
