"""Records for the tests of extraction: raw records with plain defaults, and the shapes of MediaWiki's API."""

import json
import uuid
from datetime import datetime
from typing import Any

from holocron_assets.extraction.examination import examine
from holocron_assets.records import Examination, RawRecord, RecordKey

FETCHED = datetime(2026, 1, 1)  # noqa: DTZ001 - times are naive UTC throughout


def raw_record(payload: Any, **fields: Any) -> RawRecord:
    """A record with this payload (text as it is stored, or a value to be stored as JSON)."""
    defaults: dict[str, Any] = {
        "ingest_id": uuid.UUID(int=1),
        "source_system": "mediawiki",
        "source_name": "harbour",
        "resource_type": "content",
        "resource_id": "Lantern Ferry",
        "variant": None,
        "content_type": "application/json",
        "request_uri": "https://harbour.example/api.php",
        "status_code": 200,
        "fetched_at_utc": FETCHED,
    }
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return RawRecord(key=RecordKey(**defaults | fields), payload=text)


def examined(payload: Any, **fields: Any) -> Examination:
    """The examination of a record that is pending alone."""
    (examination,) = examine([raw_record(payload, **fields)])
    return examination


def parse_response(html: str, **fields: Any) -> dict[str, Any]:
    """A response to `action=parse`."""
    return {"parse": {"title": "Lantern Ferry", "pageid": 311, "revid": 7, "text": html, **fields}}


def query_response(wikitext: str, revision: int = 7, **fields: Any) -> dict[str, Any]:
    """A response to `action=query`."""
    content = {"revid": revision, "slots": {"main": {"content": wikitext}}}
    return {"query": {"pages": [{"pageid": 311, "ns": 0, "title": "Lantern Ferry", "revisions": [content], **fields}]}}
