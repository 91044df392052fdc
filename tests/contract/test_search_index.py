"""A search index that is brought up to date answers as one that is built at once, whatever happened in between."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holocron_assets.json_documents import json_text
from holocron_assets.records import ItemType
from holocron_assets.retrieval.filters import Filters
from holocron_assets.retrieval.hits import Fusion, Method, Mode
from holocron_assets.retrieval.results import parse_result
from holocron_assets.retrying import retry
from holocron_assets.sections import ChunkingSettings
from holocron_assets.spaces import space_of
from holocron_assets.stages import index_segments
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.index_recall import measure_recall
from holocron_assets.stages.indexing import IndexPlace, refresh_index
from holocron_assets.stages.reembed import reembed_space
from holocron_assets.tables import index_rows
from holocron_assets.transactions import read
from holocron_assets.verification.repair import repair
from holocron_assets.verification.verify import verify
from tests.conftest import Templates
from tests.derived import derived, fill, pages, six_pages
from tests.indexes import answers, current, only_space, require_current
from tests.moving import Catalog, Moving
from tests.world import ORIGIN, World, json_row, missing_row, page_row, prose, silent


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few chunks are several pages and segments."""
    monkeypatch.setattr(index_segments, "_PAGE_ROWS", 4)
    monkeypatch.setattr(index_segments, "MOST_ROWS", 16)


def state(world: World) -> dict[str, str]:
    return dict(read(world.store, index_rows.get_index_state, only_space(world).embedding_space_id))


def edit(world: World, number: int, topic: str) -> None:
    world.add(page_row(f"Page {number}", number, prose(topic, 2500), revision=9, fetched_at=world.next_day()))


def test_through_edits_retirements_returns_and_merges(world: World, templates: Templates, tmp_path: Path) -> None:
    """After each, ranks, scores and all that is shown are those of an index that is built now."""
    six_pages(world, templates)
    require_current(world, tmp_path / "0")

    for number in (2, 3, 4):
        edit(world, number, f"another matter {number}")
        world.run()
        require_current(world, tmp_path / f"edit {number}")

    world.add(missing_row("Page 1", fetched_at=world.next_day()))
    world.run()
    index = require_current(world, tmp_path / "gone")
    assert not index.passages("mediawiki:testwiki:page/1")

    edit(world, 1, "topic 1")
    world.add(*pages(12, start=20))
    world.run()
    index = require_current(world, tmp_path / "returned")
    assert index.passages("mediawiki:testwiki:page/1")
    assert any(entry.retired for entry in index.manifest.segments)
    # What was merged away is not on the disk any more.
    kept = {path.name for path in index.folder.iterdir()}
    named = {name for entry in index.manifest.segments for name in (entry.name, entry.retired) if name}
    assert kept == {"index.json", "building.lock", *named}


def test_a_title_a_tag_and_a_newer_fetch_reach_the_index(world: World, tmp_path: Path) -> None:
    """Where the text stays the same: what is shown and what filters see is that of the newest record."""
    note = {"content_type": "text/plain", "text": prose("another matter", 900), "encoding": "utf-8"}
    world.add(page_row("Page 2", 2, prose("topic 2", 900)), json_row("a.txt", note))
    world.run()
    first = require_current(world, tmp_path / "0")

    later = world.next_day()
    world.add(page_row("Page 2 (port)", 2, prose("topic 2", 900), revision=2, fetched_at=later))
    world.add(json_row("a.txt", note, fetched_at=later))
    world.run()

    index = require_current(world, tmp_path / "1")
    method, asked = Method(mode=Mode.LEXICAL), Filters(since=later)
    assert not first.rank(["matter"], None, method, 1, asked)[0]
    assert len(index.rank(["matter"], None, method, 3, asked)[0])
    assert {hit.title for hit in index.passages("mediawiki:testwiki:page/2")} == {"Page 2 (port)"}


def test_another_cut_reaches_the_index(world: World, templates: Templates, tmp_path: Path) -> None:
    """Chunks of another policy take the place of the others at once, before they have vectors and after."""
    six_pages(world, templates)
    current(world)
    coarse = replace(world, settings=world.settings.model_copy(update={"chunking": ChunkingSettings(version="1.0")}))

    coarse.chunk(allow_mass_change=True)
    index = require_current(coarse, tmp_path / "cut")
    assert index.manifest.chunks_not_embedded == len(coarse.current_chunks()) - index.manifest.live_count > 0

    coarse.embed()
    assert require_current(coarse, tmp_path / "embedded").manifest.chunks_not_embedded == 0


def test_replaced_and_derived_vectors_reach_the_index(world: World, templates: Templates, tmp_path: Path) -> None:
    """A model that moved replaces every vector; a derived space loses them, and gets others."""
    six_pages(world, templates)
    model = Moving()
    space = only_space(world)
    assert space.model_digest == space_of(model.describe()).model_digest
    small = derived(world, space, "pca", 8)
    fill(world, small)
    before = answers(world, require_current(world, tmp_path / "0"))
    require_current(world, tmp_path / "derived", small)

    model.turned = 1.0
    policy = CanaryPolicy.of(world.settings)
    report = reembed_space(world.store, lambda: model, space, policy, ORIGIN, silent, replace=True)
    assert report.replaced == len(world.current_chunks())

    world.providers = Catalog(model)
    assert answers(world, require_current(world, tmp_path / "1")) != before
    assert require_current(world, tmp_path / "emptied", small).manifest.live_count == 0
    fill(world, small)
    assert require_current(world, tmp_path / "refilled", small).manifest.live_count == report.replaced


@pytest.mark.parametrize(
    "damage",
    [
        "update vector.embedding set vector_sha256 = 'x' where chunk_id in (select min(chunk_id) from vector.chunk)",
        "update vector.chunk set content_sha256 = 'x' where chunk_id in (select min(chunk_id) from vector.chunk)",
        "delete from vector.chunk_version where chunk_id in (select min(chunk_id) from vector.chunk)",
        "insert into vector.chunk (chunk_id, source_type, source_ref_json, offsets_json, content, content_sha256, "
        "byte_count, policy_json, created_utc, text_sha256) "
        "select 'stray', source_type, source_ref_json, '{}', content, content_sha256, "
        "byte_count, policy_json, created_utc, text_sha256 from vector.chunk limit 1",
    ],
)
@pytest.mark.parametrize("backend", ["duckdb", "translated"])
def test_repairs_reach_the_index(world: World, templates: Templates, tmp_path: Path, damage: str) -> None:
    """Damage, its repair, and the run that makes it anew: at no point is an older index taken for current."""
    six_pages(world, templates)
    current(world)
    world.rows(damage)

    repair(world.store, verify(world.store))
    require_current(world, tmp_path / "repaired")
    world.run()
    index = require_current(world, tmp_path / "made anew")
    assert index.manifest.live_count == len(world.current_chunks())


def test_what_changes_back_while_it_is_read_is_noticed(world: World, templates: Templates, tmp_path: Path) -> None:
    """Before and after, the store says the same; in between another title was read."""
    space = six_pages(world, templates)
    ((source,),) = world.rows("select min(source_id) from vector.chunk")
    ((title,),) = world.rows(f"select title from vector.source_registry where source_id = '{source}'")
    titles = iter(["Meanwhile", title])

    def meddle(done: int, total: int) -> None:
        if new := next(titles, None):
            world.rows(f"update vector.source_registry set title = '{new}' where source_id = '{source}'")

    refresh_index(world.store, space, IndexPlace.of(world.settings), meddle)

    index = require_current(world, tmp_path)
    assert {hit.title for hit in index.passages(source)} == {title}


def test_a_stray_chunk_that_is_retired_leaves_the_index(world: World, templates: Templates, tmp_path: Path) -> None:
    """One of another program, with a vector, without source, version or offsets: found until a repair retires it."""
    six_pages(world, templates)
    world.rows("update vector.chunk set source_id = null where chunk_id in (select min(chunk_id) from vector.chunk)")
    world.rows("delete from vector.chunk_version where chunk_id in (select min(chunk_id) from vector.chunk)")
    count = require_current(world, tmp_path / "stray").manifest.live_count

    repair(world.store, verify(world.store))

    assert require_current(world, tmp_path / "retired").manifest.live_count < count


def test_a_retry_reaches_the_index(world: World, templates: Templates, tmp_path: Path) -> None:
    """What was held back and let go is searched once it is embedded."""
    six_pages(world, templates)
    edit(world, 1, "another matter")
    world.extract()
    world.chunk()
    world.embed(Moving(rejected="another matter"))
    assert require_current(world, tmp_path / "held").manifest.chunks_not_embedded > 0

    assert retry(world.store, [], ItemType.CHUNK)["chunk"]
    require_current(world, tmp_path / "let go")
    world.embed()
    assert require_current(world, tmp_path / "embedded").manifest.chunks_not_embedded == 0


def test_a_run_without_news_costs_no_build(world: World, templates: Templates) -> None:
    """The same segments, and the same object for whoever has it open; the version counts builds."""
    six_pages(world, templates)
    space, place = only_space(world), IndexPlace.of(world.settings)
    first = refresh_index(world.store, space, place)
    files = {path: path.stat().st_mtime_ns for path in first.index.folder.rglob("*.npy")}

    second = refresh_index(world.store, space, place)
    index = current(world, known=second.index)

    assert (first.added, second.added, second.merged, second.rebuilt) == (len(world.current_chunks()), 0, 0, None)
    assert index.manifest.version == first.index.manifest.version == 1
    assert index.segments is second.index.segments
    assert files == {path: path.stat().st_mtime_ns for path in first.index.folder.rglob("*.npy")}


def test_only_what_changed_is_written(world: World, templates: Templates) -> None:
    """A page that was edited becomes a segment of its own; the other segments stay the files that they were."""
    six_pages(world, templates)
    world.add(*pages(10, start=30))
    world.run()
    space, place = only_space(world), IndexPlace.of(world.settings)
    before = refresh_index(world.store, space, place).index.manifest.segments
    edit(world, 2, "another matter")
    world.run()

    report = refresh_index(world.store, space, place)

    after = report.index.manifest.segments
    assert report.added == report.retired + sum(e.live_count for e in after) - sum(e.live_count for e in before)
    assert len({one.name for one in before} & {one.name for one in after}) >= len(before) - 1


@pytest.mark.parametrize("vector", ["[1.0]", "[]", None])
@pytest.mark.parametrize("backend", ["duckdb"])
def test_a_vector_that_cannot_be_compared_is_found_by_words_only(
    world: World, templates: Templates, vector: str | None
) -> None:
    """Of another length, or no numbers: its chunk has no similarity, and nothing else suffers."""
    six_pages(world, templates)
    space = only_space(world)
    broken = vector or f"(select list('nan'::float) from range({space.dimensions}))"
    (chunk_id,) = sorted(world.current_chunks())[:1]
    world.rows(f"update vector.embedding set vector = {broken} where chunk_id = '{chunk_id}'")

    index = current(world)

    near = index.rank([""], index.vectors(index.sampled(1)), Method(mode=Mode.VECTOR), 1000)[0]
    assert chunk_id not in {one.chunk_id for one in near}
    assert len(near) == len(world.current_chunks()) - 1
    words = index.rank(["topic"], None, Method(mode=Mode.LEXICAL), 1000)[0]
    assert chunk_id in {one.chunk_id for one in words}
    for fusion in Fusion:
        (both,) = index.rank(["topic"], index.vectors(index.sampled(1)), Method(fusion=fusion), 1000)
        (scores,) = [one.scores for one in both if one.chunk_id == chunk_id]
        assert scores.cosine_similarity is None
        assert scores.bm25
        assert None not in {one.scores.cosine_similarity for one in both if one.chunk_id != chunk_id}
        undirected = index.rank(["topic"], np.zeros((1, space.dimensions), np.float32), Method(fusion=fusion), 1000)
        assert {one.scores.cosine_similarity for one in undirected[0]} == {None}


@pytest.mark.parametrize(
    "odd",
    [
        "not json",
        "",
        "null",
        "[1]",
        '"text"',
        "12",
        "{}",
        '{"start_offset": "12", "end_offset": null}',
        '{"start_offset": null}',
        '{"start_offset": -5, "end_offset": 3}',
        '{"start_offset": 7, "end_offset": 3}',
        '{"start_offset": 1.5, "end_offset": 1e300}',
        '{"start_offset": 0, "end_offset": 9223372036854775808}',
        '{"start_offset": 0, "end_offset": 1e400}',
        '{"url": {"a": [1]}, "source_name": 5, "primary_type": []}',
        '{"url": "\\ud800"}',
        '{"a":' * 900 + "1" + "}" * 900,
    ],
    ids=lambda odd: odd[:40] or "nothing",
)
@pytest.mark.parametrize("backend", ["duckdb"])
def test_an_odd_row_of_another_program_stops_nothing(world: World, templates: Templates, odd: str) -> None:
    """Whatever stands where JSON should be: every chunk is found, shown in its text, and what is found can be read."""
    six_pages(world, templates)
    chunk_id, content = min(world.current_chunks().items())
    with world.store.session() as session:
        session._connection.execute(  # type: ignore[attr-defined]
            "update vector.chunk set source_ref_json = ?, offsets_json = ? where chunk_id = ?", [odd, odd, chunk_id]
        )

    result = world.search("topic", top_k=1000)

    assert {hit.chunk_id for hit in result.hits} == set(world.current_chunks())
    (hit,) = [hit for hit in result.hits if hit.chunk_id == chunk_id]
    assert (hit.start_offset, hit.end_offset) == (0, len(content))
    assert chunk_id in {one.chunk_id for one in current(world).passages(hit.source_id)}
    assert parse_result(json_text(result), "here") == result


def test_a_filter_never_hides_what_it_lets_through(world: World, templates: Templates) -> None:
    """However few chunks it leaves, and however far down they rank: as many hits as there are."""
    six_pages(world, templates)
    world.add(*pages(30, start=30))
    world.run()
    index = current(world)
    vectors = index.vectors(index.sampled(1))

    for title in ("Page 2", "Page 45", "Page"):
        filters = Filters(title=title)
        there = sum(int(filters.mask(one.rows).sum()) for one in index.segments)
        for mode in (Mode.VECTOR, Mode.HYBRID):
            (found,) = index.rank(["topic"], vectors, Method(mode=mode), 10, filters)
            assert len(found) == min(10, there)


def test_ties_are_ordered_by_chunk_id(world: World, tmp_path: Path) -> None:
    """Sources of one text: their chunks follow each other by id, whatever segment they came into."""
    twin = {"content_type": "text/plain", "text": prose("twins", 300), "encoding": "utf-8"}
    for number in range(6):
        world.add(json_row(f"{number}.txt", twin))
        world.run()
        current(world)
    index = require_current(world, tmp_path)
    assert len(index.segments) > 1

    for mode in (Mode.VECTOR, Mode.HYBRID):
        (found,) = index.rank(["twins"], index.vectors(index.sampled(1)), Method(mode=mode), 6)
        by_similarity = [one.chunk_id for one in found if one.scores.cosine_similarity == 1.0]
        assert by_similarity == sorted(by_similarity)
        assert len(by_similarity) == 6


def test_many_hits_are_all_there_are(world: World, templates: Templates) -> None:
    """More than there are chunks: every chunk, once, and for words only those that have one of them."""
    six_pages(world, templates)
    index = current(world)
    chunks = world.current_chunks()

    (near,) = index.rank(["topic"], index.vectors(index.sampled(1)), Method(mode=Mode.VECTOR), 10_000)
    (words,) = index.rank(["6"], None, Method(mode=Mode.LEXICAL), 10_000)

    assert {one.chunk_id for one in near} == set(chunks)
    assert len(near) == len(chunks)
    assert {one.chunk_id for one in words} <= set(chunks)
    assert all(one.scores.bm25 for one in words)


def test_a_space_without_vectors_answers_with_nothing(world: World, tmp_path: Path) -> None:
    """Nothing is embedded yet: no hits, by any method, and the index says how many chunks it lacks."""
    world.add(*pages(1))
    world.run()
    world.rows("delete from vector.embedding")

    index = require_current(world, tmp_path)

    assert index.manifest.live_count == 0
    assert index.manifest.chunks_not_embedded == len(world.current_chunks())
    assert index.vectors(index.sampled(3)).shape == (0, 32)


def test_the_index_finds_what_the_store_finds(world: World, templates: Templates) -> None:
    """By the database's own comparison of every vector, for a sample of them."""
    six_pages(world, templates)
    index = current(world)

    recall = measure_recall(world.store, only_space(world), index)

    assert (recall.share, recall.queries) == (1.0, len(world.current_chunks()))


def test_a_state_is_another_one_whenever_the_rows_are(world: World, templates: Templates) -> None:
    """Also where a clock is behind, so that a source is described at an earlier time, or where other programs write."""
    six_pages(world, templates)
    seen: list[Any] = [state(world)]
    for statement in (
        "update vector.source_registry set title = 'New', updated_utc = '2001-01-01' where source_id like '%/1'",
        "update vector.embedding set vector_sha256 = 'x', run_id = (select min(r.run_id) from vector.run r "
        "join vector.job j on j.job_id = r.job_id where j.job_type = 'CHUNK_SOURCE') "
        "where chunk_id in (select min(chunk_id) from vector.chunk)",
        "update vector.chunk set retired_utc = '2001-01-01' where source_id like '%/3'",
        "update vector.chunk set content = 'other', content_sha256 = 'y' where source_id like '%/5'",
    ):
        world.rows(statement)
        seen.append(state(world))

    assert all(one not in seen[:number] for number, one in enumerate(seen))


def test_several_queries_are_answered_as_each_alone(world: World, templates: Templates) -> None:
    """By every method, with the same scores."""
    six_pages(world, templates)
    index = current(world)
    vectors = index.vectors(index.sampled(5))
    texts = ["topic 1", "moved", "nothing", "", "topic 6 steps"]

    for method in (Method(mode=Mode.VECTOR), Method(mode=Mode.LEXICAL), Method()):
        together = index.rank(texts, vectors, method, 4)
        alone = [index.rank([text], vectors[n : n + 1], method, 4)[0] for n, text in enumerate(texts)]
        assert together == alone
    assert np.allclose(index.vectors(index.rank([""], vectors[:1], Method(mode=Mode.VECTOR), 1)[0]), vectors[:1])
