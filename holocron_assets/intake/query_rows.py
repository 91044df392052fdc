"""The rows of a user's query: what a result must look like, and the record that each row is."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from holocron_assets.errors import InputError
from holocron_assets.extraction.database_row import RESOURCE_TYPE, SOURCE_SYSTEM

_COLUMNS = ("id", "title", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRow:
    """One row as text."""

    row_id: str
    title: str | None
    text: str | None

    @property
    def content(self) -> dict[str, str | None]:
        """What the row says: its payload."""
        return {"title": self.title, "text": self.text}


def rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[QueryRow]:
    """The rows of a result, in its order.

    Raises `InputError` when its columns are others, a row has no id, or two rows have the same one.
    """
    seen: set[str] = set()
    for batch in batches:
        names = [name.lower() for name in batch.schema.names]
        if sorted(names) != sorted(_COLUMNS):
            raise InputError(f"the query gives the columns {', '.join(names)}; it must give id, title and text")
        columns = [batch.column(names.index(name)).to_pylist() for name in _COLUMNS]
        for row_id, title, text in zip(*columns, strict=True):
            if not row_id:
                raise InputError("the query gives a row without an id; leave such rows out, or give them one")
            if row_id in seen:
                raise InputError(f"the query gives id {row_id!r:.100} more than once; each row needs an id of its own")
            seen.add(row_id)
            yield QueryRow(row_id=row_id, title=title, text=text)


def row_columns(source_name: str, row_id: str, content: Mapping[str, Any], read_at: datetime) -> dict[str, Any]:
    """A row's content in the column shape of `ingest.IngestRecords`."""
    return {
        "source_system": SOURCE_SYSTEM,
        "source_name": source_name,
        "resource_type": RESOURCE_TYPE,
        "resource_id": row_id,
        "request_uri": f"sql:{source_name}",
        "request_method": "SELECT",
        "status_code": 200,
        "content_type": "application/json",
        "payload": json.dumps(content, ensure_ascii=False),
        "fetched_at_utc": read_at.isoformat(),
    }
