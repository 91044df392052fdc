"""Extracts JSON of unknown shape: its strings and numbers, each after the path that leads to it."""

import re
from collections.abc import Iterator
from typing import Any

from holocron_assets.errors import ExtractionError
from holocron_assets.extraction.cleaning import clean, clean_line
from holocron_assets.extraction.document import Document
from holocron_assets.extraction.html_noise import PLAIN
from holocron_assets.extraction.html_text import html_text
from holocron_assets.extraction.layout import titled
from holocron_assets.extraction.web_page import looks_like_html
from holocron_assets.records import RecordKey

name = "json_text"
version = "2"

#: Short values of one list stand on one line.
_LONGEST_LISTED = 80
_TITLE_FIELDS = ("title", "name", "label", "headline")

_BROKEN_JSON = re.compile(r'\s*(?:\{\s*(?:"|\Z)|\[\s*(?:[\[{"]|\Z))')
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_-]+")


def recognise(_key: RecordKey, payload: Any) -> Document | None:
    """Any JSON value except a string, which is text; a string that begins like JSON is broken JSON."""
    if isinstance(payload, str):
        if _BROKEN_JSON.match(payload):
            raise ExtractionError("the payload begins as JSON and cannot be read as JSON; fetch it again")
        return None
    return Document(body=payload, source_type="json", title=_title(payload))


def text(document: Document) -> str:
    """The title, then a line `path: value` for everything else."""
    lines = [_entry(path, value) for path, value in _values(document.body) if value not in ("", document.title)]
    if document.title and not lines:
        return document.title
    return titled(document.title or "", "\n".join(lines))


def _title(payload: Any) -> str | None:
    if isinstance(payload, dict):
        for field in _TITLE_FIELDS:
            value = payload.get(field)
            if isinstance(value, str) and (title := clean_line(value)):
                return title
    return None


def _values(payload: Any) -> Iterator[tuple[str, str]]:
    """Strings and numbers with their paths, in the payload's order; what is in a list shares the list's path."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), payload)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(((*path, _words(field)), inner) for field, inner in reversed(value.items()))
        elif isinstance(value, list) and not all(map(_is_short, value)):
            waiting.extend((path, inner) for inner in reversed(value))
        else:
            shown = [_shown(inner) for inner in (value if isinstance(value, list) else [value])]
            yield " > ".join(path), ", ".join(filter(None, shown))


def _is_short(value: Any) -> bool:
    return not isinstance(value, dict | list) and len(_shown(value)) <= _LONGEST_LISTED


def _shown(value: Any) -> str:
    """A string or number as text; of HTML, what it says; nothing for anything else."""
    if isinstance(value, str):
        return html_text(value, PLAIN) if looks_like_html(value) else clean(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _words(field: str) -> str:
    """A field's name as words: `publishedAt` and `published_at` both read "published at"."""
    return clean_line(_WORD_START.sub(" ", field)).lower()


def _entry(path: str, value: str) -> str:
    if "\n" in value:
        return f"\n{path}:\n{value}\n"
    return f"{path}: {value}" if path else value
