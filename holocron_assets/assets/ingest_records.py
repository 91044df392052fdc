"""The `ingest_records` asset: loads the files and rows that the settings name, or the sample for a newcomer."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from holocron_assets.assets import checking, schemas
from holocron_assets.assets.steps import RETRIES, logged_progress, mark_permanent, origin_of, step_errors
from holocron_assets.errors import InputError, TransientError
from holocron_assets.ports import Store
from holocron_assets.preflight import database_is_fit, prepare
from holocron_assets.records import ItemType
from holocron_assets.settings import Settings
from holocron_assets.stages.ingest import IngestReport, ingest, named_paths
from holocron_assets.stages.ingest_rows import SqlSourceReport, ingest_sql_sources
from holocron_assets.tables import overview
from holocron_assets.verification import keys

#: What of the inputs could not be read, and may or may not be another time.
_NOT_READ = "not read"


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
    row is stored where it differs from what was last stored of it. What cannot be read keeps nothing else
    from being worked on; the check `every_input_is_read` fails the run for it.
    """
    rows: list[SqlSourceReport] = []
    passing: list[str] = []
    with step_errors():
        prepare(store, settings)
        paths = named_paths(store, settings)
        origin = origin_of(context)
        try:
            report = ingest(store, paths, origin, logged_progress(context, "records read"))
        except InputError as error:
            report = IngestReport(failures=[str(error)])
        try:
            rows = ingest_sql_sources(store, settings.sql_sources, origin, logged_progress(context, "rows stored"))
        except TransientError as error:
            if context.retry_number < RETRIES:
                raise
            passing = [str(error)]
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
    lasting = [*report.failures, *(one.failure for one in rows if one.failure)]
    if lasting or passing:
        figures[_NOT_READ] = dg.MetadataValue.json({"lasting": lasting, "passing": passing})
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


@dg.multi_asset_check(
    name="ingest_records_inputs",
    specs=[
        dg.AssetCheckSpec(
            "every_input_is_read",
            asset=ingest_records,
            description="Every file and every query that the settings name was read to its end.",
        )
    ],
)
def ingest_records_inputs(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """What the last ingestion could not read fails the run, by a step that nothing waits for."""
    event = context.instance.get_latest_materialization_event(dg.AssetKey("ingest_records"))
    told = event.asset_materialization.metadata.get(_NOT_READ) if event and event.asset_materialization else None
    not_read: Any = told.value if told else {"lasting": [], "passing": []}
    failures = [*not_read["lasting"], *not_read["passing"]]
    said = "; ".join(failures)
    yield dg.AssetCheckResult(
        asset_key="ingest_records",
        check_name="every_input_is_read",
        passed=not failures,
        description=said or "Every file and every query was read to its end.",
        metadata={"failures": len(failures)},
    )
    if failures:
        if not not_read["passing"]:
            mark_permanent()
        raise dg.Failure(description=said, allow_retries=False)
