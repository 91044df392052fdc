"""The blocks of a page: headings, paragraphs, lists, tables, boxes, and the table of contents."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sample.infoboxes import thumbnail
from sample.inline import Site, anchor_id, attribute, edit_url, render_inline

_HEADING = re.compile(r"^(={2,4})[ \t]*(.+?)[ \t]*\1[ \t]*$", re.MULTILINE)
_LIST_ITEM = re.compile(r"([*#:;]+)[ \t]*(.*)")
_BLOCK_MARKER = re.compile("\x7fB[0-9]+\x7f")
_DIV = re.compile(r"</?div(?: [a-z]+=\"[^\"]*\")*>")
_BLOCKQUOTE = re.compile(r"<blockquote>(.*)</blockquote>")
_CELL_SEPARATORS = {"!": "!!", "|": "||"}
_LIST_TAGS = {"*": ("ul", "li"), "#": ("ol", "li"), ":": ("dl", "dd"), ";": ("dl", "dt")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A section heading, as `parse.sections` lists it."""

    level: int
    nesting: int
    line: str
    number: str
    anchor: str
    #: where its line starts in the page's wikitext, in characters
    offset: int


def find_headings(wikitext: str, site: Site) -> tuple[Heading, ...]:
    """The headings of a page, numbered; one that repeats an anchor gets `_2` after it."""
    headings: list[Heading] = []
    levels: list[int] = []
    counters: list[int] = []
    anchors: dict[str, int] = {}
    for match in _HEADING.finditer(wikitext):
        level = len(match.group(1))
        while levels and levels[-1] >= level:
            levels.pop()
        levels.append(level)
        nesting = len(levels)
        counters = [*counters[:nesting], *[0] * (nesting - len(counters))]
        counters[-1] += 1
        anchor = anchor_id(match.group(2))
        anchors[anchor] = anchors.get(anchor, 0) + 1
        headings.append(
            Heading(
                level=level,
                nesting=nesting,
                line=render_inline(match.group(2), site),
                number=".".join(str(counter) for counter in counters),
                anchor=anchor if anchors[anchor] == 1 else f"{anchor}_{anchors[anchor]}",
                offset=match.start(),
            )
        )
    return tuple(headings)


def contents(headings: Sequence[Heading]) -> str:
    """The table of contents, nested as the headings are."""
    lines = [
        '<div id="toc" class="toc" role="navigation" aria-labelledby="mw-toc-heading"><input type="checkbox" '
        'role="button" id="toctogglecheckbox" class="toctogglecheckbox" style="display:none" /><div class="toctitle" '
        'lang="en" dir="ltr"><h2 id="mw-toc-heading">Contents</h2><span class="toctogglespan"><label '
        'class="toctogglelabel" for="toctogglecheckbox"></label></span></div>\n<ul>\n'
    ]
    following = [*headings[1:], None]
    for index, (heading, after) in enumerate(zip(headings, following, strict=True), start=1):
        lines.append(
            f'<li class="toclevel-{heading.nesting} tocsection-{index}"><a href="#{attribute(heading.anchor)}">'
            f'<span class="tocnumber">{heading.number}</span> <span class="toctext">{heading.line}</span></a>'
        )
        depth = after.nesting if after else 1
        if depth > heading.nesting:
            lines.append("\n<ul>\n")
        else:
            lines.append("</li>\n" + "</ul>\n</li>\n" * (heading.nesting - depth))
    return "".join(lines) + "</ul>\n</div>\n"


def render_blocks(text: str, wikitext: str, site: Site) -> tuple[str, tuple[Heading, ...]]:
    """The HTML of `text`, which is `wikitext` with its templates and footnotes put aside, and its headings."""
    headings = find_headings(wikitext, site)
    blocks: list[str] = []
    paragraph: list[str] = []

    def end_paragraph() -> None:
        if paragraph:
            content = "\n".join(render_inline(line, site) for line in paragraph)
            blocks.append(f"<p>{content}\n</p>")
            paragraph.clear()

    lines = text.split("\n")
    position = section = 0
    while position < len(lines):
        line = lines[position]
        if _HEADING.match(line):
            end_paragraph()
            section += 1
            blocks.append(_heading(headings[section - 1], section, site))
        elif taken := _multiline(lines, position):
            end_paragraph()
            render_lines, end = taken
            blocks.append(render_lines(lines[position:end], site))
            position = end
            continue
        elif (single := _single_line(line, site)) is not None:
            end_paragraph()
            blocks.append(single)
        elif line.strip():
            paragraph.append(line)
        else:
            end_paragraph()
        position += 1
    end_paragraph()
    # MediaWiki opens a paragraph right behind the one before it, and starts any other block on a new line.
    return "\n".join(blocks).replace("</p>\n<p>", "</p><p>"), headings


def _multiline(lines: list[str], position: int) -> tuple[Callable[[list[str], Site], str], int] | None:
    """How to render the list or table that starts at `position`, and where it ends."""
    if lines[position].startswith("{|"):
        return _table, lines.index("|}", position) + 1
    end = position
    while end < len(lines) and _LIST_ITEM.match(lines[end]):
        end += 1
    return (_list_lines, end) if end > position else None


def _single_line(line: str, site: Site) -> str | None:
    if _BLOCK_MARKER.fullmatch(line.strip()) or _DIV.fullmatch(line):
        return line.strip()
    if line.startswith("[[File:"):
        return thumbnail(re.split(r"\|(?![^\[]*\]\])", line[2:-2]), site)
    quote = _BLOCKQUOTE.fullmatch(line)
    return f"<blockquote><p>{render_inline(quote.group(1), site)}</p></blockquote>" if quote else None


def _heading(heading: Heading, section: int, site: Site) -> str:
    tag = f"h{heading.level}"
    return (
        f'<{tag}><span class="mw-headline" id="{attribute(heading.anchor)}">{heading.line}</span>'
        '<span class="mw-editsection"><span class="mw-editsection-bracket">[</span>'
        f'<a href="{edit_url(site.title, f"section={section}")}" '
        f'title="Edit section: {attribute(heading.line)}">edit</a>'
        f'<span class="mw-editsection-bracket">]</span></span></{tag}>'
    )


def _list_lines(lines: list[str], site: Site) -> str:
    items = [match.groups() for match in map(_LIST_ITEM.fullmatch, lines) if match]
    return "\n".join(_lists(items, 0, site))


def _lists(items: Sequence[tuple[str, ...]], depth: int, site: Site) -> Iterator[str]:
    """One HTML list per run of items with the same kind of list at `depth`; deeper items are nested lists."""
    start = 0
    while start < len(items):
        tag = _LIST_TAGS[items[start][0][depth]][0]
        end = start
        while end < len(items) and _LIST_TAGS[items[end][0][depth]][0] == tag:
            end += 1
        yield f"<{tag}>{_list_items(items[start:end], depth, site)}</{tag}>"
        start = end


def _list_items(items: Sequence[tuple[str, ...]], depth: int, site: Site) -> str:
    rendered: list[str] = []
    position = 0
    while position < len(items):
        prefix, text = items[position]
        item_tag = _LIST_TAGS[prefix[depth]][1]
        position += 1
        nested_start = position
        while position < len(items) and len(items[position][0]) > depth + 1:
            position += 1
        nested = "".join("\n" + sub for sub in _lists(items[nested_start:position], depth + 1, site))
        term, colon, definition = text.partition(" : ")
        if item_tag == "dt" and colon:
            rendered.append(f"<dt>{render_inline(term, site)}</dt>\n<dd>{render_inline(definition, site)}</dd>")
        else:
            rendered.append(f"<{item_tag}>{render_inline(text, site)}{nested}</{item_tag}>")
    return "\n".join(rendered)


def _table(lines: list[str], site: Site) -> str:
    caption = ""
    rows: list[list[str]] = [[]]
    for line in lines[1:-1]:
        if line.startswith("|+"):
            caption = f"<caption>{render_inline(line[2:].strip(), site)}\n</caption>\n"
        elif line.startswith("|-"):
            rows.append([])
        else:
            tag = "th" if line[0] == "!" else "td"
            cells = [render_inline(cell.strip(), site) for cell in line[1:].split(_CELL_SEPARATORS[line[0]])]
            rows[-1].append(f"</{tag}>\n".join(f"<{tag}>{cell}" for cell in cells) + f"\n</{tag}>")
    body = "\n".join("<tr>\n" + "\n".join(row) + "</tr>" for row in rows if row)
    return f"<table {lines[0][2:].strip()}>\n{caption or chr(10)}<tbody>{body}</tbody></table>"
