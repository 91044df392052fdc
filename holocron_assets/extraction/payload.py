"""Opens payloads: from stored text to what an extractor reads. Knows no kind of content."""

import json
from dataclasses import replace
from typing import Any

from holocron_assets.records import RawRecord, RecordKey

_WRAPPER_FIELDS = {"content_type", "text", "encoding"}


def open_payload(record: RawRecord) -> tuple[RecordKey, Any]:
    """The record's key, its content type as known best, and the payload: parsed JSON, or a string that is none."""
    content = _parsed(record.payload)
    if isinstance(content, dict) and content.keys() == _WRAPPER_FIELDS and isinstance(content["text"], str):
        return _unwrapped(record.key, content)
    return record.key, content


def _unwrapped(key: RecordKey, wrapper: dict[str, Any]) -> tuple[RecordKey, Any]:
    """What a response that is no JSON was stored in: its text beside its content type and encoding."""
    content_type = wrapper["content_type"]
    if isinstance(content_type, str):
        key = replace(key, content_type=content_type)
    return key, _parsed(_decoded_again(wrapper["text"], wrapper["encoding"]))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _decoded_again(text: str, encoding: Any) -> str:
    """`text`, repaired if it is UTF-8 that was read as Latin-1.

    HTTP clients fall back to ISO-8859-1 for text without a charset; bytes that also are valid UTF-8 were UTF-8.
    """
    if not isinstance(encoding, str) or encoding.lower() not in ("iso-8859-1", "latin-1"):
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
