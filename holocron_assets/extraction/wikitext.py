"""Reads wikitext as text, line by line: headings, lists, tables, paragraphs.

What nests or spans lines was resolved before, by `wikitext_nesting.py`; how text is laid out is decided by
`layout.py`. Every step takes linear time.
"""

import re
import string
from html import unescape

from holocron_assets.extraction.cleaning import HOLE
from holocron_assets.extraction.flow import PARAGRAPH, Lead
from holocron_assets.extraction.layout import Layout
from holocron_assets.extraction.wikitext_nesting import LITERAL_MARK, Literal, resolve

#: A line of nothing but templates that show nothing is an empty line.
_BLANK = string.whitespace + HOLE

_HEADING = re.compile(r"(={1,6})(.+?)\1$")
_LIST_ENTRY = re.compile(r"([*#:;]+)(.*)")
_RULE = re.compile(r"-{4,}")
_TABLE_START = re.compile(r"[\s:*#]*\{\|")
_TERM_END = re.compile(r"\s:\s*|:\s+")

_MARKS = re.compile(r"'{2,}|__[A-Z]{3,}__")
_EXTERNAL_LINK = re.compile(r"\[(?:https?:|ftp:)?//[^\s\[\]]+(?:\s([^\[\]]*))?\]")
_SUPERSCRIPT = re.compile(r"<sup>\s*(?=[-+−0-9])", re.IGNORECASE)
_INTERRUPTION = re.compile(
    rf"(<br\b[^<>]*>|</?(?:p|div|center|blockquote|poem|hr)\b[^<>]*>|{LITERAL_MARK.pattern})", re.IGNORECASE
)
_INLINE_TAG = re.compile(
    r"</?(?:abbr|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|ins|kbd|mark|noinclude|nowiki|onlyinclude|q|rb|rp|rt"
    r"|ruby|s|samp|small|span|strike|strong|sub|sup|time|tt|u|var|wbr|section|translate)\b[^<>]*>",
    re.IGNORECASE,
)

_STRUCTURE_TAG = re.compile(r"<(/?(?:table|tr|td|th|caption|[uod]l|li|d[td]|h[1-6]))\b[^<>]*>", re.IGNORECASE)
#: the same structure in wikitext; the second bar of a cell ends the attributes that it does not have
_STRUCTURE = {
    "table": "\n{|\n",
    "/table": "\n|}\n",
    "tr": "\n|-\n",
    "td": "\n| |",
    "th": "\n| |",
    "caption": "\n|+",
    "li": "\n* ",
    "dt": "\n; ",
    "dd": "\n: ",
    "/ul": "\n",
    "/ol": "\n",
    "/dl": "\n",
    **{f"h{level}": "\n" + "=" * level for level in range(1, 7)},
    **{f"/h{level}": "=" * level + "\n" for level in range(1, 7)},
}


def wikitext_text(source: str) -> str:
    """The readable text of a page, without its title."""
    resolved = resolve(source)
    text = _STRUCTURE_TAG.sub(lambda tag: _STRUCTURE.get(tag[1].lower(), ""), resolved.text)
    reader = _Reader(resolved.literals)
    for line in text.split("\n"):
        reader.read(line)
    return reader.layout.result()


class _Reader:
    """Tells a `Layout` what each line is."""

    def __init__(self, literals: list[Literal]) -> None:
        self.layout = Layout()
        self._literals = literals
        self._open_tables = 0
        self._list_mark = ""

    def read(self, line: str) -> None:
        """Read the next line of the page."""
        flow = self.layout.flow
        stripped = line.strip(_BLANK)
        if self._open_tables and stripped[:1] in ("|", "!"):
            self._read_table_line(stripped)
        elif _TABLE_START.match(line):
            flow.indent(0)
            self._open_tables += 1
            self.layout.open_table()
        elif entry := _LIST_ENTRY.match(line):
            self._read_list_entry(entry[1], entry[2])
        else:
            flow.indent(0)
            if not stripped or _RULE.fullmatch(stripped):
                flow.end_line(PARAGRAPH)
            elif heading := _HEADING.match(stripped):
                flow.end_line(PARAGRAPH)
                self._read_inline(heading[2])
                self.layout.heading(len(heading[1]))
            else:
                self._read_inline(line + "\n")

    def _read_list_entry(self, marks: str, content: str) -> None:
        flow = self.layout.flow
        list_mark = marks[0].replace(";", ":")
        if list_mark != self._list_mark:
            flow.indent(0)
        self._list_mark = list_mark
        flow.indent(len(marks))
        if marks[-1] in "*#":
            flow.entry(Lead.BULLET)
        elif marks[-1] == ":":
            flow.entry(Lead.PLAIN)
        else:
            flow.entry(Lead.TERM)
            term, *definition = _TERM_END.split(content, maxsplit=1)
            if definition:
                self._read_inline(term)
                flow.entry(Lead.PLAIN)
                content = definition[0]
        self._read_inline(content)

    def _read_table_line(self, line: str) -> None:
        if line.startswith("|}"):
            self._open_tables -= 1
            self.layout.close_table()
            self._read_inline(line[2:])
        elif line.startswith("|-"):
            self.layout.row()
        elif line.startswith("|+"):
            self.layout.caption()
            self._read_inline(_without_attributes(line[2:]) + "\n")
        else:
            cells = line[1:].replace("!!", "||") if line[0] == "!" else line[1:]
            for cell in cells.split("||"):
                self.layout.cell()
                self._read_inline(_without_attributes(cell) + "\n")

    def _read_inline(self, text: str) -> None:
        """Read text that has no line structure of its own."""
        text = _EXTERNAL_LINK.sub(r"\1", _MARKS.sub("", text))
        if "<" not in text and "\0" not in text:
            self.layout.flow.text(unescape(text))
            return
        for index, part in enumerate(_INTERRUPTION.split(_SUPERSCRIPT.sub("^", text))):
            if index % 2:
                self._interrupt(part)
            else:
                self.layout.flow.text(unescape(_INLINE_TAG.sub("", part)))

    def _interrupt(self, mark: str) -> None:
        if LITERAL_MARK.match(mark):
            self._read_literal(self._literals[int(mark.strip("\0"))])
        elif mark[:3].lower() == "<br":
            self.layout.flow.line_break()
        else:
            self.layout.flow.end_line(PARAGRAPH)

    def _read_literal(self, literal: Literal) -> None:
        flow = self.layout.flow
        if literal.is_preformatted:
            flow.begin_preformatted()
            flow.text(literal.text)
            flow.end_preformatted()
        else:
            flow.text(literal.text)


def _without_attributes(cell: str) -> str:
    _, bar, content = cell.partition("|")
    return content if bar else cell
