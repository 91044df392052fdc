"""The identity of embedding spaces."""

from dataclasses import replace

import pytest

from holocron_assets.errors import SpaceMismatchError
from holocron_assets.records import SpaceIdentity
from holocron_assets.spaces import derived_identity, identity_of, require_same_space, space_of, transforms_of

PLAIN = SpaceIdentity(
    provider="embedded",
    model_name="All-MiniLM L6/v2",
    model_tag="fp32",
    model_digest="d" * 64,
    dimensions=384,
    normalize=True,
    distance_metric="cosine",
    preprocess_policy={"max_tokens": 512},
    is_plain=True,
)


def test_a_space_has_the_same_id_everywhere() -> None:
    """The id of a space is frozen: another store, and another version of this code, must give the same."""
    assert str(space_of(PLAIN).embedding_space_id) == "73687c0e-9e66-5e5c-9eab-b843b2eb0656"


def test_the_slug_is_readable_and_unique() -> None:
    """A space's name is its model in plain characters, and the beginning of its id."""
    space = space_of(PLAIN)

    assert space.slug == f"all-minilm-l6-v2-{space.embedding_space_id.hex[:8]}"


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "ollama"},
        {"model_name": "other"},
        {"model_tag": "q8"},
        {"model_digest": "e" * 64},
        {"dimensions": 256},
        {"normalize": False},
        {"distance_metric": "euclidean"},
        {"preprocess_policy": {"max_tokens": 256}},
        {"transform_ref": "pca:1"},
    ],
)
def test_whatever_vectors_depend_on_makes_another_space(change: dict[str, object]) -> None:
    """A change of any part of the identity is another space."""
    other = replace(PLAIN, **change)  # type: ignore[arg-type]

    assert space_of(other).embedding_space_id != space_of(PLAIN).embedding_space_id


def test_a_plain_space_keeps_its_tag() -> None:
    """The tag of a space with the provider's own settings is the provider's own."""
    assert space_of(PLAIN).model_tag == "fp32"


def test_other_settings_mark_the_tag() -> None:
    """The existing database's unique key ignores policies, so the tag carries a mark of the whole identity."""
    other = space_of(replace(PLAIN, preprocess_policy={"max_tokens": 256}, is_plain=False))

    tag, _, mark = other.model_tag.partition("+")
    assert tag == "fp32"
    assert len(mark) == 12
    assert other.model_digest == PLAIN.model_digest


@pytest.mark.parametrize("change", [{}, {"preprocess_policy": {"max_tokens": 256}, "is_plain": False}])
def test_a_registered_space_tells_what_its_provider_said(change: dict[str, object]) -> None:
    """So what is derived from the registry's row is what is derived from the provider's own description."""
    identity = replace(PLAIN, **change)  # type: ignore[arg-type]

    assert identity_of(space_of(identity)) == identity


def test_a_derived_space_is_named_after_all_that_was_done() -> None:
    """Its identity holds every transform in order, its slug their kinds, its tag a mark, and its model is the same."""
    pca = derived_identity(PLAIN, "pca-128/1:0123456789abcdef", 128, normalize=True)
    space = space_of(derived_identity(pca, "int8/1:fedcba9876543210", 128, normalize=False))

    assert transforms_of(space.transform_ref) == ["pca-128/1:0123456789abcdef", "int8/1:fedcba9876543210"]
    assert space.slug == f"all-minilm-l6-v2-pca-128-int8-{space.embedding_space_id.hex[:8]}"
    assert space.model_tag.startswith("fp32+")
    assert (space.dimensions, space.normalize, space.model_digest) == (128, False, PLAIN.model_digest)
    assert str(space.embedding_space_id) == "386d3dbf-c61f-53d4-834f-16939c6963ba"


def test_description_is_no_part_of_the_identity() -> None:
    """Describing a space in other words does not make it another."""
    assert space_of(replace(PLAIN, description="x")).embedding_space_id == space_of(PLAIN).embedding_space_id


def test_a_provider_that_changed_is_refused_and_told_how() -> None:
    """What differs from the registered space is named, with both values."""
    with pytest.raises(SpaceMismatchError, match=r"dimensions is 256, registered as 384"):
        require_same_space(space_of(PLAIN), replace(PLAIN, dimensions=256))


def test_a_provider_that_did_not_change_is_accepted() -> None:
    """The same identity is the same space."""
    require_same_space(space_of(PLAIN), PLAIN)
