"""Approximate indexes: candidates by a graph, compared exactly; and what happens where there can be none."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from holocron_assets.retrieval import graph, segment
from holocron_assets.retrieval.filters import Filters
from holocron_assets.retrieval.hits import Method, Mode
from holocron_assets.retrieval.index import SearchIndex
from holocron_assets.search import Question
from holocron_assets.stages import index_graphs
from holocron_assets.stages.index_recall import measure_recall
from holocron_assets.stages.indexing import IndexPlace, refresh_index
from tests.conftest import Templates
from tests.derived import pages
from tests.indexes import anew, answers, current, only_space
from tests.world import World, json_row, page_row, prose

NEAREST = Method(mode=Mode.VECTOR)

needs_usearch = pytest.mark.skipif(
    not graph.is_available(), reason="usearch is not installed (the extra `approximate`), or cannot be loaded here"
)


@pytest.fixture
def large(world: World, templates: Templates, monkeypatch: pytest.MonkeyPatch) -> World:
    """Some hundred chunks, which count as many."""
    monkeypatch.setattr(graph, "LEAST_ROWS", 50)
    monkeypatch.setattr(index_graphs, "LEAST_ROWS", 50)
    monkeypatch.setattr(graph, "_LARGEST_SHARE", 0.5)
    # Threads build a graph, each time another one, and of so few rows one in ten is not as good as one of many.
    for module in (graph, index_graphs, segment):
        monkeypatch.setattr(module, "LEAST_RECALL", 0.8)

    def fill() -> None:
        world.add(*pages(120))
        world.run()

    templates.fill(world.settings, "120 pages", fill)
    search = world.settings.search.model_copy(update={"approximate_above": 100})
    return replace(world, settings=world.settings.model_copy(update={"search": search}))


def without(large: World) -> World:
    """The same, where everything is compared."""
    search = large.settings.search.model_copy(update={"approximate_above": 1_000_000})
    return replace(large, settings=large.settings.model_copy(update={"search": search}))


def similarities(index: SearchIndex, vectors: np.ndarray, **asked: Filters) -> list[list[tuple[str, float | None]]]:
    found = index.rank([""] * len(vectors), vectors, NEAREST, 10, **asked)
    return [[(one.chunk_id, one.scores.cosine_similarity) for one in some] for some in found]


@needs_usearch
def test_candidates_are_compared_exactly(large: World) -> None:
    """Nearly all of what is nearest is found, each with the similarity that an exact comparison gives it."""
    index = current(large)
    assert index.kind == "approximate"
    assert (index.folder / index.segments[0].name / graph.GRAPH).exists()
    vectors = index.vectors(index.sampled(40))

    found, exact = similarities(index, vectors), similarities(index.exactly(), vectors)

    everything = index.exactly().rank([""] * len(vectors), vectors, NEAREST, 1000)
    for some, others in zip(found, everything, strict=True):
        assert set(some) <= {(one.chunk_id, one.scores.cosine_similarity) for one in others}
        assert some == sorted(some, key=lambda one: (-one[1], one[0]))
    shared = sum(len(set(a) & set(b)) for a, b in zip(found, exact, strict=True))
    assert shared / sum(map(len, exact)) >= graph.LEAST_RECALL


@needs_usearch
def test_ties_are_ordered_by_chunk_id_there_too(large: World) -> None:
    """Of more chunks of one text than there are candidates, those with the smallest ids are found, as exactly."""
    twin = {"content_type": "text/plain", "text": prose("twins", 300), "encoding": "utf-8"}
    large.add(*[json_row(f"{number}.txt", twin) for number in range(80)])
    large.run()
    index = current(large)
    twins = min(one for one, text in large.current_chunks().items() if "twins" in text)
    (found,) = index.rank(["twins"], None, Method(mode=Mode.LEXICAL), 1)
    vectors = np.concatenate([index.vectors(found), index.vectors(index.sampled(3))])

    ((first, *others), *rest) = similarities(index, vectors)

    (segment,) = index.segments
    assert segment.graph
    candidates = segment.graph.candidates(vectors, index.live[0], 10)
    assert [rows is None for rows in candidates or ()] == [True, False, False, False]
    assert [first, *others] == similarities(index.exactly(), vectors)[0]
    assert first == (twins, 1.0)
    assert len({similarity for _, similarity in others}) == 1
    assert len(rest) == 3


@needs_usearch
def test_its_recall_is_measured_between_the_vectors_and_against_the_store(large: World) -> None:
    """And is what it should be; one whose graph is of other vectors is told apart."""
    index = current(large)
    assert measure_recall(large.store, only_space(large), index).share >= graph.LEAST_RECALL

    folder = index.folder / index.segments[0].name
    shape = index.segments[0].vectors.shape
    wrong = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    graph.write_graph(folder, wrong, np.ones(len(wrong)))
    misled = replace(index.segments[0], graph=graph.open_graph(folder, shape[1]))
    damaged = SearchIndex(index.folder, index.manifest, [misled, *index.segments[1:]], index.live, {})

    assert measure_recall(large.store, only_space(large), damaged).share < graph.LEAST_RECALL


@needs_usearch
def test_a_graph_that_misleads_is_never_published(large: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured before anybody searches: everything is compared then, and searches say so; it is not made again."""
    made = []

    def write_wrong(folder: Path, vectors: np.ndarray, norms: np.ndarray) -> None:
        made.append(folder.name)
        wrong = np.random.default_rng(0).standard_normal(vectors.shape).astype(np.float32)
        graph.write_graph(folder, wrong, norms)

    monkeypatch.setattr(index_graphs, "write_graph", write_wrong)
    index = current(large)

    assert index.kind == "exact"
    assert answers(large, index)[2:] == answers(large, anew(without(large), large.settings.base_dir / "exact"))[2:]
    (note,) = large.searcher().search(Question(query="moved", method=NEAREST)).notes
    assert note == index.manifest.note
    assert "at least 80% are wanted" in note
    assert not list(index.folder.rglob(graph.GRAPH))
    first = list(made)
    large.add(page_row("Page 1", 1, prose("another", 2500), revision=2, fetched_at=large.next_day()))
    large.run()
    assert refresh_index(large.store, only_space(large), IndexPlace.of(large.settings)).added > 0
    assert made == first


@needs_usearch
def test_filters_and_what_was_retired_are_no_reason_to_miss_hits(large: World) -> None:
    """Few that a filter lets through are all compared; retired chunks are never found, and the rest still is."""
    current(large)
    for number in range(1, 31):
        text = prose(f"another {number}", 2500)
        large.add(page_row(f"Page {number}", number, text, revision=2, fetched_at=large.next_day()))
    large.run()
    index = current(large)
    vectors = index.vectors(index.sampled(20))

    found = similarities(index, vectors)

    assert index.kind == "approximate"
    assert {chunk_id for some in found for chunk_id, _ in some} <= set(large.current_chunks())
    assert all(len(some) == 10 for some in found)
    few = Filters(title="Page 77")
    there = sum(int((live & few.mask(one.rows)).sum()) for live, one in zip(index.live, index.segments, strict=True))
    assert all(len(some) == min(10, there) for some in similarities(index, vectors, filters=few))
    assert measure_recall(large.store, only_space(large), index).share >= graph.LEAST_RECALL


@needs_usearch
def test_the_setting_takes_effect_with_the_next_build(large: World) -> None:
    """An exact index gets its graphs, and an approximate one is exact again; neither reads the chunks anew."""
    space = only_space(large)
    kinds = []
    for world in (without(large), large, without(large)):
        report = refresh_index(world.store, space, IndexPlace.of(world.settings))
        kinds.append((report.index.kind, current(world).kind, report.added > 0))

    assert kinds == [("exact", "exact", True), ("approximate", "approximate", False), ("exact", "exact", False)]


@needs_usearch
@pytest.mark.parametrize("content", [b"", b"nonsense" * 100])
def test_a_damaged_graph_is_noticed_and_replaced(large: World, content: bytes) -> None:
    """Cut off, or of another length; whatever reads it is not reached."""
    index = current(large)
    (index.folder / index.segments[0].name / graph.GRAPH).write_bytes(content)

    assert current(large, known=index).kind == "approximate"
    assert current(large).is_whole()


def test_without_usearch_everything_is_compared(large: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the search says why that may take long; one by words does not."""
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    exact = answers(large, anew(without(large), large.settings.base_dir / "exact"))

    index = current(large)

    assert index.kind == "exact"
    assert answers(large, index) == exact
    by_words, by_vectors = (
        large.searcher().search(Question(query="topic 7", method=Method(mode=mode))).notes
        for mode in (Mode.LEXICAL, Mode.VECTOR)
    )
    assert not by_words
    assert "usearch installed (the extra `approximate`) more than 100 (`search.approximate_above`)" in by_vectors[0]
