"""Transforms of vectors: their laws, whatever is transformed."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from holocron_assets.errors import ConfigurationError, TransformError
from holocron_assets.transforms import KINDS, Transform, artefact_sha256, load

Matrix = NDArray[np.float32]


def unit(rows: Any) -> Matrix:
    values = np.asarray(rows, np.float64)
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def random(count: int, dimensions: int, seed: int = 0, *, normalized: bool = True) -> Matrix:
    """Vectors of which some directions matter more than others."""
    rows = np.random.default_rng(seed).normal(size=(count, dimensions)) * np.linspace(2, 0.1, dimensions) + 0.3
    return unit(rows) if normalized else (rows * 40).astype(np.float32)


def fitted(kind: str, sample: Matrix, dimensions: int | None = None, *, normalized: bool = True) -> Transform:
    size = sample.shape[1]
    wanted = dimensions if KINDS[kind].takes_dimensions and dimensions else size
    return KINDS[kind].fit([sample], size, wanted, normalized=normalized)[0]


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    shape=st.tuples(st.integers(1, 40), st.integers(2, 70)),
    share=st.floats(0.05, 0.95),
    size=st.integers(1, 40),
    normalized=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_vector_comes_out_the_same_in_any_batch(
    kind: str, shape: tuple[int, int], share: float, size: int, normalized: bool, seed: int
) -> None:
    """Bit for bit, alone, in parts, in another order and in another layout of memory."""
    count, dimensions = shape
    rows = random(count, dimensions, seed, normalized=normalized)
    sample = random(2 * dimensions, dimensions, seed + 1, normalized=normalized)
    transform = fitted(kind, sample, max(1, int(share * dimensions)), normalized=normalized)

    whole = transform.apply(rows)

    parts = [transform.apply(rows[first : first + size]) for first in range(0, count, size)]
    assert whole.tobytes() == np.concatenate(parts).tobytes()
    assert whole.tobytes() == np.ascontiguousarray(transform.apply(rows[::-1])[::-1]).tobytes()
    assert whole.tobytes() == transform.apply(np.asfortranarray(rows)).tobytes()
    assert whole.dtype == np.float32
    assert whole.shape == (count, transform.dimensions)


@pytest.mark.parametrize("normalized", [True, False])
def test_a_projection_is_exact(normalized: bool) -> None:
    """Its sums are those of unbounded integers, so that no machine and no order of summation changes a bit."""
    rows, sample = random(5, 48, 3, normalized=normalized), random(200, 48, 4, normalized=normalized)
    transform = fitted("pca", sample, 16, normalized=normalized)
    line, _, matrix = transform.artefact().partition(b"\n")
    directions = np.frombuffer(matrix, "<i4").reshape(48, 16).tolist()

    shifts = [0 if normalized else np.frexp(np.abs(row).max())[1] + 3 for row in rows.astype(np.float64)]
    expected = []
    for row, shift in zip(rows.astype(np.float64), shifts, strict=True):
        units = [round(float(np.ldexp(number, 26 - shift))) for number in row]
        sums = [sum(a * b for a, b in zip(units, column, strict=True)) for column in zip(*directions, strict=True)]
        numbers = np.array([float(np.ldexp(float(one), int(shift) - 52)) for one in sums])
        expected.append(numbers / np.sqrt(np.square(numbers).sum()) if normalized else numbers)

    assert json.loads(line)["source_dimensions"] == 48
    assert transform.apply(rows).tobytes() == np.array(expected).astype(np.float32).tobytes()


def test_pca_is_the_uncentred_svd() -> None:
    """Its directions are the right singular vectors of the sample as it is, and its vectors have unit length."""
    sample = random(300, 24, 5)
    _, _, directions = np.linalg.svd(sample.astype(np.float64), full_matrices=False)
    expected = unit(sample.astype(np.float64) @ directions[:8].T)

    values = fitted("pca", sample, 8).apply(sample)

    np.testing.assert_allclose(np.abs(values), np.abs(expected), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-6)


def test_pca_keeps_the_cosines_that_its_directions_hold() -> None:
    """Vectors that lie in few directions lose nothing by being described in as many."""
    rng = np.random.default_rng(6)
    rows = unit(rng.normal(size=(100, 5)) @ rng.normal(size=(5, 40)))

    values = fitted("pca", rows, 5).apply(rows).astype(np.float64)

    np.testing.assert_allclose(values @ values.T, rows.astype(np.float64) @ rows.T, atol=1e-5)


def test_pca_says_how_much_it_keeps() -> None:
    """The share of the sample's squared length that the kept directions hold."""
    rows = np.repeat(np.eye(4, dtype=np.float32), [4, 3, 2, 1], axis=0)

    _, told = KINDS["pca"].fit([rows[:5], rows[5:]], 4, 2, normalized=True)

    assert told == {"squared_length_kept": 0.7}


def test_pca_does_not_depend_on_how_the_sample_is_batched() -> None:
    """Nor on a sign that an eigenvector might have had: the largest number of each direction is positive."""
    sample = random(90, 12, 7)
    whole, _ = KINDS["pca"].fit([sample], 12, 4, normalized=True)
    parts, _ = KINDS["pca"].fit(iter(np.split(sample, 9)), 12, 4, normalized=True)

    np.testing.assert_allclose(whole.apply(sample), parts.apply(sample), atol=1e-6)
    directions = np.frombuffer(whole.artefact().partition(b"\n")[2], "<i4").reshape(12, 4)
    assert (directions[np.argmax(np.abs(directions), axis=0), range(4)] > 0).all()


@pytest.mark.parametrize("sample", [random(7, 12), np.repeat(random(7, 12), 9, axis=0), np.zeros((0, 12), np.float32)])
def test_pca_needs_as_many_directions_as_dimensions(sample: Matrix) -> None:
    """Too few vectors, or too few different ones, are refused with what there is."""
    with pytest.raises(ConfigurationError, match=r"in (7|0) independent directions, too few for 8 dimensions"):
        fitted("pca", sample, 8)


def test_matryoshka_is_the_beginning_at_unit_length() -> None:
    """The first numbers, brought back to unit length; of codes, the codes themselves."""
    rows = random(20, 16)

    np.testing.assert_allclose(fitted("matryoshka", rows, 6).apply(rows), unit(rows[:, :6]), atol=1e-7)
    codes = np.float32([[3, -4, 5], [127, 0, -1]])
    assert fitted("matryoshka", codes, 2, normalized=False).apply(codes).tolist() == [[3, -4], [127, 0]]


def test_int8_codes_are_whole_numbers_in_one_scale() -> None:
    """The sample's largest number is 127, what lies beyond it is cut off, and zero is zero without a sign."""
    transform = fitted("int8", np.float32([[0.5, -0.25], [0.1, 0.2]]))

    codes = transform.apply(np.float32([[0.5, -0.5], [0.25, -0.001], [2.0, -2.0]]))

    assert codes.tolist() == [[127, -127], [64, 0], [127, -127]]
    assert not np.signbit(codes[1, 1])
    assert not transform.normalize


def test_int8_needs_a_number() -> None:
    """Nothing, or nothing but zeros, has no scale."""
    with pytest.raises(ConfigurationError, match="Materialise embeddings first"):
        KINDS["int8"].fit([], 3, 3, normalized=True)


def test_int8_barely_turns_a_vector() -> None:
    """The cosine between a vector and its codes stays close to 1."""
    rows = random(200, 64)
    codes = fitted("int8", rows).apply(rows)

    assert (rows * unit(codes)).sum(axis=1).min() > 0.999


def test_binary_counts_signs() -> None:
    """1 and -1, where 0 counts as positive, so that the cosine is 1 - 2 * (differing signs) / dimensions."""
    rows = random(30, 20, 8)
    rows[0, :2] = (0.0, -0.0)

    signs = fitted("binary", rows).apply(rows)

    assert signs[0, :2].tolist() == [1, 1]
    assert set(signs.ravel().tolist()) == {1.0, -1.0}
    differing = np.count_nonzero(signs[3] != signs[4])
    assert float(unit(signs)[3] @ unit(signs)[4]) == pytest.approx(1 - 2 * differing / 20, abs=1e-6)


@pytest.mark.parametrize("kind", ["pca", "matryoshka", "int8"])
def test_what_loses_all_its_length_is_zeros(kind: str) -> None:
    """There is no direction to give it, so nothing is made up; whoever stores vectors refuses it."""
    sample = np.float32([[1, 0, 0], [0.6, 0.8, 0], [0, 1, 0]])
    transform = fitted(kind, sample, 2)

    values = transform.apply(np.float32([[0, 0, 1] if kind != "int8" else [1e-9, 0, 0], [1, 0, 0]]))

    assert values[0].tolist() == [0.0] * transform.dimensions
    assert np.any(values[1])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_artefact_is_all_there_is_to_know(kind: str) -> None:
    """Read back, it makes the same vectors and the same artefact; its name says what it is."""
    rows = random(60, 10)
    transform = fitted(kind, rows, 4)
    artefact = transform.artefact()

    again = load(artefact, artefact_sha256(artefact))

    assert again.artefact() == artefact
    assert again.apply(rows).tobytes() == transform.apply(rows).tobytes()
    size = "-4" if KINDS[kind].takes_dimensions else ""
    assert transform.ref == again.ref == f"{kind}{size}/1:{artefact_sha256(artefact)[:16]}"
    assert (again.source_dimensions, again.dimensions, again.normalize) == (
        10,
        transform.dimensions,
        transform.normalize,
    )


def test_artefacts_are_frozen() -> None:
    """Spaces are named after these bytes: a fit may give others tomorrow, what is written down may not."""
    sample = np.float32([[1, 0, 0], [0, 1, 0], [0, 0.6, 0.8], [1, 0, 0]])

    assert fitted("matryoshka", sample, 2).artefact() == (
        b'{"dimensions":2,"kind":"matryoshka","normalize":true,"source_dimensions":3,"version":1}\n'
    )
    assert fitted("int8", sample[2:3] * np.float32(0.5)).artefact() == (
        b'{"dimensions":3,"kind":"int8","largest":0.4000000059604645,"normalize":false,"source_dimensions":3,"version":1}\n'
    )
    assert (
        fitted("binary", sample).ref
        == "binary/1:"
        + artefact_sha256(b'{"dimensions":3,"kind":"binary","normalize":false,"source_dimensions":3,"version":1}\n')[
            :16
        ]
    )
    head, _, matrix = fitted("pca", sample[[0, 1, 3]], 2).artefact().partition(b"\n")
    assert head == b'{"dimensions":2,"kind":"pca","normalize":true,"source_dimensions":3,"version":1}'
    assert np.frombuffer(matrix, "<i4").tolist() == [2**26, 0, 0, 2**26, 0, 0]


@pytest.mark.parametrize(
    ("kind", "digest"),
    [
        ("binary", "e2c71147284e2dbf"),
        ("int8", "be3f38beb53cbd80"),
        ("matryoshka", "9f3763a66db1bea8"),
        ("pca", "9877f370962555d9"),
    ],
)
def test_what_comes_out_is_frozen(kind: str, digest: str) -> None:
    """The same bits on every machine: to change one is to raise the version, which makes other spaces."""
    rows = unit([[(i * j * 7919) % 101 - 50.25 for j in range(1, 41)] for i in range(1, 31)])
    parameters = {"source_dimensions": 40, "dimensions": 9, "normalize": True, "largest": 0.25}
    whole = {"dimensions": 40, "normalize": False} if kind in ("int8", "binary") else {}
    directions = np.array([[(i * j * 104729) % 20000001 - 10000000 for j in range(1, 10)] for i in range(1, 41)], "<i4")
    transform = KINDS[kind].read(parameters | whole, directions.tobytes() if kind == "pca" else b"")

    assert artefact_sha256(transform.apply(rows).tobytes())[:16] == digest


@settings(deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), at=st.floats(0, 0.999), flip=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_artefact_is_refused(kind: str, at: float, flip: int, cut: bool) -> None:
    """One byte that changed, or an end that is missing, is noticed by the hash."""
    artefact = fitted(kind, random(30, 6), 3).artefact()
    place = int(at * len(artefact))
    damaged = artefact[:place] if cut else artefact[:place] + bytes([artefact[place] ^ flip]) + artefact[place + 1 :]

    with pytest.raises(TransformError, match="not what its hash says"):
        load(damaged, artefact_sha256(artefact))


@pytest.mark.parametrize(
    ("artefact", "reason"),
    [
        (b"", "cannot be read"),
        (b"\xff\xfe\n", "cannot be read"),
        (b"[]\n", "cannot be read"),
        (b'{"version":2,"kind":"pca"}\n', "of version 2, and only 1 is known"),
        (b'{"version":1,"kind":"lda"}\n', "cannot be read: KeyError: 'lda'"),
        (b'{"dimensions":2,"kind":"pca","normalize":true,"source_dimensions":3,"version":1}\nshort', "cannot be read"),
        (b'{"dimensions":2,"kind":"binary","normalize":false,"source_dimensions":2,"version":1}\nmore', "left over"),
        (
            b'{"dimensions":2,"kind":"int8","largest":0,"normalize":false,"source_dimensions":2,"version":1}\n',
            "no scale",
        ),
    ],
)
def test_what_is_no_artefact_is_refused(artefact: bytes, reason: str) -> None:
    """Whole, and yet nothing that can be applied: an artefact of later, or of someone else."""
    with pytest.raises(TransformError, match=reason):
        load(artefact, artefact_sha256(artefact))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_vectors_of_another_length_are_refused(kind: str) -> None:
    """A transform applies to vectors of its source alone."""
    transform = fitted(kind, random(30, 6), 3)

    with pytest.raises(TransformError, match=r"of shape \(2, 5\) were handed to a transform of 6 dimensions"):
        transform.apply(np.ones((2, 5), np.float32))
