"""The same texts embedded twice: what pairs tell, and into which class a change of the model falls."""

import dataclasses
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from holocron_assets.anchors import anchors
from holocron_assets.drift.paired.agreement import agreement
from holocron_assets.drift.paired.classes import ModelChange
from holocron_assets.drift.paired.measure import PairedDrift, measure
from holocron_assets.errors import InputError, NotReadyError, VectorError
from resources.providers.minilm import _Encoder
from resources.providers.minilm_files import ModelFiles, find_model_files

ROOT = Path(__file__).parents[2]
Matrix = NDArray[np.float32]

#: Prints figures of a comparison that is drawn from a seed, to all their digits.
FIGURES = """
import numpy as np
from holocron_assets.drift.paired.bridge import fit_bridge
from holocron_assets.drift.paired.measure import measure
from holocron_assets.drift.paired.neighbours import nearest_lists
random = np.random.default_rng(1)
old = random.normal(size=(500, 96)).astype(np.float32)
new = (old @ random.normal(size=(96, 160)) + 8 * random.normal(size=(500, 160))).astype(np.float32)
found = measure(old, new, seed=1)
bridge = fit_bridge(old[:300], new[:300])
across = nearest_lists(bridge.apply(new), [old], depth=10)
for value in (
    found.agreement.mean_cosine, found.neighbours.overlap[10].mean(), found.neighbours.rbo.mean(),
    found.procrustes.after, found.alignment.debiased, found.distance_correlation, found.new.effective_rank,
    found.new.hubness, (across * np.arange(1, 11)).sum(), *bridge.rotation[:3, 0],
):
    print(float(value).hex())
"""


def unit(rows: NDArray[np.float64]) -> Matrix:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def space(count: int = 400, dimensions: int = 64, seed: int = 0) -> Matrix:
    """Texts in which some directions matter more than others, about a mean that is not 0."""
    random = np.random.default_rng(seed)
    return unit(random.normal(size=(count, dimensions)) * np.linspace(2, 0.1, dimensions) + 0.1)


def turned(vectors: Matrix, dimensions: int) -> Matrix:
    padded = np.pad(vectors.astype(np.float64), [(0, 0), (0, dimensions - vectors.shape[1])])
    return (padded @ np.linalg.qr(np.random.default_rng(1).normal(size=(dimensions, dimensions)))[0]).astype(np.float32)


def disturbed(vectors: Matrix, cosine: float) -> Matrix:
    """Moved in a random direction, about as far as this cosine is."""
    random = np.random.default_rng(2)
    aside = random.normal(size=vectors.shape)
    aside -= (aside * vectors).sum(axis=1, keepdims=True) * vectors
    return unit(vectors + np.sqrt(1 / cosine**2 - 1) * unit(aside))


def overlap(found: PairedDrift) -> float:
    return float(found.neighbours.overlap[10].mean())


def test_the_same_vectors_are_identical() -> None:
    """Every bit, every neighbour, every distance, and nothing left over, before it is turned as after it."""
    old = space()

    found = measure(old, old.copy(), seed=1)

    assert found.change is ModelChange.IDENTICAL
    assert found.agreement.bitwise_equal == found.agreement.least_cosine == found.agreement.mean_cosine == 1
    assert found.agreement.largest_difference == found.agreement.largest_length_change == 0
    assert all((values == 1).all() for values in found.neighbours.overlap.values())
    assert (found.neighbours.rbo == 1).all()
    assert (found.neighbours.jaccard == 1).all()
    assert found.distance_correlation == pytest.approx(1, abs=1e-12)
    assert found.procrustes is not None
    assert found.procrustes.before == found.procrustes.after == 0
    assert found.old == found.new


@pytest.mark.parametrize("dimensions", [64, 100])
def test_a_rotation_keeps_every_neighbour(dimensions: int) -> None:
    """Also into more dimensions: overlap, RBO and CKA 1, Procrustes 0, cosines about 0; not another space."""
    old = space()

    found = measure(old, turned(old, dimensions), seed=1)

    assert found.change is ModelChange.ROTATED
    assert overlap(found) == pytest.approx(1, abs=1e-3)
    assert found.neighbours.rbo.mean() == pytest.approx(1, abs=1e-3)
    assert found.alignment is not None
    assert (found.alignment.biased, found.alignment.debiased) == pytest.approx((1, 1), abs=1e-9)
    assert found.procrustes is not None
    assert found.procrustes.after == pytest.approx(0, abs=1e-9) != pytest.approx(found.procrustes.before, abs=0.5)
    assert found.agreement.mean_cosine == pytest.approx(0, abs=0.1)
    assert found.new.effective_rank == pytest.approx(found.old.effective_rank)


def test_a_scaled_and_moved_space_is_another_one() -> None:
    """CKA is 1 and Procrustes leaves nothing, yet a third of the neighbours by cosine are others."""
    old = space()

    found = measure(old, old * np.float32(3) + np.float32(0.6), seed=1)

    assert found.change is ModelChange.DIFFERENT
    assert found.alignment is not None
    assert found.alignment.debiased == pytest.approx(1, abs=1e-6)
    assert found.procrustes is not None
    assert found.procrustes.after == pytest.approx(0, abs=1e-6)
    assert overlap(found) < 0.8


def test_a_scaled_space_is_in_another_frame() -> None:
    """Cosines are 1 and neighbours stay, but lengths are others: old and new vectors do not go together."""
    old = space()

    found = measure(old, old * np.float32(3), seed=1)

    assert found.change is ModelChange.ROTATED
    assert found.agreement.least_cosine == pytest.approx(1)
    assert found.agreement.largest_length_change == pytest.approx(2 / 3)


def test_only_pairs_see_that_texts_were_shuffled() -> None:
    """What one set looks like is the same, and every paired figure is at chance."""
    old = space()

    found = measure(old, old[np.random.default_rng(3).permutation(400)], seed=1)

    assert found.new.effective_rank == pytest.approx(found.old.effective_rank)
    assert found.new.participation_ratio == pytest.approx(found.old.participation_ratio)
    assert found.new.mean_cosine == pytest.approx(found.old.mean_cosine)
    assert found.new.hubness == pytest.approx(found.old.hubness)
    assert found.change is ModelChange.DIFFERENT
    assert overlap(found) == pytest.approx(found.neighbours.chance(10), abs=0.01)
    assert found.alignment is not None
    assert found.alignment.debiased == pytest.approx(0, abs=0.05)
    assert found.distance_correlation == pytest.approx(0, abs=0.05)


def test_independent_spaces_agree_by_chance() -> None:
    """Overlap at k / (n - 1) at every depth; debiased CKA about 0 where the biased one is not."""
    found = measure(space(), space(dimensions=96, seed=9), seed=1)

    for depth in (1, 10, 100):
        assert found.neighbours.overlap[depth].mean() == pytest.approx(depth / 399, abs=0.015)
    assert found.alignment is not None
    assert found.alignment.debiased == pytest.approx(0, abs=0.02)
    assert found.alignment.biased > 0.08
    assert found.change is ModelChange.DIFFERENT


def test_a_ladder_of_changes() -> None:
    """From a cosine of nearly 1 down, noise becomes quantisation and then another space, and every figure falls."""
    old = space()
    found = [measure(old, disturbed(old, cosine), seed=1) for cosine in (1 - 1e-7, 0.9995, 0.9945, 0.95)]

    assert [one.change for one in found] == [
        ModelChange.NOISE,
        ModelChange.QUANTISED,
        ModelChange.QUANTISED,
        ModelChange.DIFFERENT,
    ]
    assert [one.agreement.mean_cosine for one in found] == pytest.approx([1, 0.9995, 0.9945, 0.95], abs=1e-6)
    for milder, graver in pairwise(found):
        assert overlap(milder) > overlap(graver)
        assert milder.neighbours.rbo.mean() > graver.neighbours.rbo.mean()
        assert milder.procrustes is not None
        assert graver.procrustes is not None
        assert milder.procrustes.after < graver.procrustes.after


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Matrix]:
    """The short ones of the bundled anchors by the embedded model, as it is and changed."""
    files = find_model_files()
    texts = [anchor.text for anchor in anchors(None) if len(anchor.text) < 200]
    weights = load_file(files.weights)
    halves = {name: one.astype(np.float16).astype(one.dtype) for name, one in weights.items()}
    bytes_ = {name: _as_bytes(one) if one.ndim == 2 else one for name, one in weights.items()}
    models = {"plain": (files, 512), "shorter": (files, 16)}
    for name, tensors in (("fp16", halves), ("int8", bytes_)):
        path = tmp_path_factory.mktemp(name) / "model.safetensors"
        save_file(tensors, path)
        models[name] = (ModelFiles(weights=path, weights_sha256="", tokenizer=files.tokenizer), 512)
    vectors = {}
    for name, (model, tokens) in models.items():
        encoder = _Encoder(model, tokens)
        vectors[name] = np.stack([encoder.encode(text)[0] for text in texts])
    return vectors


def _as_bytes(weights: Matrix) -> Matrix:
    """Each row in 255 steps, as a file of int8 weights would hold it."""
    steps = np.abs(weights).max(axis=1, keepdims=True) / np.float32(127)
    return np.rint(weights / np.where(steps > 0, steps, 1)) * steps


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("plain", ModelChange.IDENTICAL),
        ("fp16", ModelChange.NOISE),
        ("int8", ModelChange.QUANTISED),
        ("shorter", ModelChange.DIFFERENT),
    ],
)
def test_a_real_model_that_was_changed(embedded: dict[str, Matrix], name: str, change: ModelChange) -> None:
    """Weights rounded to fp16 are noise, to int8 quantisation; a token limit that was cut is another space."""
    assert measure(embedded["plain"], embedded[name], seed=1).change is change


def test_vectors_without_direction_agree_with_each_other_only() -> None:
    """Two are the same, one and a vector are not; a model that answers nothing keeps no neighbour."""
    old = space()
    old[3] = 0
    nothing = np.zeros_like(old)

    found = agreement(old, nothing)
    lost = measure(old, nothing, seed=1)

    assert found.cosines[3] == 1
    assert found.cosines.sum() == 1
    assert found.bitwise_equal == 1 / 400
    assert found.largest_length_change == 1
    assert lost.change is ModelChange.DIFFERENT
    assert (overlap(lost), lost.procrustes, lost.alignment) == (1 / 400, None, None)


def test_a_model_that_answers_every_text_alike_is_another_one() -> None:
    """Without spread there are no shape and no alignment, and no figure is NaN."""
    old = space()
    flat = np.repeat(old[:1], 400, axis=0)

    found = measure(old, flat, seed=1)

    assert found.change is ModelChange.DIFFERENT
    assert (found.procrustes, found.alignment, found.distance_correlation) == (None, None, None)
    assert overlap(found) < 0.1
    assert np.isfinite([*dataclasses.astuple(found.new), *found.agreement.cosines, *found.neighbours.rbo]).all()
    assert measure(flat, flat, seed=1).change is ModelChange.IDENTICAL


def test_many_equal_texts_do_not_look_like_drift() -> None:
    """Where half of the texts are copies, rounding noise changes none of their neighbours."""
    old = space()
    old[::2] = old[0]

    found = measure(old, disturbed(old, 1 - 1e-14), seed=1)

    assert found.change is ModelChange.NOISE
    assert overlap(found) > 0.99


def test_agreement_is_that_of_each_pair() -> None:
    """Cosines, shares of equal rows and differences, over more rows than one block; -0 is not 0 to a bit."""
    old = space(9000, 8)
    new = disturbed(old, 0.9)
    new[:4500] = old[:4500]
    old[0, 0], new[0, 0] = 0.0, -0.0
    wide = old.astype(np.float64), new.astype(np.float64)
    expected = (wide[0] * wide[1]).sum(axis=1) / np.linalg.norm(wide[0], axis=1) / np.linalg.norm(wide[1], axis=1)

    found = agreement(old, new)

    np.testing.assert_allclose(found.cosines, expected, atol=1e-15)
    assert found.bitwise_equal == 4499 / 9000
    assert found.largest_difference == np.abs(wide[0] - wide[1]).max()
    assert found.cosine_quantile(0.05) == pytest.approx(np.quantile(expected, 0.05))
    assert found.least_cosine <= found.cosine_quantile(0.01) <= found.mean_cosine


def test_pairs_that_cannot_be_measured_are_refused() -> None:
    """Too few, not the same number, or a row that is not finite; what is needed is said."""
    old = space()
    broken = old.copy()
    broken[17, 3] = np.nan

    with pytest.raises(NotReadyError, match=r"32 texts .* there are 31"):
        measure(old[:31], old[:31], seed=1)
    with pytest.raises(InputError, match="400 old vectors cannot be paired with 399"):
        measure(old, old[:399], seed=1)
    with pytest.raises(VectorError, match="row 17 of the new vectors"):
        measure(old, broken, seed=1)
    assert measure(old[:32], old[:32], seed=1).change is ModelChange.IDENTICAL


def test_threads_do_not_show_in_the_figures() -> None:
    """With one thread or two, every figure is the same to nine digits."""
    printed = [
        subprocess.run(
            [sys.executable, "-c", FIGURES],
            cwd=ROOT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for threads in ("1", "2")
    ]

    one, two = ([float.fromhex(value) for value in values] for values in printed)
    assert len(one) == 12
    assert one == pytest.approx(two, rel=1e-9)
