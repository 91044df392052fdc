"""The templates that the pages use, as HTML: a function or a table row each. Infoboxes are in `infoboxes.py`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sample.infoboxes import render_infobox
from sample.inline import Site, render_inline

NAVBOXES = Path(__file__).with_name("navboxes.yaml")

_ARGUMENT_SEPARATOR = re.compile(r"\|(?![^\[\]]*\]\])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One `{{...}}`: its name and its arguments, positional ones under "1", "2" and so on."""

    name: str
    arguments: Mapping[str, str]

    @property
    def positional(self) -> list[str]:
        """The arguments without a name, in order."""
        return [value for key, value in self.arguments.items() if key.isdigit()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What a template leaves in the page."""

    html: str
    is_block: bool = True
    category: str | None = None


def parse_call(source: str) -> Call:
    """The call written between two pairs of braces."""
    name, *parts = _ARGUMENT_SEPARATOR.split(source)
    arguments: dict[str, str] = {}
    for position, part in enumerate(parts, start=1):
        key, equals, value = part.partition("=")
        if equals and re.fullmatch(r"\s*\w+\s*", key):
            arguments[key.strip()] = value.strip()
        else:
            arguments[str(position)] = part.strip()
    return Call(name=name.strip(), arguments=arguments)


def expand(call: Call, site: Site) -> Expansion:
    """The call's HTML. An unknown template is a mistake in a page: it raises `KeyError`."""
    if call.name.startswith("Infobox "):
        return Expansion(html=render_infobox(call.name.removeprefix("Infobox "), call.arguments, site))
    if call.name in _navboxes():
        return Expansion(html=_navbox(call.name, site))
    return _TEMPLATES[call.name](call, site)


@cache
def _navboxes() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(NAVBOXES.read_text(encoding="utf-8"))
    return loaded


def _navbox(name: str, site: Site) -> str:
    box = _navboxes()[name]
    rows = [
        f'<tr><th scope="col" class="navbox-title" colspan="2"><div>{render_inline(box["title"], site)}</div></th></tr>'
    ]
    for group, links in box["groups"].items():
        items = "\n".join(f"<li>{render_inline(item, site)}</li>" for item in links)
        rows.append(
            f'<tr><th scope="row" class="navbox-group" style="width:1%">{group}</th>'
            f'<td class="navbox-list hlist"><div>\n<ul>{items}</ul>\n</div></td></tr>'
        )
    return (
        '<div role="navigation" class="navbox"><table class="nowraplinks mw-collapsible autocollapse navbox-inner">'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _hatnote(prefix: str) -> Callable[[Call, Site], Expansion]:
    def expand_hatnote(call: Call, site: Site) -> Expansion:
        links = " and ".join(render_inline(f"[[{title}]]", site) for title in call.positional)
        return Expansion(html=f'<div role="note" class="hatnote navigation-not-searchable">{prefix}: {links}</div>')

    return expand_hatnote


def _for(call: Call, site: Site) -> Expansion:
    what, title = call.positional
    text = f"For {what}, see {render_inline(f'[[{title}]]', site)}."
    return Expansion(html=f'<div role="note" class="hatnote navigation-not-searchable">{text}</div>')


def _quote(call: Call, site: Site) -> Expansion:
    text, *source = (render_inline(part, site) for part in call.positional)
    cite = f'\n<div class="templatequotecite">— <cite>{", ".join(source)}</cite></div>' if source else ""
    return Expansion(html=f'<blockquote class="templatequote"><p>{text}\n</p>{cite}</blockquote>')


def _cite_book(call: Call, site: Site) -> Expansion:
    given = call.arguments
    parts = [given.get("author", ""), f"''{given['title']}''"]
    parts += [f"{given['edition']} edition" if "edition" in given else "", given.get("publisher", "")]
    parts += [given["year"], f"p. {given['page']}" if "page" in given else ""]
    text = render_inline(". ".join(part for part in parts if part) + ".", site)
    return Expansion(html=f'<cite class="citation book">{text}</cite>', is_block=False)


def _notice(css_class: str, text: str, category: str) -> Callable[[Call, Site], Expansion]:
    html = f'<div class="notice {css_class} metadata plainlinks"><i>{text}</i></div>'
    return lambda _call, _site: Expansion(html=html, category=category)


_TEMPLATES: dict[str, Callable[[Call, Site], Expansion]] = {
    "Main": _hatnote("Main article"),
    "See also": _hatnote("See also"),
    "For": _for,
    "Quote": _quote,
    "Cite book": _cite_book,
    "Stub": _notice("stub", "This article is a stub. You can help by expanding it.", "Stubs"),
    "Disambiguation": _notice(
        "dmbox-disambig",
        "This disambiguation page lists articles associated with the same title. If an internal link led you here, "
        "you may wish to change the link to point directly to the intended article.",
        "Disambiguation pages",
    ),
}
