"""Shapes and structures of two spaces: Procrustes, CKA, correlation of distances, and what one set looks like."""

import numpy as np
import pytest
import scipy.spatial
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from holocron_assets.drift.paired.geometry import geometry, hubness
from holocron_assets.drift.paired.neighbours import nearest_lists
from holocron_assets.drift.paired.procrustes import procrustes
from holocron_assets.drift.paired.similarity import alignment, distance_correlation
from holocron_assets.drift.shapes import mean_cosine
from holocron_assets.errors import InputError, NotReadyError, VectorError

Matrix = NDArray[np.float32]

sets = st.tuples(st.integers(6, 60), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))


def pair(count: int, dimensions: int, others: int, seed: int) -> tuple[Matrix, Matrix]:
    """Two sets that have something in common, neither of unit length nor about 0."""
    random = np.random.default_rng(seed)
    first = random.normal(0.5, 2, (count, dimensions))
    second = first @ random.normal(size=(dimensions, others)) + random.normal(1, 1, (count, others))
    return first.astype(np.float32), second.astype(np.float32)


def turned(vectors: Matrix, dimensions: int, seed: int = 0) -> Matrix:
    """Padded with zeros and rotated at random."""
    padded = np.pad(vectors.astype(np.float64), [(0, 0), (0, dimensions - vectors.shape[1])])
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(dimensions, dimensions)))
    return (padded @ rotation).astype(np.float32)


def kernel_alignment(old: Matrix, new: Matrix) -> float:
    """Debiased CKA from kernels of n x n, written as Song et al. define it, 2012."""

    def unbiased(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        n, ones = len(one), np.ones(len(one))
        sums = (ones @ one @ ones) * (ones @ other @ ones) / ((n - 1) * (n - 2))
        return float(np.trace(one @ other) + sums - 2 / (n - 2) * (ones @ one @ other @ ones)) / (n * (n - 3))

    kernels = []
    for vectors in (old.astype(np.float64), new.astype(np.float64)):
        kernel = vectors @ vectors.T
        np.fill_diagonal(kernel, 0)
        kernels.append(kernel)
    first, second = kernels
    return unbiased(first, second) / np.sqrt(unbiased(first, first) * unbiased(second, second))


@settings(max_examples=50, deadline=None)
@given(sets)
def test_what_procrustes_leaves_is_what_scipy_leaves(drawn: tuple[int, int, int, int]) -> None:
    """Also where one side has more dimensions, whose counterpart is zeros; turning never leaves more than before."""
    old, new = pair(*drawn)
    widest = max(old.shape[1], new.shape[1])
    padded = [np.pad(one.astype(np.float64), [(0, 0), (0, widest - one.shape[1])]) for one in (old, new)]
    _, _, expected = scipy.spatial.procrustes(*padded)

    found = procrustes(old, new)

    assert found is not None
    assert found.after == pytest.approx(expected, abs=1e-12)
    assert 0 <= found.after <= found.before <= 1


@pytest.mark.parametrize("dimensions", [16, 40])
def test_procrustes_finds_the_rotation(dimensions: int) -> None:
    """A rotated, scaled and moved set is laid over the old one by the rotation that is returned."""
    old, _ = pair(200, 16, 1, 3)
    new = turned(old, dimensions) * np.float32(7) + np.float32(2)

    found = procrustes(old, new)

    assert found is not None
    assert found.before > 0.5
    assert found.after == pytest.approx(0, abs=1e-10)
    assert found.rotation.shape == (dimensions, 16)
    np.testing.assert_allclose(found.rotation.T @ found.rotation, np.eye(16), atol=1e-12)
    back = (new - new.mean(axis=0)) @ found.rotation / 7 + old.mean(axis=0)
    np.testing.assert_allclose(back, old, atol=1e-4)


def test_a_mirrored_set_has_nothing_in_common_until_it_is_turned() -> None:
    """No scale makes of a set its opposite: all is left before, and nothing after."""
    old, _ = pair(50, 6, 1, 13)

    found = procrustes(old, -old)

    assert found is not None
    assert (found.before, found.after) == pytest.approx((1, 0), abs=1e-12)


def test_directions_that_nothing_is_known_of_become_zeros() -> None:
    """Of fewer vectors than dimensions, only the directions that they span are turned."""
    old, _ = pair(10, 30, 1, 4)

    found = procrustes(old, turned(old, 30))

    assert found is not None
    assert found.after == pytest.approx(0, abs=1e-10)
    assert np.linalg.matrix_rank(found.rotation) == 9


@settings(max_examples=50, deadline=None)
@given(sets)
def test_alignment_without_kernels_is_that_of_kernels(drawn: tuple[int, int, int, int]) -> None:
    """The debiased figure equals that of the n x n kernels, and changes with no scale, offset or rotation."""
    old, new = pair(*drawn)

    found = alignment(old, new)
    moved = alignment(turned(old, 14) * 3 + 1, new * np.float32(0.01))

    assert found is not None
    assert moved is not None
    assert found.debiased == pytest.approx(kernel_alignment(old, new), abs=1e-7)
    assert moved.debiased == pytest.approx(found.debiased, abs=1e-4)
    assert moved.biased == pytest.approx(found.biased, abs=1e-4)
    assert 0 <= found.biased <= 1 + 1e-12


def test_only_the_debiased_alignment_of_independent_spaces_is_zero() -> None:
    """Of 400 texts in 64 and 96 dimensions the biased one is .163, by sqrt(d1 d2 / ((n + d1) (n + d2)))."""
    random = np.random.default_rng(5)
    found = [
        alignment(random.normal(size=(400, 64)).astype(np.float32), random.normal(size=(400, 96)).astype(np.float32))
        for _ in range(20)
    ]

    assert np.mean([one.biased for one in found if one]) == pytest.approx(0.1634, abs=0.003)
    assert np.mean([one.debiased for one in found if one]) == pytest.approx(0, abs=0.003)


@pytest.mark.parametrize("kind", ["one apart", "equally far"])
def test_what_has_no_structure_is_not_aligned(kind: str) -> None:
    """Where only one text differs, or all are equally far apart, there is nothing to align: None, not noise."""
    old, _ = pair(12, 12, 1, 14)
    if kind == "one apart":
        new = np.repeat(old[:1], 12, axis=0)
        new[5] = old[5]
    else:
        new = np.eye(12, dtype=np.float32) + np.float32(0.37)

    assert alignment(old, new) is None
    assert alignment(new, new) is None


def test_distances_that_keep_their_order_are_fully_correlated() -> None:
    """The correlation is scipy's of the cosine distances, 1 under rotation and about 0 between independent spaces."""
    old, new = pair(80, 8, 8, 6)
    random = np.random.default_rng(6)
    expected, _ = scipy.stats.spearmanr(
        *(np.round(scipy.spatial.distance.pdist(one.astype(np.float64), "cosine"), 6) for one in (old, new))
    )

    assert distance_correlation(old, new, seed=1) == pytest.approx(expected, abs=1e-6)
    assert distance_correlation(old, turned(old, 20), seed=1) == pytest.approx(1, abs=1e-6)
    independent = distance_correlation(old, random.normal(size=(80, 9)).astype(np.float32), seed=1)
    assert independent == pytest.approx(0, abs=0.1)


def test_distances_of_many_texts_are_sampled_by_seed() -> None:
    """Above a thousand texts a sample stands for all of them, the same for one seed and near that of another."""
    old, new = pair(1500, 6, 6, 7)

    values = [distance_correlation(old, new, seed=seed) for seed in (1, 1, 2)]

    assert values[0] == values[1] != values[2]
    assert values[0] == pytest.approx(values[2], abs=0.05)


def test_what_has_no_shape_has_no_figure() -> None:
    """Where all vectors of a side are the same, or zeros, there is nothing to turn, align or rank: None, no NaN."""
    old, _ = pair(40, 5, 1, 8)
    for flat in (np.full((40, 7), 0.3, np.float32), np.zeros((40, 7), np.float32)):
        for first, second in ((old, flat), (flat, old), (flat, flat)):
            assert procrustes(first, second) is None
            assert alignment(first, second) is None
            assert distance_correlation(first, second, seed=1) is None


def test_pairs_that_are_none_are_refused() -> None:
    """Different numbers of texts, too few, or a row that is not finite: the error says which."""
    old, new = pair(40, 5, 6, 9)
    broken = new.copy()
    broken[31, 2] = np.inf

    for compare in (procrustes, alignment):
        with pytest.raises(InputError, match="40 old vectors cannot be paired with 39"):
            compare(old, new[:39])
        with pytest.raises(VectorError, match="row 31 of the new vectors"):
            compare(old, broken)
    with pytest.raises(NotReadyError, match=r"4 texts .* there are 3"):
        alignment(old[:3], new[:3])


def test_spread_over_even_directions_is_their_number() -> None:
    """Points on the axes of five of eight dimensions fill five, and a line one; points that are the same fill none."""
    axes = np.zeros((10, 8), np.float32)
    axes[np.arange(10), np.arange(10) % 5] = np.repeat([1, -1], 5)
    line = np.arange(10, dtype=np.float32)[:, None] * np.ones(3, np.float32) + 1
    lists = np.full((10, 3), -1)

    found = [geometry(one, lists) for one in (axes, line, np.ones((10, 3), np.float32))]

    assert [one.effective_rank for one in found] == pytest.approx([5, 1, 0])
    assert [one.participation_ratio for one in found] == pytest.approx([5, 1, 0])
    assert [one.mean_cosine for one in found] == pytest.approx([-1 / 9, 1, 1])


def test_spread_is_the_same_by_either_product() -> None:
    """With fewer texts than dimensions or more, the figures are those of the covariance's eigenvalues."""
    for count, dimensions in ((30, 12), (12, 30)):
        vectors, _ = pair(count, dimensions, 1, 10)
        values = np.linalg.eigvalsh(np.cov(vectors.T.astype(np.float64)))
        shares = values[values > 1e-9] / values[values > 1e-9].sum()

        found = geometry(vectors, np.full((count, 1), -1))

        assert found.participation_ratio == pytest.approx(1 / (shares**2).sum())
        assert found.effective_rank == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_mean_cosine_is_that_of_all_pairs() -> None:
    """Without building them; rows without direction do not count, and fewer than two of the others have no mean."""
    vectors, _ = pair(50, 6, 1, 11)
    expected = 1 - scipy.spatial.distance.pdist(vectors.astype(np.float64), "cosine").mean()

    assert mean_cosine(np.concatenate([vectors, np.zeros((3, 6), np.float32)])) == pytest.approx(expected)
    assert mean_cosine(np.concatenate([vectors[:1], np.zeros((3, 6), np.float32)])) is None


def test_hubs_show_in_the_skewness() -> None:
    """It is scipy's, 0 where every row is listed as often, and higher in more dimensions."""
    random = np.random.default_rng(12)
    ring = np.stack([(np.arange(20) + step) % 20 for step in range(1, 11)], axis=1)
    values = []
    for dimensions in (3, 100):
        vectors = random.normal(size=(600, dimensions)).astype(np.float32) + np.float32(0.5)
        lists = nearest_lists(vectors, [vectors], depth=10, own=np.arange(600))
        values.append(hubness(lists, 600))
        assert values[-1] == pytest.approx(scipy.stats.skew(np.bincount(lists.ravel(), minlength=600)))

    assert hubness(ring, 20) == 0
    assert hubness(np.full((5, 10), -1), 20) == 0
    assert values[0] < 0.6
    assert values[1] > 1.2
