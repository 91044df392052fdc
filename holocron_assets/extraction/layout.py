"""Lays out a page as plain text, its tables and sections included: one set of rules for every markup.

The readers of HTML and of wikitext say what they meet; here and in `flow.py` it is decided how it reads. Nothing
here knows of tags or brackets, and no call gets dearer by what came before: hostile nesting costs linear time.
"""

from collections.abc import Iterator

from holocron_assets.extraction.flow import PARAGRAPH, Flow, Line

#: A table nested deeper is no table: its lines would be moved once more for each table around it.
_DEEPEST_TABLE = 20


class Layout:
    """A page being laid out: say what comes next, then ask for `result`."""

    def __init__(self) -> None:
        self._page = Flow()
        self._tables: list[_Table] = []
        self._ignored_tables = 0
        #: where text goes now
        self.flow = self._page

    def heading(self, level: int) -> None:
        """What was added since the last line ended is a heading."""
        if self._tables:
            self._tables[-1].is_layout = True
        self.flow.end_line(level=level)

    def open_table(self) -> None:
        """Begin a table, inside another table's cell if need be."""
        self.flow.end_line(PARAGRAPH)
        if self._tables:
            self._tables[-1].is_layout = True
        if len(self._tables) < _DEEPEST_TABLE:
            self._tables.append(_Table(self.flow))
        else:
            self._ignored_tables += 1

    def caption(self) -> None:
        """What follows, until the next row, cell or table end, is the table's caption."""
        table = self._table()
        self._enter(table.caption if table else self.flow)

    def row(self) -> None:
        """Begin a row."""
        table = self._table()
        if table:
            self._enter(table.outer)
            table.rows.append([])

    def cell(self) -> None:
        """Begin a cell of the current row."""
        table = self._table()
        if table is None:
            self.flow.end_line()
            return
        if not table.rows:
            table.rows.append([])
        cell = Flow()
        table.rows[-1].append(cell)
        self._enter(cell)

    def end_cell(self) -> None:
        """What follows belongs to no cell."""
        table = self._table()
        self._enter(table.outer if table else self.flow)

    def close_table(self) -> None:
        """End the innermost table and lay it out where it began."""
        self.end_cell()
        if self._ignored_tables:
            self._ignored_tables -= 1
        elif self._tables:
            self._lay_out(self._tables.pop())

    def result(self) -> str:
        """The page's text; headings with nothing below them are left out."""
        while self._tables:
            self.close_table()
        self._page.end_line()
        return "".join(_with_gaps(self._page.lines)).strip("\n")

    def _table(self) -> "_Table | None":
        """The table that is being read, if it is laid out as one."""
        return self._tables[-1] if self._tables and not self._ignored_tables else None

    def _enter(self, flow: Flow) -> None:
        self.flow.end_line()
        self.flow = flow

    def _lay_out(self, table: "_Table") -> None:
        cells = [cell for row in table.rows for cell in row if cell.lines]
        table.outer.text(table.caption.on_one_line())
        table.outer.end_line()
        if table.is_layout or len(cells) == 1:
            for cell in cells:
                table.outer.append(cell)
        else:
            for row in table.rows:
                table.outer.text(_row_text(row))
                table.outer.end_line()
        table.outer.end_line(PARAGRAPH)


class _Table:
    """A table being read; `outer` is where its text will go."""

    __slots__ = ("caption", "is_layout", "outer", "rows")

    def __init__(self, outer: Flow) -> None:
        self.outer = outer
        self.caption = Flow()
        self.rows: list[list[Flow]] = []
        #: tables and headings inside say that it arranges a page and holds no data
        self.is_layout = False


def _row_text(row: list[Flow]) -> str:
    texts = [cell.on_one_line() for cell in row]
    while texts and not texts[-1]:
        texts.pop()
    return " | ".join(texts)


def _with_gaps(lines: list[Line]) -> Iterator[str]:
    """The lines, each after its line ends. A heading waits until something below it appears."""
    waiting: list[Line] = []
    for line in lines:
        if line.level:
            while waiting and waiting[-1].level >= line.level:
                waiting.pop()
            waiting.append(line)
            continue
        for heading in waiting:
            yield f"\n\n{heading.text}"
        yield "\n" if waiting else "\n" * line.gap
        waiting.clear()
        yield line.indent + line.text


def titled(title: str, body: str) -> str:
    """`body` below its title, which is not repeated; nothing when there is no body."""
    first_line, _, rest = body.strip().partition("\n")
    if not first_line or not title:
        return body
    below = rest if first_line == title else body
    return f"{title}\n\n{below.strip()}"
