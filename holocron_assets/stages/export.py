"""From ingest records to a snapshot of exchange records: in the order of their fetch, and only what it lacks."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from holocron_assets.interchange.envelope import envelope_of
from holocron_assets.interchange.snapshot import Snapshot
from holocron_assets.ports import Progress, Store
from holocron_assets.records import IngestRecord
from holocron_assets.tables import ingest_records
from holocron_assets.tables.ingest_records import FetchedRecord
from holocron_assets.transactions import read

_KEYS_AT_ONCE = 8192
_RECORDS_AT_ONCE = 64
#: Records with a larger payload are read one by one, so that this many bytes times that many records bound the memory.
_PAYLOAD_BYTES = 1024 * 1024
_ANY_BYTES = 2**62
_BEFORE_ALL = FetchedRecord(ingest_id=uuid.UUID(int=0), fetched_at_utc=datetime.min)  # noqa: DTZ901 - naive UTC


@dataclass(slots=True, kw_only=True)
class ExportReport:
    """What one export did; `chunks` are the files that it wrote, within `folder`."""

    folder: str
    records: int = 0
    records_written: int = 0
    bytes_written: int = 0
    chunks: list[str] = field(default_factory=list)


def export(
    store: Store, folder: Path, progress: Progress, *, source_name: str | None = None, resource_type: str | None = None
) -> ExportReport:
    """Add what the store holds to the snapshot in `folder`: all of it, or what is of a source name or resource type."""
    report = ExportReport(folder=str(folder))
    with store.kept_open():
        total = read(store, ingest_records.count_exportable_records, source_name, resource_type)
        with Snapshot(folder) as snapshot:
            for keys in _pages(store, source_name, resource_type):
                new = [key for key in keys if not snapshot.holds(str(key))]
                report.records += len(keys) - len(new)
                for batch in in_batches(store, new):
                    for record in batch:
                        snapshot.add(envelope_of(record))
                    report.records += len(batch)
                    progress(report.records, total)
            progress(report.records, total)
    report.records_written, report.bytes_written = snapshot.written, snapshot.bytes_written
    report.chunks = snapshot.chunks
    return report


def in_batches(store: Store, keys: Sequence[uuid.UUID]) -> Iterator[list[IngestRecord]]:
    """The records in the order of their keys, so many at once as fit into memory whatever their size."""
    for start in range(0, len(keys), _RECORDS_AT_ONCE):
        batch = keys[start : start + _RECORDS_AT_ONCE]
        records = read(store, ingest_records.list_ingest_records, batch, _PAYLOAD_BYTES)
        found = {record.ingest_id: record for record in records}
        pending: list[IngestRecord] = []
        for key in batch:
            if key in found:
                pending.append(found.pop(key))
                continue
            yield pending
            pending = read(store, ingest_records.list_ingest_records, [key], _ANY_BYTES)
        yield pending


def _pages(store: Store, source_name: str | None, resource_type: str | None) -> Iterator[list[uuid.UUID]]:
    after = _BEFORE_ALL
    while page := read(
        store, ingest_records.list_exportable_records, source_name, resource_type, after=after, limit=_KEYS_AT_ONCE
    ):
        yield [key.ingest_id for key in page]
        after = page[-1]
