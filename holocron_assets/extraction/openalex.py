"""Extracts OpenAlex works: title and abstract, the latter rebuilt from its inverted index."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

from holocron_assets import identity
from holocron_assets.errors import ExtractionError
from holocron_assets.extraction.cleaning import clean_line
from holocron_assets.extraction.document import Document
from holocron_assets.records import Outcome, RecordKey

name = "openalex_work"
version = "1"

_WORK_ID = re.compile(r"(https?://(?:api\.)?openalex\.org/(?:works/)?)?([Ww][0-9]{1,20})/?")
_BLOCK_MARKUP = re.compile(r"</?(?:jats:)?(?:br|div|li|list|list-item|p|sec|title|ul)\b[^<>]*>", re.IGNORECASE)
_INLINE_MARKUP = re.compile(
    r"</?(?:(?:jats|mml):[\w-]+|b|bold|em|i|inf|italic|sc|scp|span|strong|sub|sup|u)\b[^<>]*>", re.IGNORECASE
)

#: No abstract is this long, but a broken index may claim so.
_MOST_WORDS = 100_000
_MOST_TAGS = 10


def recognise(key: RecordKey, payload: Any) -> Document | None:
    """The one work of a response, be it the work itself or a list of results."""
    if not isinstance(payload, dict):
        return None
    results = payload.get("results")
    works = results if isinstance(results, list) else [payload]
    if not all(isinstance(work, dict) and _work_id(key, work) for work in works):
        return None
    if len(works) > 1:
        raise ExtractionError(f"the response holds {len(works)} works; store one work per record")
    if not works:
        is_search = key.source_system == "openalex"
        return Document(outcome=Outcome.MISSING, source_type=name) if is_search else None
    return _document(key, works[0])


def text(document: Document) -> str:
    """The title, an empty line, the abstract; either may be all there is."""
    abstract = _without_markup(" ".join(_words(document.body)))
    return "\n\n".join(filter(None, (document.title, abstract)))


def _document(key: RecordKey, work: Mapping[str, Any]) -> Document:
    work_id = _work_id(key, work)
    title = work.get("display_name") or work.get("title")
    reference = {
        "work_id": work_id,
        "doi": work.get("doi"),
        "publication_year": work.get("publication_year"),
        "language": work.get("language"),
        "url": _landing_page(work) or f"https://openalex.org/{work_id}",
    }
    return Document(
        body=work.get("abstract_inverted_index"),
        source_id=identity.work_source_id(key.source_name, work_id),
        source_type=name,
        title=_without_markup(title) if isinstance(title, str) else None,
        tags=_subjects(work),
        reference={field: value for field, value in reference.items() if isinstance(value, str | int)},
    )


def _work_id(key: RecordKey, work: Mapping[str, Any]) -> str:
    """`W` and the number; empty when this is no work."""
    work_id = work.get("id")
    found = _WORK_ID.fullmatch(work_id) if isinstance(work_id, str) else None
    if found is None or not (found[1] or key.source_system == "openalex"):
        return ""
    return found[2].upper()


def _words(index: Any) -> list[str]:
    """The words of an abstract in order. The index says of each word at which positions it stands."""
    if index is None:
        return []
    if not isinstance(index, dict):
        raise ExtractionError("the abstract's inverted index is no object of words; fetch the work again")
    placed: list[tuple[int, str]] = []
    for word, positions in index.items():
        if not isinstance(positions, list):
            raise ExtractionError(f"the abstract's inverted index has no positions for {word[:40]!r}")
        for position in positions:
            if type(position) is not int or not 0 <= position < _MOST_WORDS:
                raise ExtractionError(f"the abstract's inverted index puts {word[:40]!r} at {str(position)[:40]!r}")
            placed.append((position, word))
    return [word for _, word in sorted(placed)]


def _without_markup(text: str) -> str:
    """A line of plain text. Publishers deliver titles and abstracts with the tags of HTML and of JATS."""
    return clean_line(unescape(_INLINE_MARKUP.sub("", _BLOCK_MARKUP.sub(" ", text))))


def _landing_page(work: Mapping[str, Any]) -> str | None:
    location = work.get("primary_location")
    url = location.get("landing_page_url") if isinstance(location, dict) else None
    return url if isinstance(url, str) else None


def _subjects(work: Mapping[str, Any]) -> list[str]:
    """The first names of what the work is about, the most specific lists first."""
    names: dict[str, None] = {}
    for field in ("topics", "keywords", "concepts"):
        entries = work.get(field)
        for entry in entries if isinstance(entries, list) else ():
            subject = entry.get("display_name") if isinstance(entry, dict) else None
            if isinstance(subject, str):
                names[subject] = None
    return list(names)[:_MOST_TAGS]
