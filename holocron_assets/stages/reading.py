"""What is to be loaded, as a stream of items: rows, what was rejected, and where each file ends."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from holocron_assets.intake.discovery import FoundFile
from holocron_assets.intake.documents import read_document
from holocron_assets.intake.ndjson import IgnoredColumns, Reject, read_ndjson
from holocron_assets.intake.rows import ReadRow
from holocron_assets.tables.ingest_records import IngestFile

#: A file changed this recently may change again within the same tick of its clock, so it is not remembered.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEnd:
    """A file was read to its end; one that is `remembered` is not read again as it is."""

    file: IngestFile
    remembered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEnd:
    """The same of one row of the table of exchange records, as if its place were a file."""

    file: IngestFile
    remembered: bool


Item = ReadRow | Reject | IgnoredColumns | FileEnd | RowEnd


def read_file(file: FoundFile, read_at: datetime, max_bytes: int) -> Iterator[Item]:
    """All that is in a file; raises `InputError` where it ends in the middle."""
    records = rejects = 0
    items = (
        read_ndjson(file.path, read_at, max_bytes)
        if file.kind == "ndjson"
        else iter([read_document(file.path, file.root, read_at, max_bytes)])
    )
    for item in items:
        records += isinstance(item, ReadRow)
        rejects += isinstance(item, Reject)
        yield item
    yield FileEnd(
        file=IngestFile(
            path=str(file.path),
            size_bytes=file.size_bytes,
            modified_ns=file.modified_ns,
            record_count=records,
            rejected_count=rejects,
        ),
        remembered=time.time_ns() - file.modified_ns > _SETTLED_NS,
    )
