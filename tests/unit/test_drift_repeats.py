"""Repeats: a copy of what was there is one, what it is a copy of is none."""

import numpy as np
import pytest
from numpy.typing import NDArray

from holocron_assets.drift.content.findings import Comparison
from holocron_assets.drift.content.grouping import group_documents
from holocron_assets.drift.content.permuting import slices_in_time
from holocron_assets.drift.content.repeats import compare_repeats


def repeats(
    texts: NDArray[np.integer], reference: int, *, chunks: int = 1, groups: int = 1000, permutations: int = 99
) -> Comparison:
    """Of documents in order of time, of so many chunks each; the first so many are the reference."""
    documents = np.repeat(np.arange(texts.size // chunks), chunks)
    is_current = np.arange(texts.size // chunks) >= reference
    random, times = np.random.default_rng(1), np.arange(is_current.size).astype(np.float64)
    grouped = group_documents(is_current, groups, random, times)
    slices = slices_in_time(grouped, times)
    return compare_repeats(texts, grouped.of_document[documents], grouped, slices, permutations, random)


def boilerplate(count: int, of: int, seed: int) -> NDArray[np.intp]:
    """Texts of which three in ten are one of so many."""
    random = np.random.default_rng(seed)
    return np.where(random.random(count) < 0.3, random.integers(0, of, count), np.arange(of, count + of))


@pytest.mark.parametrize("groups", [1000, 50])
def test_a_mirror_repeats_everything_and_the_mirrored_nothing(groups: int) -> None:
    """Which is significant and beyond any floor, also where documents are permuted in groups."""
    found = repeats(np.arange(400) % 200, 200, groups=groups)

    assert (found.reference, found.current, found.p) == (0, 1, 0.01)
    assert found.effect > 0.4
    assert found.floor == 0


def test_copies_within_what_came_are_repeats() -> None:
    """A quarter of the window has the text of another one of it."""
    found = repeats(np.concatenate([np.arange(150), [1000] * 50]), 100)

    assert (found.reference, found.current, found.p) == (0, 0.5, 0.01)
    assert found.effect > 0.1 > found.floor


def test_a_text_that_each_window_has_once_is_a_repeat_of_the_current_one() -> None:
    """And one that a window has twice is of that window, twice."""
    texts = np.arange(80)
    texts[[40, 41]], texts[43] = [0, 42], 42
    texts[[2, 3]] = 1
    found = repeats(texts, 40)

    assert (found.reference, found.current) == (3 / 40, 4 / 40)


def test_repeats_that_went_away_are_as_much() -> None:
    """Where the reference repeated and the current window does not."""
    found = repeats(np.concatenate([[1000] * 50, np.arange(150)]), 100)

    assert (found.reference, found.current, found.p) == (0.5, 0, 0.01)
    assert found.effect < -0.1


def test_without_repeats_nothing_is_compared() -> None:
    """The figure is there, with p 1."""
    found = repeats(np.arange(100), 50)

    assert (found.statistic, found.p, found.effect, found.floor) == (0, 1, 0, 0)


@pytest.mark.parametrize(("reference", "current", "chunks"), [(100, 100, 1), (40, 200, 2)])
def test_repeats_by_chance_give_no_more_alarms_than_chance(reference: int, current: int, chunks: int) -> None:
    """However large the windows are beside each other, though larger ones repeat more."""
    found = [repeats(boilerplate((reference + current) * chunks, 40, i), reference, chunks=chunks) for i in range(100)]

    # 5 are expected; more than 13 come once in three thousand times.
    assert sum(one.p <= 0.05 for one in found) <= 13
    assert abs(np.mean([one.effect for one in found])) < 0.02


def test_a_slice_of_copies_long_ago_makes_copies_no_ordinary_thing() -> None:
    """Of slices each beside all before, one that was mirrored is left out where there are five; two are not."""
    floors = []
    for mirrored in ([25], [25, 35]):
        texts = np.arange(1000, 1440)
        for first in mirrored:
            texts[10 * first : 10 * first + 10] = texts[:10]
        floors.append(repeats(texts, 400).floor)

    assert floors[0] < 0.1 < floors[1]
