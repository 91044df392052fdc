"""Collects running text as lines below each other: paragraphs, entries of lists, preformatted text.

What is a heading's section, a table or a whole page is decided in `layout.py`.
"""

from enum import Enum
from typing import NamedTuple

from holocron_assets.extraction.cleaning import clean_line

#: Deeper lists are indented no further: a line's indentation must not grow with hostile nesting.
_DEEPEST_INDENT = 8

NEXT_LINE, PARAGRAPH = 1, 2


class Lead(Enum):
    """How the first line of an entry in a list begins."""

    BULLET = "- "
    TERM = ""
    PLAIN = "  "


class Line(NamedTuple):
    """One line of text, `gap` line ends after the one before; `level` is 1 to 6 for a heading, else 0."""

    gap: int
    indent: str
    text: str
    level: int = 0


class Flow:
    """Lines below each other: the page itself, or the inside of one table cell."""

    __slots__ = ("_depth", "_gap", "_lead", "_parts", "_preformatted", "lines")

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._preformatted = False
        self._parts: list[str] = []
        self._gap = NEXT_LINE
        self._depth = 0
        self._lead: Lead | None = None

    def text(self, text: str) -> None:
        """Add to the current line; white space and invisible characters may be anything."""
        self._parts.append(text)

    def end_line(self, gap: int = NEXT_LINE, level: int = 0) -> None:
        """End the current line, if it holds anything; the next one is at least `gap` line ends away."""
        if self._parts:
            text = "".join(self._parts)
            self._parts.clear()
            if self._preformatted:
                self._add_preformatted(text)
            elif line := clean_line(text):
                self._add(line, level)
        # Inside a list nothing is further apart than the next line.
        self._gap = max(self._gap, gap) if not self._depth else self._gap

    def line_break(self) -> None:
        """An explicit break; two in a row part paragraphs."""
        before = len(self.lines)
        self.end_line()
        if len(self.lines) == before and not self._depth:
            self._gap = PARAGRAPH

    def begin_preformatted(self) -> None:
        """What follows keeps its own lines and indentation."""
        self.end_line(PARAGRAPH)
        self._preformatted = True

    def end_preformatted(self) -> None:
        """What follows is running text again."""
        self.end_line(PARAGRAPH)
        self._preformatted = False

    def indent(self, depth: int) -> None:
        """Continue in a list of this depth; 0 is outside of any list."""
        if not depth and not self._depth:
            return
        self.end_line()
        if not (depth and self._depth):
            self._gap = PARAGRAPH
        self._depth = depth
        self._lead = None

    def deeper(self, levels: int) -> None:
        """Continue in a list that is so much deeper (or, below 0, less deep) than now."""
        self.indent(max(self._depth + levels, 0))

    def entry(self, lead: Lead) -> None:
        """Begin an entry of the current list."""
        self.end_line()
        self._depth = max(self._depth, 1)
        self._lead = lead

    def _add(self, text: str, level: int = 0, own_indent: str = "") -> None:
        indent = ""
        if self._depth:
            outer = "  " * (min(self._depth, _DEEPEST_INDENT) - 1)
            indent = outer + (self._lead or Lead.PLAIN).value
        self.lines.append(Line(self._gap, indent + own_indent, text, level))
        self._gap = NEXT_LINE
        self._lead = None

    def _add_preformatted(self, text: str) -> None:
        for raw in text.expandtabs(4).splitlines():
            if line := clean_line(raw):
                self._add(line, own_indent=raw[: len(raw) - len(raw.lstrip())])
            else:
                self._gap = PARAGRAPH

    def append(self, other: "Flow") -> None:
        """Put the lines of `other`, as they are, below these."""
        self.end_line(PARAGRAPH)
        if other.lines:
            first, *others = other.lines
            self.lines.append(first._replace(gap=max(first.gap, self._gap)))
            self.lines.extend(others)
            self._gap = NEXT_LINE

    def on_one_line(self) -> str:
        """Everything as one line: entries of lists are parted by semicolons, lines by blanks."""
        parts: list[str] = []
        for line in self.lines:
            if parts:
                parts.append("; " if line.indent.endswith(Lead.BULLET.value) else " ")
            parts.append(line.text)
        return "".join(parts)
