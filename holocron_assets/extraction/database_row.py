"""Extracts rows of SQL sources: a title and a text that a query gave, or that it no longer gives the row."""

from typing import Any

from holocron_assets.errors import ExtractionError
from holocron_assets.extraction.cleaning import clean, clean_line
from holocron_assets.extraction.document import Document
from holocron_assets.extraction.layout import titled
from holocron_assets.records import Outcome, RecordKey

name = "database_row"
version = "1"

SOURCE_SYSTEM = "sql"
RESOURCE_TYPE = "row"

#: The payload of a row that its query no longer gives.
GONE = {"missing": True}


def recognise(key: RecordKey, payload: Any) -> Document | None:
    """Whatever was stored of a row; its id, which is the resource's, names the source."""
    if (key.source_system, key.resource_type) != (SOURCE_SYSTEM, RESOURCE_TYPE):
        return None
    if payload == GONE:
        return Document(outcome=Outcome.MISSING, source_type=name)
    if not isinstance(payload, dict) or not all(_is_text(payload.get(field, 0)) for field in ("title", "text")):
        raise ExtractionError("the payload is no row with a title and a text; ingest its SQL source again")
    return Document(body=payload["text"], source_type=name, title=payload["title"])


def text(document: Document) -> str:
    """The title, an empty line, the text; nothing where the text is empty."""
    return titled(clean_line(document.title or ""), clean(document.body or ""))


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)
