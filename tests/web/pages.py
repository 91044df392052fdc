"""The search page over a store of the test's own, and hostile texts to search in."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient

from holocron_assets.composition import searcher
from holocron_assets.retrieval.words import Analyzer
from holocron_assets.settings import Settings
from holocron_assets.web.application import Services, search_page
from holocron_assets.web.guarding import Hosts
from holocron_assets.web.spaces_known import SpacesKnown
from holocron_assets.web.waiting import Desk
from resources.stores import open_store
from tests.world import World, json_row, page_row, prose

SCRIPT = "<script>document.title='broken'</script>"
BREAKOUT = "\"'><img src=x onerror=\"document.title='broken'\"><b>"
OVERRIDE = "\u202egnol dna desrever\u202c"
HOSTILE_TITLE = f"{BREAKOUT} {OVERRIDE} title"
HOSTILE_TEXT = (
    f"The hostile lantern burns {SCRIPT} and {BREAKOUT} and {OVERRIDE} & &amp; {{{{ 7 * 7 }}}} '; drop table x"
)
ORIGIN = "http://127.0.0.1:8321"


@dataclass
class Page:
    """The page as a browser asks it, and what it logged."""

    settings: Settings
    verbose: bool = False
    patience_seconds: float = 10.0
    host: str = "127.0.0.1"
    logged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        store = open_store(self.settings, wait_seconds=0.3)
        services = Services(
            searcher=searcher(self.settings, store),
            store=store,
            spaces=SpacesKnown(open_store(self.settings, wait_seconds=0)),
            analyzer=Analyzer(self.settings.search.language),
            desk=Desk(self.patience_seconds),
        )
        guarded = search_page(services, Hosts(self.host, "machine"), self.logged.append, verbose=self.verbose)
        self.application = guarded.application
        self.client = TestClient(guarded, base_url=ORIGIN, raise_server_exceptions=False)

    def get(self, path: str, **parameters: Any) -> Any:
        """The answer to an address with these parameters."""
        return self.client.get(path, params=parameters or None)


class Read(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.marked: list[str] = []
        self._inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "mark" in self._inside:
            self.marked.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


def fill(world: World) -> None:
    """Two pages of several chunks, a short one, and one that means harm."""
    world.store.migrate()
    wiki = page_row("Tides", 1, prose("the tides", 5000))
    evil = page_row("Evil", 3, "The evil lantern stands where the tides turn. " * 4, variant="raw")
    payload = json.dumps(evil["payload"]) if not isinstance(evil["payload"], str) else evil["payload"]
    world.add(
        wiki,
        page_row("Lamps", 2, prose("miners' lamps", 300)),
        evil | {"payload": _led_astray(payload)},
        json_row("hostile.json", {"title": HOSTILE_TITLE, "text": HOSTILE_TEXT}),
    )
    world.run()


def _led_astray(payload: str) -> str:
    """The payload of a page that says its address is a script."""
    content = json.loads(payload)
    for page in content["query"]["pages"]:
        page["canonicalurl"] = page["fullurl"] = "javascript:alert(1)"
    return json.dumps(content)
