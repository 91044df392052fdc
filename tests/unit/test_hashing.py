"""What the hashing provider does alone; what every provider does is in `contract/test_provider.py`."""

import numpy as np
import pytest

from holocron_assets.errors import ConfigurationError
from holocron_assets.spaces import space_of
from holocron_assets.vectors import vector_sha256
from resources.providers.hashing import ByteNgrams


def provider(**options: int) -> ByteNgrams:
    return ByteNgrams("ngram", options)


def test_vectors_never_change() -> None:
    """Golden bytes: the same on every platform and in every version that claims the same digest."""
    vectors = provider().embed(["May the Force be with you.", "", "äöü 銀河"]).values

    assert provider().describe().model_digest == "2ffebbb75d2c26267a3091e4d798dfe49b2fb011fc98982e1dff460e89add8d5"
    assert [vector_sha256(vector) for vector in vectors] == [
        "9948235e6daaaad86f560eb5c7491262f49a97813c37036db0b022eac3645ad9",
        "2a69b6354d8319f04958d86e933af6e0ef10985312da8e15909ab15754d15b8f",
        "01b13fbd62489f81bdb1af3e8bb630efecd5a404fa7fbcf2f7635ea7140b71f2",
    ]


def test_one_ngram_is_one_slot() -> None:
    """A text of at most one n-gram has a single coordinate, of plus or minus one."""
    for text in ("a", "abcd", "abcde"):
        vector = provider().embed([text]).values[0]

        assert np.abs(vector).sum() == 1


def test_empty_text_is_a_fixed_unit_vector() -> None:
    """Without any n-gram the vector is the first axis."""
    assert provider(dimensions=8).embed([""]).values.tolist() == [[1, 0, 0, 0, 0, 0, 0, 0]]


def test_every_pair_of_letters_has_a_vector() -> None:
    """Even n-grams that cancel each other out leave a unit vector, not a division by zero."""
    texts = [a + b for a in map(chr, range(97, 123)) for b in map(chr, range(97, 123))]
    lengths = np.linalg.norm(provider(dimensions=8, ngram=1).embed(texts).values, axis=1)

    np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_counts_are_those_of_the_plain_definition() -> None:
    """Cutting bytes by hand and hashing Python integers gives the same vector."""
    text, dimensions, ngram = "Grüße aus dem Äußeren Rand", 32, 3
    raw = text.encode()
    expected = np.zeros(dimensions)
    for start in range(len(raw) - ngram + 1):
        slot = _mix(int.from_bytes(raw[start : start + ngram], "little")) >> 32
        slot = slot * 2 * dimensions >> 32
        expected[slot % dimensions] += 1 if slot < dimensions else -1
    expected /= np.sqrt((expected**2).sum())

    actual = provider(dimensions=dimensions, ngram=ngram).embed([text]).values[0]

    assert actual.tolist() == expected.astype(np.float32).tolist()


def _mix(key: int) -> int:
    key ^= key >> 30
    key = key * 0xBF58476D1CE4E5B9 % 2**64
    key ^= key >> 27
    return key * 0x94D049BB133111EB % 2**64


def test_slots_are_used_evenly() -> None:
    """6,400 different n-grams spread over 64 slots and two signs about equally."""
    vectors = provider(dimensions=64).embed([f"{number:05}" for number in range(6_400)]).values
    used = np.abs(vectors).sum(axis=0)

    assert 60 < used.min() < used.max() < 145
    assert 0.47 < (vectors == 1).sum() / 6_400 < 0.53


@pytest.mark.parametrize(
    "options", [{"dimensions": 0}, {"dimensions": 4097}, {"dimensions": "256"}, {"dimensions": True}, {"ngram": 9}]
)
def test_impossible_options_are_refused(options: dict[str, int]) -> None:
    """Sizes out of range or of another type are errors that name the option."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        provider(**options)


def test_other_parameters_are_other_spaces() -> None:
    """Dimensions and n-gram length are identity, and the algorithm is the digest: tag and id differ, it does not."""
    spaces = [space_of(provider(**options).describe()) for options in ({}, {"dimensions": 64}, {"ngram": 4})]

    assert len({space.embedding_space_id for space in spaces}) == 3
    assert len({space.model_digest for space in spaces}) == 1
    assert [space.dimensions for space in spaces] == [256, 64, 256]
    assert [space.model_tag.partition("+")[1] for space in spaces] == ["", "+", "+"]


def test_shared_passages_are_near() -> None:
    """The more text two documents share, the smaller their distance."""
    first = "Alderaan was a planet of wild beauty, peaceful and without weapons. " * 4
    second = "Corellian freighters were known for speed and for their crews' temper. " * 4
    whole, half, none = (
        provider().embed([first, first[:136] + second[:136], second]).values @ provider().embed([first]).values[0]
    )

    assert whole > half > none
