"""Six things that may happen to a space of the embedded model, and the report that each leads to."""

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import lxml.html
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from holocron_assets import sample
from holocron_assets.comparisons.content import Choice, compare_content
from holocron_assets.comparisons.model import compare_model
from holocron_assets.comparisons.spaces import compare_two_spaces
from holocron_assets.composition import command_store
from holocron_assets.drift.report import DriftReport, Subject, Verdict
from holocron_assets.evaluation.evaluate import Surroundings
from holocron_assets.ports import EmbeddingProvider, ProviderCatalog, Purpose
from holocron_assets.records import EmbeddingSpace, SpaceIdentity
from holocron_assets.sections import SpaceDeclaration
from holocron_assets.spaces import space_of
from holocron_assets.vectors import Vectors
from holocron_assets.wrapped import WrappedProvider
from resources.providers import open_provider
from resources.providers.minilm import MiniLM
from resources.providers.minilm_files import ModelFiles, find_model_files
from tests.conftest import Templates
from tests.world import ORIGIN, START, World, json_row

pytestmark = pytest.mark.slow

#: Sentences in each window; every twentieth of the later one may be on another topic.
EACH = 700
LATER = START + timedelta(days=30)
THINGS = ("invoice", "tax return", "pension form", "bank transfer", "receipt", "insurance claim", "loan contract")
FATES = ("must be filed before", "was rejected on", "is stamped after", "was paid twice on", "needs a signature by")


class Changed(WrappedProvider):
    """Is what the embedded model is, and answers as `inner` does, turned by `rotation` where there is one."""

    def __init__(self, inner: EmbeddingProvider, rotation: NDArray[np.float64] | None = None) -> None:
        super().__init__(inner)
        self._inner = inner
        self._rotation = rotation

    def describe(self) -> SpaceIdentity:
        return open_provider("embedded", "all-minilm-l6-v2", {}).describe()

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        found = self._inner.embed(texts, purpose)
        if self._rotation is None:
            return found
        return replace(found, values=(found.values.astype(np.float64) @ self._rotation).astype(np.float32))


class Quantised(MiniLM):
    """The embedded model with each row of its weights in 255 steps, as a file of int8 weights would hold it."""

    def __init__(self, folder: Path) -> None:
        super().__init__("all-minilm-l6-v2", {})
        files = find_model_files()
        rounded = {name: _in_steps(one) for name, one in load_file(files.weights).items()}
        save_file(rounded, folder / "model.safetensors")
        self.__dict__["_files"] = ModelFiles(
            weights=folder / "model.safetensors", weights_sha256=files.weights_sha256, tokenizer=files.tokenizer
        )


class Only(ProviderCatalog):
    """Serves one provider for every space."""

    def __init__(self, provider: EmbeddingProvider) -> None:
        self._provider = provider

    def open(self, provider: str, model: str, options: Any) -> EmbeddingProvider:
        return self._provider

    def reopen(self, space: EmbeddingSpace) -> EmbeddingProvider:
        return self._provider


def _in_steps(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    if weights.ndim != 2:
        return weights
    steps = np.abs(weights).max(axis=1, keepdims=True) / np.float32(127)
    return np.rint(weights / np.where(steps > 0, steps, 1)) * steps


@lru_cache
def sentences() -> list[str]:
    """Of the pages of the bundled sample, in an order drawn once."""
    found: dict[str, None] = {}
    with gzip.open(sample.RECORDS, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row.get("variant") != "html":
                continue
            html = json.loads(row["payload"]).get("parse", {}).get("text", "")
            html = html if isinstance(html, str) else html.get("*", "")
            for paragraph in lxml.html.fromstring(html).iter("p") if html else ():
                text = paragraph.text_content().strip()
                found.update(dict.fromkeys(one for one in re.split(r"(?<=[.!?]) ", text) if len(one) > 30))
    known = list(found)
    return [known[one] for one in np.random.default_rng(5).permutation(len(known))]


def rows(name: str, texts: Sequence[str], **columns: Any) -> list[dict[str, Any]]:
    """A record for each text."""
    return [json_row(f"{name}/{number}", text, **columns) for number, text in enumerate(texts)]


@pytest.fixture
def world(world: World, templates: Templates) -> World:
    """Sentences of the sample, half of them fetched a month later, embedded by the embedded model."""
    declared = SpaceDeclaration(provider="embedded", model="all-minilm-l6-v2")
    world.settings = world.settings.model_copy(update={"spaces": (declared,)})

    def fill() -> None:
        known = sentences()
        world.add(*rows("early", known[:EACH]), *rows("late", known[EACH : 2 * EACH], fetched_at=LATER))
        world.run()

    templates.fill(world.settings, "sentences of two months", fill)
    return world


@pytest.fixture
def space(world: World) -> EmbeddingSpace:
    """That of the embedded model."""
    return space_of(open_provider("embedded", "all-minilm-l6-v2", {}).describe())


def content(world: World, space: EmbeddingSpace) -> DriftReport:
    """What came in the second month beside what came in the first."""
    return compare_content(world.store, world.settings, space, Choice(since=LATER - timedelta(days=1)), ORIGIN)


def model(world: World, space: EmbeddingSpace, provider: EmbeddingProvider) -> DriftReport:
    """What a provider answers now beside what was answered at first."""
    around = Surroundings(
        store=world.store, settings=world.settings, providers=Only(provider), open_store=command_store
    )
    return compare_model(around, space, ORIGIN)


def test_nothing_changes(world: World, space: EmbeddingSpace) -> None:
    """More of the same texts, and the same model: nothing to look at."""
    of_content, of_model = content(world, space), model(world, space, open_provider("embedded", "all-minilm-l6-v2", {}))

    assert of_content.verdict is Verdict.OK
    assert (of_model.verdict, of_model.parameters["change"]) == (Verdict.OK, "identical")


def test_a_twentieth_is_on_a_new_topic(world: World, space: EmbeddingSpace) -> None:
    """Texts on a topic that was not there are noticed, and named."""
    new = [
        f"The {THINGS[n % 7]} number {1000 + n * 37} {FATES[n % 5]} the {1 + n % 28} of March, says office {n % 11}."
        for n in range(EACH // 20)
    ]
    world.add(*rows("late", new, fetched_at=LATER + timedelta(days=1)))
    world.run()

    report = content(world, space)

    assert report.verdict is not Verdict.OK, report.metrics
    assert any(thing in report.judgements[0].why for thing in THINGS)


def test_the_token_limit_is_halved_under_the_same_name(world: World, space: EmbeddingSpace) -> None:
    """Long texts are read to their middle only: that is another model."""
    report = model(world, space, Changed(open_provider("embedded", "all-minilm-l6-v2", {"max_tokens": 256})))

    assert (report.verdict, report.parameters["change"]) == (Verdict.ALERT, "different")


def test_the_weights_are_quantised(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Weights of eight bits are a little off: worth a look."""
    report = model(world, space, Changed(Quantised(tmp_path)))

    assert (report.verdict, report.parameters["change"]) == (Verdict.WATCH, "quantisation-like")


def test_the_vectors_are_rotated(world: World, space: EmbeddingSpace) -> None:
    """Neighbours among new vectors are those among the old, but nothing fits together."""
    rotation, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((384, 384)))
    report = model(world, space, Changed(open_provider("embedded", "all-minilm-l6-v2", {}), rotation))

    assert (report.verdict, report.parameters["change"]) == (Verdict.ALERT, "rotated")


def test_another_model_is_compared(world: World, space: EmbeddingSpace) -> None:
    """A model that knows letters only has other neighbours: two spaces that never mix."""
    other = open_provider("hashing", "ngram", {"dimensions": 256})
    world.embed(other)
    around = Surroundings(
        store=world.store, settings=world.settings, providers=world.providers, open_store=command_store
    )

    report = compare_two_spaces(around, space, space_of(other.describe()), ORIGIN)

    (judgement,) = [one for one in report.judgements if one.subject is Subject.SPACE]
    assert judgement.verdict is Verdict.ALERT
    assert judgement.next_step.startswith("Nothing is wrong: they are two spaces.")
    assert not report.calls_for_action
