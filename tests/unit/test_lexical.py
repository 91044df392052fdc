"""Words in rows: postings and BM25 are what the formula says, and what another library computes of the same words."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holocron_assets.retrieval.bm25 import WordIndex, WordPart
from holocron_assets.retrieval.postings import Postings, merged, open_postings, postings_of

words = st.sampled_from(["clock", "tide", "harbour", "pilot", "ö", "東京", "z" * 90])
texts = st.lists(st.lists(words, max_size=12), max_size=12)


def scores(parts: Sequence[WordPart], query: Sequence[str]) -> list[float]:
    return [float(one) for part in WordIndex(parts).scores(query) for one in part]


def whole(rows: Sequence[Sequence[str]]) -> WordPart:
    return WordPart(postings=postings_of(rows), live=np.ones(len(rows), bool))


def naive(rows: Sequence[Sequence[str]], query: Sequence[str]) -> list[float]:
    """The formula of the module's docstring, row by row."""
    mean = sum(map(len, rows)) / len(rows) if rows else 1.0
    found = [0.0] * len(rows)
    for term in query:
        holding = sum(term in row for row in rows)
        idf = math.log(1 + (len(rows) - holding + 0.5) / (holding + 0.5))
        for number, row in enumerate(rows):
            if count := row.count(term):
                found[number] += idf * count / (count + 1.5 * (1 - 0.75 + 0.75 * len(row) / mean))
    return found


def as_rows(postings: Postings) -> list[Counter[str]]:
    """The rows that postings are of, as words and how often."""
    rows = [Counter[str]() for _ in postings.lengths]
    for term in postings.terms.to_pylist():
        for row, count in zip(*postings.find(term), strict=True):
            rows[row][term] = int(count)
    return rows


@settings(deadline=None)
@given(texts)
def test_postings_hold_the_words_of_every_row(rows: list[list[str]]) -> None:
    """Each term of each row, as often as it is there, terms in order, rows ascending; a row may have none."""
    postings = postings_of(rows)

    assert as_rows(postings) == [Counter(row) for row in rows]
    assert postings.lengths.tolist() == [len(row) for row in rows]
    assert postings.terms.to_pylist() == sorted({term for row in rows for term in row})
    assert all((np.diff(postings.find(term)[0]) > 0).all() for term in postings.terms.to_pylist())
    assert not postings.find("nowhere")[0].size


@settings(deadline=None)
@given(texts, texts, st.data())
def test_merged_postings_are_those_of_the_rows_that_stay(
    left: list[list[str]], right: list[list[str]], data: st.DataObject
) -> None:
    """Of two parts and what is kept of each: as if built at once."""
    masks = [
        np.array(data.draw(st.lists(st.booleans(), min_size=len(one), max_size=len(one))), bool)
        for one in (left, right)
    ]

    together = merged([(postings_of(one), mask) for one, mask in zip((left, right), masks, strict=True)])

    kept = [
        row
        for one, mask in zip((left, right), masks, strict=True)
        for row, stays in zip(one, mask, strict=True)
        if stays
    ]
    at_once = postings_of(kept)
    assert together.terms.equals(at_once.terms)
    for name in ("starts", "rows", "counts", "lengths"):
        assert getattr(together, name).tolist() == getattr(at_once, name).tolist()


@pytest.mark.parametrize("rows", [[], [[]], [["a"], [], ["b", "a", "a"]]])
def test_postings_come_back_from_their_files(rows: list[list[str]], tmp_path: Path) -> None:
    """Also where there are no rows, or none with a word."""
    postings_of(rows).save(tmp_path)

    assert as_rows(open_postings(tmp_path)) == [Counter(row) for row in rows]


@settings(deadline=None)
@given(texts, st.lists(words, max_size=4), st.integers(0, 12))
def test_scores_are_those_of_the_formula(rows: list[list[str]], query: list[str], cut: int) -> None:
    """Whole or in two parts, whose scores are the same to the last digit; a term that is asked twice counts twice."""
    together = scores([whole(rows)], query)

    assert together == pytest.approx(naive(rows, query), abs=1e-8)
    assert scores([whole(rows[:cut]), whole(rows[cut:])], query) == together


@settings(deadline=None)
@given(texts, texts, st.lists(words, max_size=4), st.randoms())
def test_what_does_not_count_changes_no_score(
    rows: list[list[str]], retired: list[list[str]], query: list[str], random: object
) -> None:
    """Rows that were retired have no score, and no part in the statistics of words."""
    mixed = [(row, True) for row in rows] + [(row, False) for row in retired]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    part = WordPart(postings=postings_of([row for row, _ in mixed]), live=np.array([live for _, live in mixed], bool))

    found = scores([part], query)

    assert not any(score for score, (_, live) in zip(found, mixed, strict=True) if not live)
    alone = scores([whole([row for row, live in mixed if live])], query)
    assert [score for score, (_, live) in zip(found, mixed, strict=True) if live] == alone


@settings(deadline=None)
@given(texts, st.lists(st.lists(words, max_size=4), max_size=4))
def test_an_index_that_is_asked_again_says_the_same(rows: list[list[str]], queries: list[list[str]]) -> None:
    """One query leaves nothing behind for the next, and every score has nine decimals."""
    index = WordIndex([whole(rows)])

    for query in queries:
        (found,) = index.scores(query)
        assert found.tolist() == scores([whole(rows)], query)
        assert found.tolist() == np.round(found, 9).tolist()


def test_scores_are_those_of_another_library() -> None:
    """On 400 rows of 3 to 60 words, by the same variant of BM25, to five digits."""
    rng = np.random.default_rng(3)
    vocabulary = [f"w{number}" for number in range(300)]
    share = 1 / np.arange(1, 301)
    rows = [list(rng.choice(vocabulary, rng.integers(3, 61), p=share / share.sum())) for _ in range(400)]
    other = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    other.index([list(map(str, row)) for row in rows], show_progress=False)

    for query in (["w0"], ["w250", "w3"], ["w7", "w7", "w20", "w120"]):
        assert scores([whole(rows)], query) == pytest.approx(other.get_scores(query), rel=1e-5, abs=1e-6)


def test_a_word_that_fills_a_text_is_counted_as_far_as_it_matters() -> None:
    """A hundred thousand of one word in one row: the count is cut off, the score is that of the formula."""
    rows = [["a"] * 100_000, ["a", "b"], ["b"]]

    assert scores([whole(rows)], ["a"]) == pytest.approx(naive(rows, ["a"]), abs=1e-4)
