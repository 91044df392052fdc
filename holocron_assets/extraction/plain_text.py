"""Extracts what is text already."""

import re
from typing import Any

from holocron_assets.extraction.cleaning import clean
from holocron_assets.extraction.document import Document
from holocron_assets.records import RecordKey

name = "plain_text"
version = "1"

#: A longer first line is a paragraph, not a title.
_LONGEST_TITLE = 120

_NO_TEXT = re.compile(r"(?:image|audio|video|font)/|application/(?:pdf|zip|gzip|octet-stream|vnd\.|msword)")


def recognise(key: RecordKey, payload: Any) -> Document | None:
    """Any string, unless its content type says that its characters are no text."""
    if not isinstance(payload, str) or _NO_TEXT.match((key.content_type or "").lower()):
        return None
    body = clean(payload)
    first_line, _, rest = body.partition("\n")
    has_title = bool(rest) and len(first_line) <= _LONGEST_TITLE and not first_line.endswith((".", ",", ";"))
    return Document(body=body, source_type="text", title=first_line if has_title else None)


def text(document: Document) -> str:
    """The text as it is: a title is its first line already."""
    body: str = document.body
    return body
