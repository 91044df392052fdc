"""The figures of a comparison of two spaces."""

import numpy as np
import pytest

from holocron_assets.comparisons.space_figures import loss_interval
from holocron_assets.evaluation.statistics import bootstrap_interval


def test_documents_are_what_an_interval_draws() -> None:
    """Chunks of one document that lose alike are no more certain than the document; alone, each counts by itself."""
    of_documents = np.random.default_rng(5).uniform(0, 0.6, 40)
    losses, documents = np.repeat(of_documents, 25), np.repeat(np.arange(40, dtype=np.int32), 25)

    low, high = loss_interval(losses, documents)

    assert (low, high) == pytest.approx(bootstrap_interval(of_documents), rel=1e-9)
    assert low < losses.mean() < high
    alone = loss_interval(losses, np.arange(1000, dtype=np.int32))
    assert alone == pytest.approx(bootstrap_interval(losses), rel=1e-9)
    assert high - low > 3 * (alone[1] - alone[0])


def test_an_interval_is_of_the_mean_over_chunks() -> None:
    """A document of many chunks weighs as much as in the mean; what is all or nothing is known."""
    random = np.random.default_rng(6)
    documents = np.repeat(np.arange(60, dtype=np.int32), random.integers(1, 30, 60))
    losses = np.where(np.bincount(documents)[documents] > 15, 0.5, 0.1) + random.uniform(0, 0.05, documents.size)

    low, high = loss_interval(losses, documents)

    means = np.bincount(documents, losses) / np.bincount(documents)
    assert not low < means.mean() < high
    assert low < losses.mean() < high
    assert loss_interval(np.zeros(documents.size), documents) == (0.0, 0.0)
    assert loss_interval(np.ones(documents.size), documents) == pytest.approx((1.0, 1.0))
