"""`ingest.IngestRecords` and the files it was loaded from."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from holocron_assets.ports import Session
from holocron_assets.records import IngestRecord, RecordKey
from holocron_assets.tables.staging import INTEGER, TEXT, TIME, table_of

_TYPES = {"fetched_at_utc": TIME, "request_timestamp": TIME, "response_timestamp": TIME} | dict.fromkeys(
    ("status_code", "content_length", "attempt", "duration_ms", "rank"), INTEGER
)
_COLUMNS = {field.name: _TYPES.get(field.name, TEXT) for field in fields(IngestRecord)}
_FILE_COLUMNS = {"path": TEXT} | dict.fromkeys(("size_bytes", "modified_ns", "record_count", "rejected_count"), INTEGER)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCounts:
    """How many records there are, and how many of them are not the bundled sample."""

    records: int
    records_from_elsewhere: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFreshness:
    """The newest fetch, those of the future left out, of which there are `future_fetches`."""

    newest_fetch_utc: datetime | None
    future_fetches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestHint:
    """How much there is, for who only wants to know whether that has changed."""

    records: int
    newest_fetch_utc: datetime | None
    recorded_runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A record's payload; None where it is larger than was asked for.

    `payload_bytes` is as the store counts: bytes of UTF-8, or code units of UTF-16, which are no more.
    """

    ingest_id: uuid.UUID
    payload_bytes: int
    payload: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedRecord:
    """A record's place in the order of fetches."""

    ingest_id: uuid.UUID
    fetched_at_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestFile:
    """A file that was read to its end."""

    path: str
    size_bytes: int
    modified_ns: int
    record_count: int
    rejected_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestHash:
    """What was last stored of a resource."""

    source_system: str
    source_name: str
    resource_type: str
    resource_id: str
    variant: str | None
    hash_sha256: str | None


def insert_ingest_records(session: Session, records: Sequence[IngestRecord]) -> int:
    """Insert what is not stored yet; returns how many were new. Stages them for `list_conflicting_records`."""
    rows = ([_plain(getattr(record, name)) for name in _COLUMNS] for record in records)
    session.stage("staged_records", table_of(_COLUMNS, rows))
    return session.execute("insert_ingest_records")


def list_conflicting_records(session: Session) -> list[uuid.UUID]:
    """The ids of those staged records whose id is stored with another content."""
    return [row["ingest_id"] for row in session.rows("list_conflicting_records")]


def list_newest_hashes(session: Session, resource_ids: Sequence[str]) -> list[NewestHash]:
    """The hash of the newest record of each resource and variant among these resource ids."""
    return [NewestHash(**row) for row in session.rows("list_newest_hashes", resource_ids=list(resource_ids))]


def list_newest_row_hashes(session: Session, source_name: str) -> dict[str, str | None]:
    """The hash of what was last stored of each row of a SQL source, by the row's id."""
    hashes: dict[str, str | None] = {}
    for batch in session.stream("list_newest_row_hashes", source_name=source_name):
        hashes.update(
            zip(batch.column("resource_id").to_pylist(), batch.column("hash_sha256").to_pylist(), strict=True)
        )
    return hashes


def count_ingest_records(session: Session, sample_source_name: str) -> RecordCounts:
    """Count the records; those of another `source_name` than the sample's came from elsewhere."""
    return RecordCounts(**session.rows("count_ingest_records", sample_source_name=sample_source_name)[0])


def get_fetch_freshness(session: Session, now: datetime) -> FetchFreshness:
    """How fresh the ingest records are."""
    return FetchFreshness(**session.rows("get_fetch_freshness", now=now)[0])


def get_ingest_hint(session: Session) -> IngestHint:
    """A cheap sign of new records; what is pending, the run finds out."""
    return IngestHint(**session.rows("get_ingest_hint")[0])


def count_pending_records(session: Session, extractors: Sequence[str]) -> int:
    """How many records wait for extraction; `extractors` are the current ones as `name/version`."""
    return int(session.rows("count_pending_records", extractors=list(extractors))[0]["n"])


def list_pending_records(
    session: Session, extractors: Sequence[str], *, limit: int, offset: int = 0
) -> list[RecordKey]:
    """The next records to extract, those of one resource together; what is examined leaves the list."""
    rows = session.rows("list_pending_records", extractors=list(extractors), limit=limit, offset=offset)
    return [RecordKey(**row) for row in rows]


def list_payloads(session: Session, ingest_ids: Sequence[uuid.UUID], max_bytes: int) -> list[Payload]:
    """The payloads of some records, each at most `max_bytes` long as the store counts."""
    rows = session.rows("list_payloads", ingest_ids=[str(key) for key in ingest_ids], max_bytes=max_bytes)
    return [Payload(**row) for row in rows]


def count_exportable_records(session: Session, source_name: str | None, resource_type: str | None) -> int:
    """How many records `list_exportable_records` lists in all its pages."""
    return int(session.rows("count_exportable_records", source_name=source_name, resource_type=resource_type)[0]["n"])


def list_exportable_records(
    session: Session, source_name: str | None, resource_type: str | None, *, after: FetchedRecord, limit: int
) -> list[FetchedRecord]:
    """The next records in the order of their fetch, all of them or those of a source name, a resource type, or both."""
    rows = session.rows(
        "list_exportable_records",
        source_name=source_name,
        resource_type=resource_type,
        after_fetched_at_utc=after.fetched_at_utc,
        after_ingest_id=after.ingest_id,
        limit=limit,
    )
    return [FetchedRecord(**row) for row in rows]


def list_ingest_records(session: Session, ingest_ids: Sequence[uuid.UUID], max_bytes: int) -> list[IngestRecord]:
    """Some whole records, in any order; those whose payload has more than `max_bytes` of UTF-8 are left out."""
    rows = session.rows("list_ingest_records", ingest_ids=[str(key) for key in ingest_ids], max_bytes=max_bytes)
    return [IngestRecord(**row) for row in rows if row["payload"] is not None]


def list_ingest_files(session: Session) -> list[IngestFile]:
    """Every file that was read to its end."""
    return [IngestFile(**row) for row in session.rows("list_ingest_files")]


def upsert_ingest_files(session: Session, files: Sequence[IngestFile], run_id: uuid.UUID, now: datetime) -> int:
    """Remember that files were read to their end; each may be there once."""
    rows = ([getattr(file, name) for name in _FILE_COLUMNS] for file in files)
    session.stage("staged_ingest_files", table_of(_FILE_COLUMNS, rows))
    return session.execute("upsert_ingest_files", run_id=run_id, now=now)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, uuid.UUID) else value
