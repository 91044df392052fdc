"""Dagster's pages, as a browser shows them."""

from pathlib import Path

import pytest

from tests.browser.dagster_ui import ROOT, Browser, make_project, missing_program, webserver
from tests.browser.tour import STEPS

SCREENSHOTS = ROOT / "build" / "screenshots"


@pytest.mark.slow
@pytest.mark.skipif(
    missing_program() is not None, reason=f"{missing_program()} is not installed: no browser to look with"
)
def test_a_first_day_in_the_browser(tmp_path: Path) -> None:
    """A click on `embeddings` fills the spaces; graph, partition, check, picture, plot and sensors can be looked at."""
    make_project(tmp_path)
    with webserver(tmp_path) as url, Browser(url, SCREENSHOTS) as browser:
        for step in STEPS:
            step(browser)

    assert sorted(path.stem for path in SCREENSHOTS.glob("*.png") if path.stem != "lost") == sorted(
        ["graph", "materialised", "partition", "check", "chunks", "plots", "sensors"]
    )
