"""The exchange records that other software keeps in a table of the same database: adding to them, and reading them.

The table is theirs: it is never made, and nothing in it is changed.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from holocron_assets.batching import batches
from holocron_assets.clock import utc_now
from holocron_assets.errors import StoreError
from holocron_assets.intake.ndjson import IgnoredColumns, Reject, read_line, too_long
from holocron_assets.intake.rows import ReadRow
from holocron_assets.interchange.envelope import envelope_of, line_of
from holocron_assets.ports import Progress, Store
from holocron_assets.records import IngestRecord
from holocron_assets.stages.export import in_batches
from holocron_assets.stages.reading import Item, RowEnd
from holocron_assets.tables import ingest_records, lake
from holocron_assets.tables.ingest_records import IngestFile
from holocron_assets.tables.lake import ExchangeRecord, UnloadedExchange
from holocron_assets.transactions import read, write

TABLE = "lake.RawExchangeRecord"

_KEYS_AT_ONCE = 8192
_ROWS_AT_ONCE = 1000
_BYTES_AT_ONCE = 16 * 1024 * 1024
_FIRST_ID = uuid.UUID(int=0)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - times are naive UTC throughout


@dataclass(slots=True, kw_only=True)
class LakeExportReport:
    """What one export to the table did: how many records were asked for, and how many of them it did not hold."""

    records: int = 0
    records_written: int = 0


def require_lake(store: Store) -> None:
    """Raises `StoreError` where the database does not have the table."""
    if not read(store, lake.count_lake_tables):
        raise StoreError(
            f"{store.name} has no table {TABLE}, or this user may not see it. Ask its owner to create it or to grant "
            "select on it (docs/sql-server.md), or leave out --lake and exchange files."
        )


def export_to_lake(
    store: Store, progress: Progress, *, source_name: str | None = None, resource_type: str | None = None
) -> LakeExportReport:
    """Insert the records that the table does not hold: all of them, or those of a source name or resource type."""
    require_lake(store)
    report = LakeExportReport()
    report.records = read(store, ingest_records.count_exportable_records, source_name, resource_type)
    done = 0
    missing = _missing_rows(store, source_name, resource_type)
    for rows in batches(missing, lambda row: len(row.payload_json), size=_BYTES_AT_ONCE, count=_ROWS_AT_ONCE):
        report.records_written += write(store, lake.insert_exchange_records, rows, utc_now())
        done += len(rows)
        progress(done, 0)
    return report


def unloaded(store: Store, known: Mapping[str, IngestFile]) -> Iterator[list[UnloadedExchange]]:
    """Pages of rows that are no ingest records, and were not read before as they are."""
    start: uuid.UUID | None = _FIRST_ID
    while start is not None:
        page = read(store, lake.list_unloaded_exchanges, from_id=start, limit=_KEYS_AT_ONCE + 1)
        start = page[_KEYS_AT_ONCE].exchange_id if len(page) > _KEYS_AT_ONCE else None
        if new := [key for key in page[:_KEYS_AT_ONCE] if not _is_unchanged(key, known)]:
            yield new


def read_lake(store: Store, pages: Iterable[Sequence[UnloadedExchange]], read_at: datetime) -> Iterator[Item]:
    """The records in some rows, in the order of their ids."""
    ignored: set[str] = set()
    for page in pages:
        for key in page:
            if key.payload_bytes > store.largest_record_bytes:
                # Not remembered: a larger limit makes it readable, and nobody touches a row.
                yield Reject(place=_place(key), reason=too_long(store.largest_record_bytes))
        readable = [key for key in page if key.payload_bytes <= store.largest_record_bytes]
        for keys in batches(readable, lambda key: key.payload_bytes, size=_BYTES_AT_ONCE, count=_ROWS_AT_ONCE):
            envelopes = read(store, lake.list_envelopes, [key.exchange_id for key in keys])
            for key in keys:
                if key.exchange_id in envelopes:  # else it was removed meanwhile
                    item = read_line(_place(key), envelopes.pop(key.exchange_id), read_at, ignored)
                    yield item
                    yield _end(key, item)
    if ignored:
        yield IgnoredColumns(names=tuple(sorted(ignored)))


def _missing_rows(store: Store, source_name: str | None, resource_type: str | None) -> Iterator[ExchangeRecord]:
    start: uuid.UUID | None = _FIRST_ID
    while start is not None:
        page = read(
            store,
            lake.list_records_missing_from_lake,
            source_name,
            resource_type,
            from_id=start,
            limit=_KEYS_AT_ONCE + 1,
        )
        start = page[_KEYS_AT_ONCE] if len(page) > _KEYS_AT_ONCE else None
        for batch in in_batches(store, page[:_KEYS_AT_ONCE]):
            yield from map(_row_of, batch)


def _row_of(record: IngestRecord) -> ExchangeRecord:
    envelope = envelope_of(record)
    return ExchangeRecord(
        exchange_id=record.ingest_id,
        exchange_type=envelope["exchange_type"],
        source_system=envelope["source_system"],
        entity_type=envelope["entity_type"],
        natural_key=envelope["natural_key"],
        observed_at_utc=record.fetched_at_utc,
        content_sha256=envelope["content_sha256"],
        payload_json=line_of(envelope).decode().removesuffix("\n"),
        schema_version=envelope["schema_version"],
    )


def _end(key: UnloadedExchange, item: ReadRow | Reject) -> RowEnd:
    """Remembered is what the ids do not tell: that it was rejected, or perhaps is not stored by this id."""
    told = isinstance(item, ReadRow) and item.record.ingest_id == key.exchange_id and not item.undated
    file = IngestFile(
        path=_place(key),
        size_bytes=key.payload_bytes,
        modified_ns=_modified_ns(key),
        record_count=int(isinstance(item, ReadRow)),
        rejected_count=int(isinstance(item, Reject)),
    )
    return RowEnd(file=file, remembered=not told)


def _is_unchanged(key: UnloadedExchange, known: Mapping[str, IngestFile]) -> bool:
    before = known.get(_place(key))
    return before is not None and (before.size_bytes, before.modified_ns) == (key.payload_bytes, _modified_ns(key))


def _modified_ns(key: UnloadedExchange) -> int:
    return (key.updated_at_utc - _EPOCH) // timedelta(microseconds=1) * 1000


def _place(key: UnloadedExchange) -> str:
    return f"{TABLE}/{key.exchange_id}"
