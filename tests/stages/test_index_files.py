"""The files of a search index under whatever may happen to them: damage, full disks, kills, and several at once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from holocron_assets.errors import IndexBusyError, SearchIndexError, StoreBusyError
from holocron_assets.identity import text_sha256
from holocron_assets.retrieval.filters import Filters
from holocron_assets.retrieval.hits import Method, Mode
from holocron_assets.retrieval.index import SearchIndex, open_index
from holocron_assets.retrieval.manifest import Manifest
from holocron_assets.search import Question
from holocron_assets.stages import indexing
from holocron_assets.stages.indexing import IndexPlace, published_index, refresh_index
from resources.stores import open_store
from tests.conftest import Templates
from tests.derived import pages, six_pages
from tests.indexes import answers, current, only_space, require_current
from tests.world import World, missing_row

ROOT = Path(__file__).parents[2]

#: Brings the index of a folder's store up to date, as often as a second argument says.
BUILDER = """
import sys
from pathlib import Path
from holocron_assets.settings import Settings
from holocron_assets.stages.indexing import IndexPlace, published_index, refresh_index
from holocron_assets.tables import spaces
from holocron_assets.transactions import read
from resources.stores import open_store

settings = Settings(base_dir=Path(sys.argv[1]), store_url="duckdb:///store.duckdb")
store = open_store(settings, wait_seconds=60)
(space,) = read(store, spaces.list_spaces)
print("ready", flush=True)
for _ in range(int(sys.argv[2])):
    report = refresh_index(store, space, IndexPlace.of(settings))
    print(report.added, report.rebuilt, flush=True)
"""


@pytest.fixture
def filled(world: World, templates: Templates) -> World:
    """A store with six pages, and nobody who keeps it open."""
    six_pages(world, templates)
    world.closed_file()
    return world


def builder(world: World, times: int = 1, *, before: str = "") -> "subprocess.Popen[str]":
    """Another process that builds; `before` is run in it first."""
    command = [sys.executable, "-c", before + BUILDER, str(world.settings.base_dir), str(times)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def held(world: World, *, write_first: bool = False) -> Iterator[None]:
    """Another process has the store's file open."""
    world.closed_file()
    change = 'c.execute("update vector.source_registry set updated_utc = now()"); ' if write_first else ""
    code = f"import duckdb; c = duckdb.connect({world.store.name!r}); {change}print(1, flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def damage(index: SearchIndex, name: str, how: str) -> None:
    """Do something to a file of the index's first segment."""
    path = index.folder / index.segments[0].name / name
    if how == "deleted":
        path.unlink()
    else:
        os.truncate(path, path.stat().st_size // 2 if how == "cut" else 0)


def overwrite(path: Path, place: int, wrong: bytes) -> None:
    """Write over bytes of a file, in place; they are others than before."""
    with path.open("r+b") as file:
        file.seek(place, os.SEEK_END if place < 0 else os.SEEK_SET)
        here = file.read(len(wrong))
        file.seek(-len(here), os.SEEK_CUR)
        file.write(bytes(byte ^ 1 for byte in here) if here == wrong[: len(here)] else wrong[: len(here)])


FILES = ["rows.arrow", "vectors.f32", "norms.npy", "terms.arrow", "starts.npy", "rows.npy", "counts.npy", "lengths.npy"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["deleted", "cut", "emptied"])
def test_a_damaged_file_is_noticed_and_replaced(filled: World, name: str, how: str) -> None:
    """By whoever opens the index, and by a server that has it open: both answer as before, from a new one."""
    searcher = filled.searcher()
    space = searcher.space()
    before = answers(filled, searcher.index(space))

    damage(searcher.index(space), name, how)

    assert answers(filled, searcher.index(space)) == before
    assert answers(filled, current(filled)) == before


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_written_to_is_noticed_by_whoever_has_it_open(filled: World, name: str) -> None:
    """Wherever in it, and although it is as long as before: the server answers as before, from a new index."""
    searcher = filled.searcher()
    opened = searcher.index(searcher.space())
    before = answers(filled, opened)
    path = opened.folder / opened.segments[0].name / name
    for place in (-1, path.stat().st_size // 2, 300, 63):
        path = searcher.index(searcher.space()).folder / searcher.index(searcher.space()).segments[0].name / name
        overwrite(path, place, b"\x7f")

        assert answers(filled, searcher.index(searcher.space())) == before


def test_a_text_that_is_not_what_was_embedded_is_never_shown(filled: World) -> None:
    """Whoever opens the files finds it when it is to be shown, and answers from a new index; so do its passages."""
    filled.search("topic 2", top_k=500)
    for wrong in (b"TOPIC", b"\x8d\x8d\x8d\x8d\x8d"):
        for ask in (
            lambda: filled.searcher().search(Question(query="topic 2", top_k=500)).hits,
            lambda: filled.searcher().passages(only_space(filled), "mediawiki:testwiki:page/2"),
        ):
            index = current(filled)
            path = index.folder / index.segments[0].name / "rows.arrow"
            path.write_bytes(path.read_bytes().replace(b"topic", wrong))

            hits = ask()

            assert hits
            assert all(text_sha256(hit.text) == hit.content_sha256 for hit in hits)
            assert current(filled).manifest.version == index.manifest.version + 1


def test_no_damage_of_rows_ends_the_process(filled: World) -> None:
    """Bytes and numbers anywhere in the file: whoever opens it then answers, and shows only what was embedded."""
    space = only_space(filled)
    random = Random(6)
    for _ in range(60):
        index = current(filled)
        path = index.folder / index.segments[0].name / "rows.arrow"
        where = random.randrange(path.stat().st_size - 8)
        overwrite(path, where, random.choice([b"\x00\x00\x00\x7f", b"\xff", random.randbytes(8)]))

        result = filled.searcher().search(Question(query="topic 2", top_k=500, filters=Filters(title="page")))

        assert all(text_sha256(hit.text) == hit.content_sha256 for hit in result.hits)
        refresh_index(filled.store, space, IndexPlace.of(filled.settings), examines=True)


def test_a_sound_copy_that_takes_the_place_of_files_is_read(filled: World, tmp_path: Path) -> None:
    """As when a backup is restored under a server: it answers, and builds nothing."""
    searcher = filled.searcher()
    index = searcher.index(searcher.space())
    before = answers(filled, index)
    shutil.copytree(index.folder, tmp_path / "copy")
    shutil.rmtree(index.folder)
    shutil.copytree(tmp_path / "copy", index.folder)

    again = searcher.index(searcher.space())

    assert answers(filled, again) == before
    assert again is not index
    assert again.manifest.version == index.manifest.version


def test_damage_is_not_merged_into_a_new_segment(filled: World) -> None:
    """What is merged is compared with what was published: afterwards nothing would tell."""
    index = current(filled)
    path = index.folder / index.segments[0].name / "vectors.f32"
    overwrite(path, 0, b"\x00\x00\x80\x3f")
    filled.add(*pages(4, start=20))
    filled.run()

    report = refresh_index(filled.store, only_space(filled), IndexPlace.of(filled.settings))

    assert "vectors.f32 is not what was written" in str(report.rebuilt)


def test_a_text_that_the_store_holds_wrongly_is_told_apart_from_damage(filled: World) -> None:
    """It is not shown either; the message says where to look, and the index is not built again."""
    filled.rows("update vector.chunk set content = 'another' where source_id = 'mediawiki:testwiki:page/2'")
    version = current(filled).manifest.version

    with pytest.raises(SearchIndexError, match="the store holds it so: `holocron verify` names"):
        filled.search("another", top_k=500)

    assert current(filled).manifest.version == version


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 1}', "\x00\xff", '{"format": 99, "version": 1}', "null", "{" * 100_000]
)
def test_a_manifest_that_is_none_is_replaced(filled: World, text: str) -> None:
    """Of another version, garbage, or nothing at all: the index is built anew, and the report says why."""
    before = current(filled)
    (before.folder / "index.json").write_text(text)

    report = refresh_index(filled.store, only_space(filled), IndexPlace.of(filled.settings))

    assert "is no index of this version" in str(report.rebuilt)
    assert answers(filled, report.index) == answers(filled, before)
    assert {path.name for path in before.folder.iterdir()} == {
        "index.json", "building.lock", report.index.segments[0].name
    }  # fmt: skip


def test_the_index_of_another_store_space_or_language_is_replaced(filled: World) -> None:
    """Files that were copied from elsewhere, or made under other settings, are not taken for this one's."""
    index = current(filled)
    manifest = json.loads((index.folder / "index.json").read_text())
    place = IndexPlace.of(filled.settings)
    for field, value, why in (
        ("store", "/elsewhere/store.duckdb", "it was the index of /elsewhere/store.duckdb"),
        ("embedding_space_id", "00000000-0000-4000-8000-000000000001", "it was the index of another space"),
        ("dimensions", 8, "it was the index of another space"),
        ("language", "german", "its words were those of german"),
    ):
        (index.folder / "index.json").write_text(json.dumps(manifest | {field: value}))

        assert refresh_index(filled.store, only_space(filled), place).rebuilt == why


def test_a_folder_that_is_deleted_under_a_server_comes_back(filled: World) -> None:
    """The next search builds it anew."""
    searcher = filled.searcher()
    before = answers(filled, searcher.index(searcher.space()))

    shutil.rmtree(filled.settings.path(filled.settings.search.folder))

    assert answers(filled, searcher.index(searcher.space())) == before


def test_without_a_place_for_files_there_is_no_new_index(filled: World) -> None:
    """Where the folder cannot be written the message says which, and how to mend it."""
    filled.settings.path(".holocron").mkdir()
    filled.settings.path(".holocron/search").write_text("in the way")

    with pytest.raises(SearchIndexError, match=r"cannot be written to .*search.*Free some space, mend the permissions"):
        current(filled)


def test_a_full_disk_leaves_what_was_published(filled: World) -> None:
    """A build that runs out of space says so, and leaves nothing of its own; the index from before stays whole."""
    before = current(filled)
    filled.add(*pages(4, start=20))
    filled.run()
    filled.closed_file()
    limited = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
    )

    process = builder(filled, before=limited)
    _, errors = process.communicate(timeout=60)

    assert "SearchIndexError: the search index of" in errors
    assert "File too large. Free some space" in errors
    assert before.is_whole()
    assert [path.name for path in before.folder.glob("segment-*")] == [before.segments[0].name]
    index = current(filled)
    assert len(list(before.folder.glob("segment-*"))) == len(index.segments)
    assert index.manifest.live_count == len(filled.current_chunks())


def test_an_index_that_cannot_be_written_and_is_current_is_used(filled: World) -> None:
    """Something was committed that changes no index: the store is asked, and the published files are searched."""
    before = current(filled)
    filled.rows("create table vector.unrelated as select 1 as n")
    (before.folder / "building.lock").unlink()
    (before.folder / "building.lock").mkdir()  # what cannot be locked cannot be written

    index = current(filled)

    assert answers(filled, index) == answers(filled, before)
    assert index.manifest.stamp != before.manifest.stamp


def test_two_builders_at_once_make_one_index(filled: World, tmp_path: Path) -> None:
    """One builds, the other finds it done; both are right."""
    processes = [builder(filled) for _ in range(3)]

    lines = [process.communicate(timeout=120)[0].splitlines()[1] for process in processes]

    count = len(filled.current_chunks())
    assert sorted(lines) == sorted([f"{count} None", "0 None", "0 None"])
    assert require_current(filled, tmp_path).manifest.version == 1


def test_whoever_waits_too_long_for_another_builder_is_told(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the folder; a later attempt may succeed, and does."""
    index = current(filled)
    filled.add(*pages(1, start=20))
    filled.run()
    monkeypatch.setattr(indexing, "_LOCK_SECONDS", 0.1)

    with indexing._alone(index.folder), pytest.raises(IndexBusyError, match="another process has been building"):
        current(filled)

    assert current(filled).manifest.live_count == len(filled.current_chunks())


@pytest.mark.slow
def test_a_builder_that_is_killed_leaves_what_was_published(filled: World, tmp_path: Path) -> None:
    """At whatever point: the published index is whole, and the next build is right and cleans up."""
    before = current(filled)
    for attempt, after in enumerate((0.0, 0.01, 0.03, 0.06, 0.1, 0.2)):
        filled.add(*pages(2, start=20 + 2 * attempt))
        filled.run()
        filled.closed_file()
        process = builder(filled)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.communicate()

        index = require_current(filled, tmp_path / str(attempt))
        named = {name for entry in index.manifest.segments for name in (entry.name, entry.retired) if name}
        assert {path.name for path in before.folder.iterdir()} == {"index.json", "building.lock", *named}


def test_a_reader_goes_on_with_what_it_has_open(filled: World) -> None:
    """While others publish and clean up, an index that is open answers as when it was opened."""
    reader = current(filled)
    before = answers(filled, reader)
    for number in range(4):
        filled.add(missing_row(f"Page {number + 1}", fetched_at=filled.next_day()))
        filled.run()
        current(filled)

    assert not reader.is_whole()
    assert answers(filled, reader) == before
    assert answers(filled, current(filled, known=reader)) != before


def test_threads_share_a_searcher_while_the_store_changes(filled: World) -> None:
    """No search fails, and each answers from the chunks that were current when it began, or later."""
    searcher = filled.searcher()
    stop, failures, counts = threading.Event(), [], set()

    def search() -> None:
        try:
            while not stop.is_set():
                counts.add(len(searcher.search(Question(query="topic", top_k=500)).hits))
        except Exception as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    wanted = {len(filled.current_chunks())}
    for number in range(3):
        filled.add(*pages(1, start=20 + number))
        filled.run()
        wanted.add(len(filled.current_chunks()))
        time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join(60)

    assert not failures
    assert len(searcher.search(Question(query="topic", top_k=500)).hits) == len(filled.current_chunks())
    assert counts <= wanted | {0}


def test_a_held_store_that_was_not_written_is_searched(filled: World) -> None:
    """While another program has the file open, the index that belongs to it answers, to one who asked before or not."""
    question = Question(query="topic 2", top_k=3)
    impatient = replace(filled, store=open_store(filled.settings, wait_seconds=0.2))
    searcher, space = impatient.searcher(), only_space(filled)
    first = searcher.search(question)

    with held(filled):
        assert searcher.search(question).hits == first.hits
        assert answers_to(impatient, current(impatient, space)) == answers_to(impatient, searcher.index(space))


def answers_to(world: World, index: SearchIndex) -> list[str]:
    """Without a look at the store."""
    return [one.chunk_id for one in index.rank(["topic 2"], None, Method(mode=Mode.LEXICAL), 5)[0]]


def test_a_held_store_that_was_written_is_not_answered_for(filled: World) -> None:
    """What may be stale is not served: the message says who holds the store."""
    question = Question(query="topic 2", top_k=3)
    impatient = replace(filled, store=open_store(filled.settings, wait_seconds=0.2))
    searcher = impatient.searcher()
    searcher.search(question)

    with held(filled, write_first=True), pytest.raises(StoreBusyError, match=r"in use by process \d+"):
        searcher.search(question)

    assert searcher.search(question).hits


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"version": "x"}', b'{"version": 41}'])
def test_versions_count_on_through_rebuilds(filled: World, content: bytes | None) -> None:
    """Also from a manifest that cannot be used, as long as it says its version."""
    index = current(filled)
    (index.folder / index.segments[0].name / "norms.npy").unlink()
    expected = index.manifest.version + 1
    if content is not None:
        (index.folder / "index.json").write_bytes(content)
        expected = 42 if content.endswith(b"41}") else 1

    assert current(filled).manifest.version == expected


def test_what_is_published_is_found_while_others_publish(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a builder removed after the manifest was read are those of the index before."""
    space, place = only_space(filled), IndexPlace.of(filled.settings)
    first = refresh_index(filled.store, space, place).index
    opened = []

    def interrupted(folder: Path, manifest: Manifest) -> SearchIndex:
        if not opened:
            opened.append(manifest)
            refresh_index(filled.store, space, place, distrusted="a test")
        return open_index(folder, manifest)

    monkeypatch.setattr(indexing, "open_index", interrupted)
    found = published_index(filled.store, space, place)

    assert opened == [first.manifest]
    assert found is not None
    assert found.manifest.version == first.manifest.version + 1
