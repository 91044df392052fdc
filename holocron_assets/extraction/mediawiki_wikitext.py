"""Extracts the source of MediaWiki pages: responses to `action=query`, in either format of the API."""

import re
from collections.abc import Mapping
from typing import Any

from holocron_assets.errors import ExtractionError
from holocron_assets.extraction import mediawiki
from holocron_assets.extraction.document import Document
from holocron_assets.extraction.layout import titled
from holocron_assets.extraction.mediawiki_names import CATEGORY_NAMESPACES, REDIRECT_WORDS
from holocron_assets.extraction.wikitext import wikitext_text
from holocron_assets.records import Outcome, RecordKey

name = "mediawiki_wikitext"
version = "1"

#: what a page holds when nothing but its links was asked for (and it may have none)
_WITHOUT_TEXT = mediawiki.LINK_PROPERTIES | {"pageid", "ns", "title"}

_REDIRECT = re.compile(r"\s*#[ \t]{0,9}(\w{1,40})[ \t]{0,9}:?\s{0,9}\[\[")
_LINK = re.compile(r"\[\[([^\[\]|\n]+)")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_CATEGORY = re.compile(r"\[\[([^\[\]|:\n]{1,60}):([^\[\]|\n]+)")


def recognise(key: RecordKey, payload: Any) -> Document | None:
    """The one page of a response to `action=query`."""
    error = mediawiki.api_error(payload)
    query = payload.get("query") if isinstance(payload, dict) else None
    if error is not None or not isinstance(query, dict):
        return error
    if "pages" not in query:
        is_list = not payload.keys().isdisjoint(("batchcomplete", "continue", "query-continue"))
        return mediawiki.LINKS_ONLY if is_list else None
    pages = _pages(query["pages"])
    if pages and all(_WITHOUT_TEXT.issuperset(page) for page in pages):
        return mediawiki.LINKS_ONLY
    if len(pages) != 1:
        raise ExtractionError(f"the response holds {len(pages)} pages; store one page per record")
    return _page_document(key, pages[0])


def text(document: Document) -> str:
    """The page below its title; empty when the page is."""
    return titled(document.title or "", wikitext_text(document.body))


def _pages(pages: Any) -> list[Mapping[str, Any]]:
    """Format 1 keys the pages by id, format 2 lists them."""
    if isinstance(pages, dict):
        pages = list(pages.values())
    return [page for page in pages if isinstance(page, dict)] if isinstance(pages, list) else []


def _page_document(key: RecordKey, page: Mapping[str, Any]) -> Document:
    if mediawiki.is_set(page, "missing") or mediawiki.is_set(page, "invalid"):
        return mediawiki.page_document(key, page, outcome=Outcome.MISSING)
    revisions = page.get("revisions")
    revision = revisions[0] if isinstance(revisions, list) and revisions else None
    if not isinstance(revision, dict):
        raise ExtractionError("the page has no revision; fetch it again with prop=revisions and rvprop=content|ids")
    source = _source(revision)
    if source is None:
        raise ExtractionError("the revision has no text: it was not asked for, or the wiki hides it")
    fields: dict[str, Any] = {"revision": mediawiki.positive_int(revision.get("revid"))}
    if mediawiki.is_set(page, "redirect") or _is_redirect(source):
        link = _LINK.search(source)
        fields |= {"outcome": Outcome.REDIRECT, "redirect_target": mediawiki.redirect_target(link[1]) if link else None}
    else:
        fields |= {"body": source, "tags": _tags(page, source)}
    reference = {"language": page.get("pagelanguage"), "url": page.get("canonicalurl", page.get("fullurl"))}
    return mediawiki.page_document(key, page, reference=reference, **fields)


def _source(revision: Mapping[str, Any]) -> str | None:
    slots = revision.get("slots")
    holder = slots.get("main") if isinstance(slots, dict) else revision
    if not isinstance(holder, dict):
        return None
    source = holder.get("content", holder.get("*"))
    return source if isinstance(source, str) else None


def _is_redirect(source: str) -> bool:
    redirect = _REDIRECT.match(source)
    return redirect is not None and redirect[1].casefold() in REDIRECT_WORDS


def _tags(page: Mapping[str, Any], source: str) -> list[str]:
    """The categories that the response lists, else those that the page puts itself into."""
    if "categories" in page:
        return mediawiki.category_tags(page["categories"])
    links = _CATEGORY.finditer(_COMMENT.sub("", source))
    names = (link[2] for link in links if link[1].strip().casefold() in CATEGORY_NAMESPACES)
    return mediawiki.unique(name.replace("_", " ").strip() for name in names)
