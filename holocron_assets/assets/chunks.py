"""The `chunks` asset: every current text cut into pieces of a size that models read."""

from collections.abc import Iterator

import dagster as dg

from holocron_assets.assets import checking, pictures, schemas
from holocron_assets.assets.extracted_texts import extracted_texts
from holocron_assets.assets.steps import logged_progress, origin_of, step_errors
from holocron_assets.ports import Store
from holocron_assets.preflight import prepare
from holocron_assets.settings import Settings
from holocron_assets.stages.chunk import STAGE, chunk
from holocron_assets.tables import overview
from holocron_assets.verification import contents, keys


class ChunksConfig(dg.Config):
    """Set `allow_mass_change` for one run when the mass-change guard stopped what you do want."""

    allow_mass_change: bool = False


@dg.asset(
    deps=[extracted_texts],
    group_name="text",
    kinds={"python", "table"},
    pool="duckdb",
    metadata=schemas.table("vector.chunk", schemas.CHUNKS, ["chunk_id"]),
)
def chunks(
    context: dg.AssetExecutionContext,
    config: ChunksConfig,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """Overlapping pieces of every current text, and the switch from old to new.

    A source's new chunks are written and its old ones retired in one transaction: from then on search
    never returns the old ones. A run that would retire too much stops before it retires anything.
    """
    policy = settings.chunking.policy()
    with step_errors():
        prepare(store, settings)
        report = chunk(
            store,
            policy,
            settings.guard,
            origin_of(context),
            logged_progress(context, "sources chunked"),
            allow_mass_change=config.allow_mass_change,
        )
        with store.session(write=False) as session:
            counts = overview.get_counts(session)
            samples = overview.list_sample_chunks(session, 5)
            lengths = overview.list_chunk_lengths(session)
    if report.omitted_characters:
        context.log.warning(
            f"{report.omitted_characters} characters are in no chunk: their sources have more than "
            f"{policy.max_chunks_per_source} chunks. Raise chunking.max_chunks_per_source under a version of your own."
        )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": counts.current_chunks,
            "sources chunked": report.sources,
            "chunks added": report.added,
            "chunks changed": report.changed,
            "chunks retired": report.retired,
            "characters left out": report.omitted_characters,
            "retired in all": counts.retired_chunks,
            "policy": dg.MetadataValue.json(policy.parameters()),
            "samples": schemas.samples(samples, ["title", "byte_count", "beginning", "chunk_id"]),
            "lengths": pictures.bars("Current chunks by length", "bytes of UTF-8", lengths),
            "dagster/column_lineage": schemas.lineage(
                {
                    "content": [("extracted_texts", "content")],
                    "source_id": [("extracted_texts", "source_id")],
                    "text_sha256": [("extracted_texts", "text_sha256")],
                }
            ),
        }
    )


@dg.multi_asset_check(
    name="chunks_checks",
    specs=checking.specs(
        "chunks",
        [
            keys.chunk_ids_are_unique,
            contents.chunk_ids_recompute,
            contents.chunks_tile_their_text,
            keys.registry_counts_agree,
            keys.vanished_sources_have_no_current_chunks,
            keys.chunk_history_is_complete,
        ],
    ),
    can_subset=True,
)
def chunks_checks(
    context: dg.AssetCheckExecutionContext, store: dg.ResourceParam[Store]
) -> Iterator[dg.AssetCheckResult]:
    """Chunks are what their ids say, cover their texts, and belong to sources that exist."""
    with step_errors(), store.session(write=False) as session:
        reading = checking.to_read_back(
            context, store, session, STAGE, [contents.chunk_ids_recompute, contents.chunks_tile_their_text], ["chunks"]
        )
        faults = contents.read_chunks(session, reading.written)
        findings = [
            keys.chunk_ids_are_unique(session),
            contents.chunk_ids_recompute(faults),
            contents.chunks_tile_their_text(faults),
            keys.registry_counts_agree(session),
            keys.vanished_sources_have_no_current_chunks(session),
            keys.chunk_history_is_complete(session),
        ]
    yield from checking.results(context, findings, reading)
