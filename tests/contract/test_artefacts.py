"""The artefacts of runs, on every store: what they tell, when they are written, and what becomes of a failure."""

import hashlib
import json
import platform
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.artefacts import writing
from holocron_assets.artefacts.folders import RUN, RUNS, RunFolders, line_of
from holocron_assets.artefacts.writing import missing_runs, when_run_ends, write_artefacts
from holocron_assets.clock import utc_now
from holocron_assets.errors import ArtefactError, InputError, StoreUnavailableError
from holocron_assets.records import JobType
from holocron_assets.runs import METRICS, recorded_run
from holocron_assets.sections import LakeSettings
from holocron_assets.stages.ingest import ingest
from holocron_assets.tables import runs
from holocron_assets.transactions import write
from tests.stages.test_embed import Unreliable
from tests.world import ORIGIN, World, json_row, page_row, prose, silent

ROOT = Path(__file__).parents[2]
LARGE = 1_000_000


@pytest.fixture
def folders(tmp_path: Path) -> RunFolders:
    """A lake with nothing in it."""
    return RunFolders(root=tmp_path / "lake", max_bytes=LARGE)


@pytest.fixture
def world(world: World) -> World:
    """Three pages, of which every stage has made something."""
    world.add(*[page_row(f"Page {n}", n, prose(f"topic {n}", 5000)) for n in range(1, 4)])
    world.extract()
    world.chunk()
    world.embed()
    return world


def run_of(world: World, stage: str) -> uuid.UUID:
    """The newest run of a stage."""
    found = world.rows(
        "select r.run_id from vector.run r join vector.job j on j.job_id = r.job_id "
        f'where j.input_json like \'%"stage":"{stage}"%\' order by r.started_utc desc'
    )
    return uuid.UUID(str(found[0][0]))


def run_json(folders: RunFolders, run_id: uuid.UUID) -> dict[str, Any]:
    return dict(json.loads((folders.folder(run_id) / RUN).read_bytes()))


def lines(folders: RunFolders, run_id: uuid.UUID, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folders.folder(run_id) / name).read_bytes().splitlines()]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_run_of_chunks_tells_of_each(world: World, folders: RunFolders) -> None:
    """Each chunk that the run wrote has a line with its keys and offsets, and no content."""
    run_id = run_of(world, "chunk")

    assert write_artefacts(world.store, folders, run_id)

    told = lines(folders, run_id, "chunks.ndjson")
    stored = world.rows("select chunk_id, source_id, content_sha256, byte_count, content from vector.chunk")
    assert names(folders.folder(run_id)) == {RUN, "chunks.ndjson"}
    assert [(one["chunk_id"], one["source_id"], one["content_sha256"], one["byte_count"]) for one in told] == sorted(
        row[:4] for row in stored
    )
    assert {tuple(one["offsets"]) for one in told} == {("chunk_index", "end_offset", "start_offset")}
    assert {one["policy_version"] for one in told} == {"2.0"}
    assert not [
        row for row in stored if row[4][:40].encode() in (folders.folder(run_id) / "chunks.ndjson").read_bytes()
    ]


def test_a_run_of_embeddings_tells_of_each(world: World, folders: RunFolders) -> None:
    """Each embedding has a line with its keys and hashes, and no vector; the run has its space's whole identity."""
    run_id = run_of(world, "embed")

    assert write_artefacts(world.store, folders, run_id)

    keys = ("embedding_id", "chunk_id", "embedding_space_id", "input_content_sha256", "vector_sha256")
    stored = world.rows(f"select {', '.join(keys)} from vector.embedding order by chunk_id")
    assert names(folders.folder(run_id)) == {RUN, "embeddings.ndjson"}
    assert [tuple(one[key] for key in keys) for one in lines(folders, run_id, "embeddings.ndjson")] == [
        tuple(map(str, row)) for row in stored
    ]
    space = run_json(folders, run_id)["space"]
    assert (space["provider"], space["dimensions"], space["normalize"]) == ("hashing", 32, True)
    assert space["preprocess_policy"]["ngram"] == 5
    assert space["embedding_space_id"] == run_json(folders, run_id)["embedding_space_id"]


def test_a_run_says_what_it_was_and_what_lies_beside_it(world: World, folders: RunFolders) -> None:
    """`run.json` has the run's row, and of each file its bytes, lines and hash, by a path from the lake's root."""
    run_id = run_of(world, "chunk")
    write_artefacts(world.store, folders, run_id)

    told = run_json(folders, run_id)

    file = (folders.folder(run_id) / "chunks.ndjson").read_bytes()
    assert told["files"] == [
        {
            "path": f"vector_runs/{run_id}/chunks.ndjson",
            "byte_count": len(file),
            "line_count": file.count(b"\n"),
            "sha256": hashlib.sha256(file).hexdigest(),
        }
    ]
    assert told["lines_left_out"] == {}
    assert (told["run_id"], told["job_type"], told["stage"], told["status"]) == (
        *(str(run_id), "CHUNK_SOURCE", "chunk", "SUCCEEDED"),
    )
    assert (told["origin"], told["reference"]) == (ORIGIN.kind, ORIGIN.reference)
    assert told["metrics"]["chunks_processed"] == told["files"][0]["line_count"]
    assert told["options"]["policy"]["version"] == "2.0"
    assert told["started_utc"] < told["completed_utc"] < utc_now().isoformat(timespec="microseconds") + "Z"
    assert "\\" not in (folders.folder(run_id) / RUN).read_text()


def test_everything_is_canonical_and_in_one_order(world: World, folders: RunFolders, tmp_path: Path) -> None:
    """Written twice, into two lakes and in pages of another size, the files are the same to the byte."""
    other = replace(folders, root=tmp_path / "other")
    run_ids = missing_runs(world.store, folders)
    for run_id in run_ids:
        write_artefacts(world.store, folders, run_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "_PAGE_ROWS", 2)
        for run_id in run_ids:
            write_artefacts(world.store, other, run_id)

    assert len(run_ids) == 3
    for path in folders.root.rglob("*.*"):
        content = path.read_bytes()
        assert content == (other.root / path.relative_to(folders.root)).read_bytes()
        assert [line_of(json.loads(line)) for line in content.splitlines()] == content.splitlines(keepends=True)


def test_a_chunk_that_another_run_replaced_stays_told_of(world: World, folders: RunFolders) -> None:
    """Artefacts that are written late tell of the states that the run wrote, of whose length nothing is kept."""
    first = run_of(world, "chunk")
    before = dict(world.rows("select chunk_id, content_sha256 from vector.chunk"))
    world.add(page_row("Page 1", 1, prose("another", 5000), revision=2, fetched_at=world.next_day()))
    world.extract()
    world.chunk()

    write_artefacts(world.store, folders, first)
    write_artefacts(world.store, folders, run_of(world, "chunk"))

    told = lines(folders, first, "chunks.ndjson")
    assert {one["chunk_id"]: one["content_sha256"] for one in told} == before
    unmeasured = {one["source_id"] for one in told if one["byte_count"] is None}
    assert unmeasured == {"mediawiki:testwiki:page/1"}
    assert {one["source_id"] for one in lines(folders, run_of(world, "chunk"), "chunks.ndjson")} == unmeasured


def test_items_that_failed_are_told_of_with_their_reasons(world: World, folders: RunFolders, tmp_path: Path) -> None:
    """What a run put into quarantine has a line each: lines of files, records and chunks alike."""
    bad = tmp_path / "bad.ndjson"
    bad.write_text("not JSON\n{}\n" + json.dumps(page_row("Poison", 9, "poison")) + "\n", encoding="utf-8")
    ingest(world.store, [bad], ORIGIN, silent)
    world.add(json_row("broken", '{"broken": x', content_type="application/json"))
    world.extract()
    world.chunk()
    world.embed(Unreliable())

    for stage in ("ingest", "extract", "embed"):
        write_artefacts(world.store, folders, run_of(world, stage))

    rejected = lines(folders, run_of(world, "ingest"), "failed_items.ndjson")
    assert {one["item_id"] for one in rejected} == {f"{bad}:1", f"{bad}:2"}
    assert all(one["reason"] and one["stage"] == "ingest" for one in rejected)
    (record,) = lines(folders, run_of(world, "extract"), "failed_items.ndjson")
    assert (record["item_type"], record["attempt_count"]) == ("record", 1)
    assert "cannot be read as JSON" in record["reason"]
    (chunk,) = lines(folders, run_of(world, "embed"), "failed_items.ndjson")
    assert (chunk["item_type"], chunk["reason"]) == ("chunk", "the model will not have it")
    assert chunk["scope"] == run_json(folders, run_of(world, "embed"))["space"]["embedding_space_id"]
    assert "errors.ndjson" not in names(folders.folder(run_of(world, "embed")))


# When a run ends: who writes, and what becomes of a failure.


@contextmanager
def running(world: World, folders: RunFolders, warnings: list[str]) -> Iterator[uuid.UUID]:
    """A run of which the artefacts are written when it ends, as assets and commands have it."""
    lake = LakeSettings(root=str(folders.root), max_bytes_per_run=folders.max_bytes)
    settings = world.settings.model_copy(update={"lake": lake})
    origin = replace(ORIGIN, on_end=when_run_ends(settings, warnings.append))
    with recorded_run(world.store, origin, JobType.CHUNK_SOURCE, stage="test") as run:
        yield run.run_id


def test_a_run_writes_its_artefacts_when_it_ends(world: World, folders: RunFolders) -> None:
    """They are there when it ended and not before, and nothing is warned of."""
    warnings: list[str] = []

    with running(world, folders, warnings) as run_id:
        assert not folders.holds(run_id)

    assert run_json(folders, run_id)["status"] == "SUCCEEDED"
    assert (names(folders.root / RUNS), warnings) == ({str(run_id)}, [])


def test_a_run_that_fails_has_artefacts_too(world: World, folders: RunFolders) -> None:
    """A failed run's error is in `run.json` and in a file of errors, and is raised as ever."""
    warnings: list[str] = []

    with pytest.raises(InputError, match="no such thing"), running(world, folders, warnings) as run_id:
        raise InputError("no such thing")

    told = run_json(folders, run_id)
    assert (told["status"], told["error"]) == ("FAILED", "InputError: no such thing")
    (error,) = lines(folders, run_id, "errors.ndjson")
    assert (error["error"], error["stage"]) == (told["error"], "test")


def test_a_dead_run_gets_its_artefacts_from_the_next(world: World, folders: RunFolders) -> None:
    """The run that ends one whose process is gone writes that one's artefacts as well as its own, with its metrics."""
    dead, job = uuid.uuid4(), uuid.uuid4()
    began = utc_now() - timedelta(seconds=90)

    def begin(session: Any) -> None:
        runs.insert_job(session, job, JobType.CHUNK_SOURCE, {"origin": "cli", "stage": "test"}, None, "x", began)
        runs.insert_run(session, dead, job, f"{platform.node()}/{2**22 + 1}/1", None, {}, began)

    write(world.store, begin)
    warnings: list[str] = []
    with pytest.raises(ArtefactError, match=f"run {dead} has not ended"):
        write_artefacts(world.store, folders, dead)

    with running(world, folders, warnings) as run_id:
        told = run_json(folders, dead)
        assert (told["status"], set(told["metrics"])) == ("FAILED", set(METRICS))
        assert told["metrics"]["duration_ms"] >= 90_000
        assert "ended without finishing it" in lines(folders, dead, "errors.ndjson")[0]["error"]

    assert (names(folders.root / RUNS), warnings) == ({str(dead), str(run_id)}, [])


def test_a_lake_that_cannot_be_written_stops_no_run(world: World, folders: RunFolders) -> None:
    """The run succeeds, the failure is warned of with what mends it, and the artefacts can be written later."""
    folders.root.write_text("a file where the folder should be")
    warnings: list[str] = []
    with running(world, folders, warnings) as run_id:
        pass

    assert world.rows(f"select status from vector.run where run_id = '{run_id}'") == [("SUCCEEDED",)]
    assert len(warnings) == 1
    assert f"run {run_id} has no artefacts" in warnings[0]
    assert "holocron artefacts --missing" in warnings[0]

    folders.root.unlink()
    assert run_id in missing_runs(world.store, folders)
    assert write_artefacts(world.store, folders, run_id)


def test_a_store_that_is_away_is_warned_of(world: World, folders: RunFolders) -> None:
    """When the store cannot be read for the artefacts, the run's work stands all the same."""
    warnings: list[str] = []
    lake = LakeSettings(root=str(folders.root))
    on_end = when_run_ends(world.settings.model_copy(update={"lake": lake}), warnings.append)

    class Away:
        def session(self, *, write: bool = True) -> Any:
            raise StoreUnavailableError("nobody there")

    on_end(Away(), uuid.uuid4())  # type: ignore[arg-type]

    assert "its work stands: nobody there" in warnings[0]


def test_artefacts_are_written_while_no_session_is_open(world: World, folders: RunFolders) -> None:
    """No line is written while the store is held, so that a slow disk keeps nobody waiting."""
    is_open: list[bool] = []
    during_writes: list[int] = []
    inner = world.store

    class Watched:
        @contextmanager
        def session(self, *, write: bool = True) -> Iterator[Any]:
            assert not write
            is_open.append(True)
            with inner.session(write=False) as session:
                yield session
            is_open.pop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "_PAGE_ROWS", 2)
        patch.setattr(
            "holocron_assets.artefacts.folders.line_of",
            lambda value: during_writes.append(len(is_open)) or line_of(value),
        )
        write_artefacts(Watched(), folders, run_of(world, "chunk"))  # type: ignore[arg-type]

    assert len(during_writes) > 5
    assert set(during_writes) == {0}


def test_what_failed_comes_before_what_succeeded(world: World, folders: RunFolders, tmp_path: Path) -> None:
    """Where there is not room for everything, errors and failed items are told of first."""
    world.add(page_row("Poison", 9, "poison"), page_row("Harmless", 10, prose("harmless", 20_000)))
    world.extract()
    world.chunk()
    world.embed(Unreliable())
    run_id = run_of(world, "embed")

    write_artefacts(world.store, replace(folders, max_bytes=4_500), run_id)

    assert len(lines(folders, run_id, "failed_items.ndjson")) == 1
    assert list(run_json(folders, run_id)["lines_left_out"]) == [f"vector_runs/{run_id}/embeddings.ndjson"]


def test_a_folder_that_is_there_is_left_alone(world: World, folders: RunFolders) -> None:
    """Written again, a folder keeps what it has, although the store would tell something else now."""
    run_id = run_of(world, "embed")
    write_artefacts(world.store, folders, run_id)
    before = (folders.folder(run_id) / "embeddings.ndjson").read_bytes()
    world.rows("delete from vector.embedding")

    assert not write_artefacts(world.store, folders, run_id)

    assert (folders.folder(run_id) / "embeddings.ndjson").read_bytes() == before
    assert run_id not in missing_runs(world.store, folders)


def test_an_unknown_run_has_no_artefacts(world: World, folders: RunFolders) -> None:
    """A run that is not recorded is an error, and nothing is written."""
    with pytest.raises(ArtefactError, match="no run has the id"):
        write_artefacts(world.store, folders, uuid.uuid4())

    assert not folders.root.exists()
