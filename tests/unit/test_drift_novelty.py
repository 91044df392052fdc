"""Novelty: texts unlike all that was there are new, and texts like them are not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from holocron_assets.drift.content.novelty import Novelty, compare_novelty, novelty_of_slices
from holocron_assets.drift.content.sampling import draw_documents, spread_rows
from holocron_assets.drift.content.windows import Windows
from tests.drifting import Vectors, normal, windows_of

_TOPICS = np.random.default_rng(5).standard_normal((14, 16))


def novelty_of(windows: Windows, vectors: NDArray[np.floating], permutations: int = 99) -> Novelty:
    source = Vectors(vectors=vectors.astype(np.float32))
    return compare_novelty(windows, source, vectors.shape[1], permutations, np.random.default_rng(1))


def world(seed: int) -> tuple[Windows, NDArray[np.intp], NDArray[np.float64]]:
    """Texts on twelve topics, 100 documents a side, of two chunks."""
    windows, documents = windows_of(100, 100, chunks=2)
    random = np.random.default_rng(seed)
    topics = random.integers(0, 12, 200)
    return windows, documents, _TOPICS[topics[documents]] + 0.6 * normal(documents, random, dimensions=16)


def some_of(windows: Windows, documents: NDArray[np.intp], share: float) -> NDArray[np.bool_]:
    """The rows of a share of the current documents."""
    return np.asarray(documents >= windows.is_current.size - round(share * np.count_nonzero(windows.is_current)))


@pytest.mark.parametrize("seed", range(4))
def test_a_topic_with_clusters_of_its_own_is_new(seed: int) -> None:
    """A fifth of the current window, whose texts are near each other and far from all that was there."""
    windows, documents, vectors = world(seed)
    is_new = some_of(windows, documents, 0.2)
    vectors[is_new] = _TOPICS[13] + 0.3 * normal(documents, np.random.default_rng(seed), dimensions=16)[is_new]

    found = novelty_of(windows, vectors)

    assert found.p <= 0.02
    assert found.effect > found.floor
    assert found.current > found.reference


@pytest.mark.parametrize("seed", range(4))
def test_texts_like_those_that_were_there_are_not_new(seed: int) -> None:
    """Near copies of the reference's, and texts nearer to the middle of its topics, have an effect below 0."""
    windows, documents, vectors = world(seed)
    is_some = some_of(windows, documents, 0.4)
    random = np.random.default_rng(seed)
    copied = vectors.copy()
    copied[is_some] = vectors[random.choice(np.flatnonzero(documents < 100), is_some.sum())]
    middling = vectors.copy()
    middling[is_some] = _TOPICS[random.integers(0, 12, is_some.sum())]

    for one in (novelty_of(windows, copied), novelty_of(windows, middling)):
        assert one.p > 0.5
        assert one.effect < 0


def test_a_distance_is_to_the_nearest_other_document_of_the_reference() -> None:
    """As found by looking at all pairs, in units of the mean squared distance of rows of different documents."""
    windows, documents, vectors = world(1)
    vectors = vectors.astype(np.float32).astype(np.float64)
    found = novelty_of(windows, vectors, permutations=1)

    squared = np.square(vectors[:, None] - vectors).sum(axis=2)
    is_other = documents[:, None] != documents
    is_known = ~windows.is_current[documents]
    nearest = np.where(is_other & is_known, squared, np.inf).min(axis=1)
    assert found.distances == pytest.approx(nearest / squared[is_other].mean())
    assert (found.is_current == ~is_known).all()
    assert found.statistic == pytest.approx(found.current - found.reference)


def test_copies_of_one_text_are_at_no_distance() -> None:
    """Windows of nothing else have no novelty, whatever is left of rounding."""
    windows, documents = windows_of(30, 30, chunks=2)
    found = novelty_of(windows, np.full((documents.size, 8), 0.3))

    assert (found.p, found.effect, found.floor, found.current) == (1, 0, 0, 0)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=60), st.integers(2, 100))
def test_rows_are_spread_over_documents(sizes: list[int], most: int) -> None:
    """Of either window as many documents as there is room for, and of none more rows than half of them have."""
    documents = np.repeat(np.arange(len(sizes)), sizes)
    is_current = np.arange(len(sizes)) % 2 == 0
    windows = Windows(document_of_row=documents, is_current=is_current, attributes={})
    random = np.random.default_rng(1)
    is_drawn = draw_documents(is_current, most, random) | draw_documents(~is_current, most, random)
    rows = spread_rows(windows, is_drawn, 2 * most, random)
    drawn, counts = np.unique(documents[rows], return_counts=True)
    room = max(min(2 * most // drawn.size, int(np.median(np.array(sizes)[drawn]))), 1)

    assert (np.diff(rows) > 0).all()
    assert rows.size <= 2 * most
    assert drawn.size == sum(min(np.count_nonzero(is_current == side), most) for side in (False, True))
    assert (counts == np.minimum(np.array(sizes)[drawn], room)).all()


@pytest.mark.parametrize("seed", range(3))
def test_what_was_near_itself_long_ago_hides_no_new_topic(seed: int) -> None:
    """Near copies among the first fifth of the reference: slices beside half of it or more are no more than diluted."""
    windows, documents = windows_of(400, 100, chunks=2)
    windows = replace(windows, times=np.arange(500).astype(np.float64))
    random = np.random.default_rng(seed)
    topics = np.where(np.arange(500) >= 470, 13, random.integers(0, 12, 500))
    vectors = _TOPICS[topics[documents]] + 0.6 * normal(documents, random, dimensions=16)
    for twin in range(0, 80, 2):
        vectors[documents == twin + 1] = vectors[documents == twin] + 0.02 * random.standard_normal((2, 16))

    found = novelty_of(windows, vectors)
    source = Vectors(vectors=vectors.astype(np.float32))
    ordinary = novelty_of_slices(windows, source, 16, np.random.default_rng(1))

    assert found.p <= 0.02
    assert found.effect > ordinary > found.floor
