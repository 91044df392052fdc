"""From records to a snapshot and back: what is written once, and what is left of an export that was killed."""

import json
import os
import platform
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.composition import InstalledProviders
from holocron_assets.errors import ExportError
from holocron_assets.intake.discovery import discover
from holocron_assets.interchange import snapshot as layout
from holocron_assets.interchange.content_hash import content_sha256
from holocron_assets.interchange.envelope import envelope_of, line_of
from holocron_assets.stages import export as stage
from holocron_assets.stages.export import ExportReport, export
from holocron_assets.stages.ingest import ingest
from resources.stores import open_store
from tests.world import ORIGIN, START, World, json_row, missing_row, page_row, prose, silent

EVERY_COLUMN = "select * from ingest.IngestRecords order by ingest_id"


class Killed(BaseException):
    """Stands for the end of the process: nothing is cleaned up on purpose after it."""


@pytest.fixture
def other(world: World, tmp_path: Path) -> World:
    """A second store, with nothing in it."""
    settings = world.settings.model_copy(update={"base_dir": tmp_path / "other"})
    store = open_store(settings, wait_seconds=60)
    store.migrate()
    return World(store=store, settings=settings, providers=InstalledProviders(settings))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of three records."""
    monkeypatch.setattr(layout, "CHUNK_RECORDS", 3)


def rows(*names: str) -> list[dict[str, Any]]:
    """Records of one day each, in the order of their names."""
    return [json_row(name, {"n": name}, fetched_at=START + timedelta(days=day)) for day, name in enumerate(names)]


def exported(world: World, folder: Path, **filters: str) -> ExportReport:
    return export(world.store, folder, silent, **filters)


def chunks(folder: Path) -> dict[str, list[str]]:
    """The resource ids in each chunk of a snapshot."""
    return {
        path.relative_to(folder).as_posix(): [
            json.loads(line)["natural_key"] for line in path.read_bytes().splitlines()
        ]
        for path in sorted((folder / "records").rglob("*.ndjson"))
    }


def index(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "index.jsonl").read_bytes().splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_complete(world: World, folder: Path) -> None:
    """Every record of the store is in one chunk once, and the index and the manifest say so."""
    lines = {
        (json.loads(line)["exchange_id"], path.relative_to(folder).as_posix())
        for path in (folder / "records").rglob("*.ndjson")
        for line in path.read_bytes().splitlines()
    }
    stored = [str(key) for (key,) in world.rows("select ingest_id from ingest.IngestRecords")]
    assert sorted(key for key, _ in lines) == sorted(stored)
    assert {(entry["id"], entry["f"]) for entry in index(folder)} == lines
    assert len(index(folder)) == len(lines)
    assert json.loads((folder / "manifest.json").read_bytes())["record_count"] == len(lines)
    assert [path.name for path in folder.rglob(".*")] == []


def test_a_snapshot_has_the_layout_of_the_other_software(world: World, tmp_path: Path, small_chunks: None) -> None:
    """Chunks lie under the date of their first record, in the order of fetches; the index names each record's chunk."""
    world.add(*reversed(rows("a", "b", "c", "d")))

    report = exported(world, tmp_path / "out" / "wiki")

    assert chunks(tmp_path / "out" / "wiki") == {
        "records/2026/2026-01-01/chunk-0001.ndjson": ["a", "b", "c"],
        "records/2026/2026-01-04/chunk-0001.ndjson": ["d"],
    }
    assert report.chunks == list(chunks(tmp_path / "out" / "wiki"))
    assert (report.records, report.records_written) == (4, 4)
    first, *_, last = index(tmp_path / "out" / "wiki")
    assert list(first) == ["h", "k", "id", "t", "f"]
    assert (first["k"], first["t"], last["f"]) == ("notes|file|a", "2026-01-01T00:00:00+00:00", report.chunks[1])
    assert_complete(world, tmp_path / "out" / "wiki")


def test_exporting_again_adds_what_is_new(world: World, tmp_path: Path, small_chunks: None) -> None:
    """A second export changes no file; a third adds a chunk with the new records and touches no other."""
    folder = tmp_path / "wiki"
    world.add(*rows("a", "b", "c", "d"))
    exported(world, folder)
    before = contents(folder)

    again = exported(world, folder)
    after_again = contents(folder)
    world.add(json_row("e", {"n": "e"}), json_row("f", {"n": "f"}, fetched_at=START + timedelta(days=3)))
    third = exported(world, folder)

    assert (again.records, again.records_written, again.chunks) == (4, 0, [])
    assert after_again == before
    assert third.chunks == ["records/2026/2026-01-01/chunk-0002.ndjson"]
    assert chunks(folder)[third.chunks[0]] == ["e", "f"]
    assert {path: content for path, content in contents(folder).items() if path in before and "chunk" in path} == {
        path: content for path, content in before.items() if "chunk" in path
    }
    assert_complete(world, folder)


def test_only_what_is_asked_for_is_exported(world: World, tmp_path: Path) -> None:
    """Source name and resource type choose records; what was left out is added by a later export."""
    world.add(
        json_row("a", {}),
        json_row("b", {}, source_name="other"),
        json_row("c", {}, source_name="other", resource_type="page"),
    )

    assert exported(world, tmp_path / "wiki", source_name="nobody").records == 0
    assert not (tmp_path / "wiki").exists()
    assert exported(world, tmp_path / "wiki", source_name="other", resource_type="page").records_written == 1
    assert exported(world, tmp_path / "wiki", source_name="other").records_written == 1
    assert exported(world, tmp_path / "wiki").records_written == 1
    assert_complete(world, tmp_path / "wiki")


def test_another_store_becomes_the_same(world: World, other: World, tmp_path: Path) -> None:
    """A store that a snapshot is loaded into has the same records and makes the same texts and chunks of them."""
    day = world.next_day()
    world.add(
        page_row("Tides", 1, prose("the tides", 4000)),
        page_row("Tides", 1, prose("the tides", 3000), revision=2, variant="raw", fetched_at=day),
        page_row("Lamps", 2, prose("lamps \u00e9 e\u0301 \U0001f600", 300)),
        missing_row("Gone"),
        json_row("x", {"text": "one"}),
        json_row("x", {"text": "two"}, fetched_at=day),
        json_row("x", {"text": "one"}, fetched_at=day + timedelta(days=1)),
        json_row("broken", '{"parse": ', status_code=500, response_headers="A: b"),
        json_row("pretty", '{\n  "text": "caf\\u00e9"\n}', rank=3, attempt=2, error_type="Slow"),
    )
    exported(world, tmp_path / "out" / "wiki")

    first = ingest(other.store, [tmp_path / "out"], ORIGIN, silent)
    again = ingest(other.store, [tmp_path / "out" / "wiki"], ORIGIN, silent)
    world.run()
    other.run()

    assert (first.records_stored, first.rejected, first.warnings) == (9, 0, [])
    assert again.records_stored == again.rejected == 0
    assert other.rows(EVERY_COLUMN) == world.rows(EVERY_COLUMN)
    seen = "select ingest_id, outcome, source_id, text_sha256 from vector.ingest_seen order by ingest_id"
    assert other.rows(seen) == world.rows(seen)
    assert other.texts() == world.texts() != {}
    assert other.current_chunks() == world.current_chunks()


def test_a_snapshot_is_loaded_once(world: World, other: World, tmp_path: Path) -> None:
    """Read again, copied elsewhere or packed, it brings nothing new, and its index and manifest are no records."""
    world.add(*rows("a", "b"))
    exported(world, tmp_path / "wiki")
    shutil.copytree(tmp_path / "wiki", tmp_path / "copy")
    (chunk,) = (tmp_path / "wiki" / "records").rglob("*.ndjson")
    shutil.copy(chunk, tmp_path / "plain.ndjson")

    reports = [
        ingest(other.store, [tmp_path / name], ORIGIN, silent) for name in ("wiki", "wiki", "copy", "plain.ndjson")
    ]

    assert [report.records_stored for report in reports] == [2, 0, 0, 0]
    assert [report.rejected + len(report.warnings) for report in reports] == [0, 0, 0, 0]
    assert exported(other, tmp_path / "copy").records_written == 0


def test_a_folder_that_is_no_snapshot_is_read_whole(other: World, tmp_path: Path) -> None:
    """Files called index and manifest are left out of a snapshot only."""
    notes = tmp_path / "notes"
    (notes / "records").mkdir(parents=True)
    (notes / "manifest.json").write_text('{"text": "a note"}')
    (notes / "index.jsonl").write_text(json.dumps(json_row("a", {})))

    assert ingest(other.store, [notes], ORIGIN, silent).records_stored == 2


# A killed export: the process ends before one of its steps, and the next export goes on from there.


def kill_at(monkeypatch: pytest.MonkeyPatch, target: Any, name: str) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    monkeypatch.setattr(target, name, killed)


@pytest.mark.parametrize(
    "step", ["rename", "_append", "_write_manifest", "replace", "_next_chunk", "_close_durably", "line_of"]
)
def test_a_killed_export_is_completed(
    world: World, other: World, tmp_path: Path, small_chunks: None, step: str
) -> None:
    """Wherever it ended, the next export leaves each record once; what was there before can be loaded meanwhile."""
    folder = tmp_path / "wiki"
    world.add(*rows("a", "b"))
    exported(world, folder)
    world.add(*rows("c", "d", "e", "f", "g"))
    before = chunks(folder)

    with pytest.MonkeyPatch.context() as patch:
        target = next(one for one in (layout.Snapshot, layout, Path) if hasattr(one, step))
        kill_at(patch, target, step)
        # Nothing that a living process would clean up is cleaned up.
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(Killed):
            exported(world, folder)
    assert ingest(other.store, [folder], ORIGIN, silent).rejected == 0
    after_kill = chunks(folder)
    exported(world, folder)

    assert_complete(world, folder)
    assert before.items() <= after_kill.items() <= chunks(folder).items()
    ingest(other.store, [folder], ORIGIN, silent)
    assert other.rows(EVERY_COLUMN) == world.rows(EVERY_COLUMN)


@pytest.mark.parametrize("kept_bytes", [0, 1, 40, 250, 400, 600, -1])
def test_a_torn_index_is_completed(world: World, tmp_path: Path, small_chunks: None, kept_bytes: int) -> None:
    """However much of the index was written, it is completed from the chunks, which are not written again."""
    folder = tmp_path / "wiki"
    world.add(*rows("a", "b", "c", "d", "e"))
    exported(world, folder)
    before = chunks(folder)
    torn = (folder / "index.jsonl").read_bytes()[:kept_bytes]
    (folder / "index.jsonl").write_bytes(torn)

    report = exported(world, folder)

    assert report.records_written == 0
    assert chunks(folder) == before
    assert_complete(world, folder)


def test_a_lost_index_is_made_anew(world: World, tmp_path: Path, small_chunks: None) -> None:
    """Without index and manifest the chunks say what is there."""
    folder = tmp_path / "wiki"
    world.add(*rows("a", "b", "c", "d", "e"))
    exported(world, folder)
    for name in ("index.jsonl", "manifest.json"):
        (folder / name).unlink()

    assert exported(world, folder).records_written == 0
    assert_complete(world, folder)


def test_a_snapshot_of_other_software_is_added_to(world: World, other: World, tmp_path: Path) -> None:
    """What its index lacks is indexed, what it has is not written again, and what its manifest says more is kept."""
    folder = tmp_path / "wiki"
    day = folder / "records" / "2025" / "2025-12-31"
    day.mkdir(parents=True)
    envelopes = [
        {"exchange_id": f"0b7e7c52-5a0e-4c0e-9a86-1f64d2a0a00{n}", "exchange_type": "http", "source_system": "shop",
         "entity_type": "order", "natural_key": str(n), "response": {"n": n}, "observed_at_utc": "2025-12-31T00:00:00Z"}
        for n in range(3)
    ]  # fmt: skip
    lines = [json.dumps(one | {"content_sha256": content_sha256(one)}) for one in envelopes]
    (day / "chunk-0001.ndjson").write_text("\n".join(lines[:2]))
    (day / "chunk-0002.ndjson").write_text(lines[2] + "\n[1]\nno json\n")
    entry = {"h": content_sha256(envelopes[0]), "k": "shop|order|0", "id": envelopes[0]["exchange_id"].upper()}
    (folder / "index.jsonl").write_text(
        json.dumps(entry | {"t": "2025", "f": r"records\2025\2025-12-31\chunk-0001.ndjson"})
    )
    (folder / "manifest.json").write_text('{"author": "someone", "record_count": 1}')
    imported = ingest(other.store, [folder], ORIGIN, silent)
    other.add(json_row("new", {}, fetched_at=START - timedelta(days=1)))

    report = exported(other, folder)

    assert (imported.records_stored, imported.rejected) == (3, 2)
    assert (report.records, report.records_written) == (4, 1)
    assert report.chunks == ["records/2025/2025-12-31/chunk-0003.ndjson"]
    assert [entry["k"] for entry in index(folder)] == [*(f"shop|order|{n}" for n in range(3)), "notes|file|new"]
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert (manifest["author"], manifest["record_count"]) == ("someone", 4)


def test_a_file_that_is_no_index_is_left_alone(world: World, tmp_path: Path) -> None:
    """An export into a folder with an index of another kind stops, and changes nothing there."""
    (tmp_path / "index.jsonl").write_text('{"a": 1}')
    world.add(*rows("a"))
    before = contents(tmp_path)

    with pytest.raises(ExportError, match=r"index\.jsonl:1 is no line of an index"):
        exported(world, tmp_path)

    assert {name: content for name, content in contents(tmp_path).items() if "store" not in name} == {
        name: content for name, content in before.items() if "store" not in name
    }


def test_a_failed_export_leaves_no_part(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When an error ends an export, what is written in full stays and what is half-written goes."""

    def failing(record: Any) -> dict[str, Any]:
        if record.resource_id == "e":
            raise OSError(28, "No space left on device")
        return envelope_of(record)

    monkeypatch.setattr(layout, "CHUNK_RECORDS", 2)
    monkeypatch.setattr(stage, "envelope_of", failing)
    world.add(*rows("a", "b", "c", "d", "e"))

    with pytest.raises(OSError, match="No space"):
        exported(world, tmp_path / "wiki")

    assert [len(names) for names in chunks(tmp_path / "wiki").values()] == [2, 2]
    assert not list((tmp_path / "wiki").glob(".*"))
    monkeypatch.undo()
    exported(world, tmp_path / "wiki")
    assert_complete(world, tmp_path / "wiki")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions mean nothing here")
def test_a_folder_that_cannot_be_written_is_named(world: World, tmp_path: Path) -> None:
    """Where nothing may be written, the folder is named with the reason."""
    (tmp_path / "closed").mkdir(mode=0o500)
    world.add(*rows("a"))

    with pytest.raises(ExportError, match=r"cannot write to .*closed.*: Permission denied"):
        exported(world, tmp_path / "closed" / "wiki")


def test_a_place_that_is_a_file_is_named(world: World, tmp_path: Path) -> None:
    """A dataset below a file is an error with the place in it."""
    (tmp_path / "file").write_text("x")
    world.add(*rows("a"))

    with pytest.raises(ExportError, match=r"cannot write to .*file"):
        exported(world, tmp_path / "file" / "wiki")


def test_two_exports_at_once_overwrite_nothing(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk that appeared meanwhile is never overwritten: the later export stops and says why."""
    taken = tmp_path / "taken.ndjson"
    taken.write_text("x")
    world.add(*rows("a"))
    monkeypatch.setattr(layout.Snapshot, "_next_chunk", lambda self, date: taken)

    with pytest.raises(ExportError, match="was written meanwhile"):
        exported(world, tmp_path / "wiki")

    assert taken.read_text() == "x"


def test_records_are_read_in_bounded_pages(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of keys and batches of payloads leave nothing out, and large payloads are read one by one, in order."""
    monkeypatch.setattr(stage, "_KEYS_AT_ONCE", 4)
    monkeypatch.setattr(stage, "_RECORDS_AT_ONCE", 3)
    monkeypatch.setattr(stage, "_PAYLOAD_BYTES", 100)
    names = [f"{number:02d}" for number in range(11)]
    world.add(*(json_row(name, {"n": "x" * (200 if name in ("00", "04", "05") else 1)}) for name in names))
    seen: list[tuple[int, int]] = []

    export(world.store, tmp_path / "wiki", lambda done, total: seen.append((done, total)))

    (exported_names,) = chunks(tmp_path / "wiki").values()
    assert sorted(exported_names) == names
    order = world.rows("select resource_id from ingest.IngestRecords order by fetched_at_utc, ingest_id")
    assert exported_names == [name for (name,) in order]
    assert seen[-1] == (11, 11)


def test_every_fetch_of_one_content_is_exported(world: World, tmp_path: Path) -> None:
    """Fetches that differ in nothing but their time and id are all there."""
    world.add(*(json_row("a", {"n": 1}, fetched_at=START + timedelta(days=day)) for day in range(3)))

    assert exported(world, tmp_path / "wiki").records_written == 3
    assert_complete(world, tmp_path / "wiki")


def test_an_id_from_elsewhere_does_not_double_a_record(world: World, tmp_path: Path) -> None:
    """Content that is there under another exchange id is not written again."""
    world.add(json_row("a", {"n": 1}))
    exported(world, tmp_path / "wiki")
    (entry,) = index(tmp_path / "wiki")
    (tmp_path / "wiki" / "index.jsonl").write_bytes(line_of(entry | {"id": "renamed"}))

    assert exported(world, tmp_path / "wiki").records_written == 0


def test_a_damaged_snapshot_is_not_called_complete(world: World, tmp_path: Path) -> None:
    """A chunk that is missing or cut short is named by export and ingest, until its records are there again."""
    folder = tmp_path / "wiki"
    world.add(*rows("a", "b", "c"))
    exported(world, folder)
    (chunk,) = folder.glob("records/*/*/*.ndjson")
    whole = chunk.read_bytes()

    for damage in (lambda: chunk.write_bytes(whole[: len(whole) // 2]), chunk.unlink):
        damage()
        with pytest.raises(
            ExportError, match=r"chunk-0001\.ndjson is missing or was cut short.*move index\.jsonl away"
        ):
            exported(world, folder)
        assert [reject.reason for reject in discover(folder).rejects] == [
            "its snapshot's index names it; it is missing or cut short"
        ]
    (folder / "index.jsonl").unlink()
    exported(world, folder)

    assert_complete(world, folder)
    assert not list(folder.glob(".*"))


def test_a_second_export_waits_for_its_turn(world: World, tmp_path: Path) -> None:
    """While a living process writes to a folder another is refused; what a dead one left is in nobody's way."""
    folder = tmp_path / "wiki"
    world.add(*rows("a"))
    exported(world, folder)
    world.add(*rows("b"))
    alive = folder / f".export-{platform.node()}-{os.getppid()}.lock"
    alive.touch()

    with pytest.raises(ExportError, match="another export writes to"):
        exported(world, folder)

    alive.rename(folder / f".export-{platform.node()}-999999999.lock")
    exported(world, folder)
    assert_complete(world, folder)
    assert not list(folder.glob(".*"))
