"""The figures of content drift: what verdicts a comparison of made vectors leads to."""

import numpy as np
import pytest
from numpy.typing import NDArray

from holocron_assets.comparisons.figures import metrics_of
from holocron_assets.drift.content.measuring import ContentDrift
from holocron_assets.drift.report import Metric, Verdict
from holocron_assets.drift.verdicts import judged
from tests.drifting import measured, normal, windows_of

_TOPICS = np.random.default_rng(5).standard_normal((24, 16))


def figures_of(found: ContentDrift) -> dict[str, Metric]:
    """By name, judged."""
    return {one.name: one for one in judged(metrics_of(found))}


def on_topics(
    topic_of_document: NDArray[np.intp], documents: NDArray[np.intp], random: np.random.Generator
) -> NDArray[np.float64]:
    """Vectors of length 1 about the topics that documents are on."""
    vectors = _TOPICS[topic_of_document[documents]] + 0.5 * normal(documents, random, dimensions=16, correlation=0.3)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("size", [20, 30, 60])
def test_a_full_change_of_topics_is_an_alert(size: int) -> None:
    """Also among as few documents as are compared at all, by every figure that tells topics apart."""
    windows, documents = windows_of(size, size, chunks=2)
    random = np.random.default_rng(size)
    topics = np.where(windows.is_current, random.integers(12, 24, 2 * size), random.integers(0, 12, 2 * size))

    found = figures_of(measured(windows, on_topics(topics, documents, random), permutations=199))

    for name in ("mean_shift", "mmd", "occupancy", "classifier"):
        assert found[name].verdict is Verdict.ALERT, found[name]
