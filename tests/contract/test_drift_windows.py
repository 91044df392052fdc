"""Windows and snapshots as every store reads them."""

import hashlib
import platform
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from pydantic import ByteSize

from holocron_assets.clock import utc_now
from holocron_assets.comparisons.content import Choice, compare_content
from holocron_assets.composition import InstalledProviders
from holocron_assets.errors import ConfigurationError, NotReadyError
from holocron_assets.records import EmbeddingSpace
from holocron_assets.registry import list_states
from holocron_assets.sections import DuckDBSettings
from holocron_assets.stages.model_guard import settled
from holocron_assets.stages.snapshots import keep_snapshot, take_snapshot
from holocron_assets.stages.vector_files import working_folder
from holocron_assets.stages.windows import Window, by_time, codes_of, filled, gathered, listed, since, since_snapshot
from holocron_assets.tables import drift_windows
from holocron_assets.transactions import read, write
from holocron_assets.verification.snapshots import snapshots_are_what_they_were
from resources.stores import open_store
from tests.conftest import Templates
from tests.world import ORIGIN, START, World, json_row, page_row, prose


def pages() -> list[dict[str, Any]]:
    """Three of the first day and two of the tenth."""
    later = START + timedelta(days=10)
    return [
        *(page_row(f"Page {n}", n, prose(f"topic {n}", 2500)) for n in (1, 2, 3)),
        *(page_row(f"Page {n}", n, prose(f"late {n}", 2500), fetched_at=later) for n in (4, 5)),
    ]


@pytest.fixture
def world(world: World, templates: Templates) -> World:
    """Three pages on the first day and two on the tenth, embedded."""

    def fill() -> None:
        world.add(*pages())
        world.run()

    templates.fill(world.settings, "three pages and two later", fill)
    return world


@pytest.fixture
def space(world: World) -> EmbeddingSpace:
    """The only one."""
    (state,) = list_states(world.store)
    return state.space


def documents(world: World, space: EmbeddingSpace, windows: tuple[Window, Window], folder: Path) -> list[set[str]]:
    """Which pages the two windows hold, by their numbers."""
    with gathered(world.store, space, windows, folder, settled(world.store, space)) as both:
        return [{one.rpartition("/")[2] for one in members.keys.column("source_id").to_pylist()} for members in both]


def test_windows_are_of_the_time_of_fetching(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """What was fetched in the last days until the newest fetch is the current window, all before it the reference."""
    windows = read(world.store, by_time, space, 7, utc_now())

    assert documents(world, space, windows, tmp_path) == [{"1", "2", "3"}, {"4", "5"}]
    assert documents(world, space, read(world.store, by_time, space, 11, utc_now()), tmp_path) == [
        set(),
        {"1", "2", "3", "4", "5"},
    ]


def test_times_that_nobody_knew_are_in_a_window(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """The first day of all and the last, which programs write for no time, are before and after every other."""
    world.rows("update ingest.IngestRecords set fetched_at_utc = '0001-01-01'")
    windows = read(world.store, by_time, space, 7, utc_now())
    assert documents(world, space, windows, tmp_path) == [set(), {"1", "2", "3", "4", "5"}]

    world.rows("update ingest.IngestRecords set fetched_at_utc = '9999-12-31'")
    assert documents(world, space, since(START, utc_now()), tmp_path) == [set(), {"1", "2", "3", "4", "5"}]


def test_what_is_fetched_again_unchanged_is_not_new(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """A crawler that finds every page as it was moves no window; days are counted back from the newest text."""
    before = utc_now()
    world.add(*(row | {"fetched_at_utc": (START + timedelta(days=60)).isoformat()} for row in pages()))
    world.run()

    assert documents(world, space, read(world.store, by_time, space, 7, utc_now()), tmp_path) == [
        {"1", "2", "3"},
        {"4", "5"},
    ]
    world.add(page_row("Page 6", 6, prose("last", 2500), fetched_at=START + timedelta(days=90)))
    world.run()
    assert documents(world, space, read(world.store, by_time, space, 7, utc_now()), tmp_path)[1] == {"6"}
    assert documents(world, space, read(world.store, by_time, space, 7, before), tmp_path)[1] == {"4", "5"}


def test_members_come_by_chunk_id_with_their_vectors(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Keys are in the order of chunk ids, each vector is that of its chunk, and the files go afterwards."""
    windows, held_to = read(world.store, by_time, space, 7, utc_now()), settled(world.store, space)
    with gathered(world.store, space, windows, tmp_path / "vectors", held_to) as (members, _):
        ids = members.keys.column("chunk_id").to_pylist()
        assert ids == sorted(ids)
        assert len(ids) == len(members.vectors) == len(members.documents) > 3
        assert members.vectors.shape == (len(ids), space.dimensions)
        np.testing.assert_allclose(np.linalg.norm(members.vectors, axis=1), 1, atol=1e-5)
        numbers, names = codes_of(members.keys.column("origin"))
        assert names.to_pylist() == ["mediawiki:testwiki"]
        assert not numbers.any()

    assert list((tmp_path / "vectors").iterdir()) == []


def test_a_vector_that_goes_meanwhile_takes_its_chunk_along(
    world: World, space: EmbeddingSpace, tmp_path: Path
) -> None:
    """What was listed and has no vector when it is read is left out, and counted; nobody sees a vector of zeros."""
    windows = read(world.store, by_time, space, 7, utc_now())
    chosen = read(world.store, listed, space, windows)
    ids = chosen[0].keys.column("chunk_id").to_pylist()
    with filled(world.store, space, chosen, tmp_path, settled(world.store, space)) as (members, _):
        before = members.vectors.copy()
        assert members.lost == 0
    for chunk_id in (ids[0], ids[2]):
        world.rows(f"delete from vector.embedding where chunk_id = '{chunk_id}'")

    with filled(world.store, space, chosen, tmp_path, settled(world.store, space)) as (members, _):
        left = [row for row in range(len(ids)) if row not in {0, 2}]
        assert members.lost == 2
        assert members.keys.column("chunk_id").to_pylist() == [ids[row] for row in left]
        np.testing.assert_array_equal(members.vectors, before[left])
        np.testing.assert_array_equal(np.concatenate(list(members.blocks(2))), before[left])


def test_vectors_of_history_are_read_where_they_are_wanted(world: World, space: EmbeddingSpace) -> None:
    """What was retired is read for the time before, and for the snapshot that holds it, and for nobody else."""
    snapshot, then = take_snapshot(world.store, space, "january"), utc_now()
    world.add(page_row("Page 1", 1, prose("edited", 2500), revision=2, fetched_at=world.next_day()))
    world.run()
    current = len(world.current_chunks())
    ((stored,),) = world.rows("select count(*) from vector.embedding")

    def read_vectors(as_of: datetime, *snapshots: uuid.UUID) -> int:
        with world.store.session(write=False) as session:
            batches = drift_windows.list_space_vectors(session, space.embedding_space_id, as_of, *snapshots)
            return sum(one.num_rows for one in batches)

    assert current < stored
    assert read_vectors(utc_now()) == current
    assert read_vectors(then) == snapshot.chunk_count
    assert read_vectors(utc_now(), snapshot.snapshot_id) == stored


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    """Vectors that were put aside by a process that is gone are removed, those of one that lives stay."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], text=True)
    owner = f"{platform.node()}.{child.pid}.{int(psutil.Process(child.pid).create_time())}"
    theirs, elsewhere = tmp_path / f"vectors-{owner}.abc", tmp_path / "vectors-another.host.1.1.abc"
    for left in (theirs, elsewhere):
        left.mkdir()
        (left / "0.float32").write_bytes(b"1234")
    with working_folder(tmp_path) as first, working_folder(tmp_path) as second:
        assert first.exists()
        assert second.exists()
        assert theirs.exists()
    child.kill()
    child.wait()

    with working_folder(tmp_path) as own:
        assert sorted(tmp_path.iterdir()) == sorted([own, elsewhere])
    assert list(tmp_path.iterdir()) == [elsewhere]


def test_a_window_of_the_past_is_as_it_was(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """What was edited and what vanished since is still in the window as of then, with the vectors of then."""
    then = utc_now()
    windows = since(START + timedelta(days=5), then)
    with gathered(world.store, space, windows, tmp_path, settled(world.store, space)) as both:
        before = [members.vectors.copy() for members in both]
    day = START + timedelta(days=20)
    world.add(page_row("Page 1", 1, prose("edited", 2500), revision=2, fetched_at=day))
    world.add(page_row("Page 5", 5, "", revision=2, fetched_at=day))
    world.extract()
    world.chunk(allow_mass_change=True)
    world.embed()

    with gathered(world.store, space, windows, tmp_path, settled(world.store, space)) as both:
        for members, vectors in zip(both, before, strict=True):
            np.testing.assert_array_equal(members.vectors, vectors)
    now = documents(world, space, since(START + timedelta(days=5), utc_now()), tmp_path)
    assert now == [{"2", "3"}, {"1", "4"}]


def test_a_snapshot_holds_what_there_was(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """A snapshot is counted and digested, and stays what it is when chunks retire; what came since stands beside it."""
    snapshot = take_snapshot(world.store, space, "january")
    chunks = world.rows("select chunk_id, content_sha256 from vector.chunk order by chunk_id")
    lines = "".join(f"{chunk_id}:{content}\n" for chunk_id, content in chunks)
    assert (snapshot.document_count, snapshot.chunk_count) == (5, len(chunks))
    assert snapshot.membership_sha256 == hashlib.sha256(lines.encode()).hexdigest()

    nothing_new = read(world.store, since_snapshot, space, "january", utc_now())
    assert documents(world, space, nothing_new, tmp_path) == [{"1", "2", "3", "4", "5"}, set()]
    world.add(page_row("Page 1", 1, prose("edited", 2500), revision=2, fetched_at=world.next_day()))
    world.add(page_row("Page 6", 6, prose("new", 2500), fetched_at=world.next_day()))
    world.run()

    windows = read(world.store, since_snapshot, space, "january", utc_now())
    assert documents(world, space, windows, tmp_path) == [{"2", "3", "4", "5"}, {"1", "6"}]
    assert read(world.store, drift_windows.list_snapshots) == [snapshot]
    ((members,),) = world.rows("select count(*) from vector.drift_snapshot_chunk")
    assert members == snapshot.chunk_count


def test_a_document_stands_on_one_side_of_a_snapshot(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """One changed sentence brings a page to the current side whole, and takes it from the reference."""
    take_snapshot(world.store, space, "january")
    changed = prose("topic 1", 2500)[:-20] + "something else."
    world.add(page_row("Page 1", 1, changed, revision=2, fetched_at=world.next_day()))
    world.run()

    windows = read(world.store, since_snapshot, space, "january", utc_now())

    assert documents(world, space, windows, tmp_path) == [{"2", "3", "4", "5"}, {"1"}]
    of_page = world.rows("select count(*) from vector.chunk where source_id like '%/1' and retired_utc is null")
    with gathered(world.store, space, windows, tmp_path, settled(world.store, space)) as (_, current):
        assert [(current.keys.num_rows,)] == of_page
        assert current.keys.num_rows > 1


def test_vanished_documents_are_counted_as_of_a_time(world: World, space: EmbeddingSpace) -> None:
    """A document without text is gone from then on; one that was edited, or lacks its vector, is not."""
    snapshot = take_snapshot(world.store, space, "january")
    before = utc_now()
    world.add(page_row("Page 1", 1, prose("edited", 2500), revision=2, fetched_at=world.next_day()))
    world.add(page_row("Page 5", 5, "", revision=2, fetched_at=START + timedelta(days=20)))
    world.extract()
    world.chunk(allow_mass_change=True)

    for as_of, count in ((before, 0), (utc_now(), 1)):
        gone = read(world.store, drift_windows.count_vanished_documents, snapshot.snapshot_id, as_of)
        assert gone == count


def test_a_snapshot_of_what_changed_meanwhile_is_not_kept(world: World, space: EmbeddingSpace) -> None:
    """Where the store holds other than was digested, nothing is kept, and the name stays free."""
    taken = take_snapshot(world.store, space, "january")
    wrong = replace(taken, snapshot_id=uuid.uuid4(), name="february", chunk_count=taken.chunk_count + 1)

    with pytest.raises(NotReadyError, match="another run writes to it"):
        write(world.store, keep_snapshot, space, wrong)
    assert read(world.store, drift_windows.list_snapshots) == [taken]
    assert world.rows("select count(*) from vector.drift_snapshot_chunk") == [(taken.chunk_count,)]
    assert write(world.store, keep_snapshot, space, taken) == taken
    with pytest.raises(ConfigurationError, match="has a snapshot JANUARY by now"):
        write(world.store, keep_snapshot, space, replace(taken, snapshot_id=uuid.uuid4(), name="JANUARY"))
    assert world.rows("select count(*) from vector.drift_snapshot_chunk") == [(taken.chunk_count,)]


def test_a_snapshot_that_is_another_list_is_found(world: World, space: EmbeddingSpace) -> None:
    """Whether a row of it was lost, altered or added since, and whatever became of its chunks."""
    taken = take_snapshot(world.store, space, "january")
    world.add(page_row("Page 5", 5, "", revision=2, fetched_at=START + timedelta(days=20)))
    world.extract()
    world.chunk(allow_mass_change=True)
    assert read(world.store, snapshots_are_what_they_were).holds

    one = "snapshot_id = (select min(snapshot_id) from vector.drift_snapshot) and chunk_id = "
    one += "(select min(chunk_id) from vector.drift_snapshot_chunk)"
    world.rows(f"update vector.drift_snapshot_chunk set content_sha256 = '{'0' * 64}' where {one}")
    altered = read(world.store, snapshots_are_what_they_were)
    world.rows(f"delete from vector.drift_snapshot_chunk where {one}")
    lost = read(world.store, snapshots_are_what_they_were)

    assert (altered.holds, lost.holds, lost.figures["faults"]) == (False, False, 1)
    assert lost.offenders == [f"january held {taken.chunk_count} chunks and holds {taken.chunk_count - 1}"]


def test_a_name_means_one_snapshot(world: World, space: EmbeddingSpace) -> None:
    """A name that is taken, or that cannot be one, is refused, and an unknown one is told from those there are."""
    take_snapshot(world.store, space, "january")

    with pytest.raises(ConfigurationError, match="has a snapshot january of"):
        take_snapshot(world.store, space, "january")
    with pytest.raises(ConfigurationError, match="cannot name a snapshot"):
        take_snapshot(world.store, space, "'; drop")
    with pytest.raises(ConfigurationError, match="there are: january"):
        read(world.store, since_snapshot, space, "february", utc_now())
    assert len(read(world.store, drift_windows.list_snapshots)) == 1


def test_capitals_make_no_other_name(world: World, space: EmbeddingSpace) -> None:
    """Stores that tell capitals from small letters and stores that do not refuse the same names, and leave nothing."""
    taken = take_snapshot(world.store, space, "January")
    members = "select count(*) from vector.drift_snapshot_chunk"
    before = world.rows(members)

    with pytest.raises(ConfigurationError, match="has a snapshot January of"):
        take_snapshot(world.store, space, "jaNUary")
    other = replace(taken, snapshot_id=uuid.uuid4(), name="JANUARY")
    assert write(world.store, drift_windows.insert_snapshot, other) == 0
    assert world.rows(members) == before
    assert read(world.store, drift_windows.list_snapshots) == [taken]
    assert read(world.store, since_snapshot, space, "january", utc_now())[0].snapshot == taken


def test_an_empty_space_has_no_snapshot(world: World, space: EmbeddingSpace) -> None:
    """Where nothing is embedded, there is nothing to keep."""
    world.rows("delete from vector.embedding")

    with pytest.raises(NotReadyError, match="holds nothing"):
        take_snapshot(world.store, space, "january")


_MANY = """
insert into vector.chunk by name
select sha256('chunk ' || i) as chunk_id, 'notes' as source_id, 'file' as source_type, '{}' as source_ref_json,
    '{}' as offsets_json, 'text' as content, sha256('text ' || i) as content_sha256, 4 as byte_count,
    '{}' as policy_json, timestamp '2026-01-01' as created_utc, 'text' as text_sha256
from range(60000) as t(i);
insert into vector.chunk_version by name
select chunk_id, created_utc as valid_from_utc, source_id, content_sha256, text_sha256, 'plain_text' as extractor,
    '1' as extractor_version, '2.0' as policy_version, uuid() as run_id
from vector.chunk;
insert into vector.embedding by name
select uuid() as embedding_id, chunk_id, s.embedding_space_id, content_sha256 as input_content_sha256,
    uuid() as run_id, [1::float] as vector, content_sha256 as vector_sha256, c.created_utc
from vector.chunk c, vector.embedding_space s
"""


@pytest.mark.parametrize("backend", ["duckdb"])
def test_a_window_is_listed_in_little_memory(backend: str, world: World, space: EmbeddingSpace) -> None:
    """The store does not sort: with its joins that took more than it may, for one window of a million chunks."""
    world.rows("delete from vector.embedding")
    for statement in _MANY.split(";"):
        world.rows(statement)
    little = DuckDBSettings(threads=1, memory_limit=ByteSize(36_000_000))
    store = open_store(world.settings.model_copy(update={"duckdb": little}), wait_seconds=60)

    (window,) = read(store, listed, space, [Window(label="all", as_of=utc_now())])

    ids = window.keys.column("chunk_id").to_pylist()
    assert len(ids) > 60_000
    assert ids == sorted(ids)


def test_every_store_gives_the_same_figures(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """The same texts in another store are compared with the same result, to nine digits and in every verdict."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    settings = world.settings.model_copy(update={"base_dir": elsewhere, "store_url": "duckdb:///store.duckdb"})
    store = open_store(settings, wait_seconds=60)
    store.migrate()
    other = World(store=store, settings=settings, providers=InstalledProviders(settings))
    other.add(*pages())
    for one in (world, other):
        for day, topic in ((0, "calm"), (10, "storms")):
            fetched = START + timedelta(days=day)
            one.add(
                *(json_row(f"{topic} {n}", f"Note {n}: {prose(topic, 300)}", fetched_at=fetched) for n in range(30))
            )
        one.run()

    choice = Choice(since=START + timedelta(days=5))
    found, expected = (compare_content(one.store, one.settings, space, choice, ORIGIN) for one in (world, other))

    assert [one.verdict for one in found.metrics] == [one.verdict for one in expected.metrics]
    for one, same in zip(found.metrics, expected.metrics, strict=True):
        assert (one.name, one.p, one.missing) == (same.name, same.p, same.missing)
        assert (one.effect is None, one.statistic is None) == (same.effect is None, same.statistic is None)
        assert (one.effect or 0.0) == pytest.approx(same.effect or 0.0, rel=1e-9, abs=1e-12)
        assert (one.statistic or 0.0) == pytest.approx(same.statistic or 0.0, rel=1e-9, abs=1e-12)
