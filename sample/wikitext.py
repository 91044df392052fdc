"""Rendering the wikitext of the pages to the HTML that a MediaWiki server would send.

It knows the subset that the pages use (see `README.md`) and no more. Blocks are in `blocks.py`, templates
in `templates.py`, what happens inside a line in `inline.py`.
"""

import re
from collections.abc import Set
from dataclasses import dataclass, field

from sample.blocks import Heading, contents, render_blocks
from sample.inline import LINK, Site, attribute, canonical_title, link, render_inline
from sample.templates import expand, parse_call

#: a table of contents appears from this many headings on
_HEADINGS_FOR_CONTENTS = 4

_REDIRECT = re.compile(r"#REDIRECT \[\[([^\]]+)\]\]")
_CATEGORY = re.compile(r"\[\[Category:([^\]|]+)(?:\|([^\]]*))?\]\]\n?")
_MAGIC = re.compile(r"\{\{(DISPLAYTITLE|DEFAULTSORT):(.+?)\}\}\n?")
_REFERENCE = re.compile(r'<ref(?: name="([^"]+)")?>(.*?)</ref>|<ref name="([^"]+)" />', re.DOTALL)
_CALL = re.compile(r"\{\{([^{}]*)\}\}")
_REFERENCE_LIST = re.compile(r"\{\{Reflist\}\}|<references />")
_MARKER = re.compile("\x7f[BI]([0-9]+)\x7f")


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category of a page and what it is sorted by there."""

    name: str
    sort_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A page as `action=parse` describes it."""

    html: str
    headings: tuple[Heading, ...]
    categories: tuple[Category, ...]
    display_title: str
    shows_contents: bool
    #: names of the templates called, once per call
    templates: tuple[str, ...]


@dataclass(slots=True)
class _Note:
    """One footnote: its text, and how often the page refers to it."""

    name: str | None
    text: str = ""
    uses: int = 0


@dataclass(slots=True)
class _Page:
    """What has been put aside while a page is rendered: finished HTML, footnotes, categories."""

    site: Site
    pieces: list[str] = field(default_factory=list)
    notes: list[_Note] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    categories: list[Category] = field(default_factory=list)

    def put_aside(self, piece: str, *, is_block: bool) -> str:
        """Keep `piece` from further rendering; the marker stands for it."""
        self.pieces.append(piece)
        return f"\x7f{'B' if is_block else 'I'}{len(self.pieces) - 1}\x7f"

    def restore(self, text: str) -> str:
        """`text` with every marker replaced, also those inside the pieces."""
        while _MARKER.search(text):
            text = _MARKER.sub(lambda match: self.pieces[int(match.group(1))], text)
        return text


def render(wikitext: str, *, title: str, titles: Set[str] | None = None) -> Rendered:
    """Render a page; `titles` are the pages its wiki has (None: a link to any page is blue)."""
    page = _Page(site=Site(title=title, titles=titles))
    redirect = redirect_target(wikitext)
    if redirect is not None:
        target = link(redirect, redirect, page.site)
        html = f'<div class="redirectMsg"><p>Redirect to:</p><ul class="redirectText"><li>{target}</li></ul></div>'
        return _rendered(page, html, display_title=None)

    magic = dict(_MAGIC.findall(wikitext))
    text = _MAGIC.sub("", wikitext)
    for name, sort_key in _CATEGORY.findall(text):
        page.categories.append(Category(name=name, sort_key=sort_key or magic.get("DEFAULTSORT", "")))
    text = _CATEGORY.sub("", text)
    text = _REFERENCE.sub(lambda match: _footnote_mark(match, page), text)
    if page.notes and not _REFERENCE_LIST.search(text):
        text += "\n<references />"
    text = _REFERENCE_LIST.sub(lambda match: _place_footnotes(match.group(), page), text)
    text = _expand_templates(text, page)
    html, headings = render_blocks(text, wikitext, page.site)
    return _rendered(page, page.restore(html), headings=headings, display_title=magic.get("DISPLAYTITLE"))


def redirect_target(wikitext: str) -> str | None:
    """The title that a redirect page points to."""
    match = _REDIRECT.match(wikitext)
    return canonical_title(match.group(1)) if match else None


def linked_titles(wikitext: str) -> list[str]:
    """Every page that a page links to itself (what its navigation boxes link to does not count), in order."""
    targets = (target for target, _, _ in LINK.findall(wikitext))
    return [canonical_title(target) for target in targets if not target.startswith(("Category:", "File:"))]


def _rendered(page: _Page, body: str, *, headings: tuple[Heading, ...] = (), display_title: str | None) -> Rendered:
    shows_contents = len(headings) >= _HEADINGS_FOR_CONTENTS
    if shows_contents:
        before, first_heading, after = body.partition("<h2><span")
        body = f"{before}{contents(headings)}\n{first_heading}{after}"
    return Rendered(
        html=body,
        headings=headings,
        categories=tuple(page.categories),
        display_title=(
            render_inline(display_title, page.site)
            if display_title
            else f'<span class="mw-page-title-main">{attribute(page.site.title)}</span>'
        ),
        shows_contents=shows_contents,
        templates=tuple(page.templates),
    )


def _expand_templates(text: str, page: _Page) -> str:
    def replace(match: re.Match[str]) -> str:
        call = parse_call(match.group(1))
        page.templates.append(call.name)
        expansion = expand(call, page.site)
        if expansion.category:
            page.categories.append(Category(name=expansion.category, sort_key=""))
        return page.put_aside(expansion.html, is_block=expansion.is_block)

    while _CALL.search(text):
        text = _CALL.sub(replace, text)
    return text


def _footnote_mark(match: re.Match[str], page: _Page) -> str:
    name = match.group(1) or match.group(3)
    note = next((note for note in page.notes if name and note.name == name), None)
    if note is None:
        note = _Note(name=name)
        page.notes.append(note)
    if match.group(2):
        note.text = _expand_templates(match.group(2), page)
    note.uses += 1
    number = page.notes.index(note) + 1
    anchor, note_anchor = _anchors(note, number, note.uses - 1)
    mark = f'<sup id="{_id(anchor)}" class="reference"><a href="#{note_anchor}">&#91;{number}&#93;</a></sup>'
    return page.put_aside(mark, is_block=False)


def _anchors(note: _Note, number: int, use: int) -> tuple[str, str]:
    """The ids of one mark and of its footnote: a name is part of them where the footnote has one."""
    if note.name is None:
        return f"cite_ref-{number}", f"cite_note-{number}"
    return f"cite_ref-{note.name}_{number}-{use}", f"cite_note-{note.name}-{number}"


def _id(anchor: str) -> str:
    return anchor.replace("_", "&#95;")


def _place_footnotes(source: str, page: _Page) -> str:
    items = []
    for number, note in enumerate(page.notes, start=1):
        _, note_anchor = _anchors(note, number, 0)
        links = [f"#{_anchors(note, number, use)[0]}" for use in range(note.uses)]
        if note.uses == 1:
            back = f'<a href="{links[0]}">↑</a>'
        else:
            marks = (f'<sup><a href="{href}">{number}.{use}</a></sup>' for use, href in enumerate(links))
            back = f"↑ {' '.join(marks)}"
        items.append(
            f'<li id="{_id(note_anchor)}"><span class="mw-cite-backlink">{back}</span> '
            f'<span class="reference-text">{render_inline(note.text, page.site)}</span>\n</li>'
        )
    lines = "\n".join(items)
    html = f'<div class="mw-references-wrap"><ol class="references">\n{lines}\n</ol></div>'
    if source == "{{Reflist}}":
        page.templates.append("Reflist")
        html = f'<div class="reflist" style="list-style-type: decimal;">\n{html}</div>'
    return page.put_aside(html, is_block=True)
