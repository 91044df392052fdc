"""From files and exchange records to ingest records: streamed, deduplicated, never changed once stored."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from holocron_assets import sample as bundled
from holocron_assets.clock import utc_now
from holocron_assets.errors import InputError
from holocron_assets.intake.discovery import FoundFile, discover
from holocron_assets.intake.ndjson import IgnoredColumns, Reject
from holocron_assets.intake.rows import ReadRow
from holocron_assets.ports import Progress, Session, Store
from holocron_assets.records import IngestRecord, ItemType, JobType, QuarantinedItem
from holocron_assets.runs import Origin, Run, recorded_run
from holocron_assets.settings import SAMPLE, Settings
from holocron_assets.stages.lake import read_lake, require_lake, unloaded
from holocron_assets.stages.reading import FileEnd, Item, RowEnd, read_file
from holocron_assets.tables import ingest_records, quarantine
from holocron_assets.tables.ingest_records import IngestFile
from holocron_assets.transactions import read, write

STAGE = "ingest"

_BATCH_ITEMS = 1000
_BATCH_CHARACTERS = 16 * 1024 * 1024
_REPORTED = 100
#: A fetch this much later than now was stamped by a wrong clock, whatever the time zone.
_AHEAD = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class IngestReport:
    """What one ingestion did. `failures` say which files could not be used or not be read to their end, and why.

    `lake_rows` are those of `lake.RawExchangeRecord` that were read: what of it was stored, or read before, is not.
    All that was `rejected` is in quarantine; `rejects` are the first of it. `records_conflicting` carry an id that is
    stored with another content, which is kept; `conflicts` are the first of those ids.
    """

    run_id: uuid.UUID | None = None
    files: int = 0
    unchanged_files: int = 0
    lake_rows: int = 0
    records_read: int = 0
    records_stored: int = 0
    records_conflicting: int = 0
    conflicts: list[uuid.UUID] = field(default_factory=list)
    bytes_processed: int = 0
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def ingest(
    store: Store, paths: Sequence[Path], origin: Origin, progress: Progress, *, lake: bool = False
) -> IngestReport:
    """Load every record at or below `paths`, and with `lake` in the table of exchange records, that is not stored yet.

    Files that did not change are not opened. Raises `InputError` before anything is loaded when a path does not exist
    or holds nothing to load, and `StoreError` when there is no such table.
    """
    report = IngestReport()
    files: dict[Path, FoundFile] = {}
    rejects: dict[str, Reject] = {}
    for path in paths:
        found = discover(path)
        for file in found.files:
            files.setdefault(file.path, file)
        rejects |= {reject.place: reject for reject in found.rejects}
        if found.skipped:
            report.warnings.append(f"{path}: passed over {len(found.skipped)} files, e.g. {found.skipped[0].name}")
    if lake:
        require_lake(store)
    known = {file.path: file for file in read(store, ingest_records.list_ingest_files)}
    changed = [file for file in files.values() if not _is_unchanged(file, known)]
    report.unchanged_files = len(files) - len(changed)
    pages = unloaded(store, known) if lake else iter(())
    first_page = next(pages, None)
    if not changed and not rejects and first_page is None:
        return report
    options = {"paths": [str(path) for path in paths], "lake": lake}
    with recorded_run(store, origin, JobType.CHUNK_SOURCE, stage=STAGE, options=options) as run:
        report.run_id = run.run_id
        read_at = utc_now()
        sources: Iterator[Iterator[Item]] = (read_file(file, read_at, store.largest_record_bytes) for file in changed)
        if first_page is not None:
            sources = chain(sources, [read_lake(store, chain([first_page], pages), read_at)])
        _Loading(store, run, report, read_at).load(sources, list(rejects.values()), progress)
        run.count(
            files_read=report.files,
            records_read=report.records_read,
            records_stored=report.records_stored,
            records_rejected=report.rejected,
            bytes_processed=report.bytes_processed,
        )
        run.error = "; ".join(report.failures) or None
    return report


def named_paths(store: Store, settings: Settings) -> list[Path]:
    """The paths that the settings name; the sample only while the store has no record from elsewhere."""
    if SAMPLE not in settings.ingest:
        return [settings.path(name) for name in settings.ingest]
    elsewhere = read(store, ingest_records.count_ingest_records, bundled.SOURCE_NAME).records_from_elsewhere
    return [
        bundled.RECORDS if name == SAMPLE else settings.path(name)
        for name in settings.ingest
        if name != SAMPLE or not elsewhere
    ]


class _Loading:
    """Gathers rows of many small files, or parts of a large one, into transactions of even size."""

    def __init__(self, store: Store, run: Run, report: IngestReport, read_at: datetime) -> None:
        self._store = store
        self._run = run
        self._report = report
        self._read_at = read_at
        self._rows: list[ReadRow] = []
        self._characters = 0
        self._rejects: list[Reject] = []
        self._ended: list[FileEnd | RowEnd] = []
        self._ahead = 0
        self._first_ahead: uuid.UUID | None = None
        self._redacted = 0
        self._first_redacted: uuid.UUID | None = None

    def load(self, sources: Iterable[Iterator[Item]], rejects: Sequence[Reject], progress: Progress) -> None:
        self._rejects.extend(rejects)
        for items in sources:
            try:
                for item in items:
                    self._add(item)
                    if self._is_full():
                        self._flush()
                        progress(self._report.records_read, 0)
            except InputError as error:
                self._report.failures.append(str(error))
        self._flush()
        progress(self._report.records_read, 0)
        if self._ahead:
            self._report.warnings.append(
                f"records that say they were fetched in the future: {self._ahead}, e.g. {self._first_ahead}; until "
                "then they may outlive newer ones"
            )
        if self._redacted:
            self._report.warnings.append(
                f"records that were redacted after they were hashed: {self._redacted}, e.g. {self._first_redacted}; "
                "whether they were changed otherwise cannot be told"
            )

    def _add(self, item: Item) -> None:
        match item:
            case ReadRow():
                self._rows.append(item)
                if item.record.fetched_at_utc > self._read_at + _AHEAD:
                    self._ahead += 1
                    self._first_ahead = self._first_ahead or item.record.ingest_id
                if item.redacted:
                    self._redacted += 1
                    self._first_redacted = self._first_redacted or item.record.ingest_id
                self._characters += len(item.record.payload)
                self._report.records_read += 1
                self._report.bytes_processed += len(item.record.payload)
            case Reject():
                self._rejects.append(item)
            case IgnoredColumns():
                self._report.warnings.append(
                    f"ignored columns that the contract does not know: {', '.join(item.names)}"
                )
            case FileEnd():
                self._ended.append(item)
                self._report.files += 1
            case RowEnd():
                self._ended.append(item)
                self._report.lake_rows += 1

    def _is_full(self) -> bool:
        items = len(self._rows) + len(self._rejects) + len(self._ended)
        return items >= _BATCH_ITEMS or self._characters >= _BATCH_CHARACTERS

    def _flush(self) -> None:
        stored, conflicting = write(self._store, self._write)
        self._report.records_stored += stored
        self._report.records_conflicting += len(conflicting)
        self._report.conflicts.extend(conflicting[: _REPORTED - len(self._report.conflicts)])
        self._report.rejected += len(self._rejects)
        self._report.rejects.extend(self._rejects[: _REPORTED - len(self._report.rejects)])
        self._rows, self._characters, self._rejects, self._ended = [], 0, [], []

    def _write(self, session: Session) -> tuple[int, list[uuid.UUID]]:
        """Returns how many records were stored, and the ids of those that the store has with another content."""
        now = utc_now()
        stored = 0
        conflicting: list[uuid.UUID] = []
        records = _new_records(session, self._rows)
        if records:
            stored = ingest_records.insert_ingest_records(session, records)
            if stored < len(records):
                conflicting = ingest_records.list_conflicting_records(session)
        if self._rejects:
            items = [
                QuarantinedItem(item_type=ItemType.LINE, item_id=one.place, stage=STAGE, reason=one.reason)
                for one in self._rejects
            ]
            quarantine.upsert_quarantined(session, items, self._run.run_id, now)
        if self._ended:
            paths = [end.file.path for end in self._ended]
            quarantine.release_quarantined_lines(session, paths, self._read_at, now)
            remembered = [end.file for end in self._ended if end.remembered]
            ingest_records.upsert_ingest_files(session, remembered, self._run.run_id, now)
        return stored, conflicting


def _is_unchanged(file: FoundFile, known: Mapping[str, IngestFile]) -> bool:
    before = known.get(str(file.path))
    return before is not None and (before.size_bytes, before.modified_ns) == (file.size_bytes, file.modified_ns)


def _new_records(session: Session, rows: Sequence[ReadRow]) -> list[IngestRecord]:
    """Leaves out undated records that are what the store last saw of their resource."""
    undated = {row.record.resource_id for row in rows if row.undated}
    newest = {
        (one.source_system, one.source_name, one.resource_type, one.resource_id, one.variant): one.hash_sha256
        for one in (ingest_records.list_newest_hashes(session, sorted(undated)) if undated else ())
    }
    return [
        row.record for row in rows if not (row.undated and newest.get(_identity(row.record)) == row.record.hash_sha256)
    ]


def _identity(record: IngestRecord) -> tuple[str, str, str, str, str | None]:
    return record.source_system, record.source_name, record.resource_type, record.resource_id, record.variant
