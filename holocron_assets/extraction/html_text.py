"""Reads HTML as text: the one walk that every extractor of HTML shares.

It listens to the parser and builds no tree: a tree of libxml2 ends, without a word, 2,048 elements deep, and a
tag with many attributes costs it quadratic time. What is no text is said by a `Noise`, how text is laid out by
`layout.py`.
"""

import re
from collections.abc import Callable, Mapping

from lxml import etree

from holocron_assets.extraction.cleaning import HOLE, clean_line, utf8
from holocron_assets.extraction.flow import PARAGRAPH, Lead
from holocron_assets.extraction.formulas import formula_text
from holocron_assets.extraction.html_noise import Noise
from holocron_assets.extraction.layout import Layout

#: Browsers nest no deeper than this either. The parser looks through all open elements for each stray end tag.
_DEEPEST = 512

#: characters that the parser is given at a time
_PIECE = 65_536

_NESTING_TAG = re.compile(r"<(?!/?(?:script|style)\b|!)[^<>]*>", re.IGNORECASE)

_LINES = "address article aside center div fieldset footer form header legend main section summary"
_PARAGRAPHS = "blockquote details dialog figcaption figure hr p"
_LISTS = "dir dl menu ol ul"

_Actions = dict[str, Callable[[Layout], None]]


class TooDeepError(Exception):
    """A page is nested deeper than its reader follows."""


def html_text(html: str, noise: Noise) -> str:
    """The readable text of a page or of a part of one."""
    reader = _Reader(noise)
    try:
        parse_html(html, reader)
    except TooDeepError:
        # No page that was written to be read: keep its words, give up its structure.
        reader = _Reader(noise)
        parse_html(_NESTING_TAG.sub("<br>", html), reader)
    return reader.layout.result()


def html_line(html: str, noise: Noise) -> str:
    """The readable text of a fragment, as one line."""
    return clean_line(html_text(html, noise))


def parse_html(html: str, target: object) -> None:
    """Tell a parser target (`start`, `end`, `data`, `close`) of a page or a part of one."""
    parser = etree.HTMLParser(target=target, encoding="utf-8", huge_tree=True)
    html = html.replace("\0", "")
    # An error raised by the target stops the parser at the end of a piece only.
    for start in range(0, len(html) or 1, _PIECE):
        parser.feed(utf8(html[start : start + _PIECE]))
    parser.close()


class _Reader:
    """Tells a `Layout` what lxml tells of elements and text: a parser target."""

    def __init__(self, noise: Noise) -> None:
        self._covers = noise.covers
        self.layout = Layout()
        self._depth = 0
        #: open elements that are left out: the noise and everything inside it
        self._skipped = 0
        self._is_superscript = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise TooDeepError
        if self._skipped:
            self._skipped += 1
        elif self._covers(tag, attributes):
            self.layout.flow.text(HOLE)
            self._skipped = 1
        elif tag == "math" and "alttext" in attributes:
            self.layout.flow.text(formula_text(attributes["alttext"]))
            self._skipped = 1
        else:
            self._is_superscript = tag == "sup"
            action = _OPENINGS.get(tag)
            if action is not None:
                action(self.layout)

    def end(self, tag: str) -> None:
        """An element ends; lxml also ends what the page left open."""
        self._depth -= 1
        if self._skipped:
            self._skipped -= 1
            return
        self._is_superscript = False
        action = _CLOSINGS.get(tag)
        if action is not None:
            action(self.layout)

    def data(self, text: str) -> None:
        """Text between tags."""
        if self._skipped:
            return
        if self._is_superscript:
            self._is_superscript = False
            if text[0] in "+-−0123456789":
                text = f"^{text}"  # 10<sup>6</sup> is not 106
        self.layout.flow.text(text)

    def close(self) -> None:
        """The page ends."""


def _breaks() -> _Actions:
    lines = dict.fromkeys(_LINES.split(), lambda page: page.flow.end_line())
    return lines | dict.fromkeys(_PARAGRAPHS.split(), lambda page: page.flow.end_line(PARAGRAPH))


def _heading(level: int) -> Callable[[Layout], None]:
    return lambda page: page.heading(level)


_OPENINGS: _Actions = {
    **_breaks(),
    **dict.fromkeys(_LISTS.split(), lambda page: page.flow.deeper(1)),
    **{f"h{level}": lambda page: page.flow.end_line(PARAGRAPH) for level in range(1, 7)},
    "br": lambda page: page.flow.line_break(),
    "li": lambda page: page.flow.entry(Lead.BULLET),
    "dt": lambda page: page.flow.entry(Lead.TERM),
    "dd": lambda page: page.flow.entry(Lead.PLAIN),
    "pre": lambda page: page.flow.begin_preformatted(),
    "table": Layout.open_table,
    "caption": Layout.caption,
    "tr": Layout.row,
    "td": Layout.cell,
    "th": Layout.cell,
}

_CLOSINGS: _Actions = {
    **_breaks(),
    **dict.fromkeys(_LISTS.split(), lambda page: page.flow.deeper(-1)),
    **{f"h{level}": _heading(level) for level in range(1, 7)},
    **dict.fromkeys(("li", "dt", "dd"), lambda page: page.flow.end_line()),
    "pre": lambda page: page.flow.end_preformatted(),
    "table": Layout.close_table,
    **dict.fromkeys(("caption", "td", "th"), Layout.end_cell),
}
