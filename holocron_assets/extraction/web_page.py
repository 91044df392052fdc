"""Extracts web pages: the main content of HTML that no extractor before this one knows.

Which part of a page is its content is trafilatura's judgement. How it reads is decided as for any other HTML.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from holocron_assets.extraction.cleaning import clean_line
from holocron_assets.extraction.document import Document
from holocron_assets.extraction.html_noise import PLAIN
from holocron_assets.extraction.html_text import TooDeepError, html_text, parse_html
from holocron_assets.extraction.layout import titled
from holocron_assets.records import RecordKey

name = "web_page"
version = "1"

_HTML_START = re.compile(
    r"\s*(?:<\?xml[^<>]*>\s*|<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body|main|article|section|div|p|h[1-6]"
    r"|ul|ol|dl|table|blockquote|figure|span|a|b|i|em|strong)\b[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)

# What trafilatura's parser and its own walks can take: beyond, the parser drops text without a word, or either
# takes quadratic time. Real pages stay far below.
_DEEPEST = 250
_MOST_ELEMENTS = 20_000
_MOST_ATTRIBUTES = 200

#: A single line that holds this share of a page is the whole page, not a choice.
_DUMP_SHARE = 0.7

# A page without main content is an ordinary answer here, not an error to log.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)


class _Body(NamedTuple):
    html: str
    is_tractable: bool


def looks_like_html(text: str) -> bool:
    """Whether a text begins as HTML does."""
    return _HTML_START.match(text) is not None


def recognise(key: RecordKey, payload: Any) -> Document | None:
    """A string that is HTML by its content type or by its beginning."""
    if not isinstance(payload, str):
        return None
    if "html" not in (key.content_type or "").lower() and not looks_like_html(payload):
        return None
    survey = _Survey()
    try:
        parse_html(payload, survey)
    except TooDeepError:
        survey.is_tractable = False
    reference = {"language": survey.language, "url": survey.url}
    return Document(
        body=_Body(payload, survey.is_tractable),
        source_type=name,
        title=clean_line(survey.shared_title or "".join(survey.title)) or None,
        reference={field: value for field, value in reference.items() if value},
    )


def text(document: Document) -> str:
    """The page's title and main content, or everything on it where no main content can be told."""
    body: _Body = document.body
    content = html_text(_main_content(body.html), PLAIN) if body.is_tractable else ""
    if "\n" not in content:
        # No part stands out from the page, which then says better itself what belongs together.
        whole = html_text(body.html, PLAIN)
        if not content or len(content) >= len(whole) * _DUMP_SHARE:
            content = whole
    return titled(document.title or "", content)


def _main_content(html: str) -> str:
    """The main content as simple HTML; empty if there is none."""
    # It takes half a second to import, and most runs meet no web page.
    import trafilatura  # noqa: PLC0415

    content: str | None = trafilatura.extract(
        html, output_format="html", fast=True, include_comments=False, include_formatting=True, include_tables=True
    )
    return content or ""


class _Survey:
    """Reads what a page says of itself, and how big it is: a parser target."""

    def __init__(self) -> None:
        self.title: list[str] = []
        self.shared_title = ""
        self.language = ""
        self.url = ""
        self.is_tractable = True
        self._in_title = False
        self._depth = 0
        self._elements = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self._elements += 1
        self._depth += 1
        if self._depth > _DEEPEST:
            raise TooDeepError
        if self._elements > _MOST_ELEMENTS or len(attributes) > _MOST_ATTRIBUTES:
            self.is_tractable = False
        if tag == "html":
            self.language = attributes.get("lang", "")
        elif tag == "title":
            self._in_title = not self.title
        elif tag == "meta" and attributes.get("property") == "og:title":
            self.shared_title = attributes.get("content", "")
        elif tag == "link" and attributes.get("rel") == "canonical":
            self.url = attributes.get("href", "")

    def end(self, tag: str) -> None:
        """An element ends."""
        self._depth -= 1
        self._in_title = self._in_title and tag != "title"

    def data(self, text: str) -> None:
        """Text between tags."""
        if self._in_title:
            self.title.append(text)

    def close(self) -> None:
        """The page ends."""
