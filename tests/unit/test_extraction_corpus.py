"""Real pages: each variant of each page reads clean, and both variants say the same.

The records are not part of this repository; the tests are skipped where they are not beside it.
"""

import gzip
import json
import re
import uuid
from collections import defaultdict
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest

from holocron_assets.extraction.examination import examine
from holocron_assets.records import Examination, Outcome, RawRecord, RecordKey

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "wiki_records.ndjson.gz"

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason=f"no real records at {CORPUS}")

#: What the renderer itself writes out of place: a missing template inside a link shows as this source.
MISSING_TEMPLATE_SOURCE = re.compile(r"\[\[:Template:[^\]]*\]\]")
#: Below this length one template more or less is a different text.
COMPARABLE_CHARACTERS = 500


@cache
def records() -> list[RawRecord]:
    """All records, each wanted, so that both variants of a page are read."""
    key_fields = RecordKey.__dataclass_fields__.keys()
    found = []
    for line in gzip.decompress(CORPUS.read_bytes()).splitlines():
        row = json.loads(line)
        fields = {name: row.get(name) for name in key_fields} | {
            "ingest_id": uuid.UUID(row["ingest_id"]),
            "fetched_at_utc": datetime.fromisoformat(row["fetched_at_utc"]).replace(tzinfo=None),
            "wanted": True,
        }
        found.append(RawRecord(key=RecordKey(**fields), payload=row["payload"]))
    return found


@cache
def pages() -> dict[str, dict[str, Examination]]:
    """The examinations of each page, by variant."""
    groups = defaultdict(list)
    for record in records():
        groups[record.key.resource_id].append(record)
    return {title: {found.variant: found for found in examine(group)} for title, group in groups.items()}


def texts(variant: str) -> dict[str, str]:
    return {title: found[variant].text or "" for title, found in pages().items()}


def test_every_record_is_read() -> None:
    """No record fails; all are texts but the one redirect, and both variants of a page are one source."""
    found = [examination for page in pages().values() for examination in page.values()]

    assert len(found) == len(records()) > 0
    assert {examination.outcome for examination in found} == {Outcome.TEXT, Outcome.REDIRECT}
    assert [title for title, page in pages().items() if page["html"].outcome is Outcome.REDIRECT] == ["Redirect"]
    assert all(page["html"].source_id == page["raw"].source_id for page in pages().values())
    assert len({examination.source_id for examination in found}) == len(pages())


@pytest.mark.parametrize("noise", ["[edit]", "Template:", "[1]", "Jump to", "Retrieved from", "mw-", "display:none"])
def test_rendered_pages_read_without_noise(noise: str) -> None:
    """Nothing of the wiki's own furniture is left in a rendered page's text."""
    noisy = [title for title, text in texts("html").items() if noise in MISSING_TEMPLATE_SOURCE.sub("", text)]

    assert not noisy


@pytest.mark.parametrize("markup", ["{{", "}}", "[[", "]]", "''", "__TOC__", "colspan="])
def test_wikitext_reads_without_markup(markup: str) -> None:
    """Nothing of wikitext's own marks is left in a page's text."""
    assert not [title for title, text in texts("raw").items() if markup in text]


def test_both_variants_say_the_same() -> None:
    """Rendered page and wikitext share nearly all their words: what is said does not depend on the variant."""
    rendered, source = texts("html"), texts("raw")
    overlaps = {
        title: len(one & other) / len(one | other)
        for title in rendered
        if min(len(rendered[title]), len(source[title])) > COMPARABLE_CHARACTERS
        for one, other in [[set(re.findall(r"\w+", text.lower())) for text in (rendered[title], source[title])]]
    }

    assert len(overlaps) > 50
    assert {title: round(overlap, 2) for title, overlap in overlaps.items() if overlap < 0.8} == {}
    assert sum(overlaps.values()) / len(overlaps) > 0.97


def test_texts_are_shaped_for_reading() -> None:
    """Every text begins with its title and consists of clean lines."""
    for title, page in pages().items():
        for found in page.values():
            if found.text is not None:
                assert found.text.startswith(f"{found.title}\n\n"), title
                assert not re.search(r"[ \t]$|\n\n\n|[\x00-\x09\x0b-\x1f\x7f-\x9f]", found.text, re.MULTILINE), title
