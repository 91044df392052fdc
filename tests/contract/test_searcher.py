"""A searcher that stays open: what it looks at again, when, and whom it keeps waiting."""

import threading
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from holocron_assets.clock import utc_now
from holocron_assets.errors import NotReadyError
from holocron_assets.ports import EmbeddingProvider, ProviderCatalog, Session
from holocron_assets.promotion import DEFAULT, promote, roll_back
from holocron_assets.records import EmbeddingSpace
from holocron_assets.search import Question
from holocron_assets.sections import SpaceDeclaration
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.embed import embed_space
from holocron_assets.tables import canaries, spaces
from holocron_assets.tables.canaries import Canary
from holocron_assets.transactions import read, write
from resources.providers import open_provider
from resources.stores import open_store
from tests.conftest import Templates
from tests.moving import Moving
from tests.world import ORIGIN, World, page_row, prose, silent

DIMENSIONS = (32, 64)


@dataclass
class Models(ProviderCatalog):
    """A model for each space, and how often each was asked."""

    models: Mapping[int, Moving] = field(
        default_factory=lambda: {
            one: Moving(inner=open_provider("hashing", "ngram", {"dimensions": one})) for one in DIMENSIONS
        }
    )

    def open(self, provider: str, model: str, options: Mapping[str, Any]) -> EmbeddingProvider:
        return self.models[options["dimensions"]]

    def reopen(self, space: EmbeddingSpace) -> EmbeddingProvider:
        return self.models[space.dimensions]


@pytest.fixture
def world(world: World, templates: Templates) -> World:
    """Two pages in two spaces."""
    declared = [SpaceDeclaration(provider="hashing", model="ngram", options={"dimensions": one}) for one in DIMENSIONS]
    world = replace(world, settings=world.settings.model_copy(update={"spaces": tuple(declared)}), providers=Models())

    def fill() -> None:
        world.add(*[page_row(f"Page {n}", n, prose(f"topic {n}", 900)) for n in (1, 2)])
        world.run()
        space = both(world)[1]
        model, policy = world.providers.reopen(space), CanaryPolicy.of(world.settings)
        embed_space(world.store, lambda: model, space, policy, ORIGIN, silent)

    templates.fill(world.settings, "two models", fill)
    return world


def both(world: World) -> Sequence[EmbeddingSpace]:
    """The spaces, the oldest first."""
    return sorted(read(world.store, spaces.list_spaces), key=lambda one: one.dimensions)


def models(world: World) -> Mapping[int, Moving]:
    assert isinstance(world.providers, Models)
    return world.providers.models


def test_a_model_is_compared_with_its_anchors_once_in_a_while(world: World) -> None:
    """Of several searches the first embeds an anchor beside the query, whether or not the store tells of commits."""
    searcher, model = world.searcher(), models(world)[32]
    searcher.search(Question(query="topic 1"))
    model.calls.clear()

    for number in range(4):
        world.add(page_row(f"Other {number}", 10 + number, "Something else.", fetched_at=world.next_day()))
        assert searcher.search(Question(query=f"topic {number}")).hits

    assert model.calls == [1] * 4


def test_a_model_that_gets_other_anchors_is_compared_with_these(world: World) -> None:
    """At once, however lately it was compared; and nobody searches a space whose vectors are being replaced."""
    searcher, model, space = world.searcher(), models(world)[32], both(world)[0]
    searcher.search(Question(query="topic 1"))
    other = Canary(canary_id=uuid.uuid4(), repeatability=0.0, runtime={}, recorded_utc=utc_now(), is_complete=False)

    def begin(session: Session) -> None:
        known = canaries.get_canary(session, space.embedding_space_id)
        assert known
        anchors, vectors = canaries.list_anchors(session, known, space.dimensions)
        canaries.insert_canary(session, other, space.embedding_space_id)
        canaries.insert_anchors(session, other, anchors, vectors)

    write(world.store, begin)
    with pytest.raises(NotReadyError, match="are being replaced"):
        searcher.search(Question(query="topic 1"))
    write(world.store, canaries.update_canary_completed, other.canary_id, utc_now())
    model.calls.clear()
    searcher.search(Question(query="topic 1"))

    assert model.calls == [1, 1]


def test_no_space_waits_for_the_model_of_another(world: World) -> None:
    """While one is compared with its anchors, or does not answer, another is searched."""
    first, second = both(world)
    searcher, question = world.searcher(), Question(query="topic 1")
    asked, answers = threading.Event(), threading.Event()

    def wait(model: Moving) -> None:
        asked.set()
        assert answers.wait(60)

    models(world)[second.dimensions].after = wait
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(searcher.search, question, space=second.slug)
        try:
            assert asked.wait(60)
            found = threads.submit(searcher.search, question, space=first.slug).result(timeout=30)
        finally:
            answers.set()

        assert found.hits
        assert waiting.result().hits


def test_an_alias_that_is_switched_is_followed(world: World) -> None:
    """By the next search of a searcher that is open, whoever switched it; so is a roll back."""
    first, second = both(world)
    searcher, question = world.searcher(), Question(query="topic 1")
    elsewhere = open_store(world.settings, wait_seconds=5)
    searched = [searcher.search(question).space, searcher.search(question).space]

    promote(elsewhere, world.providers, CanaryPolicy.of(world.settings), second.slug, DEFAULT, dry_run=False)
    searched.append(searcher.search(question).space)
    roll_back(elsewhere, DEFAULT, dry_run=False)
    searched.append(searcher.search(question).space)

    assert searched == [first.slug, first.slug, second.slug, first.slug]
