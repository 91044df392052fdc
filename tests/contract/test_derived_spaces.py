"""Spaces that are derived from others, on every store: registered, filled, searched, broken."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from holocron_assets.clock import utc_now
from holocron_assets.derivation import derive
from holocron_assets.derived_spaces import open_space
from holocron_assets.errors import (
    InputRejectedError,
    NotReadyError,
    TransientError,
)
from holocron_assets.identity import embedding_id, text_sha256
from holocron_assets.lineage import trace
from holocron_assets.ports import EmbeddingProvider, Purpose
from holocron_assets.records import EmbeddingSpace, SpaceIdentity
from holocron_assets.registry import find_state, probe
from holocron_assets.retrying import retry
from holocron_assets.runs import METRICS
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.tables import spaces as space_table
from holocron_assets.transactions import write
from holocron_assets.vectors import Vectors, vector_sha256
from holocron_assets.verification.repair import repair
from holocron_assets.verification.verify import verify
from tests.conftest import Templates
from tests.derived import breaks, broken, derived, fill, pages, registered, runs, six_pages, vectors_of
from tests.world import World, page_row, prose

KINDS = [("pca", 8), ("matryoshka", 8), ("int8", None), ("binary", None)]


@pytest.fixture
def source(world: World, templates: Templates) -> EmbeddingSpace:
    """The space of a store of six pages, everything embedded."""
    return six_pages(world, templates)


@pytest.mark.parametrize(("kind", "dimensions"), KINDS)
def test_vectors_are_made_of_those_that_are_stored(
    world: World, source: EmbeddingSpace, kind: str, dimensions: int | None
) -> None:
    """Each is its source's vector, transformed: bit for bit what comes out when it is transformed alone."""
    space = derived(world, source, kind, dimensions)

    report = fill(world, space)

    transform = open_space(world.store, world.providers, space)._derivation.transform  # type: ignore[attr-defined]
    before, after = vectors_of(world, source), vectors_of(world, space)
    assert report.embedded == len(before) == len(after) > 6
    for chunk_id, vector in after.items():
        assert vector.tobytes() == transform.apply(before[chunk_id][None]).tobytes()
    assert (space.dimensions, space.normalize) == (dimensions or 32, kind in ("pca", "matryoshka"))
    assert broken(world) == []


def test_a_run_says_what_it_worked_with(world: World, source: EmbeddingSpace) -> None:
    """Its options name source and transform; the lineage of a chunk shows the derived vector with that run."""
    found = registered(world, source, "pca", 4)
    report = fill(world, found.space)

    ((options, metrics, status),) = world.rows(
        f"select options_json, metrics_json, status from vector.run where run_id = '{report.run_id}'"
    )
    assert f'"source_space":"{source.slug}"' in options
    assert f'"artefact_sha256":"{found.transform.artefact_sha256}"' in options
    assert f'"embeddings_created":{report.embedded}' in metrics
    assert set(METRICS) <= set(json.loads(metrics))
    assert status == "SUCCEEDED"
    chain = trace(world.store, next(iter(world.current_chunks())))
    assert len(chain.embeddings) == 2


def test_the_sample_is_recorded_and_drawn_again(world: World, source: EmbeddingSpace) -> None:
    """The first by chunk id, named by a hash over their embeddings; the same sample gives the same space."""
    first = derive(world.store, source.slug, "pca", dimensions=4, sample=7, dry_run=True)
    again = derive(world.store, source.slug, "pca", dimensions=4, sample=7, dry_run=False)

    chunks = sorted(
        world.rows("select chunk_id, content_sha256 from vector.chunk where retired_utc is null"),
    )[:7]
    ids = [str(embedding_id(chunk_id, source.embedding_space_id, digest)) for chunk_id, digest in chunks]
    assert (first.transform.sample["vectors"], first.is_registered, again.is_registered) == (7, False, True)
    assert first.transform.sample["embedding_ids_sha256"] == text_sha256("\n".join(ids))
    assert first.space == again.space
    state = find_state(world.store, again.space.slug)
    assert state.transform == replace(again.transform, created_utc=state.transform.created_utc)
    assert state.source == source.slug


def test_two_spaces_of_one_source_and_one_of_them_derived_again(world: World, source: EmbeddingSpace) -> None:
    """Side by side and in a chain, each is a space of its own whose name says all that was done, and finds the page."""
    pca = derived(world, source, "pca", 10)
    fill(world, pca)
    chain = [derived(world, source, "binary"), derived(world, pca, "int8"), derived(world, pca, "matryoshka", 7)]
    for space in chain:
        fill(world, space)
    last = derived(world, chain[1], "pca", 5)
    fill(world, last)

    every = [source, pca, *chain, last]
    assert len({space.embedding_space_id for space in every}) == len(every)
    assert len({space.model_tag for space in every}) == len(every)
    assert last.transform_ref.count(">") == 2
    assert last.transform_ref.startswith(f"{pca.transform_ref}>int8/1:")
    assert last.slug.startswith("ngram-pca-10-int8-pca-5-")
    assert not last.normalize
    assert broken(world) == []
    for space in every:
        text = next(iter(world.current_chunks().values()))
        found = world.search(text, space=space.slug, top_k=3)
        assert found.hits[0].text == text
        assert found.hits[0].scores.cosine_similarity == pytest.approx(1, abs=1e-6)
        assert probe(world.store, world.providers, CanaryPolicy.of(world.settings), space.slug).mismatch is None


def test_an_edit_derives_only_what_changed(world: World, source: EmbeddingSpace) -> None:
    """After an edit the changed chunks are made of the source's new vectors; a space that is up to date stays so."""
    space = derived(world, source, "pca", 4)
    fill(world, space)
    world.add(page_row("Page 1", 1, prose("another", 2500), revision=2, fetched_at=world.next_day()))
    changed = world.run().embedded

    assert fill(world, space).embedded == changed > 0
    assert set(vectors_of(world, space)) == set(world.current_chunks())
    assert broken(world) == []


def test_what_the_source_lacks_stays_pending(world: World, source: EmbeddingSpace) -> None:
    """The report says which space is behind; when it has caught up, the rest is derived."""
    space = derived(world, source, "binary")
    world.add(*pages(2, start=20))
    world.extract()
    world.chunk()

    report = fill(world, space)

    assert 0 < report.still_pending < report.embedded
    assert isinstance(report.held_up, TransientError)
    assert str(report.held_up) == (
        f"{report.still_pending} current chunks have no vector, because the space {source.slug} that it is derived "
        f"from lacks {report.still_pending}; bring that one up to date, then run again"
    )
    before = runs(world)
    assert fill(world, space).still_pending == report.still_pending
    assert runs(world) == before, "nothing could be done, so no run is recorded"

    write(world.store, space_table.update_space_activity, source.embedding_space_id, utc_now(), is_active=False)
    held_up = fill(world, space).held_up
    assert f"is inactive; `holocron spaces activate {source.slug}`" in str(held_up)
    assert isinstance(held_up, NotReadyError)

    world.embed()
    assert fill(world, space).still_pending == 0


class Choosy(EmbeddingProvider):
    """The hashing provider, but for texts about topic 3 while it is choosy."""

    batch_size = 4
    batch_characters = 1_000_000
    concurrency = 1
    is_choosy = True

    def __init__(self, inner: EmbeddingProvider) -> None:
        self.inner = inner

    def describe(self) -> SpaceIdentity:
        return self.inner.describe()

    def runtime(self) -> Mapping[str, str]:
        return self.inner.runtime()

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        if self.is_choosy and any("topic 3" in text for text in texts):
            raise InputRejectedError("not that again")
        return self.inner.embed(texts, purpose)


def test_what_the_source_quarantines_is_held_here_too(world: World) -> None:
    """With the source's reason, so that the space counts as complete; a retry lets both go."""
    world.add(*pages(5))
    world.extract()
    world.chunk()
    declared = world.settings.spaces[0]
    provider = Choosy(world.providers.open(declared.provider, declared.model, declared.options))
    source = world.embed(provider).space
    space = derived(world, source, "binary")

    report = fill(world, space)

    assert report.rejected == report.quarantined == 2
    assert report.still_pending == 0
    scope = f"where scope = '{space.embedding_space_id}'"
    reasons = {reason for (reason,) in world.rows(f"select reason from vector.quarantine {scope}")}
    assert reasons == {f"{source.slug} has no vector of it: not that again"}

    assert retry(world.store, [], None)["chunk"] == 4
    world.embed(provider)
    assert fill(world, space).rejected == 2, "refused again, and nothing else to do"
    retry(world.store, [], None)
    provider.is_choosy = False
    assert world.embed(provider).embedded == 2
    assert (fill(world, space).embedded, broken(world)) == (2, [])


def test_what_a_transform_leaves_nothing_of_is_quarantined(world: World, source: EmbeddingSpace, backend: str) -> None:
    """A vector without length has no direction: it is held back with its reason, and the others are stored."""
    plant(world, backend, next(iter(world.current_chunks())), [0.0] * 31 + [1.0])
    space = derived(world, source, "matryoshka", 8)

    report = fill(world, space)

    assert (report.rejected, report.quarantined, report.still_pending) == (1, 1, 0)
    assert report.embedded == len(world.current_chunks()) - 1
    ((reason,),) = world.rows("select reason from vector.quarantine")
    assert reason.endswith("leaves nothing of its vector, which then is not of unit length")


#: Where each store keeps a vector, and how SQL writes it there.
LITERALS = {
    "duckdb": ("vector", lambda vector: str(vector.tolist())),
    "translated": ("vector_binary", lambda vector: f"unhex('{vector.tobytes().hex()}')"),
    "sqlserver": ("vector_binary", lambda vector: f"0x{vector.tobytes().hex()}"),
}


def plant(world: World, backend: str, chunk_id: str, vector: list[float], digest: str | None = None) -> None:
    """Put a vector in the place of the source's, with its own hash, unless another is given."""
    column, literal = LITERALS[backend]
    numbers = np.array(vector, "<f4")
    world.rows(
        f"update vector.embedding set {column} = {literal(numbers)}, "
        f"vector_sha256 = '{digest or vector_sha256(numbers)}' where chunk_id = '{chunk_id}'"
    )


def test_a_damaged_vector_of_the_source_makes_no_other(world: World, source: EmbeddingSpace, backend: str) -> None:
    """It counts as missing, the report says what to do, and after that everything is derived."""
    one, other, third, *_ = world.current_chunks()
    plant(world, backend, one, [32**-0.5] * 32, digest="f" * 64)
    plant(world, backend, other, [31**-0.5] * 31)
    plant(world, backend, third, [0.5] * 32)
    space = derived(world, source, "binary")

    report = fill(world, space)

    assert report.still_pending == 3
    assert "has 3 damaged ones" in str(report.held_up)
    assert isinstance(report.held_up, NotReadyError)
    repair(world.store, verify(world.store))
    world.embed()
    assert (fill(world, space).still_pending, broken(world)) == (0, [])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("artefact_sha256 = 'x'", "its artefact is not what its hash says"),
        ("source_space_id = embedding_space_id", "which makes another space"),
    ],
)
def test_a_damaged_transform_is_never_applied(world: World, source: EmbeddingSpace, damage: str, reason: str) -> None:
    """The space is neither filled nor searched with it, and verification says so; the source is not harmed."""
    space = derived(world, source, "pca", 4)
    world.rows(f"update vector.transform set {damage}")

    breaks(world, space, reason)
    assert world.search("tides", space=source.slug, top_k=1).hits


def test_another_transform_in_its_place_is_noticed(world: World, source: EmbeddingSpace) -> None:
    """Whole, with its own hash, and yet another one than the space is named after."""
    space, other = derived(world, source, "pca", 4), derived(world, source, "pca", 5)
    theirs = f"from vector.transform t where t.embedding_space_id = '{other.embedding_space_id}'"
    world.rows(
        f"update vector.transform set artefact = (select t.artefact {theirs}), "
        f"artefact_sha256 = (select t.artefact_sha256 {theirs}) where embedding_space_id = '{space.embedding_space_id}'"
    )

    breaks(world, space, f"{other.transform_ref} of {source.slug}, which makes another space")
