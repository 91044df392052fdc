"""One NDJSON row in the column shape of `ingest.IngestRecords`: checking it and making a record of it."""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from holocron_assets.clock import utc_now
from holocron_assets.identity import ingest_id, payload_sha256
from holocron_assets.records import IngestRecord

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class RowError(Exception):
    """A row cannot become a record; the message names the column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRow:
    """A record, whether its fetch time is only the time of reading, and whether it is less than what was fetched."""

    record: IngestRecord
    undated: bool
    redacted: bool = False


def record_of(row: Any, read_at: datetime | None = None) -> ReadRow:
    """The record in a row. An id or a hash that is missing is derived, so that reading twice gives the same.

    Raises `RowError`.
    """
    if not isinstance(row, dict):
        raise RowError(f"a record must be a JSON object, this is {_kind(row)}")
    values = {name: convert(name, row.get(name)) for name, convert in _COLUMNS.items()}
    missing = [name for name in _REQUIRED if values[name] is None]
    if missing:
        raise RowError(f"{_columns(missing)} missing")
    payload: str = values["payload"]
    digest = values.pop("hash_sha256") or payload_sha256(payload)
    fetched = values.pop("fetched_at_utc")
    key = values.pop("ingest_id") or _derived_id(values, digest, fetched or read_at or utc_now())
    return ReadRow(
        record=IngestRecord(
            **(values | {"attempt": values["attempt"] or 1}),
            ingest_id=key,
            hash_sha256=digest,
            fetched_at_utc=fetched or read_at or utc_now(),
        ),
        undated=fetched is None,
    )


def unknown_columns(row: Mapping[str, Any]) -> list[str]:
    """Columns that are not of the contract, and so are not stored."""
    return [name for name in row if name not in _COLUMNS]


def storable(text: str) -> str:
    """The text with NUL and half surrogate pairs as `\\uXXXX`, which inside JSON text means the same.

    No database can hold them as they are: they are not characters of UTF-8, or end a string.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return _UNSTORABLE.sub(_escape, text)
    return text.replace("\0", "\\u0000")


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _derived_id(values: Mapping[str, Any], digest: str, fetched: datetime) -> uuid.UUID:
    named = ("source_system", "source_name", "resource_type", "resource_id", "variant")
    return ingest_id(*(values[name] or "" for name in named), digest, fetched.isoformat())


def _text(limit: int | None = None) -> Callable[[str, Any], str | None]:
    def convert(name: str, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise RowError(f"column {name} must be a string, this is {_kind(value)}")
        text = storable(value)
        if limit is not None and (length := len(text.encode("utf-16-le")) // 2) > limit:
            raise RowError(f"column {name} has {length} characters, at most {limit} are allowed")
        return text

    return convert


def _integer(lowest: int, highest: int) -> Callable[[str, Any], int | None]:
    def convert(name: str, value: Any) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise RowError(f"column {name} must be an integer, this is {_kind(value)}")
        if not lowest <= value <= highest:
            raise RowError(f"column {name} must be from {lowest} to {highest}, this is {value}")
        return value

    return convert


def _key(name: str, value: Any) -> uuid.UUID | None:
    if value is None:
        return None
    try:
        return uuid.UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise RowError(f"column {name} must be a UUID, this is {value!r:.60}") from None


def _time(name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, TypeError, OverflowError):
        raise RowError(f"column {name} must be an ISO 8601 time, this is {value!r:.60}") from None


def _columns(names: list[str]) -> str:
    return f"column {names[0]} is" if len(names) == 1 else f"columns {', '.join(names)} are"


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


_INT32 = 2**31 - 1
_REQUIRED = (
    "source_system",
    "source_name",
    "resource_type",
    "resource_id",
    "request_uri",
    "request_method",
    "status_code",
    "payload",
)
_COLUMNS: dict[str, Callable[[str, Any], Any]] = {
    "ingest_id": _key,
    "source_system": _text(100),
    "source_name": _text(100),
    "resource_type": _text(100),
    "resource_id": _text(500),
    "variant": _text(20),
    "request_uri": _text(2000),
    "request_method": _text(10),
    "request_headers": _text(),
    "request_body": _text(),
    "status_code": _integer(0, 999),
    "response_headers": _text(),
    "payload": _text(),
    "content_type": _text(200),
    "content_length": _integer(0, 2**63 - 1),
    "fetched_at_utc": _time,
    "hash_sha256": _text(64),
    "run_id": _key,
    "work_item_id": _key,
    "attempt": _integer(1, _INT32),
    "error_message": _text(),
    "error_type": _text(200),
    "duration_ms": _integer(0, _INT32),
    "file_path": _text(2000),
    "request_timestamp": _time,
    "response_timestamp": _time,
    "rank": _integer(-_INT32, _INT32),
}
