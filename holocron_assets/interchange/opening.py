"""Finding an ingest record's columns in an exchange record, whoever wrote it.

Whether the columns make a valid record is checked in `holocron_assets.intake.rows`, as those of every other line are.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from holocron_assets.interchange.content_hash import content_sha256
from holocron_assets.interchange.envelope import KEPT_COLUMNS, KEYS, SCHEMA_VERSION

#: A line with any of these and no payload is meant to be an envelope.
_MARKS = frozenset({"exchange_id", "exchange_type", "entity_type"})
#: Where the body may be in a response that also tells its status.
_BODIES = ("payload", "body", "content", "text", "json")
_REQUEST_PARTS = ("url", "uri", "params", "method", "headers", "body", "ingest_record")
_LONGEST_RESOURCE_ID = 500


class EnvelopeError(Exception):
    """An exchange record cannot become an ingest record; the message names the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The columns of a record, and whether something was taken out of its content since that was hashed."""

    columns: dict[str, Any]
    redacted: bool


def is_envelope(row: Any) -> bool:
    """Whether a line is meant as an exchange record, not as the columns of an ingest record."""
    return isinstance(row, dict) and "payload" not in row and not _MARKS.isdisjoint(row)


def unknown_keys(envelope: Mapping[str, Any]) -> list[str]:
    """Keys that an envelope does not have, and that are not stored."""
    return [name for name in envelope if name not in KEYS]


def open_envelope(envelope: Mapping[str, Any]) -> Opened:
    """The ingest record in an envelope; raises `EnvelopeError`."""
    version = envelope.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise EnvelopeError(f"schema_version {version!r:.20} is not known; known is {SCHEMA_VERSION}")
    exchange_type, source_name, entity_type = (
        _text_at(envelope, name) for name in ("exchange_type", "source_system", "entity_type")
    )
    natural_key = None if envelope.get("natural_key") is None else _text_at(envelope, "natural_key")
    response = _response_columns(envelope)
    request = envelope.get("request")
    request = request if isinstance(request, dict) else {"url" if isinstance(request, str) else "body": request}
    kept = request.get("ingest_record")
    kept = {name: kept[name] for name in KEPT_COLUMNS if name in kept} if isinstance(kept, dict) else {}
    digest = content_sha256(envelope)
    redacted = _is_redacted(envelope, digest)
    if redacted:
        kept.pop("hash_sha256", None)  # of what the payload was before
    url = _url(request)
    is_page = not kept and (exchange_type, entity_type) == ("mediawiki", "page")
    columns = {
        "ingest_id": _uuid_or_none(envelope.get("exchange_id")),
        "source_system": exchange_type,
        "source_name": source_name,
        "resource_type": "content" if is_page else entity_type,
        "resource_id": _resource_id(natural_key, url, digest),
        "variant": _variant(response["payload"]) if is_page else None,
        "request_uri": f"exchange:{exchange_type}/{source_name}/{entity_type}" if url is None else url,
        "fetched_at_utc": envelope.get("observed_at_utc"),
    }
    return Opened(columns=columns | _request_columns(request) | response | kept, redacted=redacted)


def _is_redacted(envelope: Mapping[str, Any], digest: str) -> bool:
    given = envelope.get("content_sha256")
    if given is None or (isinstance(given, str) and given.lower() == digest):
        return False
    if envelope.get("redactions_applied"):
        return True
    raise EnvelopeError(
        f"its content was changed or damaged: content_sha256 says {str(given)[:12]}, the content has {digest[:12]}"
    )


def _request_columns(request: Mapping[str, Any]) -> dict[str, Any]:
    """Method, headers and body; what a request says beyond what there are columns for is its body."""
    method, body = request.get("method"), request.get("body")
    rest = {name: value for name, value in request.items() if name not in _REQUEST_PARTS}
    return {
        "request_method": method if isinstance(method, str) else "GET",
        "request_headers": _text(request.get("headers")),
        "request_body": _text(rest or None) if body is None else _text(body),
    }


def _url(request: Mapping[str, Any]) -> str | None:
    url, params = request.get("url", request.get("uri")), request.get("params")
    if not isinstance(url, str):
        return None
    if not isinstance(params, dict) or not params:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(params, doseq=True, errors='replace')}"


def _response_columns(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Status, headers and payload. A response that tells no status is the payload itself."""
    response = envelope.get("response")
    if response is None:
        where = envelope.get("response_ref")
        raise EnvelopeError(
            "response is missing" if where is None else f"its response is elsewhere and not read: {where!r:.200}"
        )
    body = next((name for name in _BODIES if name in response), None) if isinstance(response, dict) else None
    status = response.get("status_code") if body else None
    if body is None or isinstance(status, bool) or not isinstance(status, int):
        return {"status_code": 200, "payload": _text(response)}
    payload = response[body]
    if isinstance(response.get("payload_text"), str) and not envelope.get("redactions_applied"):
        payload = response["payload_text"]
    return {
        "status_code": status,
        "response_headers": _text(response.get("headers")),
        "content_type": response.get("content_type"),
        "content_length": response.get("content_length"),
        "payload": "" if payload is None else _text(payload),
    }


def _resource_id(natural_key: str | None, url: str | None, digest: str) -> str:
    if natural_key is not None:
        return natural_key
    return url if url and len(url) <= _LONGEST_RESOURCE_ID else digest


def _variant(payload: str) -> str | None:
    """Which variant of a page a MediaWiki answer is: what `action=parse` or what `action=query` gives."""
    try:
        answer = json.loads(payload)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    return "html" if "parse" in answer else "raw" if "query" in answer else None


def _text_at(envelope: Mapping[str, Any], name: str) -> str:
    value = envelope.get(name)
    if isinstance(value, str):
        return value
    raise EnvelopeError(f"{name} is missing" if value is None else f"{name} must be a string")


def _uuid_or_none(value: Any) -> str | None:
    try:
        return str(uuid.UUID(value))
    except (ValueError, TypeError, AttributeError):
        return None


def _text(value: Any) -> str | None:
    """A string as it is, anything else as the JSON that says it."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
