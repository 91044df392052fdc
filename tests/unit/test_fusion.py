"""One ranking of two, against figures that were computed by hand."""

import numpy as np
import pytest

from holocron_assets.retrieval.fusion import reciprocal_ranks, weighted_scores


def test_reciprocal_ranks() -> None:
    """Items 0 to 3; by vectors 2, 0, 1, by words 1, 3: each rank gives weight / (60 + rank)."""
    legs = [np.array([2, 0, 1]), np.array([1, 3])]

    even = reciprocal_ranks(legs, [1, 1], 4)
    uneven = reciprocal_ranks(legs, [1.5, 0.5], 4)

    assert even == pytest.approx([1 / 62, 1 / 63 + 1 / 61, 1 / 61, 1 / 62])
    assert uneven == pytest.approx([1.5 / 62, 1.5 / 63 + 0.5 / 61, 1.5 / 61, 0.5 / 62])
    assert even[0] == even[3]


def test_weighted_scores() -> None:
    """Each leg from 0 to 1 by its minimum and maximum, then 0.25 of the one and 0.75 of the other."""
    cosine, words = np.array([0.2, 0.6, 1.0]), np.array([8.0, 0.0, 2.0])

    assert weighted_scores([cosine, words], [0.25, 0.75]) == pytest.approx([0.75, 0.125, 0.25 + 0.1875])


@pytest.mark.parametrize("scores", [[], [0.7], [0.7, 0.7]])
def test_a_leg_of_equal_scores_says_nothing(scores: list[float]) -> None:
    """None, one, or all alike: nothing is divided by nothing."""
    assert weighted_scores([np.array(scores)], [1.0]).tolist() == [0.0] * len(scores)


def test_an_item_that_a_leg_has_no_score_of_bounds_nothing() -> None:
    """It gains nothing by that leg, and the others' scores are those that they have without it."""
    cosine, words = np.array([0.2, np.nan, 0.6]), np.array([8.0, 4.0, 0.0])

    fused = weighted_scores([cosine, words], [0.25, 0.75])

    assert fused == pytest.approx([0.75, 0.375, 0.25])
    assert weighted_scores([np.full(3, np.nan)], [1.0]).tolist() == [0.0] * 3
