"""Cutting searches over from one space to another, and back, on every store."""

import threading
import uuid
from dataclasses import replace

import pytest

from holocron_assets.clock import utc_now
from holocron_assets.composition import InstalledProviders
from holocron_assets.errors import ConfigurationError, HolocronError, NotReadyError
from holocron_assets.evaluation.metrics import METRICS, Metrics, QueryMetrics, mean
from holocron_assets.ports import Session
from holocron_assets.promotion import Switch, _last_promotion, _switch, _undo, promote, roll_back, searched_and_others
from holocron_assets.records import JobType
from holocron_assets.registry import list_states, set_active
from holocron_assets.runs import recorded_run
from holocron_assets.search import Question
from holocron_assets.sections import SpaceDeclaration
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.embed import embed_space
from holocron_assets.tables import evaluations, spaces
from holocron_assets.tables.evaluations import Evaluation, Judged
from holocron_assets.transactions import read, write
from tests.conftest import Templates
from tests.moving import Catalog, Moving
from tests.world import ORIGIN, World, page_row, prose, silent


@pytest.fixture
def world(world: World, templates: Templates) -> World:
    """A page in the first space, and a second space of 64 dimensions, which is empty."""
    declared = (*world.settings.spaces, SpaceDeclaration(provider="hashing", model="ngram", options={"dimensions": 64}))
    settings = world.settings.model_copy(update={"spaces": declared})
    world = replace(world, settings=settings, providers=InstalledProviders(settings))

    def fill_up() -> None:
        world.add(page_row("Page 1", 1, prose("alpha")))
        world.run()

    templates.fill(settings, "two spaces", fill_up)
    return world


def slugs(world: World) -> tuple[str, str]:
    first, second = [state.space.slug for state in list_states(world.store)]
    return first, second


def fill(world: World, slug: str) -> None:
    (space,) = [state.space for state in list_states(world.store) if state.space.slug == slug]
    policy = CanaryPolicy.of(world.settings)
    embed_space(world.store, lambda: world.providers.reopen(space), space, policy, ORIGIN, silent)


def promoted(world: World, slug: str, alias: str = "default", *, dry_run: bool = False) -> Switch:
    return promote(world.store, world.providers, CanaryPolicy.of(world.settings), slug, alias, dry_run=dry_run)


def switch_off(world: World, slug: str) -> None:
    """As somebody does in the database, past what would be refused."""
    (space,) = [state.space for state in list_states(world.store) if state.space.slug == slug]
    write(world.store, spaces.update_space_activity, space.embedding_space_id, utc_now(), is_active=False)


def searched(world: World) -> str:
    return world.search("alpha", top_k=1).space


def test_another_space_disturbs_no_search(world: World) -> None:
    """Until one is promoted, searches use the oldest active space, however many there are."""
    first, second = slugs(world)
    assert searched(world) == first
    assert [state.aliases for state in list_states(world.store)] == [["default"], []]

    for active in (False, True):
        with pytest.raises(NotReadyError, match=f"searches use {first} while nothing is promoted"):
            set_active(world.store, first, is_active=False, dry_run=active)
    fill(world, second)
    promoted(world, second)
    set_active(world.store, first, is_active=False, dry_run=False)
    assert searched(world) == second
    set_active(world.store, first, is_active=True, dry_run=False)
    assert searched(world) == second


def test_only_a_complete_space_is_promoted(world: World) -> None:
    """A space that lacks chunks is refused with how many; filled, it is what searches use from then on."""
    first, second = slugs(world)
    with pytest.raises(NotReadyError, match=f"{second} lacks 2 chunks"):
        promoted(world, second)
    fill(world, second)

    assert promoted(world, second, dry_run=True).is_change
    assert searched(world) == first
    switch = promoted(world, second)

    assert (switch.previous.slug if switch.previous else None, switch.is_change) == (first, True)
    assert searched(world) == second
    assert not promoted(world, second).is_change
    assert [state.aliases for state in list_states(world.store)] == [[], ["default"]]


def test_a_promotion_can_be_undone(world: World) -> None:
    """Step by step back to what searches used before anything was promoted; then there is nothing to undo."""
    first, second = slugs(world)
    fill(world, second)
    for slug in (second, first, second):
        promoted(world, slug)

    assert roll_back(world.store, "default", dry_run=True).space.slug == first
    for expected in (first, second, first):
        assert roll_back(world.store, "default", dry_run=False).space.slug == expected
        assert searched(world) == expected
    with pytest.raises(NotReadyError, match="nothing to undo"):
        roll_back(world.store, "default", dry_run=False)

    promoted(world, second)
    assert searched(world) == second
    assert len(world.rows("select * from vector.space_promotion")) == 4


def test_names_of_ones_own(world: World) -> None:
    """An alias other than `default` means nothing until it is promoted to, and cannot go back to nothing."""
    _, second = slugs(world)
    fill(world, second)
    with pytest.raises(ConfigurationError, match="no space is promoted to the alias 'trial'; there are: default"):
        search_by(world, "trial")

    promoted(world, second, "trial")
    assert search_by(world, "trial") == second
    with pytest.raises(NotReadyError, match="never meant another space"):
        roll_back(world.store, "trial", dry_run=False)
    with pytest.raises(ConfigurationError, match="cannot be an alias"):
        promoted(world, second, "Trial!")


def search_by(world: World, alias: str) -> str:
    return world.searcher().search(Question(query="alpha"), alias=alias).space


def test_what_is_promoted_stays_active(world: World) -> None:
    """It cannot be deactivated, and where somebody did so in the database, searches say so and use nothing else."""
    first, second = slugs(world)
    fill(world, second)
    promoted(world, second)
    with pytest.raises(NotReadyError, match=f"{second} is what the alias default means"):
        set_active(world.store, second, is_active=False, dry_run=False)

    switch_off(world, second)
    with pytest.raises(ConfigurationError, match=f"the alias default means {second}, and that is inactive"):
        searched(world)
    assert promoted(world, first).is_change
    with pytest.raises(NotReadyError, match="meant before, is inactive"):
        roll_back(world.store, "default", dry_run=False)


def test_a_searched_space_that_was_switched_off_is_compared_with_nothing(world: World) -> None:
    """Who compares the others with it is told so, and of an active one which these are."""
    first, second = slugs(world)
    fill(world, second)
    promoted(world, second)

    found, others = read(world.store, searched_and_others)
    assert (found.slug, [one.slug for one in others]) == (second, [first])
    switch_off(world, second)
    with pytest.raises(ConfigurationError, match=f"the alias default means {second}, and that is inactive"):
        read(world.store, searched_and_others)


def test_a_space_with_bad_vectors_is_not_promoted(world: World) -> None:
    """Its blocking checks are run first; what they find is the reason."""
    _, second = slugs(world)
    fill(world, second)
    world.rows("update vector.embedding set vector_sha256 = 'wrong'")

    with pytest.raises(NotReadyError, match="vectors_are_valid"):
        promoted(world, second)


def test_a_space_whose_model_moved_is_not_promoted(world: World) -> None:
    """Queries would be embedded elsewhere than its chunks."""
    first, _ = slugs(world)
    model = Moving(turned=0.2)
    moving = replace(world, providers=Catalog(model))

    with pytest.raises(NotReadyError, match="anchors moved"):
        promoted(moving, first)
    model.turned, model.digest = 0.0, "f" * 64
    with pytest.raises(NotReadyError, match="queries could not be embedded"):
        promoted(moving, first)


def test_two_promotions_at_once_leave_one_meaning(world: World) -> None:
    """Whoever comes second either follows the first in the history or fails; the alias means one space throughout."""
    first, second = slugs(world)
    fill(world, second)
    failures: list[HolocronError] = []

    def go(slug: str) -> None:
        try:
            promoted(world, slug)
        except HolocronError as error:
            failures.append(error)

    threads = [threading.Thread(target=go, args=(slug,)) for slug in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    history = world.rows("select ordinal, embedding_space_id from vector.space_promotion order by ordinal")
    assert len(failures) <= 1
    assert [ordinal for ordinal, _ in history] == list(range(1, 3 - len(failures)))
    meant = {str(state.space.embedding_space_id): state.space.slug for state in list_states(world.store)}
    assert searched(world) == meant[str(history[-1][1])]


def test_a_promotion_is_undone_once(world: World) -> None:
    """Two who undo the same promotion at once, or one whose first answer was lost, undo that one and no other."""
    first, second = slugs(world)
    fill(world, second)
    for slug in (second, first, second):
        promoted(world, slug)
    last = read(world.store, _last_promotion, "default")

    for _ in range(2):
        assert write(world.store, _undo, last, dry_run=False).space.slug == first
    assert searched(world) == first

    promoted(world, second)
    with pytest.raises(NotReadyError, match="promoted to the alias 'default' meanwhile"):
        write(world.store, _undo, last, dry_run=False)
    assert searched(world) == second


def test_a_space_that_was_deactivated_meanwhile_is_not_promoted(world: World) -> None:
    """What was looked at before the checks is looked at again in the transaction that switches."""
    _, second = slugs(world)
    fill(world, second)
    (space,) = [state.space for state in list_states(world.store) if state.space.slug == second]
    set_active(world.store, second, is_active=False, dry_run=False)

    with pytest.raises(NotReadyError, match="deactivated meanwhile"):
        write(world.store, _switch, space, "default", uuid.uuid4())


def test_a_named_space_is_searched_whatever_an_alias_means(world: World) -> None:
    """A broken alias is of no concern to who says which space is meant."""
    first, second = slugs(world)
    fill(world, second)
    promoted(world, second)
    switch_off(world, second)

    assert world.search("alpha", top_k=1, space=first).space == first


def evaluate(
    world: World,
    slug: str,
    values: list[float],
    collection: str = "own",
    *,
    chunks: int = 2,
    judged: Judged = Judged.SOURCES,
    sha256: str | None = None,
) -> None:
    """Store an evaluation of a space with these values of its queries, as its winner."""
    (space,) = [state.space for state in list_states(world.store) if state.space.slug == slug]
    measured = [
        QueryMetrics(query_id=f"q{row}", metrics=Metrics(**dict.fromkeys(METRICS, value)))
        for row, value in enumerate(values)
    ]
    with recorded_run(world.store, ORIGIN, JobType.RETRIEVE_TEST, stage="evaluate", space=space) as run:
        evaluation = Evaluation(
            evaluation_id=uuid.uuid4(),
            embedding_space_id=space.embedding_space_id,
            run_id=run.run_id,
            collection=collection,
            collection_sha256=sha256 or f"{collection:0>64}",
            judged=judged,
            method="vector",
            top_k=100,
            query_count=len(values),
            skipped_count=0,
            unknown_count=0,
            chunk_count=chunks,
            metrics=mean(measured),
            evaluated_utc=utc_now(),
        )

    def insert(session: Session) -> None:
        evaluations.insert_evaluation(session, evaluation)
        evaluations.insert_evaluation_queries(session, evaluation.evaluation_id, measured)
        evaluations.update_evaluation_winner(session, evaluation)

    write(world.store, insert)


def test_a_space_in_which_less_is_found_is_not_promoted(world: World) -> None:
    """Unless it is said that it should be all the same; on which collection, and how much less, the refusal says."""
    first, second = slugs(world)
    fill(world, second)
    evaluate(world, first, [0.9, 0.8, 0.7, 0.9, 0.6, 0.8])
    evaluate(world, second, [0.5, 0.3, 0.4, 0.5, 0.1, 0.4])

    for dry_run in (True, False):
        with pytest.raises(NotReadyError, match=f"less is found in {second} .* on own .*--despite-loss"):
            promoted(world, second, dry_run=dry_run)
    assert searched(world) == first
    switch = promote(
        world.store,
        world.providers,
        CanaryPolicy.of(world.settings),
        second,
        "default",
        dry_run=False,
        despite_loss=True,
    )

    assert searched(world) == second
    assert [one.difference.is_loss for one in switch.evaluated] == [True]


def test_what_may_be_chance_stops_no_promotion(world: World) -> None:
    """Nor does an evaluation on another collection, nor none; a space is not compared with itself."""
    first, second = slugs(world)
    fill(world, second)
    evaluate(world, first, [0.9, 0.8, 0.7, 0.9, 0.6, 0.8], "other")
    assert promoted(world, second, dry_run=True).evaluated == ()
    evaluate(world, first, [0.5, 0.5, 0.5])
    evaluate(world, second, [0.4, 0.4, 0.6])

    switch = promoted(world, second)

    assert searched(world) == second
    assert [one.difference.queries for one in switch.evaluated] == [3]
    assert promoted(world, second).evaluated == ()


def test_evaluations_of_other_amounts_of_text_stop_no_promotion(world: World) -> None:
    """What was found among fewer chunks of the store says nothing; of documents that a collection brings it does."""
    first, second = slugs(world)
    fill(world, second)
    evaluate(world, first, [0.9, 0.8, 0.7, 0.9, 0.6, 0.8], chunks=1000)
    evaluate(world, second, [0.5, 0.3, 0.4, 0.5, 0.1, 0.4], chunks=2000)

    (comparison,) = promoted(world, second, dry_run=True).evaluated
    evaluate(world, second, [0.5, 0.3, 0.4, 0.5, 0.1, 0.4], chunks=1040)
    with pytest.raises(NotReadyError, match="--despite-loss"):
        promoted(world, second, dry_run=True)
    evaluate(world, second, [0.9, 0.8, 0.7, 0.9, 0.6, 0.8], chunks=1000)
    promoted(world, second, dry_run=True)
    evaluate(world, first, [0.9, 0.8, 0.7, 0.9, 0.6, 0.8], "public", chunks=1000, judged=Judged.CORPUS)
    evaluate(world, second, [0.5, 0.3, 0.4, 0.5, 0.1, 0.4], "public", chunks=2000, judged=Judged.CORPUS)
    with pytest.raises(NotReadyError, match="on public"):
        promoted(world, second, dry_run=True)

    assert not comparison.is_like_with_like
    assert "among 2,000 chunks instead of 1,000, so nothing follows from it" in str(comparison)


def test_another_collection_of_the_same_name_hides_no_loss(world: World) -> None:
    """Evaluations are compared where their collections have one hash, whatever was evaluated under the name since."""
    first, second = slugs(world)
    fill(world, second)
    evaluate(world, first, [0.9, 0.8, 0.7, 0.9, 0.6, 0.8])
    evaluate(world, second, [0.5, 0.3, 0.4, 0.5, 0.1, 0.4])
    evaluate(world, first, [0.1, 0.1, 0.1], sha256="f" * 64)

    with pytest.raises(NotReadyError, match="less is found in"):
        promoted(world, second, dry_run=True)
