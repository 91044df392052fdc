"""The `ingest_records` asset: loads the files and rows that the settings name, or the sample for a newcomer."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from holocron_assets.assets import checking, schemas
from holocron_assets.assets.steps import logged_progress, mark_permanent, origin_of, step_errors
from holocron_assets.ports import Store
from holocron_assets.preflight import database_is_fit, prepare
from holocron_assets.records import ItemType
from holocron_assets.settings import Settings
from holocron_assets.stages.ingest import ingest, named_paths
from holocron_assets.stages.ingest_rows import ingest_sql_sources
from holocron_assets.tables import overview
from holocron_assets.verification import keys


@dg.asset(
    group_name="ingest",
    kinds={"table"},
    pool="duckdb",
    metadata=schemas.table("ingest.IngestRecords", schemas.INGEST_RECORDS, ["ingest_id"]),
)
def ingest_records(
    context: dg.AssetExecutionContext, store: dg.ResourceParam[Store], settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """Fetched responses, exactly as they came: one row each, never changed, never stored twice.

    Loads the files and folders under `ingest:` in holocron.yaml. A newcomer's settings name the bundled
    sample; it is left out as soon as the store holds records from elsewhere. Files that did not change
    since they were last read cost one look at the disk. The queries under `sql_sources:` are run, and a
    row is stored where it differs from what was last stored of it.
    """
    with step_errors():
        prepare(store, settings)
        paths = named_paths(store, settings)
        origin = origin_of(context)
        report = ingest(store, paths, origin, logged_progress(context, "records read"))
        rows = ingest_sql_sources(store, settings.sql_sources, origin, logged_progress(context, "rows stored"))
        with store.session(write=False) as session:
            counts = overview.get_counts(session)
            kinds = overview.list_record_kinds(session, 12)
    for warning in [*report.warnings, *(one.warning for one in rows if one.warning)]:
        context.log.warning(warning)
    if report.rejects:
        context.log.warning(f"{report.rejected} lines are no records, e.g. {report.rejects[0].place}")
    if report.conflicts:
        context.log.warning(
            f"{report.records_conflicting} records carry an id that is stored with another content, "
            f"e.g. {report.conflicts[0]}; the stored ones were kept"
        )
    figures: dict[str, Any] = {
        "dagster/row_count": counts.records,
        "new records": report.records_stored + sum(one.records_stored for one in rows),
        "files read": report.files,
        "files unchanged": report.unchanged_files,
        "rows read": sum(one.rows_read for one in rows),
        "rows gone": sum(one.rows_gone for one in rows),
        "lines rejected": report.rejected,
        "ids stored with other content": report.records_conflicting,
        "kinds": schemas.samples(
            kinds, ["source_system", "source_name", "resource_type", "variant", "n", "newest_fetch_utc"]
        ),
    }
    failures = [*report.failures, *(one.failure for one in rows if one.failure)]
    if failures:
        mark_permanent()
        raise dg.Failure(description="; ".join(failures), metadata=figures, allow_retries=False)
    return dg.MaterializeResult(metadata=figures)


@dg.multi_asset_check(
    name="ingest_records_checks",
    specs=checking.specs(
        "ingest_records", [keys.ingest_ids_are_unique, database_is_fit], [keys.nothing_is_quarantined]
    ),
    can_subset=True,
)
def ingest_records_checks(
    context: dg.AssetCheckExecutionContext, store: dg.ResourceParam[Store], settings: dg.ResourceParam[Settings]
) -> Iterator[dg.AssetCheckResult]:
    """Records are stored once, no line was lost without a trace, and the database is as it must be."""
    with step_errors():
        findings = [database_is_fit(store, settings)]
        with store.session(write=False) as session:
            findings.append(keys.ingest_ids_are_unique(session))
            findings.append(keys.nothing_is_quarantined(session, ItemType.LINE))
    yield from checking.results(context, findings)
