"""The `space_embeddings` asset: what `embeddings` does, for the embedding spaces that are asked for."""

from collections.abc import Sequence
from functools import partial

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
from holocron_assets.assets.steps import logged_progress, origin_of, step_errors
from holocron_assets.errors import ConfigurationError, HolocronError, StoreError
from holocron_assets.partitions import SPACES
from holocron_assets.ports import ProviderCatalog, Store
from holocron_assets.preflight import prepare
from holocron_assets.records import EmbeddingSpace
from holocron_assets.settings import Settings
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.reembed import reembed_space
from holocron_assets.stages.reembedding_run import ReembeddingReport
from holocron_assets.tables import spaces as space_table


class SpaceEmbeddingsConfig(dg.Config):
    """Set `reembed` for one run to embed what is there again, and compare; the others say how.

    The first vectors that differ stop the run, with `replace` they are replaced. `source_prefix`: only those of
    sources whose id begins so.
    """

    reembed: bool = False
    replace: bool = False
    source_prefix: str = ""


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
    config: SpaceEmbeddingsConfig,
    store: dg.ResourceParam[Store],
    providers: dg.ResourceParam[ProviderCatalog],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """A vector of every current chunk, one partition per embedding space.

    Filled by `embeddings` too; materialise a partition here to bring one space up to date by itself, or, with
    `reembed`, to compare what it has with what its model answers now.
    """
    with step_errors():
        prepare(store, settings)
        with store.session(write=False) as session:
            registered = {space.slug: space for space in space_table.list_spaces(session)}
        unknown = [slug for slug in context.partition_keys if slug not in registered]
        wanted = [registered[slug] for slug in context.partition_keys if slug in registered]
        again, failed = _reembed(context, config, store, providers, settings, wanted) if config.reembed else ({}, {})
        unmoved = [space for space in wanted if space.slug not in failed]
        reports, failures = embed_spaces(context, store, providers, settings, unmoved)
        _, totals = complete_sources(store)
    failures |= failed | dict.fromkeys(unknown, ConfigurationError("no such space is registered in the store"))
    if failures:
        # A result would mark every partition of the run as filled.
        log_filled_partitions(context, reports, totals)
    fail_with(failures, {"spaces": work_table(reports, totals)})
    for report in reports:
        metadata = space_metadata(report, totals) | {"dagster/column_lineage": LINEAGE}
        if report.space.slug in again:
            metadata |= _comparison(again[report.space.slug])
        context.add_asset_metadata(metadata, partition_key=report.space.slug)
    return dg.MaterializeResult()


space_embeddings_checks = embedding_checks("space_embeddings")


def _reembed(
    context: dg.AssetExecutionContext,
    config: SpaceEmbeddingsConfig,
    store: Store,
    providers: ProviderCatalog,
    settings: Settings,
    wanted: Sequence[EmbeddingSpace],
) -> tuple[dict[str, ReembeddingReport], dict[str, HolocronError]]:
    """Compare spaces one after another with what their models answer now; one that fails is not embedded either."""
    reports: dict[str, ReembeddingReport] = {}
    failures: dict[str, HolocronError] = {}
    for space in wanted:
        try:
            reports[space.slug] = reembed_space(
                store,
                partial(providers.reopen, space),
                space,
                CanaryPolicy.of(settings),
                origin_of(context),
                logged_progress(context, f"{space.slug}: vectors compared"),
                source_prefix=config.source_prefix,
                replace=config.replace,
            )
        except StoreError:
            raise
        except HolocronError as error:
            failures[space.slug] = error
            context.log.error(f"{space.slug} was not embedded again", exc_info=error)
    return reports, failures


def _comparison(report: ReembeddingReport) -> dict[str, int | float]:
    return {
        "vectors compared": report.compared,
        "vectors replaced": report.replaced,
        "texts rejected": report.rejected,
        "largest distance": report.largest_distance,
    }
