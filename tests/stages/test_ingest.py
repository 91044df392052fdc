"""From files to records: what is committed together, what is held back and let go."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.clock import utc_now
from holocron_assets.intake.rows import record_of
from holocron_assets.interchange.envelope import envelope_of, line_of
from holocron_assets.ports import Session
from holocron_assets.stages.ingest import IngestReport, ingest
from tests.world import ORIGIN, World, json_row, page_row, prose, silent

SETTLED = 1_700_000_000


def load(world: World, *paths: Path) -> IngestReport:
    return ingest(world.store, paths, ORIGIN, silent)


def held(world: World) -> list[str]:
    return [item for (item,) in world.rows("select item_id from vector.quarantine where released_utc is null")]


def test_batches_end_after_many_bad_lines(world: World, tmp_path: Path) -> None:
    """Bad lines fill a batch as good ones do; all are quarantined, and the first hundred are reported."""
    path = tmp_path / "records.ndjson"
    path.write_text("not json\n" * 2500)
    batches = []

    report = ingest(world.store, [path], ORIGIN, lambda done, total: batches.append(done))

    assert len(batches) == 3
    assert (report.rejected, len(report.rejects)) == (2500, 100)
    assert report.rejects[0].place == f"{path}:1"
    assert len(held(world)) == 2500


def test_fetches_in_the_future_are_warned_of(world: World, tmp_path: Path) -> None:
    """A clock that ran ahead is named, because its records outlive newer ones; they are stored all the same."""
    path = tmp_path / "records.ndjson"
    rows = [json_row("now", {"a": 1}), json_row("later", {"a": 1}, fetched_at=utc_now() + timedelta(days=2))]
    path.write_text("\n".join(map(json.dumps, rows)))

    report = load(world, path)

    assert report.records_stored == 2
    assert [warning.partition(", e.g.")[0] for warning in report.warnings] == [
        "records that say they were fetched in the future: 1"
    ]


def test_redacted_records_are_counted_in_a_warning(world: World, tmp_path: Path) -> None:
    """Exchange records that lost their hash to a redaction are stored, and said; those that were changed are held."""
    envelopes = [envelope_of(record_of(json_row(name, {"n": name})).record) for name in "abc"]
    for envelope in envelopes[1:]:
        envelope["response"]["payload"] = {"n": "***"}
    envelopes[1]["redactions_applied"] = ["n"]
    path = tmp_path / "records.ndjson"
    path.write_bytes(b"".join(map(line_of, envelopes)))

    report = load(world, path)

    assert (report.records_stored, held(world)) == (2, [f"{path}:3"])
    assert [warning.partition(", e.g.")[0] for warning in report.warnings] == [
        "records that were redacted after they were hashed: 1"
    ]


def test_batches_end_after_many_empty_files(world: World, tmp_path: Path) -> None:
    """Files without a line fill a batch too; each is remembered."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(2100):
        path = folder / f"{number}.ndjson"
        path.touch()
        os.utime(path, (SETTLED,) * 2)
    batches = []

    ingest(world.store, [folder], ORIGIN, lambda done, total: batches.append(done))

    assert len(batches) == 3
    assert load(world, folder).unchanged_files == 2100


def test_remembering_files_costs_statements_per_batch(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty files of one batch are remembered with as many statements as one file."""
    executed: list[str] = []
    with world.store.session() as session:
        session_class = type(session)
    execute = session_class.execute

    def counted(self: Session, query: str, **parameters: Any) -> int:
        executed.append(query)
        return execute(self, query, **parameters)

    monkeypatch.setattr(session_class, "execute", counted)
    counts = []
    for amount in (1, 50):
        executed.clear()
        folder = tmp_path / f"{amount} notes"
        folder.mkdir()
        for number in range(amount):
            (folder / f"{number}.txt").write_text("hello")
            os.utime(folder / f"{number}.txt", (SETTLED,) * 2)
        load(world, folder)
        counts.append(len(executed))

    assert counts[0] == counts[1]


def test_a_mended_document_leaves_quarantine(world: World, tmp_path: Path) -> None:
    """A document that was rejected as a whole is let go when it is read; those beside it stay held."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for name in ("a.txt", "a.txt:1.txt"):
        (folder / name).write_bytes(b"\xff")
    rejected = load(world, folder).rejected
    (folder / "a.txt").write_text("mended")
    os.utime(folder / "a.txt", (SETTLED,) * 2)

    report = load(world, folder / "a.txt")

    assert (rejected, report.rejected, report.records_stored) == (2, 0, 1)
    assert held(world) == [str(folder / "a.txt:1.txt")]


def test_a_link_that_leads_nowhere_stops_nothing(world: World, tmp_path: Path) -> None:
    """A file that cannot be looked at is quarantined by name until it can be read; the others are loaded."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").symlink_to(tmp_path / "later.txt")
    (folder / "b.txt").write_text("hello")

    first = load(world, folder)
    held_at_first = held(world)
    (tmp_path / "later.txt").write_text("here")
    second = load(world, folder)

    assert (first.records_stored, first.rejected) == (1, 1)
    assert held_at_first == [str(folder / "a.txt")]
    assert (second.records_stored, held(world)) == (1, [])


def test_folders_of_one_name_are_both_loaded(world: World, tmp_path: Path) -> None:
    """Documents of one name in two folders of one name are two sources."""
    for parent in ("x", "y"):
        folder = tmp_path / parent / "notes"
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text(prose(f"the {parent}", 300))

    load(world, tmp_path / "x" / "notes", tmp_path / "y" / "notes")
    world.extract()

    assert len(world.texts()) == 2


def test_a_file_that_is_named_twice_is_read_once(world: World, tmp_path: Path) -> None:
    """A file below two of the paths is one file, whatever is wrong in it."""
    folder = tmp_path / "notes"
    folder.mkdir()
    path = folder / "records.ndjson"
    path.write_text("not json\n" + json.dumps(page_row("Page", 1, prose("topic"))))
    os.utime(path, (SETTLED,) * 2)
    (folder / "a.txt").symlink_to(tmp_path / "nowhere.txt")

    report = load(world, folder, path, tmp_path)

    assert (report.files, report.records_read, report.rejected) == (1, 1, 2)
