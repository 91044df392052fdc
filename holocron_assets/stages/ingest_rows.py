"""From the rows of users' queries to ingest records: one for each row that is new, changed or gone.

A result is read to its end before anything is stored, so that a query that fails changes nothing, and in a session that
ends before the first write. What changed waits in a temporary file: memory holds hashes and ids only.
"""

import json
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from holocron_assets.batching import batches
from holocron_assets.clock import utc_now
from holocron_assets.errors import InputError, StoreError, TransientError
from holocron_assets.extraction.database_row import GONE
from holocron_assets.intake.query_rows import row_columns, rows_of
from holocron_assets.intake.rows import RowError, record_of
from holocron_assets.ports import Progress, Session, Store
from holocron_assets.records import IngestRecord, JobType
from holocron_assets.runs import Origin, recorded_run
from holocron_assets.sections import SqlSource
from holocron_assets.stages.ingest import STAGE
from holocron_assets.tables import ingest_records
from holocron_assets.transactions import write

_BATCH_RECORDS = 1000
_BATCH_CHARACTERS = 16 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class SqlSourceReport:
    """What ingesting one SQL source did. `failure` says why nothing of it was stored."""

    name: str
    run_id: uuid.UUID | None = None
    rows_read: int = 0
    rows_gone: int = 0
    records_stored: int = 0
    bytes_processed: int = 0
    warning: str | None = None
    failure: str | None = None


def ingest_sql_sources(
    store: Store, sources: Sequence[SqlSource], origin: Origin, progress: Progress
) -> list[SqlSourceReport]:
    """Run each query, and store what differs from what was last stored of its rows; one that fails stops no other.

    Raises `TransientError` after the last one where a later attempt may succeed.
    """
    reports = []
    passing: TransientError | None = None
    for source in sources:
        try:
            reports.append(_ingest(store, source, origin, progress))
        except TransientError as error:
            passing = passing or error
    if passing is not None:
        raise passing
    return reports


def _ingest(store: Store, source: SqlSource, origin: Origin, progress: Progress) -> SqlSourceReport:
    report = SqlSourceReport(name=source.name)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as changes:
        try:
            with store.session(write=False) as session:
                for record in _changes(session, source, store.largest_record_bytes, report):
                    changes.write(json.dumps(record) + "\n")
        except TransientError:
            raise
        except (InputError, StoreError, OSError) as error:
            report.failure = f"nothing was stored of SQL source {source.name}: {error}"
            return report
        if changes.tell():
            changes.seek(0)
            _load(store, source, changes, origin, report, progress)
    if report.rows_gone and not report.rows_read:
        report.warning = (
            f"SQL source {source.name}: the query gives no rows at all, and {report.rows_gone} that were there are "
            "recorded as gone. Chunking retires them, unless they are more than the guard allows. If the query is "
            "wrong, correct it and ingest again before that"
        )
    return report


def _changes(session: Session, source: SqlSource, max_bytes: int, report: SqlSourceReport) -> Iterator[dict[str, Any]]:
    """The columns of a record for each row that is not what was last stored of it, and for each that is gone."""
    read_at = utc_now()
    known = ingest_records.list_newest_row_hashes(session, source.name)
    for row in rows_of(session.stream_user_query(source.query)):
        report.rows_read += 1
        columns = row_columns(source.name, row.row_id, row.content, read_at)
        record = _record(columns, max_bytes)
        if record.hash_sha256 != known.pop(record.resource_id, None):
            yield columns
    for row_id, newest in known.items():
        columns = row_columns(source.name, row_id, GONE, read_at)
        if _record(columns, max_bytes).hash_sha256 != newest:
            report.rows_gone += 1
            yield columns


def _record(columns: dict[str, Any], max_bytes: int) -> IngestRecord:
    try:
        record = record_of(columns).record
    except RowError as error:
        raise InputError(f"id {columns['resource_id']!r:.100}: {error}") from error
    if len(record.payload.encode()) > max_bytes:
        raise InputError(
            f"id {columns['resource_id']!r:.100}: longer than the {max_bytes:,} bytes that the store takes; leave the "
            "row out, or cut its text in the query"
        )
    return record


def _load(
    store: Store, source: SqlSource, changes: IO[str], origin: Origin, report: SqlSourceReport, progress: Progress
) -> None:
    options = {"sql_source": source.name, "query": source.query}
    with recorded_run(store, origin, JobType.CHUNK_SOURCE, stage=STAGE, options=options) as run:
        report.run_id = run.run_id
        records = (record_of(json.loads(line)).record for line in changes)
        for batch in batches(records, lambda one: len(one.payload), size=_BATCH_CHARACTERS, count=_BATCH_RECORDS):
            report.records_stored += write(store, ingest_records.insert_ingest_records, batch)
            report.bytes_processed += sum(len(record.payload) for record in batch)
            progress(report.records_stored, 0)
        run.count(
            rows_read=report.rows_read,
            rows_gone=report.rows_gone,
            records_stored=report.records_stored,
            bytes_processed=report.bytes_processed,
        )
