"""Makes the README's pictures anew: `python -m tests.browser`."""

import shutil
import tempfile
from pathlib import Path

from tests.browser.dagster_ui import ROOT
from tests.browser.tour import take

SHOWN = ("materialised", "partition", "check", "chunks")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        take(Path(folder), pictures)
        for name in SHOWN:
            shutil.copy(pictures / f"{name}.png", ROOT / "docs" / "pictures" / f"{name}.png")


if __name__ == "__main__":
    main()
