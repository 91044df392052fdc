"""Floors from what the reference differed by from one time to another."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holocron_assets.drift.content.grouping import group_documents, times_of
from holocron_assets.drift.content.slicing import ordinary, slices_of
from holocron_assets.drift.report import Verdict, gravest
from tests.drifting import measured, normal, windows_of
from tests.unit.test_drift_figures_of_content import figures_of, on_topics

_WEEKS, _EACH = 11, 60
_SUBJECTS = np.random.default_rng(5).standard_normal((12, 32))


def verdicts(number: int, *, new: float, has_times: bool) -> Counter[str]:
    """How often each verdict is given to a week beside ten before it, each of which is busy with a topic of its own."""
    random = np.random.default_rng([1, number])
    windows, documents = windows_of((_WEEKS - 1) * _EACH, _EACH)
    week = np.arange(_WEEKS * _EACH) // _EACH
    busy = random.integers(0, 12, _WEEKS)
    topics = np.where(random.random(week.size) < 0.4, busy[week], random.integers(0, 12, week.size))
    topics = np.where(windows.is_current & (random.random(week.size) < new), 20, topics)
    windows = replace(windows, times=week.astype(np.float64) if has_times else None)
    found = figures_of(measured(windows, on_topics(topics, documents, random), seed=number, permutations=199))
    return Counter(str(one.verdict) for one in found.values() if one.verdict)


def test_an_ordinary_week_is_none_to_look_at() -> None:
    """Weeks that differ raise the floors, where times are known; a week of another topic is noticed all the same."""
    for number in range(4):
        assert verdicts(number, new=0.0, has_times=False).keys() > {Verdict.OK}
        assert verdicts(number, new=0.0, has_times=True).keys() == {Verdict.OK}
        assert verdicts(number, new=0.8, has_times=True)[Verdict.ALERT] >= 1


@pytest.mark.parametrize("current", [96, 104])
def test_a_window_that_grows_beyond_a_quarter_of_the_reference_is_no_alert(current: int) -> None:
    """Of 400 documents, half come in fives about one thing, for ever: just below a quarter, and just above."""
    grave = Counter[Verdict]()
    for number in range(6):
        random = np.random.default_rng([2, number, current])
        windows, documents = windows_of(400, current, chunks=2)
        order = np.arange(400 + current)
        vectors = 0.8 * normal(documents, random, dimensions=32, correlation=0.4)
        vectors += _SUBJECTS[random.integers(0, 12, order.size)[documents]]
        for first in range(0, order.size - 4, 10):
            thing = _SUBJECTS[random.integers(12)] + 0.6 * random.standard_normal(32)
            is_of = (documents >= first) & (documents < first + 5)
            vectors[is_of] = thing + 0.45 * random.standard_normal((np.count_nonzero(is_of), 32))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        timed = replace(windows, times=order.astype(np.float64))
        found = figures_of(measured(timed, vectors, seed=number, permutations=199))
        grave[gravest([one.verdict for one in found.values() if one.verdict])] += 1

    assert grave[Verdict.ALERT] == 0, grave
    # Three floors of neighbours only: about three of ten such windows are beyond one of them.
    assert grave[Verdict.OK] >= 3, grave


@pytest.mark.parametrize("jump", [0, 80, 100])
def test_one_jump_long_ago_hides_no_new_topic(jump: int) -> None:
    """What came first was on other topics than all that came later, up to a boundary of slices or amid one of them."""
    noticed = Counter[str]()
    for number in range(4):
        random = np.random.default_rng([3, number])
        windows, documents = windows_of(400, 40, chunks=2)
        order = np.arange(440)
        topics = np.where(order < jump, random.integers(0, 6, 440), random.integers(6, 12, 440))
        vectors = on_topics(np.where(order >= 425, 20, topics), documents, random)
        timed = replace(windows, times=order.astype(np.float64))
        found = figures_of(measured(timed, vectors, seed=number, permutations=199))
        noticed.update(name for name, one in found.items() if one.verdict not in (None, Verdict.OK))

    assert min(noticed[name] for name in ("mean_shift", "mmd", "occupancy", "novelty")) >= 3, noticed


def test_times_raise_no_floor_of_a_reference_that_is_always_alike() -> None:
    """Slices that differ by chance only are what random halves are."""
    windows, documents = windows_of(240, 40)
    vectors = normal(documents, np.random.default_rng(1))
    without = measured(windows, vectors)
    timed = measured(replace(windows, times=np.random.default_rng(2).random(280)), vectors)

    higher = [name for name, one in timed.comparisons.items() if one.floor > without.comparisons[name].floor]
    assert len(higher) <= 1
    assert (without.method.time_slices, without.method.sampled_slices) == (0, 0)
    assert (timed.method.time_slices, timed.method.sampled_slices) == (6, 6)
    assert all(one.floor >= without.comparisons[name].floor for name, one in timed.comparisons.items())
    assert {name: one.p for name, one in timed.comparisons.items()} == {
        name: one.p for name, one in without.comparisons.items()
    }


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(1, 20))
def test_slices_follow_each_other(times: list[int], size: int) -> None:
    """Four or more of one size, none later than the next; the newest member is in the last; too small ones are none."""
    when = np.array(times, np.float64)
    slices = slices_of(np.arange(when.size), when, size, least=3)
    each = min(size, when.size // 4)

    assert len(slices) == (min(when.size // each, 53) if each >= 3 else 0)
    assert len(slices) == 0 or len(slices) >= 4
    assert {some.size for some in slices} <= {each}
    assert all(when[old].max() <= when[new].min() for old, new in pairwise(slices))
    if slices:
        assert when[slices[-1]].max() == when.max()


def test_documents_that_came_together_are_grouped() -> None:
    """Where there are too many for sums of each, a group is a stretch of time of one window."""
    times = np.random.default_rng(1).permutation(400).astype(np.float64)
    is_current = np.arange(400) >= 300
    groups = group_documents(is_current, 80, np.random.default_rng(1), times)
    order = np.argsort(times_of(groups, times)[:60])

    assert groups.documents_each == 5
    stretches = [times[groups.of_document == group] for group in order]
    assert all(old.max() < new.min() for old, new in pairwise(stretches))


def test_the_largest_of_few_comparisons_is_ordinary_and_of_more_it_is_not() -> None:
    """Whatever their sign; from five on, what all but one stay within."""
    assert [ordinary(effects) for effects in ([], [-3.0], [1, -4, 2, 3], [1, -4, 2, 3, 0])] == [0, 3, 4, 3]


def test_times_that_fit_no_documents_are_refused() -> None:
    """One for each document."""
    windows, documents = windows_of(40, 40)

    with pytest.raises(ValueError, match="3 times, and 80 documents"):
        measured(replace(windows, times=np.zeros(3)), normal(documents, np.random.default_rng(1)))
