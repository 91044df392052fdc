"""Examining ingest records in worker processes: reading payloads, handing them out, gathering what was found.

Writes nothing; `extract` stores what is found here, `holocron plan` only counts it.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Self

from holocron_assets.batching import batches
from holocron_assets.errors import ConfigurationError
from holocron_assets.extraction.examination import failed, judge_without_payload, left_out
from holocron_assets.extraction.resource import resource_key
from holocron_assets.ports import Store
from holocron_assets.processors import usable_processors
from holocron_assets.records import Examination, RawRecord, RecordKey
from holocron_assets.sections import ExtractionSettings
from holocron_assets.selection import PageClass, Selection
from holocron_assets.tables import ingest_records, page_classes
from holocron_assets.transactions import read
from holocron_assets.workers import WorkerLimits, WorkerPool

_READ_BYTES = 8 * 1024 * 1024
_MIN_READ_RECORDS, _MAX_READ_RECORDS = 16, 256
#: A longer payload is read by itself: what was read before says nothing of the next ones.
_READ_TOGETHER_BYTES = 256 * 1024
_WORKER_BATCH_BYTES = 1024 * 1024


class Examiner:
    """Examines the records of a page of keys; counts the payload bytes that it read.

    Its workers serve one page after the other, and end with the block that `with` opens.
    """

    def __init__(self, store: Store, settings: ExtractionSettings, selection: Selection) -> None:
        self._store = store
        self._settings = settings
        self._selection = selection
        self._knows_pages = read(store, page_classes.count_page_class_tables)
        if not self._knows_pages and not selection.is_everything:
            raise ConfigurationError(
                f"{store.name} does not classify pages: it has no sem.SourcePage and sem.PageClassification. Leave "
                "`primary_types`, `continuities` and `unclassified` out of the section `sources` of the settings."
            )
        self._records_read = 0
        self.bytes_read = 0
        self._pool = WorkerPool[list[RawRecord], list[Examination]](
            "holocron_assets.extraction.examination:examine_groups",
            workers=settings.workers or usable_processors(),
            limits=WorkerLimits(timeout_seconds=settings.timeout_seconds, memory_bytes=settings.worker_memory_bytes),
            split=lambda group: [[record] for record in group] if len(group) > 1 else None,
            blame=lambda group, reason: [failed(record.key, reason) for record in group],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def examine(self, page: Sequence[RecordKey]) -> Iterator[list[Examination]]:
        """What examining the records finds, in the order in which it is found; one for every record."""
        pages = self._pages(page)
        verdicts = [judge_without_payload(key) or self._leave_out(key, pages) for key in page]
        yield [verdict for verdict in verdicts if verdict is not None]
        readable = [key for key, verdict in zip(page, verdicts, strict=True) if verdict is None]
        too_large: list[Examination] = []
        for answers in self._pool.answers(self._batches(readable, too_large)):
            yield [_with_page(examination, pages) for group in answers for examination in group]
        yield too_large

    def _pages(self, keys: Sequence[RecordKey]) -> Mapping[uuid.UUID, PageClass]:
        if not self._knows_pages:
            return {}
        return read(self._store, page_classes.list_page_classes, [key.ingest_id for key in keys])

    def _leave_out(self, key: RecordKey, pages: Mapping[uuid.UUID, PageClass]) -> Examination | None:
        reason = self._selection.reason_against(pages.get(key.ingest_id))
        return None if reason is None else left_out(key, reason)

    def _batches(self, keys: Sequence[RecordKey], too_large: list[Examination]) -> Iterator[list[list[RawRecord]]]:
        """Whole resources, about a megabyte of payloads together; those over the limit go to `too_large`."""
        return batches(
            self._groups(keys, too_large),
            lambda group: sum(len(record.payload) for record in group),
            size=_WORKER_BATCH_BYTES,
        )

    def _groups(self, keys: Sequence[RecordKey], too_large: list[Examination]) -> Iterator[list[RawRecord]]:
        """The records of one resource at a time, with their payloads."""
        of_resource: dict[str, list[RecordKey]] = defaultdict(list)
        for key in keys:
            of_resource[resource_key(key)].append(key)
        resources = list(of_resource.values())
        while resources:
            wanted = self._records_at_once()
            taken = 0
            while taken < len(resources) and sum(map(len, resources[:taken])) < wanted:
                taken += 1
            ids = [key.ingest_id for records in resources[:taken] for key in records]
            together = min(_READ_TOGETHER_BYTES, self._settings.max_payload_bytes)
            by_id = {one.ingest_id: one for one in read(self._store, ingest_records.list_payloads, ids, together)}
            self._records_read += len(by_id)
            self.bytes_read += sum(payload.payload_bytes for payload in by_id.values())
            for records in resources[:taken]:
                group = []
                for key in records:
                    payload = by_id.pop(key.ingest_id, None)
                    if payload is None:
                        continue  # somebody removed the record meanwhile
                    content = self._alone(payload) if payload.payload is None else payload.payload
                    if content is None:
                        too_large.append(failed(key, self._too_large(payload.payload_bytes)))
                    else:
                        group.append(RawRecord(key=key, payload=content))
                if group:
                    yield group
            resources = resources[taken:]

    def _alone(self, measured: ingest_records.Payload) -> str | None:
        """A long payload; None where it is over the limit."""
        if measured.payload_bytes > self._settings.max_payload_bytes:
            return None
        limit = self._settings.max_payload_bytes
        found = read(self._store, ingest_records.list_payloads, [measured.ingest_id], limit)
        return found[0].payload if found else None

    def _records_at_once(self) -> int:
        """How many payloads to read together follows their size so far: memory is bounded by bytes."""
        if not self._records_read:
            return _MIN_READ_RECORDS
        average = max(1, self.bytes_read // self._records_read)
        return min(max(_READ_BYTES // average, _MIN_READ_RECORDS), _MAX_READ_RECORDS)

    def _too_large(self, payload_bytes: int) -> str:
        limit = self._settings.max_payload_bytes
        return f"its payload has {payload_bytes} bytes, and extraction.max_payload_bytes allows {limit}"


def _with_page(found: Examination, pages: Mapping[uuid.UUID, PageClass]) -> Examination:
    page = pages.get(found.ingest_id)
    return found if page is None else replace(found, source_ref={**found.source_ref, **page.reference()})
