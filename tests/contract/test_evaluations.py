"""Evaluations as every store keeps them."""

import uuid
from dataclasses import replace

import pytest

from holocron_assets.clock import utc_now
from holocron_assets.evaluation.metrics import METRICS, Metrics, QueryMetrics, mean
from holocron_assets.ports import Session
from holocron_assets.records import JobType
from holocron_assets.registry import list_states
from holocron_assets.runs import recorded_run
from holocron_assets.tables import evaluations
from holocron_assets.tables.evaluations import Evaluation, Judged
from holocron_assets.transactions import read, write
from tests.conftest import Templates
from tests.world import ORIGIN, World, page_row, prose

MEASURED = [
    QueryMetrics(query_id=f"q{number}", metrics=Metrics(**dict.fromkeys(METRICS, number / 7))) for number in range(5)
]


@pytest.fixture
def world(world: World, templates: Templates) -> World:
    """Two pages, cut and embedded."""

    def fill() -> None:
        world.add(page_row("Page 1", 1, prose("alpha", 2500)), page_row("Page 2", 2, prose("beta", 2500)))
        world.run()

    templates.fill(world.settings, "two short pages", fill)
    return world


@pytest.fixture
def evaluation(world: World) -> Evaluation:
    """An evaluation of the only space, not stored yet."""
    (state,) = list_states(world.store)
    with recorded_run(world.store, ORIGIN, JobType.RETRIEVE_TEST, stage="evaluate", space=state.space) as run:
        return Evaluation(
            evaluation_id=uuid.uuid4(),
            embedding_space_id=state.space.embedding_space_id,
            run_id=run.run_id,
            collection="sea tests",
            collection_sha256="0" * 64,
            judged=Judged.SOURCES,
            method="vector",
            top_k=100,
            query_count=5,
            skipped_count=1,
            unknown_count=2,
            chunk_count=4,
            metrics=mean(MEASURED),
            evaluated_utc=utc_now(),
        )


def insert(session: Session, evaluation: Evaluation) -> None:
    evaluations.insert_evaluation(session, evaluation)
    evaluations.insert_evaluation_queries(session, evaluation.evaluation_id, MEASURED)


def test_what_was_measured_is_kept(world: World, evaluation: Evaluation) -> None:
    """An evaluation and each query's part come back as they were, to the last digit, also when written twice."""
    write(world.store, insert, evaluation)
    write(world.store, insert, evaluation)

    assert read(world.store, evaluations.list_evaluations) == [evaluation]
    assert read(world.store, evaluations.list_evaluation_queries, evaluation.evaluation_id) == MEASURED


def test_evaluations_are_listed_by_collection(world: World, evaluation: Evaluation) -> None:
    """The newest comes first, and those on other collections only where none is named."""
    other = replace(evaluation, evaluation_id=uuid.uuid4(), collection="other", evaluated_utc=utc_now())
    for one in (evaluation, other):
        write(world.store, insert, one)

    assert read(world.store, evaluations.list_evaluations) == [other, evaluation]
    assert read(world.store, evaluations.list_evaluations, "other") == [other]
    assert read(world.store, evaluations.list_evaluations, "none") == []


def test_one_evaluation_wins(world: World, evaluation: Evaluation) -> None:
    """Marking a winner takes the mark from the one before, on whatever collection, and marks nothing twice."""
    later = replace(evaluation, evaluation_id=uuid.uuid4(), evaluated_utc=utc_now())
    elsewhere = replace(evaluation, evaluation_id=uuid.uuid4(), collection="other")
    for one in (evaluation, later, elsewhere):
        write(world.store, insert, one)

    changed = [
        write(world.store, evaluations.update_evaluation_winner, one) for one in (evaluation, elsewhere, later, later)
    ]

    winners = {one.evaluation_id for one in read(world.store, evaluations.list_evaluations) if one.is_winner}
    assert winners == {later.evaluation_id}
    assert changed == [1, 2, 2, 0]


def test_what_is_found_again_among_more_is_said(world: World, evaluation: Evaluation) -> None:
    """Only the number of chunks of that evaluation changes, and once."""
    write(world.store, insert, evaluation)

    changed = [
        write(world.store, evaluations.update_evaluation_chunk_count, evaluation.evaluation_id, 9) for _ in range(2)
    ]

    assert read(world.store, evaluations.list_evaluations) == [replace(evaluation, chunk_count=9)]
    assert changed == [1, 0]


def evaluated(world: World, sha256: str, method: str = "vector") -> None:
    """The space was evaluated again, and the same was found."""
    (state,) = list_states(world.store)
    options = {"collection": "sea tests", "sha256": sha256, "methods": ["lexical", method]}
    with recorded_run(world.store, ORIGIN, JobType.RETRIEVE_TEST, stage="evaluate", options=options, space=state.space):
        pass


def test_changes_count_since_the_last_evaluation_on_the_same(world: World, evaluation: Evaluation) -> None:
    """Chunks that came count, and vectors that were replaced; an evaluation on another collection forgets none."""
    (state,) = list_states(world.store)

    def changes() -> int:
        return read(world.store, evaluations.count_changes_since_evaluation, evaluation)

    assert changes() > 0  # nothing tells when it was made
    evaluated(world, evaluation.collection_sha256)
    assert changes() == 0

    world.add(page_row("Page 3", 3, prose("gamma", 500)))
    world.run()
    came = changes()
    assert came == 2  # a chunk and its vector
    evaluated(world, "1" * 64)
    evaluated(world, evaluation.collection_sha256, method="hybrid:rrf:0.5")
    assert changes() == came
    evaluated(world, evaluation.collection_sha256)
    assert changes() == 0

    with recorded_run(world.store, ORIGIN, JobType.REEMBED_SPACE, stage="embed", space=state.space) as run:
        pass
    world.rows(f"update vector.embedding set run_id = '{run.run_id}'")
    ((vectors,),) = world.rows("select count(*) from vector.embedding")
    assert changes() == vectors


def test_judgements_can_name_what_is_searched(world: World) -> None:
    """Sources and chunks are found by their ids while they are current, and nothing else is."""
    sources = ["mediawiki:testwiki:page/1", "mediawiki:testwiki:page/2"]
    ids = [chunk_id for (chunk_id,) in world.rows("select chunk_id from vector.chunk order by chunk_id")]
    world.add(page_row("Page 2", 2, "", revision=2, fetched_at=world.next_day()))
    world.extract()
    world.chunk(allow_mass_change=True)

    assert read(world.store, evaluations.list_searchable_sources, [*sources, "nothing", "'; drop"]) == {sources[0]}
    assert read(world.store, evaluations.list_searchable_sources, []) == set()
    found = read(world.store, evaluations.list_searchable_chunks, [*ids, "nothing"])
    assert found
    assert found < set(ids)
