"""The search page, as a browser shows it to somebody who has a keyboard and no mouse."""

import shutil
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from holocron_assets.composition import InstalledProviders
from holocron_assets.settings import Settings
from resources.stores import open_store
from tests.browser.dagster_ui import ROOT, SIZE, Browser, missing_program
from tests.cli.test_serve import served
from tests.web.pages import SCRIPT, fill
from tests.world import World

PICTURES = ROOT / "build" / "search-screenshots"
MISSING = missing_program()
SETTINGS = """
extraction: {workers: 1}
spaces:
  - {provider: hashing, model: ngram, options: {dimensions: 32}}
"""
NARROW = (320, 640)


@pytest.fixture
def project(tmp_path: Path, settings: Settings) -> Path:
    """A folder with a store to search in."""
    (tmp_path / "holocron.yaml").write_text(f"store_url: {settings.store_url}\n{SETTINGS}")
    providers = InstalledProviders(settings)
    fill(World(store=open_store(settings, wait_seconds=5), settings=settings, providers=providers))
    return tmp_path


def search(browser: Browser, query: str) -> None:
    """By the key that leads to the box, and Enter."""
    browser.press("/")
    assert browser.ask("document.activeElement.id") == "q"
    browser.press(query, Keys.ENTER)
    browser.see("ranked by")


def fits(browser: Browser) -> bool:
    """Whether nothing reaches past the right edge."""
    return bool(browser.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@pytest.mark.slow
@pytest.mark.skipif(MISSING is not None, reason=f"{MISSING} is not installed: there is no browser to look with")
def test_a_search_by_keyboard(project: Path) -> None:
    """Searching, reading on, tracing and comparing need no mouse; pages fit a phone, and break no policy."""
    shutil.rmtree(PICTURES, ignore_errors=True)
    with served(project) as (url, _), Browser(url.rstrip("/"), PICTURES) as browser:
        browser.open("/")
        browser.press(Keys.TAB)
        assert browser.ask("document.activeElement.textContent") == "Skip to the content"
        browser.press(Keys.ENTER)
        assert browser.ask("document.activeElement.id") == "main"
        search(browser, "the tides in the year 340")
        browser.shot("search")

        browser.press_until(Keys.TAB, "Tides")
        browser.press(Keys.ENTER)
        browser.see("the tides moved")
        assert browser.ask("document.activeElement.id") == "hit"
        top = browser.ask("document.activeElement.getBoundingClientRect().top")
        assert 0 <= top < SIZE[1]
        browser.shot("context")

        browser.go_back()
        browser.press_until(Keys.TAB, "Lineage of Tides")
        browser.press(Keys.ENTER)
        browser.see("extracted texts")
        browser.shot("lineage")

        browser.go_back()
        browser.press_until(Keys.TAB, "Compare with another")
        browser.press(Keys.ENTER)
        browser.see("on both sides")
        browser.press_until(Keys.TAB, "other_mode")
        browser.press("lex", Keys.TAB, Keys.ENTER)
        browser.see("on the other side")
        assert "other_mode=lexical" in browser.ask("location.search")
        browser.shot("compare")

        browser.open("/?mode=none&q=x")
        browser.see("mode cannot be")
        browser.shot("error")
        assert len(browser.complaints()) == 1, "a browser writes that the status is 400"

        browser.prefer("dark")
        browser.resize(*NARROW)
        for name in ("/", "/compare"):
            browser.open(name)
            search(browser, f"the hostile lantern {SCRIPT}")
            assert fits(browser)
            assert browser.ask("document.title") != "broken"
            browser.shot(f"narrow{name.replace('/', '-').rstrip('-')}")
        browser.press_until(Keys.TAB, "onerror")
        browser.press(Keys.ENTER)
        browser.see("drop table")
        assert fits(browser)
        assert browser.ask("document.title") != "broken"
        browser.shot("narrow-context")
        assert browser.complaints() == []
