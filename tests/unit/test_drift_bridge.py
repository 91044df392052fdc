"""Bridges from a new space into an old one, and what queries find across them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from holocron_assets.drift.paired.bridge import BridgeRecall, divide, fit_bridge, measure_bridge
from holocron_assets.drift.paired.neighbours import nearest_lists
from holocron_assets.errors import NotReadyError, VectorError
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


def measured(old: Matrix, new: Matrix, documents: NDArray[np.integer] = DOCUMENTS, *, seed: int = 1) -> BridgeRecall:
    """Every text asks, and all are searched."""
    asking = np.arange(len(old))
    fitted, measuring = divide(documents, asking, seed=seed)
    before, after = (nearest_lists(one, [one], depth=10, own=asking)[measuring] for one in (old, new))
    return measure_bridge(
        fit_bridge(old[fitted], new[fitted]),
        new[measuring],
        [old],
        measuring,
        documents[measuring],
        lists=(before, after),
        choices=len(old) - 1,
    )


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
    found = measured(old, new)
    assert found.of_old.tolist() == [1.0] * 75
    assert offset or found.of_new.tolist() == [1.0] * 75
    assert found.bridge.rank == 48


def test_a_bridge_beats_one_that_was_fitted_on_nothing() -> None:
    """Into a noisy copy, queries keep more neighbours across it than by chance, by sign flips over documents."""
    random = np.random.default_rng(2)
    new = space()
    old = unit(turned(new, 40 + 8) + 0.12 * random.normal(size=(600, 48)))
    shuffled = new[random.permutation(600)]

    found, by_chance = measured(old, new), measured(old, shuffled)

    assert kept(found) > 0.3 > 5 * kept(by_chance)
    assert compare(by_chance.of_new, found.of_new).is_gain
    assert (found.bridge.texts, found.queries, found.of_new.size) == (300, 300, 75)


def test_unrelated_spaces_are_bridged_by_little_more_than_chance() -> None:
    """Between spaces that have nothing to do with each other, a bridge finds what it learnt by heart, which is little.

    What the old space's own queries find is chance.
    """
    found = measured(space(seed=3), space(32, seed=4))

    assert found.without.mean() == pytest.approx(10 / 599, abs=0.005)
    assert 10 / 599 < kept(found) < 3 * 10 / 599


def test_all_texts_are_searched() -> None:
    """More texts to choose from make it harder: what half of them would find is no measure for the whole corpus."""
    random = np.random.default_rng(2)
    new = space()
    old = unit(turned(new, 48) + 0.12 * random.normal(size=(600, 48)))

    assert kept(measured(old, new)) < kept(measured(old[:300], new[:300], DOCUMENTS[:300])) - 0.05


def test_means_are_restored() -> None:
    """What is the mean of the new vectors becomes the mean of the old ones."""
    old, new = space(seed=5), space(32, seed=6)

    mean = fit_bridge(old, new).apply(new.mean(axis=0, keepdims=True))

    np.testing.assert_allclose(mean[0], old.mean(axis=0), atol=1e-6)


def test_texts_of_a_document_stay_together() -> None:
    """Nothing of a document that asks is fitted on, whatever its size, and one seed draws the same documents."""
    uneven = np.repeat([*range(30), 0, *range(30)], 10)
    asking = np.sort(np.random.default_rng(1).permutation(610)[:200])

    found = [divide(uneven, asking, seed=seed) for seed in (1, 1)]

    (fitted, measuring), again = found[0], found[1]
    assert np.unique(uneven[asking[measuring]]).size == 15
    assert not np.isin(uneven[fitted], uneven[asking[measuring]]).any()
    assert np.array_equal(fitted, again[0])
    assert np.array_equal(measuring, again[1])


def test_few_queries_leave_the_rest_to_the_fit() -> None:
    """Of a large corpus, a bridge is fitted on 20,000 texts of documents that ask nothing, and every query measures."""
    documents = np.arange(30_000) // 2

    fitted, measuring = divide(documents, np.arange(0, 30_000, 300), seed=1)

    assert (np.unique(fitted).size, measuring.tolist()) == (20_000, list(range(100)))


def test_constant_vectors_bridge_nothing() -> None:
    """A new space that says the same of every text is taken to the old mean, with no NaN."""
    flat = np.full((600, 9), 0.2, np.float32)

    found = measured(space(), flat)

    assert (found.bridge.rank, found.bridge.scale) == (0, 0.0)
    assert np.isfinite(found.of_new).all()
    assert np.isfinite(measured(flat, space()).of_new).all()


def test_too_little_to_bridge_says_how_much_is_needed() -> None:
    """Too few texts beside the documents that ask, too few documents, and rows that are not finite."""
    broken = space()
    broken[5] = np.nan

    with pytest.raises(NotReadyError, match=r"32 texts are needed .* there are 32 and 7"):
        divide(DOCUMENTS[:60] * 2, np.arange(60), seed=1)
    with pytest.raises(NotReadyError, match=r"10 other documents .* there are 600 and 0"):
        divide(np.zeros(600, int), np.arange(600), seed=1)
    with pytest.raises(VectorError, match="row 5 of the old vectors"):
        fit_bridge(broken, space())
