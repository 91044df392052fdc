"""From chunks to vectors: batches, failures, quarantine and spaces."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from holocron_assets.anchors import anchors
from holocron_assets.clock import utc_now
from holocron_assets.errors import (
    InputRejectedError,
    ModelMissingError,
    ProviderError,
    ProviderUnavailableError,
    SpaceMismatchError,
)
from holocron_assets.ports import EmbeddingProvider, Purpose
from holocron_assets.records import SpaceIdentity
from holocron_assets.spaces import space_of
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.embed import embed_space
from holocron_assets.tables import quarantine, spaces
from holocron_assets.vectors import Vectors
from resources.providers import open_provider
from tests.world import ORIGIN, World, page_row, prose, silent

ANCHORS = frozenset(anchor.text for anchor in anchors(None))


@dataclass
class Unreliable(EmbeddingProvider):
    """A provider as the outside world has them: the hashing one, with faults of its own."""

    batch_size: int = 4
    batch_characters: int = 1_000_000
    concurrency: int = 1
    poison: str = "poison"
    unavailable: int = 0
    breaks_after_calls: int | None = None
    digest: str | None = None
    spoil: Any = None
    calls: list[int] = field(default_factory=list)
    inner: EmbeddingProvider = field(default_factory=lambda: open_provider("hashing", "ngram", {"dimensions": 32}))

    def describe(self) -> SpaceIdentity:
        described = self.inner.describe()
        return replace(described, model_digest=self.digest) if self.digest else described

    def runtime(self) -> Mapping[str, str]:
        return {"engine": "unreliable"}

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        if ANCHORS.issuperset(texts):
            return self.inner.embed(texts, purpose)  # whether a model answers as before is tested elsewhere
        self.calls.append(len(texts))
        if self.unavailable:
            self.unavailable -= 1
            raise ProviderUnavailableError("the server is away")
        vectors = self.inner.embed(texts, purpose)
        is_broken = self.breaks_after_calls is not None and len(self.calls) > self.breaks_after_calls
        if not is_broken and not any(self.poison in text for text in texts):
            return vectors
        if self.spoil is None:
            raise InputRejectedError("the model will not have it")
        return Vectors(values=self.spoil(vectors.values), truncated_tokens=vectors.truncated_tokens)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts are not what is tested."""
    monkeypatch.setattr("holocron_assets.stages.calling._RETRY_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setattr("holocron_assets.stages.calling._PART_RETRY_SECONDS", (0.0,))


def with_pages(world: World, *texts: str) -> None:
    world.add(*[page_row(f"Page {n}", n, text) for n, text in enumerate(texts, start=1)])
    world.extract()
    world.chunk()


def embedded(world: World) -> int:
    return int(world.rows("select count(*) from vector.embedding")[0][0])


def test_every_chunk_is_embedded_once(world: World) -> None:
    """A first run embeds everything, a second one nothing, and opens no provider for it."""
    with_pages(world, prose("alpha", 5000), prose("beta"))

    first, second = world.embed(), world.embed()

    assert first.embedded == len(world.current_chunks()) == embedded(world)
    assert (second.embedded, second.run_id, second.api_calls) == (0, None, 0)


def test_batches_fill_across_documents(world: World) -> None:
    """Chunks of many short documents share a call."""
    with_pages(world, *[prose(f"topic {n}", 300) for n in range(10)])
    provider = Unreliable()

    world.embed(provider)

    assert provider.calls == [4, 4, 2]


def test_batches_are_limited_in_characters_too(world: World) -> None:
    """A few long chunks make a batch as well as many short ones."""
    with_pages(world, *[prose(f"topic {n}", 300) for n in range(10)])
    provider = Unreliable(batch_characters=500)

    world.embed(provider)

    assert provider.calls == [2, 2, 2, 2, 2]


@pytest.mark.parametrize("backend", ["duckdb"])
def test_as_many_calls_at_once_as_the_provider_takes(world: World) -> None:
    """With three at once, three wait together and never four; and each chunk still gets its own vector."""
    with_pages(world, *[prose(f"topic {n}", 300) for n in range(12)])
    provider = Unreliable(batch_size=1, concurrency=3)
    together = threading.Barrier(3, timeout=10)
    original, at_once, most = provider.embed, 0, 0
    lock = threading.Lock()

    def embed_slowly(texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        nonlocal at_once, most
        if ANCHORS.issuperset(texts):
            return original(texts, purpose)
        with lock:
            at_once += 1
            most = max(most, at_once)
        together.wait()
        time.sleep(0.1)
        with lock:
            at_once -= 1
        return original(texts, purpose)

    provider.embed = embed_slowly  # type: ignore[method-assign]
    began = time.monotonic()
    report = world.embed(provider)
    elapsed = time.monotonic() - began

    assert (report.embedded, report.api_calls, most) == (12, 12, 3)
    assert report.seconds < elapsed, "time that calls share counts once"
    inner = provider.inner
    for content, vector in world.rows(
        "select c.content, e.vector from vector.chunk c join vector.embedding e using (chunk_id)"
    ):
        assert np.array_equal(np.array(vector, np.float32), inner.embed([content]).values[0])


def test_a_text_that_takes_the_server_down_stands_alone(world: World) -> None:
    """A batch that fails again and again, while others do not, is halved until the guilty text is alone."""
    with_pages(world, *[prose(f"topic {n}", 300) for n in range(6)], "poison " + prose("x", 300))
    provider = Unreliable(batch_size=8)
    original = provider.embed

    def crash_on_poison(texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        if any("poison" in text for text in texts):
            raise ProviderUnavailableError("the runner ended: EOF")
        return original(texts, purpose)

    provider.embed = crash_on_poison  # type: ignore[method-assign]
    report = world.embed(provider)

    assert (report.embedded, report.rejected, report.still_pending) == (6, 1, 0)
    assert world.rows("select reason from vector.quarantine") == [("the runner ended: EOF",)]


def test_a_provider_is_left_alone_for_as_long_as_it_asks(world: World) -> None:
    """The pause before the next attempt is at least the one that the provider named."""
    with_pages(world, prose("alpha", 300))
    provider = Unreliable()
    original, attempts = provider.embed, list[float]()

    def busy_at_first(texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        attempts.append(time.monotonic())
        if len(attempts) == 1:
            raise ProviderUnavailableError("too many requests", retry_after=0.4)
        return original(texts, purpose)

    provider.embed = busy_at_first  # type: ignore[method-assign]

    assert world.embed(provider).embedded == 1
    assert attempts[1] - attempts[0] >= 0.4


def test_a_model_that_changes_in_mid_run_leaves_no_vector(world: World) -> None:
    """What was embedded since the last look at the model is not stored when it is another one now."""
    with_pages(world, *[prose(f"topic {n}", 300) for n in range(10)])
    provider = Unreliable()
    described = provider.describe()

    def describe() -> SpaceIdentity:
        return replace(described, model_digest="f" * 64) if provider.calls else described

    provider.describe = describe  # type: ignore[method-assign]
    with pytest.raises(SpaceMismatchError, match="model_digest is 'ffff"):
        world.embed(provider)

    assert embedded(world) == 0


def test_a_poisonous_text_stands_alone_in_quarantine(world: World) -> None:
    """A batch that is rejected is halved until the guilty text is alone; the others are embedded."""
    with_pages(world, *[prose(f"topic {n}", 300) for n in range(6)], "poison " + prose("x", 300))

    report = world.embed(Unreliable(batch_size=8))

    assert (report.embedded, report.rejected, report.quarantined, report.still_pending) == (6, 1, 1, 0)
    with world.store.session(write=False) as session:
        (entry,) = quarantine.list_quarantined(session, 5)
    assert (entry.item_type, entry.reason) == ("chunk", "the model will not have it")


def test_a_quarantined_chunk_is_tried_again_when_its_text_changes(world: World) -> None:
    """Quarantine holds a content, not a chunk for ever."""
    with_pages(world, "poison " + prose("x", 300))
    world.embed(Unreliable())
    world.add(page_row("Page 1", 1, "harmless " + prose("x", 300), revision=2, fetched_at=world.next_day()))
    world.extract()
    world.chunk()

    report = world.embed(Unreliable())

    assert (report.embedded, report.quarantined) == (1, 0)


@pytest.mark.parametrize("batch_size", [1, 4, 20])
def test_when_everything_is_rejected_nothing_is_quarantined(world: World, batch_size: int) -> None:
    """A provider that rejects a harmless text too is broken, whatever its batch size: the texts are not to blame."""
    with_pages(world, *[prose(f"topic {n}", 300) for n in range(20)])

    with pytest.raises(ProviderError, match="and so was a harmless one, because: the model will not have it"):
        world.embed(Unreliable(batch_size=batch_size, poison=""))

    assert world.rows("select * from vector.quarantine") == []
    assert embedded(world) == 0


def test_many_poisonous_texts_hold_up_nothing(world: World) -> None:
    """A batch of nothing but guilty texts is quarantined, with a harmless text embedded after each to tell."""
    with_pages(world, *[f"poison {n} " + prose("x", 300) for n in range(20)])
    provider = Unreliable(batch_size=20)

    report = world.embed(provider)

    assert (report.embedded, report.quarantined, report.still_pending) == (0, 20, 0)
    calls_to_halve_it = 2 * 20 - 1
    assert len(provider.calls) == calls_to_halve_it + 20


def test_a_provider_that_breaks_in_mid_batch_is_to_blame(world: World) -> None:
    """Once a harmless text is rejected too, no further text is quarantined, although others were embedded before."""
    with_pages(world, *[prose(f"topic {n}", 300) for n in range(6)], "poison " + prose("x", 300))

    with pytest.raises(ProviderError, match="and so was a harmless one"):
        world.embed(Unreliable(batch_size=8, breaks_after_calls=3))

    assert world.rows("select * from vector.quarantine") == []


def test_a_provider_that_comes_back_is_waited_for(world: World) -> None:
    """A few failed calls are tried again."""
    with_pages(world, prose("alpha", 300))

    assert world.embed(Unreliable(unavailable=3)).embedded == 1


def test_a_provider_that_stays_away_loses_nothing(world: World) -> None:
    """What was committed stays, the run is recorded as failed, and the next run continues."""
    with_pages(world, *[prose(f"topic {n}", 300) for n in range(10)])
    provider = Unreliable()
    original = provider.embed

    def fail_from_the_second_call(texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        if provider.calls:
            raise ProviderUnavailableError("the server is away")
        return original(texts, purpose)

    provider.embed = fail_from_the_second_call  # type: ignore[method-assign]
    with pytest.raises(ProviderUnavailableError):
        world.embed(provider)

    assert embedded(world) == 4
    assert world.rows("select status, error from vector.run order by started_utc desc")[0] == (
        "FAILED",
        "ProviderUnavailableError: the server is away",
    )
    assert world.embed(Unreliable()).embedded == 6


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda values: np.where(np.arange(len(values))[:, None] == 0, np.nan, values), "is not finite"),
        (lambda values: np.where(np.arange(len(values))[:, None] == 0, 0, values), "is not of unit length"),
        (lambda values: np.where(np.arange(len(values))[:, None] == 0, values * 2, values), "is not of unit length"),
    ],
)
def test_bad_vectors_are_never_stored(world: World, spoil: Any, reason: str) -> None:
    """A vector that is not finite or not of unit length is an error of its text, and is not stored."""
    with_pages(world, "poison " + prose("alpha", 300))

    report = world.embed(Unreliable(spoil=lambda values: spoil(values).astype(np.float32)))

    assert (report.embedded, report.quarantined) == (0, 1)
    assert reason in world.rows("select reason from vector.quarantine")[0][0]


def test_vectors_of_another_dimension_stop_the_space(world: World) -> None:
    """No text is to blame for vectors of another dimension: nothing is stored, nothing quarantined."""
    with_pages(world, "poison " + prose("alpha", 300))

    with pytest.raises(SpaceMismatchError, match=r"returned an array of shape \(1, 16\) for 1 texts"):
        world.embed(Unreliable(spoil=lambda values: values[:, :16]))

    assert (embedded(world), world.rows("select * from vector.quarantine")) == (0, [])


def test_a_model_that_changed_under_its_name_embeds_nothing(world: World) -> None:
    """When the provider describes another digest than the space has, the run stops before anything is embedded."""
    with_pages(world, prose("alpha", 300))
    provider = Unreliable()
    described = provider.describe()
    answers = iter([described, replace(described, model_digest="f" * 64)])
    provider.describe = lambda: next(answers)  # type: ignore[method-assign]

    with pytest.raises(SpaceMismatchError, match=r"model_digest is 'ffff.*registered as"):
        world.embed(provider)

    assert embedded(world) == 0


def test_a_provider_that_cannot_be_opened_leaves_a_failed_run(world: World) -> None:
    """One job and its run are there before the provider is opened, and say why nothing was embedded."""
    with_pages(world, prose("alpha", 300))
    space = space_of(Unreliable().describe())
    with world.store.session() as session:
        spaces.insert_space(session, space, utc_now())

    meanwhile = []

    def open_nothing() -> EmbeddingProvider:
        meanwhile.extend(world.rows("select r.status from vector.run r where r.status <> 'SUCCEEDED'"))
        raise ModelMissingError("its weights are missing")

    with pytest.raises(ModelMissingError):
        embed_space(world.store, open_nothing, space, CanaryPolicy.of(world.settings), ORIGIN, silent)

    assert meanwhile == [("RUNNING",)]
    error = "ModelMissingError: its weights are missing"
    assert world.rows(
        "select j.status, j.last_error, j.embedding_space_id, r.status, r.error from vector.job j "
        "left join vector.run r on r.job_id = j.job_id where j.job_type = 'EMBED_CHUNKS'"
    ) == [("FAILED", error, space.embedding_space_id, "FAILED", error)]


def test_two_spaces_hold_the_same_chunks_apart(world: World) -> None:
    """A second space is filled beside the first, which is not touched."""
    with_pages(world, prose("alpha", 300), prose("beta", 300))
    world.embed()

    report = world.embed(Unreliable(digest="e" * 64))

    assert report.embedded == 2
    assert world.rows("select count(*) from vector.embedding group by embedding_space_id") == [(2,), (2,)]


def test_runs_say_what_they_did(world: World) -> None:
    """A run has options, metrics and the Dagster run it belongs to; each embedding has its run."""
    with_pages(world, prose("alpha", 300))
    report = world.embed()

    ((options, metrics, locked_by, job_type),) = world.rows(
        "select r.options_json, r.metrics_json, j.locked_by, j.job_type from vector.run r "
        f"join vector.job j on j.job_id = r.job_id where run_id = '{report.run_id}'"
    )
    assert '"engine"' in options
    for name in (
        "duration_ms",
        "chunks_processed",
        "embeddings_created",
        "api_calls",
        "api_duration_ms",
        "bytes_processed",
    ):
        assert f'"{name}":' in metrics
    assert (locked_by, job_type) == ("test-run", "EMBED_CHUNKS")
    assert world.rows("select distinct run_id from vector.embedding") == [(report.run_id,)]


def test_an_edit_embeds_only_what_changed(world: World) -> None:
    """After an edit, exactly the chunks with another content are embedded; a reverted edit costs nothing."""
    world.add(page_row("Alpha", 1, prose("alpha", 5000)), page_row("Beta", 2, prose("beta", 5000)))
    world.run()
    total = len(world.current_chunks())
    world.add(page_row("Alpha", 1, prose("alpha", 5000) + " A postscript.", revision=2, fetched_at=world.next_day()))

    changed = world.run()

    assert 0 < changed.embedded < total / 2
    world.add(page_row("Alpha", 1, prose("alpha", 5000), revision=3, fetched_at=world.next_day()))
    assert world.run().embedded == 0
