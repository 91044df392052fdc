"""Extracts rendered MediaWiki pages: responses to `action=parse`, in either format of the API."""

import re
from html import unescape
from typing import Any, NamedTuple

from holocron_assets.errors import ExtractionError
from holocron_assets.extraction import mediawiki
from holocron_assets.extraction.document import Document
from holocron_assets.extraction.html_noise import MEDIAWIKI
from holocron_assets.extraction.html_text import html_line, html_text
from holocron_assets.extraction.layout import titled
from holocron_assets.records import Outcome, RecordKey

name = "mediawiki_html"
version = "1"

_REDIRECT = re.compile(
    r'(?:\s|<div[^<>]*>)*<div class="redirectMsg">(?:(?!</div>|<a\b).)*(?:<a\b[^<>]*>)?([^<]*)', re.DOTALL
)
_LANGUAGE = re.compile(r'\s*<div\b[^<>]*?\blang="([\w-]+)"')


class _Body(NamedTuple):
    title: str
    html: str


def recognise(key: RecordKey, payload: Any) -> Document | None:
    """The page of a response to `action=parse`, or what such a request's error says."""
    error = mediawiki.api_error(payload)
    parse = payload.get("parse") if isinstance(payload, dict) else None
    if error is not None or not isinstance(parse, dict):
        return error
    revision = mediawiki.positive_int(parse.get("revid"))
    html = mediawiki.text_of(parse.get("text"))
    if html is None:
        if mediawiki.LINK_PROPERTIES.isdisjoint(parse):
            raise ExtractionError("the response has no `parse.text`; fetch the page again with prop=text")
        return mediawiki.LINKS_ONLY
    redirect = _REDIRECT.match(html)
    if redirect:
        target = mediawiki.redirect_target(unescape(redirect[1]))
        return mediawiki.page_document(key, parse, revision=revision, outcome=Outcome.REDIRECT, redirect_target=target)
    language = _LANGUAGE.match(html)
    return mediawiki.page_document(
        key,
        parse,
        body=_Body(_shown_title(parse), html),
        revision=revision,
        tags=mediawiki.category_tags(parse.get("categories")),
        reference={"language": language[1] if language else None},
    )


def text(document: Document) -> str:
    """The page below its title; empty when the page is."""
    body: _Body = document.body
    return titled(body.title, html_text(body.html, MEDIAWIKI))


def _shown_title(parse: dict[str, Any]) -> str:
    """The title as the page shows it (that is HTML), else as it is stored (that is not)."""
    shown = parse.get("displaytitle")
    stored = parse.get("title")
    return (isinstance(shown, str) and html_line(shown, MEDIAWIKI)) or (stored if isinstance(stored, str) else "")
