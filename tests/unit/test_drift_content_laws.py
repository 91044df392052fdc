"""What tests of content drift promise: false alarms as rare as they say, and drift found where it can be.

`python -m benchmarks drift-laws` has the same at full repetitions.
"""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import kstest, norm

from holocron_assets.drift.content import measuring
from holocron_assets.drift.content.findings import ContentDrift
from holocron_assets.drift.content.lengths import compare_lengths
from holocron_assets.drift.content.windows import Windows
from tests.drifting import measured, normal, windows_of

TESTED = ("mean_shift", "mmd", "occupancy", "novelty", "norm", "classifier")


def alarms(found: list[ContentDrift]) -> Counter[str]:
    return Counter(name for one in found for name in TESTED if one.comparisons[name].p <= 0.05)


def test_false_alarms_are_as_rare_as_promised() -> None:
    """Without drift, one in twenty tests is significant, and p is anywhere from 0 to 1 alike."""
    windows, documents = windows_of(40, 40)
    found = [measured(windows, normal(documents, np.random.default_rng([1, i])), seed=i) for i in range(60)]

    # 3 are expected; more than 10 come once in two thousand times.
    assert all(alarms(found)[name] <= 10 for name in TESTED)
    assert all(kstest([one.comparisons[name].p for one in found], "uniform").pvalue > 0.001 for name in TESTED[:-1])
    # Of effects, one in a hundred is beyond the floor, and hardly ever both.
    assert sum(one.comparisons[name].effect > one.comparisons[name].floor for one in found for name in TESTED) <= 14


def test_chunks_that_resemble_each_other_are_no_drift() -> None:
    """Of documents whose chunks are correlated, a test of chunks always sees drift, and one of documents does not."""
    windows, documents = windows_of(40, 40, chunks=8)
    of_chunks = Windows(
        document_of_row=np.arange(documents.size), is_current=windows.is_current[documents], attributes={}
    )
    by_document, by_chunk = [], []
    for i in range(20):
        vectors = normal(documents, np.random.default_rng([2, i]), dimensions=32, correlation=0.3)
        by_document.append(measured(windows, vectors, seed=i))
        by_chunk.append(measured(of_chunks, vectors, seed=i))

    # 1 is expected; more than 5 come once in three thousand times.
    assert all(alarms(by_document)[name] <= 5 for name in TESTED)
    assert all(alarms(by_chunk)[name] == 20 for name in ("mean_shift", "mmd"))


def test_one_document_with_most_of_all_rows_is_no_drift() -> None:
    """It may be unlike any other, and is still one document only; how much of its window it is, is said."""
    windows, documents = windows_of(30, 30, giant=540)
    found = [
        measured(windows, normal(documents, np.random.default_rng([3, i]), correlation=0.5), seed=i) for i in range(40)
    ]

    # 2 are expected; more than 8 come once in three thousand times.
    assert all(alarms(found)[name] <= 8 for name in TESTED)
    assert found[0].current.largest_document_share == pytest.approx(541 / 570)


def test_fitting_on_a_sample_makes_no_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the current window is small and the sample too, its documents are no nearer to what was fitted."""
    monkeypatch.setattr(measuring, "_SAMPLED_ROWS", 120)
    windows, documents = windows_of(300, 60)
    found = [measured(windows, normal(documents, np.random.default_rng([4, i])), seed=i) for i in range(40)]

    assert found[0].method.fitted_rows == 120
    assert all(alarms(found)[name] <= 8 for name in TESTED)


@pytest.mark.parametrize(
    ("drift", "seen_by", "often"),
    [("shift", "mmd", 5), ("scale", "mmd", 11), ("mixture", "mmd", 6)],
)
def test_drift_is_found_as_often_as_measured(drift: str, seen_by: str, often: int) -> None:
    """A shift of .5, a scale of 1.2, a tenth of another kind: 200 documents a side, 32 dimensions, 12 times each."""
    windows, documents = windows_of(200, 200)
    is_current = windows.is_current[documents]
    found = []
    for i in range(12):
        random = np.random.default_rng([5, i])
        vectors = normal(documents, random, dimensions=32)
        if drift == "shift":
            vectors[is_current, 0] += 0.5
        elif drift == "scale":
            vectors[is_current] *= 1.2
        else:
            vectors[is_current & (random.random(documents.size) < 0.1)] += 1.25
        found.append(measured(windows, vectors, seed=i, features=256))

    assert alarms(found)[seen_by] >= often


@pytest.mark.parametrize("shift", [0.5, 1.0])
def test_effects_are_those_of_the_distributions(shift: float) -> None:
    """Of normal vectors that were shifted: the length of it, the discrepancy, the classifier's area."""
    windows, documents = windows_of(2000, 2000)
    vectors = normal(documents, np.random.default_rng(7), dimensions=32)
    vectors[windows.is_current[documents], 0] += shift

    found = measured(windows, vectors, features=1024, permutations=19)

    width = found.method.bandwidth**2 / 2
    discrepancy = 2 * (1 + 2 / width) ** -16 * (1 - np.exp(-(shift**2) / (2 * (width + 2))))
    assert found.comparisons["mean_shift"].effect == pytest.approx(shift, abs=0.06)
    assert found.comparisons["mmd"].effect == pytest.approx(discrepancy, rel=0.2)
    assert found.comparisons["classifier"].effect == pytest.approx(norm.cdf(shift / np.sqrt(2)), abs=0.03)
    assert (found.shifted_dimensions[0].dimension, found.shifted_dimensions[0].p_adjusted) == (0, 0.05)
    assert found.shifted_dimensions[0].difference == pytest.approx(shift, abs=0.09)


def test_a_shift_is_as_long_among_few_documents_as_among_many() -> None:
    """Effects leave out what chance gives on average, which is more among fewer."""
    effects = []
    for size in (100, 800):
        windows, documents = windows_of(size, size)
        shift = np.outer(windows.is_current[documents], np.eye(16)[0])
        of_size = [
            measured(windows, normal(documents, np.random.default_rng([9, i]), dimensions=16) + shift, permutations=49)
            for i in range(3)
        ]
        effects.append(np.mean([one.comparisons["mean_shift"].effect for one in of_size]))

    assert effects == pytest.approx([1, 1], abs=0.1)


@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_lengths_differ_by_the_closed_forms(shift: float) -> None:
    """Of normal numbers that were shifted, D is 2 Phi(shift / 2) - 1, and each must be moved by the shift."""
    random = np.random.default_rng(1)
    found = compare_lengths(random.standard_normal(20_000), random.standard_normal(20_000) + shift)

    assert found.ks == pytest.approx(2 * norm.cdf(shift / 2) - 1, abs=0.02)
    assert found.wasserstein == pytest.approx(shift, abs=0.04)


def test_a_new_topic_of_a_small_window_has_a_cluster_of_its_own() -> None:
    """A fifth of sixty documents, beside six thousand on more topics than there are clusters."""
    windows, documents = windows_of(6000, 60)
    topics = np.random.default_rng(10).standard_normal((151, 64))
    random = np.random.default_rng(11)
    topic = np.where(np.arange(6060) >= 6048, 150, random.integers(0, 150, 6060))
    vectors = topics[topic[documents]] + 0.8 * normal(documents, random, dimensions=64)

    found = measured(windows, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), permutations=199)

    assert found.comparisons["occupancy"].p == 0.005
    assert found.comparisons["occupancy"].effect > max(0.03, found.comparisons["occupancy"].floor)
    largest = found.grown[0]
    assert largest.number >= 64
    assert (windows.document_of_row[np.array(largest.exemplars)] >= 6048).all()
