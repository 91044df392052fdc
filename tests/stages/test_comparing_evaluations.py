"""What evaluations say beside each other: losses, winners, better spaces."""

import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from holocron_assets.clock import utc_now
from holocron_assets.evaluation import comparing
from holocron_assets.evaluation.comparing import best_method, compare_spaces, winner_of
from holocron_assets.evaluation.metrics import METRICS, Metrics, QueryMetrics, mean
from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.registry import list_states
from holocron_assets.retrieval.hits import Method
from holocron_assets.runs import recorded_run
from holocron_assets.tables import evaluations
from holocron_assets.tables.evaluations import Evaluation, Judged
from holocron_assets.transactions import read, write
from holocron_assets.verification.finding import Finding
from tests.conftest import Templates
from tests.derived import derived, six_pages
from tests.world import ORIGIN, World

Stored = Callable[..., Evaluation]

GOOD, BAD = [0.9, 0.8, 0.7, 0.9, 0.6, 0.8, 0.9, 1.0], [0.5, 0.3, 0.4, 0.5, 0.1, 0.4, 0.5, 0.6]


@pytest.fixture
def spaces(world: World, templates: Templates) -> list[EmbeddingSpace]:
    """Two spaces."""
    first = six_pages(world, templates)
    return [first, derived(world, first, "binary")]


@pytest.fixture
def stored(world: World, spaces: list[EmbeddingSpace]) -> Stored:
    """Stores an evaluation with these values of each query, later than the ones before."""
    (state, _) = list_states(world.store)
    with recorded_run(world.store, ORIGIN, JobType.RETRIEVE_TEST, stage="evaluate", space=state.space) as run:
        run_id = run.run_id
    now = utc_now()
    number = 0

    def store(
        values: Sequence[float],
        method: str = "vector",
        space: EmbeddingSpace = spaces[0],
        collection: str = "own",
        judged: Judged = Judged.SOURCES,
        *,
        wins: bool = False,
    ) -> Evaluation:
        nonlocal number
        number += 1
        measured = [
            QueryMetrics(query_id=f"q{row}", metrics=Metrics(**dict.fromkeys(METRICS, value)))
            for row, value in enumerate(values)
        ]
        evaluation = Evaluation(
            evaluation_id=uuid.uuid4(),
            embedding_space_id=space.embedding_space_id,
            run_id=run_id,
            collection=collection,
            collection_sha256=f"{collection:0>64}",
            judged=judged,
            method=method,
            top_k=100,
            query_count=len(values),
            skipped_count=0,
            unknown_count=0,
            chunk_count=6,
            metrics=mean(measured),
            evaluated_utc=now + timedelta(seconds=number),
        )

        def insert(session: Session) -> None:
            evaluations.insert_evaluation(session, evaluation)
            evaluations.insert_evaluation_queries(session, evaluation.evaluation_id, measured)
            if wins:
                evaluations.update_evaluation_winner(session, evaluation)

        write(world.store, insert)
        return evaluation

    return store


def looked(world: World, spaces: Sequence[EmbeddingSpace]) -> Finding:
    return read(world.store, comparing.retrieval_did_not_get_worse, spaces)


def test_without_an_evaluation_before_nothing_got_worse(
    world: World, spaces: list[EmbeddingSpace], stored: Stored
) -> None:
    """The first evaluation of each space, method and collection has nothing to be compared with."""
    assert looked(world, spaces).holds
    stored(GOOD)
    stored(BAD, method="lexical")
    stored(BAD, space=spaces[1])
    stored(BAD, collection="other")

    found = looked(world, spaces)

    assert (found.holds, found.figures) == (True, {"compared": 0, "worse": 0})


def test_a_significant_loss_is_found(world: World, spaces: list[EmbeddingSpace], stored: Stored) -> None:
    """A loss by the method that searches use is an error, by another a warning; both say how large and how sure."""
    stored(GOOD)
    stored(BAD)
    warned = looked(world, spaces)
    stored(GOOD)
    stored(BAD, wins=True)
    failed = looked(world, spaces)

    assert (warned.holds, warned.blocks, failed.holds, failed.blocks) == (False, False, False, True)
    assert "by vector: nDCG@10 0.41" in failed.offenders[0]
    assert "instead of 0.825 on own" in failed.offenders[0]
    assert "p 0.0078, 8 queries" in failed.offenders[0]


def test_a_gain_and_what_may_be_chance_are_no_loss(world: World, spaces: list[EmbeddingSpace], stored: Stored) -> None:
    """The check passes when retrieval got better, and when two of three queries got worse."""
    stored(BAD)
    stored(GOOD)
    stored([0.5, 0.5, 0.5], method="lexical")
    stored([0.4, 0.4, 0.6], method="lexical")

    found = looked(world, spaces)

    assert (found.holds, found.figures) == (True, {"compared": 2, "worse": 0})


def test_only_the_spaces_asked_for_are_looked_at(world: World, spaces: list[EmbeddingSpace], stored: Stored) -> None:
    """A loss of another space is that space's."""
    stored(GOOD)
    stored(BAD)

    assert not looked(world, spaces[:1]).holds
    assert looked(world, spaces[1:]).holds


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"vector": BAD, "lexical": [0.2] * 8, "hybrid:rrf:0.5": GOOD}, "hybrid:rrf:0.5"),
        ({"vector": GOOD, "lexical": BAD, "hybrid:rrf:0.5": GOOD}, "vector"),
        ({"vector": [*GOOD[:7], 0.95], "lexical": BAD, "hybrid:rrf:0.5": GOOD}, "vector"),
        ({"vector": [0.5] * 8, "lexical": [0.6] * 8, "hybrid:rrf:0.5": [0.6] * 8}, "lexical"),
        # Near on average, and worse for every query.
        ({"vector": [one - 0.005 for one in GOOD], "hybrid:rrf:0.5": GOOD}, "hybrid:rrf:0.5"),
        # As likely as not, and far away.
        ({"vector": [0.5, 0.9, 0.9], "hybrid:rrf:0.5": [0.9, 0.9, 0.9]}, "hybrid:rrf:0.5"),
        ({"hybrid:rrf:0.5": GOOD, "hybrid:weighted:0.5": [*GOOD[:7], 0.99]}, "hybrid:rrf:0.5"),
    ],
)
def test_the_best_wins_unless_a_simpler_one_is_as_good(
    world: World, stored: Stored, values: dict[str, list[float]], expected: str
) -> None:
    """Simpler means by vectors or words alone; as good means not significantly worse, and 0.01 behind at most."""
    candidates = [stored(series, method=method) for method, series in values.items()]

    assert read(world.store, winner_of, candidates).method == expected


def test_searches_rank_by_what_is_marked(world: World, spaces: list[EmbeddingSpace], stored: Stored) -> None:
    """Each space by its own."""
    key = spaces[0].embedding_space_id
    stored(GOOD, method="vector")
    assert read(world.store, best_method, key) is None
    stored(GOOD, method="lexical", wins=True)
    stored(GOOD, method="hybrid:weighted:0.5", space=spaces[1], wins=True)

    assert read(world.store, best_method, key) == Method.parse("lexical")
    assert read(world.store, best_method, spaces[1].embedding_space_id) == Method.parse("hybrid:weighted:0.5")


def test_spaces_are_compared_by_their_best_methods(world: World, spaces: list[EmbeddingSpace], stored: Stored) -> None:
    """On each collection that both were evaluated on, by the methods that both were evaluated by, query by query."""
    old, new = (one.embedding_space_id for one in spaces)
    stored(BAD)
    stored(GOOD, method="lexical")
    stored([1.0] * 8, method="hybrid:rrf:0.5")
    stored(GOOD, collection="only the first")
    assert read(world.store, compare_spaces, old, new) == []
    stored([*BAD[:7], 0.7], space=spaces[1])
    stored([0.2] * 8, method="lexical", space=spaces[1])

    (comparison,) = read(world.store, compare_spaces, old, new)

    assert (comparison.old.method, comparison.new.method) == ("lexical", "vector")
    assert comparison.difference.is_loss
    assert read(world.store, compare_spaces, new, old)[0].difference.is_gain


def test_a_loss_is_one_until_it_is_found_again(world: World, spaces: list[EmbeddingSpace], stored: Stored) -> None:
    """Whatever else changes in between, and however little less is found each time."""
    stored(GOOD)
    good = stored(GOOD)
    losses = [stored(BAD), stored([*BAD[:7], 0.7]), stored([*BAD[:7], 0.5])]

    found = looked(world, spaces)
    history = read(world.store, evaluations.list_evaluations)
    told = [read(world.store, comparing.loss_of, history, one) for one in losses]
    stored([*GOOD[:7], 0.9])

    assert not found.holds
    assert [one.old if one else None for one in told] == [good] * 3
    assert looked(world, spaces).holds
