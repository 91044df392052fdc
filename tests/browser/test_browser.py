"""Dagster's pages, as a browser shows them."""

import shutil
from pathlib import Path

import pytest

from tests.browser.dagster_ui import ROOT, missing_program
from tests.browser.tour import PICTURES, take

SCREENSHOTS = ROOT / "build" / "screenshots"
MISSING = missing_program()


@pytest.mark.slow
@pytest.mark.skipif(MISSING is not None, reason=f"{MISSING} is not installed: there is no browser to look with")
def test_a_first_day_in_the_browser(tmp_path: Path) -> None:
    """A click on `embeddings` fills the spaces; partition, check, picture, plots and sensors can be seen."""
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)

    take(tmp_path, SCREENSHOTS)

    assert sorted(path.stem for path in SCREENSHOTS.glob("*.png")) == list(PICTURES)
