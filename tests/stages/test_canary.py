"""Anchors: registered with a space, embedded again before each run, and what becomes of a model that moved."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from holocron_assets.anchors import Anchor, anchors, one_in_turn, one_of_each_kind
from holocron_assets.errors import ConfigurationError, ModelChangedError, ProviderError, SpaceMismatchError
from holocron_assets.records import EmbeddingSpace
from holocron_assets.registry import probe
from holocron_assets.sections import CanarySettings
from holocron_assets.spaces import options_of, require_same_model, space_of
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.embed import EmbeddingReport, embed_space
from holocron_assets.stages.register import register, register_spaces, register_successor
from holocron_assets.tables import canaries, spaces
from holocron_assets.transactions import read
from holocron_assets.vectors import relative_distances
from tests.moving import Catalog, Moving
from tests.world import ORIGIN, World, page_row, prose, silent

POLICY = CanaryPolicy()


def registered(world: World, provider: Moving) -> EmbeddingSpace:
    """The space of a provider, registered by it as it is now, with a page to embed."""
    world.add(page_row("Page 1", 1, prose("alpha")))
    world.extract()
    world.chunk()
    space = space_of(provider.describe())
    register(world.store, provider, space, POLICY)
    return space


def embed(world: World, provider: Moving, space: EmbeddingSpace, policy: CanaryPolicy = POLICY) -> EmbeddingReport:
    return embed_space(world.store, lambda: provider, space, policy, ORIGIN, silent)


def canary_vectors(world: World, space: EmbeddingSpace) -> tuple[float, list[Anchor], NDArray[np.float32]]:
    canary = read(world.store, canaries.get_canary, space.embedding_space_id)
    assert canary is not None
    known, vectors = read(world.store, canaries.list_anchors, canary, space.dimensions)
    return canary.repeatability, known, vectors


def test_the_bundled_anchors_are_of_every_kind() -> None:
    """Sixty-four texts: short, long and very long ones, other scripts, code and numbers, no two alike."""
    bundled = anchors(None)

    assert len({anchor.text for anchor in bundled}) == len(bundled) == 64
    kinds = {anchor.kind for anchor in bundled}
    assert kinds == {"short", "long", "very long", "multilingual", "code", "numbers"}
    assert [anchor.kind for anchor in one_of_each_kind(bundled, 3)] == list(dict.fromkeys(a.kind for a in bundled))
    assert {anchor for turn in range(18) for anchor in one_of_each_kind(bundled, turn)} == set(bundled)


def test_own_anchors_join_the_bundled_ones(tmp_path: Path) -> None:
    """A file of JSON objects adds texts of a kind of its own; a faulty one is refused by its line."""
    own = tmp_path / "own.ndjson"
    own.write_text('{"text": "ours"}\n\n{"text": "and ours"}\n', encoding="utf-8")
    assert [anchor.text for anchor in anchors(own) if anchor.kind == "own"] == ["ours", "and ours"]

    for content, fault in {
        '{"text": "a"}\n{"text": ""}': "line 2 is not an object such as",
        "[]": "line 1 is not an object",
        "{": "line 1 is not JSON",
        '{"text": "a"}\n{"text": "a"}': "holds 'a' twice",
        "": "holds 0 anchors",
    }.items():
        own.write_text(content, encoding="utf-8")
        with pytest.raises(ConfigurationError, match=fault):
            anchors(own)
    with pytest.raises(ConfigurationError, match="cannot read"):
        anchors(tmp_path / "none.ndjson")


@given(st.floats(0, np.pi))
def test_the_distance_of_unit_vectors_is_that_of_their_angle(angle: float) -> None:
    """Relative distances of unit vectors are 2 sin(angle / 2); zero for equal ones."""
    one = np.array([[1.0, 0.0]], np.float32)
    other = np.array([[np.cos(angle), np.sin(angle)]], np.float32)
    assert relative_distances(one, other)[0] == pytest.approx(2 * np.sin(angle / 2), abs=1e-6)
    assert relative_distances(other, other)[0] == 0


def test_registering_records_what_the_model_answers(world: World) -> None:
    """All anchors with their vectors, and how far apart two answers to some were: in a batch and alone."""
    still, noisy = Moving(), Moving(noise=1e-4, digest="e" * 64)
    space, other = space_of(still.describe()), space_of(noisy.describe())

    register(world.store, still, space, POLICY)
    register(world.store, noisy, other, POLICY)

    repeatability, known, vectors = canary_vectors(world, space)
    assert (repeatability, len(known), vectors.shape) == (0.0, 64, (64, 32))
    assert np.array_equal(vectors, still.embed([anchor.text for anchor in known]).values)
    assert 2e-4 < canary_vectors(world, other)[0] < 5e-3
    assert still.calls.count(1) >= 11


def test_a_run_begins_with_a_few_anchors(world: World) -> None:
    """One of each kind, before anything else, where there is anything to embed; the vectors then are as registered."""
    provider = Moving()
    space = registered(world, provider)
    provider.calls.clear()

    report = embed(world, provider, space)
    assert sum(provider.calls[:2]) == 6
    assert report.embedded == len(world.current_chunks())

    provider.calls.clear()
    embed(world, provider, space)
    assert provider.calls == []


@pytest.mark.parametrize("change", [{"turned": 0.01}, {"noise": 0.001}, {"turned": 3.0}])
def test_a_model_that_moved_stops_the_space(world: World, change: dict[str, float]) -> None:
    """Under one digest other vectors: nothing is embedded, and the error says how far, and what runs now."""
    provider = Moving()
    space = registered(world, provider)
    for name, value in change.items():
        setattr(provider, name, value)
    provider.version = "2"

    with pytest.raises(ModelChangedError, match=r"of 6 anchors moved .* version was '1' and is '2'"):
        embed(world, provider, space)

    assert world.rows("select count(*) from vector.embedding") == [(0,)]
    ((error,),) = world.rows("select error from vector.run where status = 'FAILED'")
    assert "ModelChangedError" in error


def test_a_noisy_model_is_allowed_its_noise(world: World) -> None:
    """What it could not repeat on the first day is not held against it later, nor what the settings allow."""
    noisy = Moving(noise=1e-3)
    space = registered(world, noisy)
    assert embed(world, noisy, space).embedded

    noisy.noise = 0.05
    world.add(page_row("Page 2", 2, prose("beta")))
    world.extract()
    world.chunk()
    with pytest.raises(ModelChangedError):
        embed(world, noisy, space)
    assert embed(world, noisy, space, replace(POLICY, tolerance=1.0)).embedded


def test_a_model_that_repeats_nothing_is_not_registered(world: World) -> None:
    """A change could not be told from its noise, unless the settings say how much is of no account."""
    noisy = Moving(noise=0.05)
    space = space_of(noisy.describe())
    with pytest.raises(ProviderError, match="Are there two behind one name"):
        register(world.store, noisy, space, POLICY)

    assert register(world.store, noisy, space, replace(POLICY, tolerance=1.5))


def test_stored_vectors_stand_for_anchors_that_were_never_recorded(world: World) -> None:
    """A space of an earlier version is measured only by the model whose vectors it holds."""
    provider = Moving()
    space = registered(world, provider)
    embed(world, provider, space)
    world.rows("delete from vector.anchor")
    world.rows("delete from vector.canary")
    world.add(page_row("Page 2", 2, prose("beta")))
    world.extract()
    world.chunk()
    provider.turned = 0.3

    with pytest.raises(ModelChangedError, match="vectors that it holds are not what its model answers now"):
        embed(world, provider, space)
    provider.turned = 0.0
    assert embed(world, provider, space).embedded


def test_without_a_digest_anchors_are_asked_before_each_commit(world: World) -> None:
    """A model that is exchanged in mid-run, and of which the server tells nothing, stores nothing more."""
    provider = Moving(batch_size=1, concurrency=1, digest="")
    space = registered(world, provider)

    def exchange(self: Moving) -> None:
        if self.calls[-7:] == [1] * 7:
            self.noise = 0.5  # which every anchor shows

    provider.calls.clear()
    provider.after = exchange
    with pytest.raises(ModelChangedError):
        embed(world, provider, space)
    assert world.rows("select count(*) from vector.embedding") == [(0,)]


def test_two_models_that_take_turns_are_two_spaces(world: World) -> None:
    """What answers as an earlier generation did is that generation, however often they change places."""
    provider = Moving()
    first = registered(world, provider)
    provider.turned = 1.0
    second = register_successor(world.store, provider, first, POLICY)
    for turned, before, now in ((0.0, second, first), (1.0, first, second), (0.0, second, first)):
        provider.turned = turned
        assert register_successor(world.store, provider, before, POLICY).slug == now.slug


def test_a_server_without_digests_that_changes_its_dimensions_is_another_model() -> None:
    """Under the same options other dimensions are not registered silently; under other options they are."""
    plain = replace(Moving().describe(), model_digest="")
    small, large = (space_of(replace(plain, dimensions=n)) for n in (8, 16))
    with pytest.raises(ModelChangedError, match="has 16 dimensions"):
        require_same_model([small], large)
    require_same_model([small], replace(large, preprocess_policy={"dimensions": 16}))


def test_a_runtime_that_changes_in_mid_run_is_looked_at(world: World) -> None:
    """An engine that was replaced while a run is under way has to answer as before too, or nothing more is stored."""
    provider = Moving(batch_size=1, concurrency=1)
    space = registered(world, provider)

    def update(self: Moving) -> None:
        if self.calls[-7:] == [1] * 7:
            self.version, self.turned = "2", 1.0

    provider.calls.clear()
    provider.after = update
    with pytest.raises(ModelChangedError, match="version was '1' and is '2'"):
        embed(world, provider, space)

    assert world.rows("select count(*) from vector.embedding") == [(0,)]


def test_an_anchor_that_the_model_rejects_is_left_out(world: World) -> None:
    """A model with a short context keeps the others; one that rejects a registered anchor later has moved."""
    provider = Moving(rejected="lighthouse is less a lamp")
    space = registered(world, provider)
    assert len(canary_vectors(world, space)[1]) == 62
    assert embed(world, provider, space).embedded

    (very_short,) = [a for a in anchors(None) if a.text == "No."]
    provider.rejected = very_short.text
    found = probe(world.store, Catalog(provider), POLICY, space.slug)
    assert found.mismatch is not None
    assert "1 of 62 anchors moved" in found.mismatch
    assert "is rejected now" in found.mismatch

    with pytest.raises(ProviderError, match="a text was rejected, and so was a harmless one"):
        register(world.store, Moving(rejected=""), replace(space, slug="other"), POLICY)


def test_a_space_without_a_canary_gets_one(world: World) -> None:
    """A space that another program registered is measured by the first run that embeds in it."""
    provider = Moving()
    space = registered(world, provider)
    world.rows("delete from vector.anchor")
    world.rows("delete from vector.canary")
    assert probe(world.store, Catalog(provider), POLICY, space.slug).anchors is None

    embed(world, provider, space)

    assert len(canary_vectors(world, space)[1]) == 64


def test_probing_compares_every_anchor(world: World) -> None:
    """`spaces probe` says how far the farthest of all anchors is, and writes nothing."""
    provider = Moving()
    space = registered(world, provider)
    found = probe(world.store, Catalog(provider), POLICY, space.slug)
    assert (found.anchors, found.mismatch, found.largest_distance) == (64, None, 0.0)

    provider.turned = 0.5
    found = probe(world.store, Catalog(provider), POLICY, space.slug)
    assert found.largest_distance is not None
    assert found.tolerance is not None
    assert found.largest_distance > 0.01 > found.tolerance
    assert world.rows("select count(*) from vector.canary") == [(1,)]


def test_search_refuses_a_model_that_moved(world: World) -> None:
    """A query embedded elsewhere would be compared with vectors of another space."""
    provider = Moving()
    embed(world, provider, registered(world, provider))
    asking = replace(world, providers=Catalog(provider))
    assert asking.search("alpha", top_k=1).hits

    provider.noise = 0.5
    with pytest.raises(ModelChangedError, match="1 of 1 anchors moved"):
        asking.search("alpha", top_k=1)


def test_another_digest_under_a_declared_name_is_not_registered_by_itself(world: World) -> None:
    """The declaration fails and says what changed; where the settings ask for it, the new model is a space beside."""
    provider = Moving()
    catalog = Catalog(provider)
    (old,) = register_spaces(world.store, catalog, world.settings).new
    provider.digest = "f" * 64

    report = register_spaces(world.store, catalog, world.settings)
    (failure,) = report.failures.values()
    assert isinstance(failure, ModelChangedError)
    assert "its digest is 'ffff" in str(failure)
    assert (report.new, [one.slug for one in report.registered]) == ([], [old.slug])

    asking = world.settings.model_copy(update={"canary": CanarySettings(on_change="register")})
    (new,) = register_spaces(world.store, catalog, asking).new
    assert (new.model_digest, new.slug != old.slug) == ("f" * 64, True)


def test_what_moved_becomes_a_space_of_its_own(world: World) -> None:
    """Under the same digest the next generation: another id and tag, the same options, and a canary of its own."""
    provider = Moving()
    old = registered(world, provider)
    provider.turned = 1.0

    new = register_successor(world.store, provider, old, POLICY)
    again = register_successor(world.store, provider, old, POLICY)

    assert new == again
    assert new.embedding_space_id != old.embedding_space_id
    assert (new.model_digest, new.preprocess_policy["generation"]) == (old.model_digest, 2)
    assert options_of(new) == options_of(old)
    assert new.model_tag != old.model_tag
    assert embed(world, provider, new).embedded == len(world.current_chunks())
    with pytest.raises(ModelChangedError):
        embed(world, provider, old)

    provider.turned = 2.0
    third = register_successor(world.store, provider, new, POLICY)
    assert third.preprocess_policy["generation"] == 3
    assert len(read(world.store, spaces.list_spaces)) == 3


def test_anchors_are_one_json_object_a_line() -> None:
    """The bundled file is in the shape that users are asked for, with a kind beside each text."""
    path = Path(__file__).parents[2] / "holocron_assets" / "anchors" / "bundled.ndjson"
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert all(set(entry) == {"kind", "text"} for entry in entries)


def test_a_space_without_a_canary_is_measured_though_nothing_waits(world: World) -> None:
    """Also a space in which everything is embedded is held to its model from the next run, or search, on."""
    provider = Moving()
    space = registered(world, provider)
    embed(world, provider, space)
    for asks in (
        lambda: embed(world, provider, space),
        lambda: replace(world, providers=Catalog(provider)).search("alpha", top_k=1),
    ):
        world.rows("delete from vector.anchor")
        world.rows("delete from vector.canary")
        provider.turned = 0.3
        with pytest.raises(ModelChangedError, match="vectors that it holds are not what its model answers now"):
            asks()
        provider.turned = 0.0
        asks()
        assert len(canary_vectors(world, space)[1]) == 64


def test_a_name_that_means_another_model_while_it_is_registered_is_refused(world: World) -> None:
    """A space is never registered with the anchors of another model."""

    def pulled_anew(asked: Moving) -> None:
        asked.digest = "f" * 64

    provider = Moving(after=pulled_anew)
    with pytest.raises(SpaceMismatchError):
        register(world.store, provider, space_of(provider.describe()), POLICY)
    assert not read(world.store, spaces.list_spaces)


def test_a_move_in_mid_run_is_seen_at_a_commit_although_the_digest_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every few seconds one anchor is asked before a commit, of another kind each time; what was stored before is told
    of."""
    monkeypatch.setattr("holocron_assets.stages.embed._COMMIT_CHUNKS", 4)
    monkeypatch.setattr("holocron_assets.stages.embed._LOOK_AGAIN_SECONDS", 0.0)
    provider = Moving(batch_size=1, concurrency=1)
    for number in range(40):
        world.add(page_row(f"More {number}", 100 + number, prose(f"more {number}", 300)))
    space = registered(world, provider)
    provider.calls.clear()

    def move(asked: Moving) -> None:
        asked.turned = 0.9 if len(asked.calls) > 20 else 0.0

    provider.after = move
    with pytest.raises(ModelChangedError, match=r"some may be of the other model: .* `holocron spaces reembed"):
        embed(world, provider, space)


def test_every_kind_of_anchor_has_its_turn() -> None:
    """After as many turns as there are kinds, one of each was asked; after some more, all."""
    bundled = anchors(None)
    kinds = len({anchor.kind for anchor in bundled})

    assert len({one_in_turn(bundled, turn)[0].kind for turn in range(7, 7 + kinds)}) == kinds
    assert {one_in_turn(bundled, turn)[0] for turn in range(kinds * 18)} == set(bundled)
    assert one_in_turn([], 3) == []
