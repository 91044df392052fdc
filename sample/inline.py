"""What happens inside one line of wikitext: links, bold and italic, escaping. No blocks, no templates."""

import html
import re
from collections.abc import Set
from dataclasses import dataclass
from urllib.parse import quote

WIKI_URL = "https://ondrel.example"

LINK = re.compile(r"\[\[([^\[\]|]+)(?:\|([^\[\]]*))?\]\]([a-z]*)")
_EXTERNAL_LINK = re.compile(r"\[(https?://[^\s\]]+) ([^\]]+)\]")
_ESCAPED_TAG = re.compile(r"&lt;(/?(?:br|small|sub|sup)(?: /)?)&gt;")
_QUOTES = (
    (re.compile(r"'''''(.+?)'''''"), r"<i><b>\1</b></i>"),
    (re.compile(r"'''(.+?)'''"), r"<b>\1</b>"),
    (re.compile(r"''(.+?)''"), r"<i>\1</i>"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The page being rendered and which other pages its wiki has; `titles` None means that every page exists."""

    title: str
    titles: Set[str] | None = None

    def has(self, title: str) -> bool:
        """Whether a link to `title` is blue."""
        return self.titles is None or title in self.titles


def render_inline(text: str, site: Site) -> str:
    """One line, or one template argument, as HTML."""
    rendered = _ESCAPED_TAG.sub(r"<\1>", html.escape(text, quote=False))
    rendered = LINK.sub(lambda match: _internal_link(match, site), rendered)
    rendered = _EXTERNAL_LINK.sub(r'<a rel="nofollow" class="external text" href="\1">\2</a>', rendered)
    for pattern, replacement in _QUOTES:
        rendered = pattern.sub(replacement, rendered)
    return rendered


def canonical_title(target: str) -> str:
    """The title that a link's target names: no section, spaces for underscores, first letter upper case."""
    title = target.partition("#")[0].replace("_", " ").strip()
    return title[:1].upper() + title[1:]


def page_url(title: str) -> str:
    """The path of a page, encoded as MediaWiki does."""
    return "/wiki/" + _encode(title)


def edit_url(title: str, suffix: str) -> str:
    """The path that opens a page, or a section of it, for editing; ready to stand in an attribute."""
    return f"/index.php?title={_encode(title)}&amp;action=edit&amp;{suffix}"


def anchor_id(heading: str) -> str:
    """The fragment id of a heading without markup."""
    return heading.replace(" ", "_")


def attribute(text: str) -> str:
    """Text as it may stand between double quotes in a tag."""
    return html.escape(text).replace("&#x27;", "&#39;")


def link(title: str, label: str, site: Site, fragment: str = "") -> str:
    """An internal link: plain, to the page itself, or red."""
    if title == site.title and not fragment:
        return f'<a class="mw-selflink selflink">{label}</a>'
    if not site.has(title):
        name = attribute(title)
        return f'<a href="{edit_url(title, "redlink=1")}" class="new" title="{name} (page does not exist)">{label}</a>'
    return f'<a href="{page_url(title)}{fragment}" title="{attribute(title)}">{label}</a>'


def _internal_link(match: re.Match[str], site: Site) -> str:
    target, label, trail = (html.unescape(group or "") for group in match.groups())
    section = target.partition("#")[2]
    fragment = "#" + anchor_id(section) if section else ""
    return link(canonical_title(target), html.escape((label or target) + trail, quote=False), site, fragment)


def _encode(title: str) -> str:
    return quote(title.replace(" ", "_"), safe=";@$!*(),/~:")
