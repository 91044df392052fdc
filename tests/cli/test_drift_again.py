"""`holocron drift compare --as-of`: a report made again."""

import json
from pathlib import Path

from tests.cli.test_commands import filled, folder, holocron
from tests.world import START, World, json_row, prose

__all__ = ["filled", "folder"]


def test_a_report_is_made_again_as_of_its_time(filled: World, folder: Path) -> None:
    """The time that a report names leads to the same figures, after more came; a model answers as of now."""
    filled.add(*(json_row(f"early/{n}", prose(f"calm {n}", 200)) for n in range(30)))
    filled.add(*(json_row(f"late/{n}", prose(f"storm {n}", 200), fetched_at=filled.next_day()) for n in range(30)))
    filled.run()
    question = ("drift", "compare", "--since", f"{START:%Y-%m-%d} 12:00:00")
    first = json.loads(holocron(*question, "--json").stdout)
    filled.add(*(json_row(f"last/{n}", prose(f"fog {n}", 200), fetched_at=filled.next_day()) for n in range(30)))
    filled.run()

    again = json.loads(holocron(*question, "--as-of", first["parameters"]["as_of"], "--json").stdout)

    assert again["metrics"] == first["metrics"]
    assert again["current"]["documents"] == 30
    refused = holocron("drift", "compare", "--as-of", "2026-01-01", "--model")
    assert refused.exit_code != 0
    assert "--model asks the model" in refused.output
