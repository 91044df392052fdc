"""The laws of the permutation test and of the bootstrap interval."""

import numpy as np
import pytest

from holocron_assets.evaluation.statistics import ALPHA, bootstrap_interval, compare, sign_flip_p


@pytest.mark.parametrize("queries", [0, 1, 5, 50])
def test_no_difference_is_no_surprise(queries: int) -> None:
    """Where every query has the value it had, p is 1 and the interval is 0."""
    values = np.linspace(0, 1, queries)

    found = compare(values, values)

    assert (found.mean, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)
    assert not found.is_loss
    assert not found.is_gain


@pytest.mark.parametrize("queries", [8, 40])
def test_comparing_is_symmetric(queries: int) -> None:
    """The other way round the difference has the other sign and is as surprising."""
    random = np.random.default_rng(1)
    old, new = random.random(queries), random.random(queries)

    there, back = compare(old, new), compare(new, old)

    assert there.p == back.p
    assert there.mean == pytest.approx(-back.mean)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-3)


@pytest.mark.parametrize(("queries", "expected"), [(1, 1.0), (3, 2 / 8), (6, 2 / 64), (13, 2 / 8192)])
def test_few_queries_are_flipped_in_every_way(queries: int, expected: float) -> None:
    """Of n equal gains only two of the 2^n ways of flipping have all signs alike."""
    assert sign_flip_p(np.full(queries, 0.1)) == expected


def test_p_is_never_zero() -> None:
    """However clear a difference is, the least p is one in ten thousand, that of the signs as they are."""
    assert sign_flip_p(np.ones(500)) == 1 / 10_000


def test_queries_that_do_not_differ_change_no_p() -> None:
    """Flipping the sign of 0 does nothing."""
    gains = np.array([0.1, 0.3, -0.1, 0.2, 0.2])

    assert sign_flip_p(np.concatenate([gains, np.zeros(100)])) == sign_flip_p(gains)


def test_rounding_decides_nothing() -> None:
    """Sums that are equal but for the order of their terms are as far from 0 as each other."""
    assert sign_flip_p(np.array([0.1, 0.2, 0.3, -0.3])) == sign_flip_p(np.array([0.3, 0.2, 0.1, -0.3]))


@pytest.mark.parametrize("queries", [10, 30])
def test_false_alarms_are_as_rare_as_promised(queries: int) -> None:
    """Where the two differ by chance only, about one in twenty comparisons is significant, on either side."""
    random = np.random.default_rng(queries)
    repetitions = 200
    alarms = sum(sign_flip_p(random.normal(size=queries)) < ALPHA for _ in range(repetitions))

    # 10 are expected; fewer than 3 or more than 19 come once in a hundred times.
    assert 3 <= alarms <= 19


def test_the_interval_holds_the_truth_as_often_as_promised() -> None:
    """About nineteen of twenty intervals hold the mean that the queries were drawn from."""
    random = np.random.default_rng(7)
    held = 0
    for _ in range(100):
        low, high = bootstrap_interval(random.normal(0.2, 1.0, size=60))
        held += low <= 0.2 <= high

    assert held >= 88


def test_a_loss_and_a_gain_are_told_apart() -> None:
    """A clear difference is a loss or a gain by its sign, and its interval does not hold 0."""
    random = np.random.default_rng(3)
    old = random.random(60)
    worse = old - 0.05 - 0.01 * random.random(60)

    loss, gain = compare(old, worse), compare(worse, old)

    assert (loss.is_loss, loss.is_gain, gain.is_loss, gain.is_gain) == (True, False, False, True)
    assert loss.high < 0 < gain.low


def test_a_comparison_is_the_same_every_time() -> None:
    """Draws are fixed, so that one comparison has one answer."""
    random = np.random.default_rng(5)
    old, new = random.random(100), random.random(100)

    assert compare(old, new) == compare(old, new)
