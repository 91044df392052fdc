"""Making exchange records of ingest records. What an envelope from elsewhere means is in `opening.py`.

Every column of a record is in its envelope: what has no key of its own there is in `request.ingest_record`
(docs/decisions/0008-interchange.md).
"""

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from holocron_assets import __version__
from holocron_assets.interchange.content_hash import content_sha256
from holocron_assets.records import IngestRecord

#: The envelope's keys, in the order in which they are written.
KEYS = (
    "exchange_id",
    "exchange_type",
    "source_system",
    "entity_type",
    "natural_key",
    "request",
    "response",
    "observed_at_utc",
    "provenance",
    "content_sha256",
    "schema_version",
    "tags",
    "redactions_applied",
    "response_ref",
)
SCHEMA_VERSION = 1
#: Columns of a record that the envelope has no key for. The id is among them, so that two fetches of one content have
#: two hashes: what is told apart by hash loses neither.
KEPT_COLUMNS = (
    "ingest_id",
    "source_system",
    "resource_type",
    "variant",
    "hash_sha256",
    "run_id",
    "work_item_id",
    "attempt",
    "rank",
    "file_path",
    "error_type",
    "error_message",
    "duration_ms",
    "request_timestamp",
    "response_timestamp",
)

_EXCHANGE_TYPES = ("http", "mediawiki", "openalex", "llm", "file", "generic")
_TYPES_BY_SCHEME = {"http": "http", "https": "http", "file": "file"}
_PAGE_TYPES = ("content", "content_raw", "content_html")


def envelope_of(record: IngestRecord) -> dict[str, Any]:
    """The exchange record that holds an ingest record."""
    try:
        return _envelope(record, _payload_parts(record.payload), _structured)
    except RecursionError:  # nested too deeply to be hashed: as text it can be
        return _envelope(record, {"payload": record.payload}, lambda text: text)


def line_of(envelope: Mapping[str, Any]) -> bytes:
    """The envelope as a line of NDJSON."""
    try:
        return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can say
        return json.dumps(envelope, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _envelope(record: IngestRecord, payload: dict[str, Any], structured: Callable[[str | None], Any]) -> dict[str, Any]:
    request = {
        "url": record.request_uri,
        "method": record.request_method,
        "headers": structured(record.request_headers),
        "body": record.request_body,
        "ingest_record": _given({name: _plain(getattr(record, name)) for name in KEPT_COLUMNS}),
    }
    response = {
        "status_code": record.status_code,
        "headers": structured(record.response_headers),
        "content_type": record.content_type,
        "content_length": record.content_length,
    }
    exchange_type = _exchange_type(record)
    is_page = exchange_type == "mediawiki" and record.resource_type in _PAGE_TYPES
    envelope: dict[str, Any] = dict.fromkeys(KEYS) | {
        "exchange_id": str(record.ingest_id),
        "exchange_type": exchange_type,
        "source_system": record.source_name,
        "entity_type": "page" if is_page else record.resource_type,
        "natural_key": record.resource_id,
        "request": _given(request),
        "response": _given(response) | payload,
        "observed_at_utc": record.fetched_at_utc.replace(tzinfo=UTC).isoformat(),
        "provenance": {
            "runner_name": "holocron-assets",
            "host": None,
            "git_sha": None,
            "connector_version": __version__,
        },
        "schema_version": SCHEMA_VERSION,
        "tags": [],
        "redactions_applied": [],
    }
    envelope["content_sha256"] = content_sha256(envelope)
    return envelope


def _exchange_type(record: IngestRecord) -> str:
    if record.source_system in _EXCHANGE_TYPES:
        return record.source_system
    return _TYPES_BY_SCHEME.get(record.request_uri.partition(":")[0].lower(), "generic")


def _payload_parts(text: str) -> dict[str, Any]:
    """The payload as a value where it is a JSON object or list, and its text where that is spelled in another way."""
    try:
        value = json.loads(text)
        if not isinstance(value, dict | list):
            return {"payload": text}
        spelled = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return {"payload": text}
    return {"payload": value} if spelled == text else {"payload": value, "payload_text": text}


def _structured(text: str | None) -> Any:
    """The object or list behind a text from which that text comes out again, else the text itself."""
    if text is None:
        return None
    parts = _payload_parts(text)
    return parts.get("payload_text", parts["payload"])


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value
