"""Bridges from a new space into an old one, and what queries find across them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from holocron_assets.drift.paired.bridge import BridgeRecall, fit_bridge, measure_bridge
from holocron_assets.errors import InputError, NotReadyError, VectorError
from holocron_assets.evaluation.statistics import compare

Matrix = NDArray[np.float32]

DOCUMENTS = np.arange(600) // 4


def unit(rows: NDArray[np.float64]) -> Matrix:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def space(dimensions: int = 48, seed: int = 0) -> Matrix:
    """Texts of a space whose mean is not 0 and whose directions matter unlike."""
    random = np.random.default_rng(seed)
    return unit(random.normal(size=(600, dimensions)) * np.linspace(2, 0.2, dimensions) + 0.3)


def turned(vectors: Matrix, dimensions: int, seed: int = 1) -> NDArray[np.float64]:
    padded = np.pad(vectors.astype(np.float64), [(0, 0), (0, dimensions - vectors.shape[1])])
    return padded @ np.linalg.qr(np.random.default_rng(seed).normal(size=(dimensions, dimensions)))[0]


def kept(found: BridgeRecall) -> float:
    return float(found.of_new.mean())


@pytest.mark.parametrize(
    ("dimensions", "scale", "offset"), [(48, 1.0, 0.0), (64, 1.0, 0.0), (48, 40.0, 0.0), (64, 3.0, 1.0)]
)
def test_a_rotation_is_bridged_without_loss(dimensions: int, scale: float, offset: float) -> None:
    """Turned, padded, scaled or moved, the new vectors come out as the old ones, and queries find what these found."""
    old = space()
    new = (turned(old, dimensions) * scale + offset).astype(np.float32)

    np.testing.assert_allclose(fit_bridge(old, new).apply(new), old, atol=1e-5)
    found = measure_bridge(old, new, DOCUMENTS, seed=1)
    assert found.of_old.tolist() == [1.0] * 75
    assert offset or found.of_new.tolist() == [1.0] * 75
    assert found.bridge.rank == 48


def test_a_bridge_beats_one_that_was_fitted_on_nothing() -> None:
    """Into a noisy copy, queries keep more neighbours across it than by chance, by sign flips over documents."""
    random = np.random.default_rng(2)
    new = space()
    old = unit(turned(new, 40 + 8) + 0.12 * random.normal(size=(600, 48)))
    shuffled = new[random.permutation(600)]

    found, by_chance = measure_bridge(old, new, DOCUMENTS, seed=1), measure_bridge(old, shuffled, DOCUMENTS, seed=1)

    assert kept(found) > 0.3 > 5 * kept(by_chance)
    assert compare(by_chance.of_new, found.of_new).is_gain
    assert (found.fitted_texts, found.searched_texts, found.queries, found.of_new.size) == (300, 300, 300, 75)


def test_what_was_learnt_by_heart_does_not_count() -> None:
    """Between spaces that have nothing to do with each other, a bridge finds as much as chance does."""
    found = measure_bridge(space(seed=3), space(32, seed=4), DOCUMENTS, seed=1)

    assert found.chance == 10 / 299
    for values in (found.of_new, found.of_old, found.without):
        assert values.mean() == pytest.approx(found.chance, abs=0.015)


def test_means_are_restored() -> None:
    """What is the mean of the new vectors becomes the mean of the old ones."""
    old, new = space(seed=5), space(32, seed=6)

    mean = fit_bridge(old, new).apply(new.mean(axis=0, keepdims=True))

    np.testing.assert_allclose(mean[0], old.mean(axis=0), atol=1e-6)


def test_texts_of_a_document_stay_together() -> None:
    """Documents are drawn, not texts: the halves have whole documents, and one seed draws the same ones."""
    old = space()
    new = turned(old, 48).astype(np.float32)
    uneven = np.repeat([*range(10), *range(10)], 30)

    found = [measure_bridge(old, new, uneven, seed=seed) for seed in (1, 1)]

    assert (found[0].fitted_texts, found[0].searched_texts, found[0].of_new.size) == (300, 300, 5)
    assert found[0].of_new.tolist() == found[1].of_new.tolist()


def test_constant_vectors_bridge_nothing() -> None:
    """A new space that says the same of every text is taken to the old mean, with no NaN."""
    flat = np.full((600, 9), 0.2, np.float32)

    found = measure_bridge(space(), flat, DOCUMENTS, seed=1)

    assert (found.bridge.rank, found.bridge.scale) == (0, 0.0)
    assert np.isfinite(found.of_new).all()
    assert np.isfinite(measure_bridge(flat, space(), DOCUMENTS, seed=1).of_new).all()


def test_too_little_to_bridge_says_how_much_is_needed() -> None:
    """Too few texts in all, or in one half of the documents, texts without document and rows that are not finite."""
    old = space()
    broken = old.copy()
    broken[5] = np.nan

    with pytest.raises(NotReadyError, match=r"64 texts .* there are 63"):
        measure_bridge(old[:63], old[:63], DOCUMENTS[:63], seed=1)
    with pytest.raises(NotReadyError, match="32 texts are needed in each half of the documents"):
        measure_bridge(old, old, np.zeros(600, int), seed=1)
    with pytest.raises(InputError, match="3 rows have a document, and 600 a vector"):
        measure_bridge(old, old, DOCUMENTS[:3], seed=1)
    with pytest.raises(VectorError, match="row 5 of the old vectors"):
        fit_bridge(broken, old)
