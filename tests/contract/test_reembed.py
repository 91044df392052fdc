"""Embedding a space again, on every store: comparing, stopping, replacing, and going on after an interruption."""

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holocron_assets.clock import utc_now
from holocron_assets.errors import (
    ConfigurationError,
    ModelChangedError,
    NotReadyError,
    ProviderUnavailableError,
    TransientError,
)
from holocron_assets.ports import Purpose
from holocron_assets.promotion import promote
from holocron_assets.records import EmbeddingSpace
from holocron_assets.registry import probe
from holocron_assets.runs import METRICS
from holocron_assets.spaces import space_of
from holocron_assets.stages.canary import CanaryPolicy, compare
from holocron_assets.stages.embed import embed_space
from holocron_assets.stages.model_guard import settled
from holocron_assets.stages.reembed import reembed_space
from holocron_assets.stages.reembedding_run import ReembeddingReport
from holocron_assets.stages.register import register
from holocron_assets.stages.vector_files import write_vectors
from holocron_assets.stages.windows import Window, gathered
from holocron_assets.tables.reembedding import EmbeddedChunk, Reached, list_current_embeddings
from holocron_assets.transactions import read
from holocron_assets.vectors import Vectors, vector_sha256
from holocron_assets.verification.verify import verify
from tests.conftest import Templates
from tests.derived import derived, fill
from tests.moving import Catalog, Moving
from tests.world import ORIGIN, World, page_row, prose, silent


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts are not what is tested."""
    monkeypatch.setattr("holocron_assets.stages.calling._RETRY_SECONDS", ())
    monkeypatch.setattr("holocron_assets.stages.calling._PART_RETRY_SECONDS", ())
    monkeypatch.setattr("holocron_assets.stages.reembedding_run._MOST_AT_ONCE", 4)


@pytest.fixture
def model() -> Moving:
    return Moving(batch_size=2, concurrency=1)


@pytest.fixture
def space(world: World, model: Moving, templates: Templates) -> EmbeddingSpace:
    """A space that holds every chunk of nine pages."""
    space = space_of(model.describe())

    def fill_up() -> None:
        pages = [page_row(f"Page {n}", n, prose(f"topic {n}", 300)) for n in range(1, 9)]
        other = page_row("Elsewhere", 1, prose("elsewhere", 300), source_name="otherwiki")
        world.add(*pages, other)
        world.extract()
        world.chunk()
        register(world.store, model, space, CanaryPolicy.of(world.settings))
        embed_space(world.store, lambda: model, space, CanaryPolicy.of(world.settings), ORIGIN, silent)

    templates.fill(world.settings, "nine pages", fill_up)
    model.calls.clear()
    return space


def reembed(world: World, model: Moving, space: EmbeddingSpace, **how: Any) -> ReembeddingReport:
    return reembed_space(world.store, lambda: model, space, CanaryPolicy.of(world.settings), ORIGIN, silent, **how)


def vectors(world: World, space: EmbeddingSpace) -> dict[str, str]:
    """The hashes of a space's vectors, by chunk."""
    return dict(
        world.rows(
            "select chunk_id, vector_sha256 from vector.embedding "
            f"where embedding_space_id = '{space.embedding_space_id}'"
        )
    )


def contents(world: World) -> dict[str, str]:
    return dict(world.rows("select chunk_id, content from vector.chunk"))


def test_equal_vectors_are_left_alone(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """Everything is compared, nothing is written but the run, with or without `replace`."""
    before = world.rows("select * from vector.embedding order by embedding_id")

    for how in ({}, {"replace": True}):
        report = reembed(world, model, space, **how)
        assert (report.compared, report.replaced, report.largest_distance) == (9, 0, 0.0)

    assert world.rows("select * from vector.embedding order by embedding_id") == before
    runs = world.rows(
        "select r.status, r.metrics_json from vector.run as r join vector.job as j on j.job_id = r.job_id "
        "where j.job_type = 'REEMBED_SPACE'"
    )
    assert [status for status, _ in runs] == ["SUCCEEDED"] * 2
    read = sum(len(content.encode()) for content in world.current_chunks().values())
    for _, metrics in runs:
        told = json.loads(metrics)
        assert set(METRICS) <= set(told)
        assert (told["chunks_processed"], told["embeddings_created"], told["bytes_processed"]) == (9, 0, read)


def test_a_source_filter_looks_at_those_sources(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """Only sources whose id begins with what was asked for."""
    assert reembed(world, model, space, source_prefix="mediawiki:otherwiki:").compared == 1
    assert reembed(world, model, space, source_prefix="mediawiki:testwiki:page/3").compared == 1
    with pytest.raises(ConfigurationError, match="no source is registered whose id begins with 'Mediawiki:'"):
        reembed(world, model, space, source_prefix="Mediawiki:")
    world.rows("delete from vector.embedding")
    assert reembed(world, model, space, source_prefix="mediawiki:").run_id is None


def test_a_moved_model_stops_before_anything_is_embedded(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """The anchors tell it; nothing is changed."""
    before = vectors(world, space)
    model.turned = 0.1

    with pytest.raises(ModelChangedError, match="64 anchors moved"):
        reembed(world, model, space)

    assert vectors(world, space) == before


def test_another_model_is_never_embedded_into_a_space(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """A digest that changed is another space, `replace` or not."""
    model.digest = "f" * 64
    with pytest.raises(ModelChangedError, match="no longer serves it"):
        reembed(world, model, space, replace=True)


def test_what_anchors_do_not_tell_stops_at_the_first_that_differ(
    world: World, model: Moving, space: EmbeddingSpace
) -> None:
    """A vector of another model is found, named and left; with `replace` it is made anew and both hashes are kept."""
    (chunk_id, good), *_ = sorted(vectors(world, space).items())
    damage(world, chunk_id, space)
    assert vectors(world, space)[chunk_id] != good

    with pytest.raises(
        ModelChangedError, match=f"1 of . chunks embed elsewhere than they are stored; the worst, {chunk_id}"
    ):
        reembed(world, model, space)
    assert vectors(world, space)[chunk_id] != good
    bad = vectors(world, space)[chunk_id]
    report = reembed(world, model, space, replace=True)

    assert report.replaced == 1
    assert vectors(world, space)[chunk_id] == good
    logged = world.rows("select chunk_id, old_vector_sha256, new_vector_sha256 from vector.embedding_replacement")
    assert logged == [(chunk_id, bad, good)]
    assert world.rows(f"select run_id from vector.embedding where chunk_id = '{chunk_id}'") == [(report.run_id,)]
    assert all(finding.holds for finding in verify(world.store).findings)


def damage(world: World, chunk_id: str, space: EmbeddingSpace, *, digest: str = "") -> None:
    """Store another unit vector, with its right hash, as if another model had made it; or with this one."""
    vector = np.zeros(32, np.float32)
    vector[5] = 1.0
    numbers = "[" + ", ".join(str(float(one)) for one in vector) + "]"
    if world.store.dialect == "duckdb":
        change = f"vector = {numbers}"
    else:
        binary = f"convert(varbinary(max), '{vector.tobytes().hex()}', 2)"
        change = f"vector_json = '{numbers}', vector_binary = {binary}"
    world.rows(
        f"update vector.embedding set {change}, vector_sha256 = '{digest or vector_sha256(vector)}' "
        f"where chunk_id = '{chunk_id}' and embedding_space_id = '{space.embedding_space_id}'"
    )


def test_a_moved_model_replaces_the_whole_space_or_nothing(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """Vectors of before and after never stay side by side; at the end the anchors are those of now."""
    model.turned = 0.3
    with pytest.raises(NotReadyError, match="must not be mixed"):
        reembed(world, model, space, replace=True, source_prefix="mediawiki:otherwiki:")

    report = reembed(world, model, space, replace=True)

    assert (report.compared, report.replaced) == (9, 9)
    texts = contents(world)
    expected = model.embed([texts[chunk_id] for chunk_id in vectors(world, space)]).values
    assert [vector_sha256(vector) for vector in expected] == list(vectors(world, space).values())
    assert not compare(world.store, model, space, CanaryPolicy.of(world.settings)).moved
    assert world.rows("select count(*) from vector.canary") == [(2,)]
    assert all(finding.holds for finding in verify(world.store).findings)


def interrupted(world: World, model: Moving, space: EmbeddingSpace, *, after: int, **how: Any) -> None:
    """Let the server go away after some chunks."""
    original = model.embed
    texts = set(contents(world).values())
    done = 0

    def embed(asked: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        nonlocal done
        done += len(texts.intersection(asked))
        if done > after:
            raise ProviderUnavailableError("the server is away")
        return original(asked, purpose)

    model.embed = embed  # type: ignore[method-assign]
    with pytest.raises(ProviderUnavailableError):
        reembed(world, model, space, **how)
    del model.embed


def gather(world: World, space: EmbeddingSpace, folder: Path, meanwhile: Callable[[], object]) -> int:
    """Read all vectors of a space, with something that happens after it was looked at; returns how many."""
    held_to = settled(world.store, space)
    meanwhile()
    window = Window(label="all", as_of=utc_now())
    with gathered(world.store, space, [window], folder, held_to) as (members,):
        return members.vectors.shape[0]


def test_vectors_that_are_replaced_meanwhile_are_not_used(
    world: World, model: Moving, space: EmbeddingSpace, tmp_path: Path
) -> None:
    """Whoever looked at a space before reads no vectors that are being replaced, or were; also of what is derived."""
    of_both = [space, derived(world, space, "matryoshka", 16)]
    fill(world, of_both[1])
    assert [gather(world, one, tmp_path, lambda: None) for one in of_both] == [9, 9]
    model.turned = 0.3

    with pytest.raises(NotReadyError, match="being replaced"):
        gather(world, space, tmp_path, partial(interrupted, world, model, space, after=6, replace=True))
    reembed(world, model, space, replace=True)
    fill(world, of_both[1])
    for one, turned in zip(of_both, (0.6, 0.9), strict=True):
        model.turned = turned
        with pytest.raises(TransientError, match="replaced while they were read; run again"):
            gather(world, one, tmp_path, partial(reembed, world, model, space, replace=True))
    assert gather(world, space, tmp_path, lambda: None) == 9


@pytest.mark.parametrize("backend", ["translated"])
def test_a_replacement_between_two_statements_is_noticed(
    backend: str, world: World, model: Moving, space: EmbeddingSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server a session sees what others commit meanwhile: vectors were read of the old model, and are let go."""
    model.turned = 0.3

    def then_replaced(*given: Any) -> Any:
        found = write_vectors(*given)
        reembed(world, model, space, replace=True)
        return found

    monkeypatch.setattr("holocron_assets.stages.windows.write_vectors", then_replaced)
    with pytest.raises(TransientError, match="replaced while they were read"):
        gather(world, space, tmp_path, lambda: None)
    assert list(tmp_path.glob("vectors-*")) == []


def test_an_interrupted_run_is_gone_on_with(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """What was replaced stays, and the next run does the rest; in between nothing is embedded in the space."""
    model.turned = 0.3
    interrupted(world, model, space, after=6, replace=True)
    (done,) = world.rows("select count(*) from vector.embedding_replacement")[0]
    assert 0 < done < 9
    policy = CanaryPolicy.of(world.settings)
    world.add(page_row("Another", 77, prose("another", 300)))
    world.extract()
    world.chunk()
    asking = replace(world, providers=Catalog(model))
    for turned in (0.3, 0.0):
        model.turned = turned
        with pytest.raises(NotReadyError, match=f"reembed {space.slug} --replace"):
            embed_space(world.store, lambda: model, space, policy, ORIGIN, silent)
        with pytest.raises(NotReadyError, match="being replaced"):
            asking.search("topic", top_k=1)
        with pytest.raises(NotReadyError, match="being replaced"):
            promote(world.store, asking.providers, policy, space.slug, "default", dry_run=False)
        assert "being replaced" in str(probe(world.store, asking.providers, policy, space.slug).mismatch)
        with pytest.raises(ModelChangedError):
            reembed(world, model, space)
    model.turned = 0.3

    report = reembed(world, model, space, replace=True)

    assert asking.search("topic", top_k=1).hits
    assert (report.resumed_after, report.compared, report.replaced) == (done, 9 - done, 9 - done)
    assert embed_space(world.store, lambda: model, space, policy, ORIGIN, silent).embedded == 1


def test_a_model_that_moved_meanwhile_starts_over(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """What an interrupted run did is not what the model answers now, so nothing of it is relied on."""
    model.turned = 0.3
    interrupted(world, model, space, after=6, replace=True)
    model.turned = 0.6

    report = reembed(world, model, space, replace=True)

    assert (report.resumed_after, report.compared, report.replaced) == (0, 9, 9)


def test_a_run_of_another_scope_is_not_gone_on_with(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """An interrupted part says nothing of the whole, and a run that came to its end nothing of the next."""
    interrupted(world, model, space, after=4, source_prefix="mediawiki:testwiki:")
    assert reembed(world, model, space).resumed_after == 0
    assert reembed(world, model, space).resumed_after == 0


def test_a_text_that_is_rejected_now(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """It stops the run; with `replace` its vector is taken away, and the chunk is quarantined with the reason."""
    model.rejected = "Fact 0 about topic 4"
    with pytest.raises(ModelChangedError, match="is rejected now"):
        reembed(world, model, space)

    report = reembed(world, model, space, replace=True)

    assert (report.replaced, report.rejected, len(vectors(world, space))) == (0, 1, 8)
    assert world.rows("select reason from vector.quarantine") == [("too long",)]
    assert world.rows("select new_vector_sha256 from vector.embedding_replacement") == [(None,)]


def test_a_content_that_changed_meanwhile_is_left_to_embedding(
    world: World, model: Moving, space: EmbeddingSpace
) -> None:
    """Chunks that wait for a vector of their new content have none to compare."""
    world.add(page_row("Page 1", 1, prose("changed", 300), revision=2, fetched_at=world.next_day()))
    world.extract()
    world.chunk()

    assert reembed(world, model, space).compared == 8


def test_the_old_model_back_makes_the_space_whole_again(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """After an interruption the replaced vectors are replaced back, and nothing is left of the other model."""
    before = vectors(world, space)
    model.turned = 0.3
    interrupted(world, model, space, after=6, replace=True)
    model.turned = 0.0

    report = reembed(world, model, space, replace=True)

    assert (report.resumed_after, report.compared) == (0, 9)
    assert vectors(world, space) == before


def test_history_does_not_come_back_with_an_old_models_vector(
    world: World, model: Moving, space: EmbeddingSpace
) -> None:
    """A page that returns to an earlier text, and one that vanished and returns, are embedded anew."""
    policy = CanaryPolicy.of(world.settings)
    world.add(page_row("Page 1", 1, prose("edited", 300), revision=2, fetched_at=world.next_day()))
    world.extract()
    world.chunk()
    embed_space(world.store, lambda: model, space, policy, ORIGIN, silent)
    model.turned = 0.3
    reembed(world, model, space, replace=True)

    world.add(page_row("Page 1", 1, prose("topic 1", 300), revision=3, fetched_at=world.next_day()))
    world.extract()
    world.chunk()

    assert embed_space(world.store, lambda: model, space, policy, ORIGIN, silent).embedded == 1
    assert not reembed(world, model, space).replaced


def test_history_that_came_back_during_an_interruption_is_embedded_anew(
    world: World, model: Moving, space: EmbeddingSpace
) -> None:
    """Where the interrupted run had passed its place already, the next does not look at it again."""
    policy = CanaryPolicy.of(world.settings)
    early = read(world.store, list_current_embeddings, space.embedding_space_id, "", after=None, limit=2)
    texts = [contents(world)[one.chunk_id] for one in early]
    number = next(n for n in range(1, 9) if any(f"about topic {n}:" in text for text in texts))
    world.add(page_row(f"Page {number}", number, prose("edited", 300), revision=2, fetched_at=world.next_day()))
    world.extract()
    world.chunk()
    embed_space(world.store, lambda: model, space, policy, ORIGIN, silent)
    model.turned = 0.3
    interrupted(world, model, space, after=6, replace=True)

    world.add(
        page_row(f"Page {number}", number, prose(f"topic {number}", 300), revision=3, fetched_at=world.next_day())
    )
    world.extract()
    world.chunk()
    assert reembed(world, model, space, replace=True).resumed_after

    assert embed_space(world.store, lambda: model, space, policy, ORIGIN, silent).embedded == 1
    assert not reembed(world, model, space).replaced


class OnlyChunks(Moving):
    """A model that moved for the chunks of the store, and for no anchor."""

    moved: frozenset[str] = frozenset()

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        turned, self.turned = self.turned, self.turned if self.moved.intersection(texts) else 0.0
        try:
            return super().embed(texts, purpose)
        finally:
            self.turned = turned


@pytest.fixture
def sly(world: World, space: EmbeddingSpace) -> OnlyChunks:
    """Answers otherwise than it did, and no anchor tells."""
    model = OnlyChunks(batch_size=1, concurrency=1, turned=0.3)
    model.moved = frozenset(contents(world).values())
    return model


def test_a_move_that_no_anchor_shows_replaces_the_whole_space_or_nothing(
    world: World, sly: OnlyChunks, space: EmbeddingSpace
) -> None:
    """A sound vector that differs is of another model, and so may be all: nothing is used until all are replaced."""
    with pytest.raises(NotReadyError, match=r"no anchor shows it.*leave --source out"):
        reembed(world, sly, space, replace=True, source_prefix="mediawiki:otherwiki:")
    assert not world.rows("select * from vector.embedding_replacement")

    interrupted(world, sly, space, after=9, replace=True)  # one window of four is asked twice
    asking = replace(world, providers=Catalog(sly))
    with pytest.raises(NotReadyError, match="being replaced"):
        asking.search("topic", top_k=1)
    report = reembed(world, sly, space, replace=True)

    assert report.resumed_after + report.compared == 9
    assert asking.search("topic", top_k=1).hits
    assert not reembed(world, sly, space).replaced


def test_what_was_compared_before_the_model_moved_is_compared_again(
    world: World, model: Moving, sly: OnlyChunks, space: EmbeddingSpace
) -> None:
    """A replacement goes on from nothing that was done while another model answered."""
    interrupted(world, model, space, after=6)

    report = reembed(world, sly, space, replace=True)

    assert (report.resumed_after, report.compared, report.replaced) == (0, 9, 9)


def test_a_text_that_changes_and_changes_back_meanwhile_is_embedded_anew(
    world: World, model: Moving, space: EmbeddingSpace
) -> None:
    """While its place is passed it has another content, so nothing is compared; its old vector goes all the same."""
    policy = CanaryPolicy.of(world.settings)
    late = read(world.store, list_current_embeddings, space.embedding_space_id, "", after=None, limit=9)[-2:]
    number = next(n for n in range(1, 9) if any(f"topic {n}:" in contents(world)[one.chunk_id] for one in late))
    texts = set(contents(world).values())
    seen: list[str] = []

    def edit(topic: str, revision: int) -> None:
        page = page_row(f"Page {number}", number, prose(topic, 300), revision=revision, fetched_at=world.next_day())
        world.add(page)
        world.extract()
        world.chunk()

    def edit_twice(asked: Moving) -> None:
        was = len(seen)
        seen.extend(texts.intersection(asked.last))
        if not was and seen:
            edit("changed", 2)
        elif len(seen) == 8:
            asked.after = None
            edit(f"topic {number}", 3)

    model.turned, model.batch_size, model.after = 0.3, 1, edit_twice
    report = reembed(world, model, space, replace=True)

    # On a slow machine windows stay small, and the text is back before its place is passed.
    assert report.compared in (8, 9)
    assert embed_space(world.store, lambda: model, space, policy, ORIGIN, silent).embedded == 9 - report.compared
    assert not reembed(world, model, space).replaced


def test_a_batch_that_was_embedded_before_a_replacement_is_not_stored_after_it(
    world: World, model: Moving, space: EmbeddingSpace
) -> None:
    """Whoever compared with the canary of before knows nothing of the model that the space is held to now."""
    policy = CanaryPolicy.of(world.settings)
    world.add(page_row("Another", 77, prose("another", 300)))
    world.extract()
    world.chunk()
    old = Moving(batch_size=2, concurrency=1)
    texts = set(contents(world).values())

    def replaced_meanwhile(asked: Moving) -> None:
        if texts.intersection(asked.last):
            asked.after = None
            model.turned = 0.3
            reembed(world, model, space, replace=True)

    old.after = replaced_meanwhile
    with pytest.raises((ModelChangedError, NotReadyError)):
        embed_space(world.store, lambda: old, space, policy, ORIGIN, silent)

    assert embed_space(world.store, lambda: model, space, policy, ORIGIN, silent).embedded == 1
    assert not reembed(world, model, space).replaced


def test_the_later_of_two_replacements_counts(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """One that began before another moved the space on stores nothing more, and does not call the other's work done."""
    texts = set(contents(world).values())
    other = Moving(batch_size=2, concurrency=1, turned=0.9)

    def other_begins(asked: Moving) -> None:
        if texts.intersection(asked.last):
            asked.after = None
            interrupted(world, other, space, after=4, replace=True)

    model.turned, model.after = 0.3, other_begins
    with pytest.raises(ModelChangedError):
        reembed(world, model, space, replace=True)
    with pytest.raises(NotReadyError, match="being replaced"):
        embed_more(world, other, space)

    reembed(world, other, space, replace=True)
    assert not reembed(world, other, space).replaced


def test_nothing_is_derived_from_vectors_of_two_models(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """While a space is replaced no transform is fitted on it."""
    model.turned = 0.3
    interrupted(world, model, space, after=6, replace=True)
    with pytest.raises(NotReadyError, match="being replaced"):
        derived(world, space, "pca", 4)


def test_a_model_that_moves_while_it_is_asked_stops(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """Under the same digest and version: found before more vectors are replaced; the space waits for another run."""
    model.turned = 0.3
    texts = set(contents(world).values())
    done = 0

    def move(self: Moving) -> None:
        nonlocal done
        done += len(texts.intersection(self.last))
        self.turned = 0.9 if done >= 5 else 0.3

    model.after = move
    with pytest.raises(ModelChangedError, match="moved while it was asked"):
        reembed(world, model, space, replace=True)
    model.after = None
    with pytest.raises(NotReadyError, match="being replaced"):
        embed_more(world, model, space)

    assert reembed(world, model, space, replace=True).compared == 9
    assert embed_more(world, model, space) == 1


def embed_more(world: World, model: Moving, space: EmbeddingSpace) -> int:
    world.add(page_row("One more", 99, prose("one more", 300)))
    world.extract()
    world.chunk()
    policy = CanaryPolicy.of(world.settings)
    return embed_space(world.store, lambda: model, space, policy, ORIGIN, silent).embedded


def test_a_look_in_between_loses_no_progress(world: World, model: Moving, space: EmbeddingSpace) -> None:
    """Runs that came nowhere, and rows of other programs, do not hide how far an earlier one came."""
    interrupted(world, model, space, after=6)
    interrupted(world, model, space, after=0)
    world.rows(
        "update vector.run set options_json = null where run_id = (select min(run_id) from vector.run where "
        "started_utc = (select max(started_utc) from vector.run))"
    )

    assert reembed(world, model, space).resumed_after > 0


def test_an_empty_space_gets_the_anchors_of_now(world: World, model: Moving) -> None:
    """A space that was registered and never filled has nothing to replace but its canary."""
    empty = space_of(model.describe())
    register(world.store, model, empty, CanaryPolicy.of(world.settings))
    model.turned = 0.3

    assert reembed(world, model, empty, replace=True).compared == 0

    assert not compare(world.store, model, empty, CanaryPolicy.of(world.settings)).moved


def test_a_sample_is_spread_evenly() -> None:
    """However many chunks were done, at most 33 are kept, from the first to about the last."""
    reached = Reached()
    for first in range(0, 1000, 10):
        window = [
            EmbeddedChunk(position=n, chunk_id=f"{n}", embedding_id=uuid.uuid4(), content_sha256="", vector_sha256="")
            for n in range(first, first + 10)
        ]
        reached = Reached(**json.loads(json.dumps(asdict(reached.after(window)))))
    numbers = [int(one) for one in reached.sample]

    assert (reached.done, reached.position, reached.chunk_id) == (1000, 999, "999")
    assert 16 <= len(numbers) <= 33
    assert (numbers[0], np.ptp(np.diff(numbers))) == (0, 0)
    assert numbers[-1] > 900


def test_what_is_derived_from_a_replaced_vector_is_made_anew(
    world: World, model: Moving, space: EmbeddingSpace
) -> None:
    """It goes in the transaction that replaces the vector, also where it was derived twice, and nothing else goes."""
    first = derived(world, space, "matryoshka", 16)
    second = derived(world, first, "binary", None)
    fill(world, first)
    fill(world, second)
    (chunk_id, good), *_ = sorted(vectors(world, space).items())
    before = {one.slug: vectors(world, one) for one in (first, second)}
    damage(world, chunk_id, space, digest="0" * 64)

    reembed(world, model, space, replace=True)

    assert vectors(world, space)[chunk_id] == good
    for one in (first, second):
        assert set(before[one.slug]) - set(vectors(world, one)) == {chunk_id}
        fill(world, one)
        assert vectors(world, one) == before[one.slug]
    with pytest.raises(NotReadyError, match=f"Re-embed {space.slug}"):
        reembed(world, model, second)


def test_a_derived_space_is_not_searched_when_its_model_moved(
    world: World, model: Moving, space: EmbeddingSpace
) -> None:
    """Its queries are embedded by the same model as its source's, so the same anchors are asked."""
    smaller = derived(world, space, "matryoshka", 16)
    fill(world, smaller)
    asking = replace(world, providers=Catalog(model))
    policy = CanaryPolicy.of(world.settings)
    assert asking.search("topic", top_k=1, space=smaller.slug).hits
    assert probe(world.store, asking.providers, policy, smaller.slug).anchors == 64

    model.noise = 0.5
    with pytest.raises(ModelChangedError):
        asking.search("topic", top_k=1, space=smaller.slug)
    with pytest.raises(NotReadyError):
        promote(world.store, asking.providers, policy, smaller.slug, "default", dry_run=False)
