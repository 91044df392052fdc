"""Which elements of an HTML page are no text: tables to be read and extended.

How the rest is laid out is not decided here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from holocron_assets.extraction.mediawiki_names import FILE_NAMESPACES, TEMPLATE_NAMESPACES

_HIDDEN = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Noise:
    """Elements to leave out with everything inside them: by tag, class, id, or by what they link to."""

    tags: frozenset[str]
    classes: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    #: links into these namespaces stand for what could not be shown
    link_namespaces: frozenset[str] = frozenset()

    def covers(self, tag: str, attributes: Mapping[str, str]) -> bool:
        """Whether an element is noise."""
        if tag in self.tags:
            return True
        if not attributes:
            return False
        classes = attributes.get("class")
        if classes and not self.classes.isdisjoint(classes.split()):
            return True
        if tag == "a":
            namespace, colon, _ = attributes.get("title", "").partition(":")
            return bool(colon) and namespace.casefold() in self.link_namespaces
        if "hidden" in attributes or attributes.get("id") in self.ids or attributes.get("role") == "navigation":
            return True
        style = attributes.get("style")
        # The readable form of a formula is hidden beside its picture.
        return bool(style and _HIDDEN.search(style) and "mwe-math-mathml-a11y" not in (classes or ""))


_UNREADABLE = frozenset(
    "annotation annotation-xml audio button canvas embed head iframe input link map meta nav noscript object"
    " script select style svg template textarea video".split()
)

PLAIN = Noise(tags=_UNREADABLE | {"aside", "footer"})

MEDIAWIKI = Noise(
    tags=_UNREADABLE,
    classes=frozenset(
        [
            # navigation and tools
            *"toc toctitle mw-editsection mw-editsection-like mw-jump-link noprint catlinks printfooter".split(),
            *"navbox vertical-navbox navbar sidebar navigation-box navigation-not-searchable".split(),
            *"sistersitebox side-box portalbox portal-bar authority-control magnify mw-collapsible-toggle".split(),
            # remarks about the page, not about its subject
            *"hatnote dablink rellink mainarticle ambox tmbox ombox mbox-small messagebox bandeau-container".split(),
            *"noexcerpt metadata asbox mw-empty-elt error scribunto-error mw-ext-cite-error mw-broken-media".split(),
            # references and what points to them
            *"reference mw-ref references mw-references-wrap mw-cite-backlink reflist autonumber".split(),
            # boxes of facts beside the text
            *"infobox infobox_v2 infobox_v3 portable-infobox taxobox".split(),
        ]
    ),
    ids=frozenset({"toc", "catlinks", "coordinates", "siteSub", "contentSub", "jump-to-nav", "title-eraicons"}),
    # A template that does not exist is rendered as a link to it, and so is a file where files are switched off.
    link_namespaces=TEMPLATE_NAMESPACES | FILE_NAMESPACES,
)
