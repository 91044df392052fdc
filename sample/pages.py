"""Reading the authored pages: a few header lines, a blank line, then wikitext. No rendering here."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sample.wikitext import linked_titles

PAGES = Path(__file__).with_name("pages")
RED_LINKS = Path(__file__).with_name("red_links.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRevision:
    """One state of one page. Two files with the same `page_id` are two revisions of it."""

    title: str
    page_id: int
    revision: int
    parent: int
    timestamp: str
    #: which visits of the crawler found the page in this state
    crawls: tuple[int, ...]
    language: str
    wikitext: str


def read_pages(folder: Path = PAGES) -> list[PageRevision]:
    """Every revision, ordered by page and revision."""
    pages = [_read(path) for path in folder.glob("*.wiki")]
    return sorted(pages, key=lambda page: (page.page_id, page.revision))


def deliberate_red_links(path: Path = RED_LINKS) -> set[str]:
    """Titles that pages link to and that are meant not to exist."""
    return {line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")}


def inbound_ranks(pages: Iterable[PageRevision]) -> dict[str, int]:
    """Each title's place when ordered by how many pages link to it: the order in which a crawler asks for them."""
    links_to: dict[str, set[str]] = {}
    for page in pages:
        links_to.setdefault(page.title, set())
        for target in linked_titles(page.wikitext):
            links_to.setdefault(target, set()).add(page.title)
    ordered = sorted(links_to, key=lambda title: (-len(links_to[title]), title))
    return {title: rank for rank, title in enumerate(ordered, start=1)}


def _read(path: Path) -> PageRevision:
    header_text, _, wikitext = path.read_text(encoding="utf-8").partition("\n\n")
    header = dict(line.split(": ", 1) for line in header_text.splitlines())
    return PageRevision(
        title=header["title"],
        page_id=int(header["page"]),
        revision=int(header["revision"]),
        parent=int(header["parent"]),
        timestamp=header["timestamp"],
        crawls=tuple(int(crawl) for crawl in header.get("crawls", "1").split()),
        language=header.get("language", "en"),
        wikitext=wikitext.rstrip("\n"),
    )
