"""The `extracted_texts` asset: one current readable text for each source."""

from collections.abc import Iterator

import dagster as dg

from holocron_assets.asset_jobs import INCREMENT
from holocron_assets.assets import checking, pictures, schemas
from holocron_assets.assets.ingest_records import ingest_records
from holocron_assets.assets.steps import logged_progress, origin_of, step_errors
from holocron_assets.ports import Store
from holocron_assets.preflight import prepare
from holocron_assets.records import ItemType
from holocron_assets.run_history import HINT_TAG, WHOLE_INCREMENT
from holocron_assets.settings import Settings
from holocron_assets.stages.extract import STAGE, extract
from holocron_assets.tables import ingest_records as ingest_records_table
from holocron_assets.tables import overview
from holocron_assets.transactions import read
from holocron_assets.verification import contents, keys
from holocron_assets.watching import hint_tag


@dg.asset(
    deps=[ingest_records],
    group_name="text",
    kinds={"python", "table"},
    pool="duckdb",
    metadata=schemas.table("vector.extracted_text", schemas.EXTRACTED_TEXTS, ["source_id", "text_sha256"]),
)
def extracted_texts(
    context: dg.AssetExecutionContext, store: dg.ResourceParam[Store], settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """The readable text of each page or work, from its newest good record; earlier texts are kept as history.

    Reads the records that were not read before, and those whose extractor has changed since. Documents
    are read in processes of their own: one that hangs, explodes or crashes is quarantined, the others go on.
    """
    with step_errors():
        prepare(store, settings)
        # Records that come from here on are not this run's task: the sensor asks for another.
        hint = read(store, ingest_records_table.get_ingest_hint)
        if {dg.AssetKey(name) for name in INCREMENT} <= context.job_def.asset_layer.selected_asset_keys:
            context.instance.add_run_tags(context.run.run_id, {HINT_TAG: hint_tag(hint), **WHOLE_INCREMENT})
        progress = logged_progress(context, "records examined")
        report = extract(store, settings.extraction, settings.sources, origin_of(context), progress)
        with store.session(write=False) as session:
            counts = overview.get_counts(session)
            samples = overview.list_sample_texts(session, 5)
            lengths = overview.list_text_lengths(session)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": counts.current_texts,
            "records examined": report.examined,
            "outcomes": dg.MetadataValue.json(report.outcomes),
            "new texts": report.new_texts,
            "texts retired": report.retired_texts,
            "pages linked": report.linked_pages,
            "records per second": report.records_per_second,
            "sources vanished": counts.vanished_sources,
            "redirects": counts.redirects,
            "sources in error": counts.sources_in_error,
            "samples": schemas.samples(samples, ["title", "character_count", "extractor", "beginning"]),
            "lengths": pictures.bars("Current texts by length", "characters, doubling", lengths),
            "dagster/column_lineage": schemas.lineage(
                {
                    "content": [("ingest_records", "payload")],
                    "source_id": [("ingest_records", "payload"), ("ingest_records", "resource_id")],
                    "ingest_id": [("ingest_records", "ingest_id")],
                }
            ),
        }
    )


@dg.multi_asset_check(
    name="extracted_texts_checks",
    specs=checking.specs(
        "extracted_texts",
        [keys.sources_have_one_current_text, contents.texts_match_their_hashes],
        [keys.nothing_is_quarantined],
    ),
    can_subset=True,
)
def extracted_texts_checks(
    context: dg.AssetCheckExecutionContext, store: dg.ResourceParam[Store]
) -> Iterator[dg.AssetCheckResult]:
    """Sources have one current text, texts are what their hashes say, and no record was lost without a trace."""
    with step_errors(), store.session(write=False) as session:
        reading = checking.to_read_back(
            context, store, session, STAGE, [contents.texts_match_their_hashes], ["extracted_texts"]
        )
        findings = [
            keys.sources_have_one_current_text(session),
            contents.texts_match_their_hashes(contents.read_texts(session, reading.written)),
            keys.nothing_is_quarantined(session, ItemType.RECORD),
        ]
    yield from checking.results(context, findings, reading)
