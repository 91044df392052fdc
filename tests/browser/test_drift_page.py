"""A drift report in a browser, opened from disk: what loads, what fits, and what a person without a mouse can do."""

import json
import shutil
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from holocron_assets.drift.page import render
from tests.browser.dagster_ui import ROOT, Browser, missing_program
from tests.drift_reports import HOSTILE, content_report, course, hostile_report

PICTURES = ROOT / "build" / "drift-screenshots"
MISSING = missing_program()
PHONE, PAPER = (400, 800), (688, 1000)
REQUESTED = "performance.getEntriesByType('resource').length"
#: What reaches past the right edge and does not scroll there by itself.
OUTSIDE = """[...document.querySelectorAll('body *')].filter(one =>
    !one.closest('.wide') && !one.closest('svg svg, svg *') && one.checkVisibility()
    && one.getBoundingClientRect().right > document.documentElement.clientWidth + 1
).map(one => one.outerHTML.slice(0, 99))
"""


@pytest.mark.slow
@pytest.mark.skipif(MISSING is not None, reason=f"{MISSING} is not installed: there is no browser to look with")
@pytest.mark.parametrize("name", ["content", "hostile"])
def test_a_report_from_disk(name: str, tmp_path: Path) -> None:
    """It asks for nothing, complains of nothing, fits a phone and a sheet of paper, and its figures open by a key."""
    shutil.rmtree(PICTURES / name, ignore_errors=True)
    report, metric = (hostile_report(), HOSTILE) if name == "hostile" else (content_report(), "mean_shift")
    (tmp_path / "report.html").write_text(render(report, course(metric, [0.01, 0.03])), encoding="utf-8")
    with Browser(tmp_path.as_uri(), PICTURES / name) as browser:
        browser.open("/report.html")
        browser.see("Did the content change?")
        assert browser.ask("document.title").startswith("ALERT: ")
        assert browser.ask("getComputedStyle(document.querySelector('.judgement')).borderLeftStyle") == "double"
        browser.press_until(Keys.TAB, "The figures of")
        assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        browser.press(Keys.ENTER)
        assert browser.ask("document.querySelectorAll('details[open]').length") == 1
        browser.shot("light")
        browser.prefer("dark")
        browser.shot("dark")
        for width, size in (("phone", PHONE), ("paper", PAPER)):
            browser.resize(*size)
            assert json.dumps(browser.ask(OUTSIDE)) == "[]"
            assert browser.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            browser.shot(width)
        browser.print_media()
        assert json.dumps(browser.ask(OUTSIDE)) == "[]"
        assert browser.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert browser.ask("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
        browser.shot("print")
        assert browser.ask("document.title") != "broken"
        assert browser.ask(REQUESTED) == 0
        assert browser.complaints() == []
