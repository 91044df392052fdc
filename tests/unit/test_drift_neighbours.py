"""Lists of neighbours: what comparing everything finds, and what two lists have in common."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from holocron_assets.drift.paired import neighbours
from holocron_assets.drift.paired.neighbours import compare_lists, nearest_lists, rank_biased_overlap
from holocron_assets.errors import InputError, NotReadyError, VectorError

P = 0.9

#: Few different numbers, so that many rows tie, and rows of zeros come up.
numbers = st.sampled_from([0.0, 0.0, 1.0, -1.0, 0.5, 3.0])


@st.composite
def matrices(draw: st.DrawFn) -> tuple[NDArray[np.float32], int, int]:
    dimensions = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(numbers, min_size=dimensions, max_size=dimensions), min_size=1, max_size=30))
    return np.array(rows, np.float32), draw(st.integers(1, 12)), draw(st.integers(1, 9))


@st.composite
def ranked(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two lists of one depth, either of which may end early."""
    depth = draw(st.integers(1, 12))
    lists = []
    for _ in range(2):
        length = draw(st.integers(0, depth))
        rows = draw(st.lists(st.integers(0, 14), min_size=length, max_size=length, unique=True))
        lists.append(np.array([rows + [-1] * (depth - length)]))
    return lists[0], lists[1]


def by_definition(old: list[int], new: list[int]) -> float:
    """RBO_ext, written as equation 32 of Webber, Moffat and Zobel, 2010."""
    short, long = sorted((old, new), key=len)
    s, last = len(short), len(long)
    shared = [len(set(short[:depth]) & set(long[:depth])) for depth in range(last + 1)]
    total = sum(shared[d] / d * P**d for d in range(1, last + 1))
    total += sum(shared[s] * (d - s) / (s * d) * P**d for d in range(s + 1, last + 1))
    return (1 - P) / P * total + ((shared[last] - shared[s]) / last + shared[s] / s) * P**last


@settings(max_examples=100, deadline=None)
@given(matrices())
def test_lists_are_what_sorting_everything_gives(drawn: tuple[NDArray[np.float32], int, int]) -> None:
    """By cosine, ties by row, without the row itself and rows without direction, in whatever blocks rows come."""
    vectors, depth, size = drawn
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    expected = np.full((len(vectors), depth), -1)
    for query in np.flatnonzero(lengths):
        cosine = {
            row: round(float(wide[row] @ wide[query] / (lengths[row] * lengths[query])), 6)
            for row in np.flatnonzero(lengths)
            if row != query
        }
        best = sorted(cosine, key=lambda row: (-cosine[row], row))[:depth]
        expected[query, : len(best)] = best
    blocks = [vectors[first : first + size] for first in range(0, len(vectors), size)]

    found = nearest_lists(vectors, blocks, depth=depth, own=np.arange(len(vectors)))

    assert found.tolist() == expected.tolist()


def test_lists_are_the_same_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over more rows than one block holds, lists are those that smaller blocks give, and what sorting gives."""
    random = np.random.default_rng(1)
    vectors = random.standard_normal((9000, 24)).astype(np.float32)
    vectors[random.integers(0, 9000, 300)] = vectors[0]
    queries = np.concatenate([vectors[:20], random.standard_normal((5, 24)).astype(np.float32)])
    unit = vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    asked = queries / np.linalg.norm(queries.astype(np.float64), axis=1, keepdims=True)

    whole = nearest_lists(queries, [vectors], depth=100)
    monkeypatch.setattr(neighbours, "_BLOCK_ROWS", 333)
    monkeypatch.setattr(neighbours, "_BLOCK_QUERIES", 7)
    cut = nearest_lists(queries, [vectors[:5000], vectors[5000:]], depth=100)

    assert whole.tolist() == cut.tolist()
    assert whole.tolist() == np.argsort(-np.round(asked @ unit.T, 6), axis=1, kind="stable")[:, :100].tolist()


def test_rounding_does_not_tell_equal_texts_apart() -> None:
    """Copies of a text whose vectors differ by float32 rounding stand in the order of their rows."""
    random = np.random.default_rng(2)
    vectors = np.repeat(random.standard_normal((5, 64)), 40, axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    noisy = vectors * (1 + 6e-8 * random.uniform(-1, 1, vectors.shape))
    own = np.arange(len(vectors))

    lists = [
        nearest_lists(one.astype(np.float32), [one.astype(np.float32)], depth=10, own=own) for one in (vectors, noisy)
    ]

    assert compare_lists(*lists, choices=199).overlap[10].mean() > 0.99


def test_too_few_rows_leave_a_list_short() -> None:
    """Where fewer rows than wanted have a direction, -1 fills up, and two such lists agree in what they have."""
    vectors = np.eye(12, dtype=np.float32)
    vectors[8:] = 0

    lists = nearest_lists(vectors[:2], [vectors], depth=10, own=np.array([0, 1]))
    lost = np.full_like(lists, -1)

    assert lists[0].tolist() == [1, 2, 3, 4, 5, 6, 7, -1, -1, -1]
    assert compare_lists(lists, lists, choices=11).overlap[10].tolist() == [1, 1]
    assert compare_lists(lists, lost, choices=11).overlap[10].tolist() == [0, 0]
    assert compare_lists(lost, lost, choices=11).rbo.tolist() == [1, 1]


def test_rows_that_cannot_be_compared_are_named() -> None:
    """A row that is not finite is named by its number among all rows, and other dimensions are refused."""
    vectors = np.ones((20, 3), np.float32)
    broken = vectors.copy()
    broken[7, 1] = np.nan

    with pytest.raises(VectorError, match="row 27 of the corpus vectors"):
        nearest_lists(vectors, [vectors, broken], depth=10)
    with pytest.raises(VectorError, match="row 7 of the query vectors"):
        nearest_lists(broken, [vectors], depth=10)
    with pytest.raises(InputError, match="queries of 3 dimensions"):
        nearest_lists(vectors, [np.ones((5, 4), np.float32)], depth=10)


def test_lists_need_something_to_choose_from() -> None:
    """Ten neighbours out of ten are always the same, so that they say nothing; the error says how many are needed."""
    lists = np.tile(np.arange(10), (3, 1))

    with pytest.raises(NotReadyError, match=r"11 rows .* there are 10"):
        compare_lists(lists, lists, choices=10)
    with pytest.raises(InputError, match=r"shape \(3, 10\)"):
        compare_lists(lists, lists[:2], choices=20)


def test_depths_that_take_every_row_are_left_out() -> None:
    """Of 100 rows to choose from the nearest 100 are all of them; of 101 they are not."""
    lists = np.tile(np.arange(100), (2, 1))

    assert sorted(compare_lists(lists, lists, choices=100).overlap) == [1, 10]
    assert sorted(compare_lists(lists, lists, choices=101).overlap) == [1, 10, 100]


def test_lists_drawn_by_chance_agree_by_chance() -> None:
    """Overlap is k / choices on the average, and Jaccard's index below it."""
    random = np.random.default_rng(3)
    old, new = (np.argsort(random.random((2000, 50)), axis=1)[:, :10] for _ in range(2))

    change = compare_lists(old, new, choices=50)

    # One list's standard deviation is 1.1 of ten rows.
    assert change.overlap[10].mean() == pytest.approx(change.chance(10), abs=4 * 0.11 / math.sqrt(2000))
    assert change.overlap[1].mean() == pytest.approx(change.chance(1), abs=4 * 0.14 / math.sqrt(2000))
    np.testing.assert_allclose(change.jaccard, change.overlap[10] / (2 - change.overlap[10]))


@settings(max_examples=100, deadline=None)
@given(ranked())
def test_rank_biased_overlap_is_what_its_authors_define(lists: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    """Equation 32, symmetric and between 0 and 1; lists that are the same give exactly 1, also two empty ones."""
    old, new = lists
    (found,) = rank_biased_overlap(old, new)
    (other_way,) = rank_biased_overlap(new, old)
    kept = [[row for row in one[0].tolist() if row >= 0] for one in lists]

    assert found == other_way
    assert 0 <= found <= 1
    assert rank_biased_overlap(old, old) == 1
    if all(kept):
        assert found == pytest.approx(by_definition(*kept), abs=1e-12)
    else:
        assert found == pytest.approx(float(kept[0] == kept[1]), abs=1e-12)


def test_rank_biased_overlap_in_closed_form() -> None:
    """Of lists that share none of their first j rows and then all, agreement at depth d is (d - j) / d."""
    old = np.arange(10)[None]
    last_alike = np.array([[20, 21, *range(2, 10)]])
    expected = (1 - P) * sum((d - 2) / d * P ** (d - 1) for d in range(3, 11)) + 0.8 * P**10

    assert rank_biased_overlap(old, old + 10) == pytest.approx(0, abs=1e-15)
    assert rank_biased_overlap(old, last_alike) == pytest.approx(expected)
    # The same two rows in another order agree from depth 2 on, which is all but the first weight.
    assert rank_biased_overlap(np.array([[1, 2]]), np.array([[2, 1]])) == pytest.approx(P)


def test_rank_biased_overlap_falls_with_every_row_that_goes() -> None:
    """The more of the first rows are replaced, the less is left, and a row counts more the nearer it is."""
    old = np.arange(10)[None]
    gone = [np.array([[*range(10 - count), *range(20, 20 + count)]]) for count in range(11)]
    values = [float(rank_biased_overlap(old, new)[0]) for new in gone]
    first, last = old.copy(), old.copy()
    first[0, 0], last[0, -1] = 30, 30

    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 11
    assert rank_biased_overlap(old, first) < rank_biased_overlap(old, last)


def test_the_lower_bound_is_another_number() -> None:
    """RBO_min of the same ten is .8556, which is why the extrapolated figure is reported: it is 1."""
    lower = (1 - P) / P * (sum((d - 10) * P**d / d for d in range(1, 11)) - 10 * math.log(1 - P))

    assert lower == pytest.approx(0.8556, abs=5e-5)
    assert rank_biased_overlap(np.arange(10)[None], np.arange(10)[None]) == 1
