"""Golden files: every payload in `tests/golden/<kind>/` reads exactly as its `.expected.txt` says.

A case is `<case>.json`, `.html` or `.txt` (the payload as it is stored), `<case>.expected.txt`, and, where the
record's key matters, `<case>.record.json` with the fields that differ. To accept new texts, read the difference
after `HOLOCRON_UPDATE_GOLDEN=1 pytest tests/unit/test_extraction_golden.py`.
"""

import json
import os
from pathlib import Path

import pytest

from holocron_assets.extraction.examination import examine
from holocron_assets.records import Examination, Outcome
from tests.unit.extraction_records import raw_record

GOLDEN = Path(__file__).parents[1] / "golden"
SUFFIXES = {".json", ".html", ".txt"}
PAYLOADS = sorted(
    path
    for path in GOLDEN.glob("*/*")
    if path.suffix in SUFFIXES and not path.name.endswith((".expected.txt", ".record.json"))
)
# Read here because tests see nothing of the environment.
UPDATE = bool(os.environ.get("HOLOCRON_UPDATE_GOLDEN"))


def shown(examination: Examination) -> str:
    """What the record turned out to be, as a person reads it: its text, or else why it has none."""
    if examination.outcome is Outcome.TEXT:
        return f"{examination.text}\n"
    why = examination.redirect_target or examination.reason
    return f"({examination.outcome}: {why})\n" if why else f"({examination.outcome})\n"


def case_name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", PAYLOADS, ids=case_name)
def test_golden(path: Path) -> None:
    """The payload is read by the extractor its folder is named after, and reads as expected."""
    record_file = path.with_suffix(".record.json")
    fields = json.loads(record_file.read_text(encoding="utf-8")) if record_file.exists() else {}
    expected_file = path.with_suffix(".expected.txt")

    (examination,) = examine([raw_record(path.read_bytes().decode(), **fields)])

    assert examination.extractor == path.parent.name
    if UPDATE:
        expected_file.write_text(shown(examination), encoding="utf-8", newline="\n")
    assert shown(examination) == expected_file.read_text(encoding="utf-8")


def test_every_extractor_has_golden_files() -> None:
    """Every extractor has golden files, and every expectation has its payload."""
    from holocron_assets.extraction import EXTRACTORS  # noqa: PLC0415

    assert {path.parent.name for path in PAYLOADS} == {extractor.name for extractor in EXTRACTORS}
    expected = {path.with_suffix(".expected.txt") for path in PAYLOADS}
    assert set(GOLDEN.glob("*/*.expected.txt")) == expected
