"""Having a function called by several threads."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holocron_assets.concurrency import answers_as_ready


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers()), st.integers(1, 4), st.integers(1, 5))
def test_every_item_is_answered_once(items: list[int], threads: int, ahead: int) -> None:
    """Whatever the order, there is one answer to each item."""
    with ThreadPoolExecutor(threads) as executor:
        answers = list(answers_as_ready(executor, lambda item: -item, items, ahead=ahead))

    assert sorted(answers) == sorted(-item for item in items)


def test_items_are_taken_as_they_are_needed() -> None:
    """While one answer is dealt with, no more items have been taken than are to be under way."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    with ThreadPoolExecutor(2) as executor:
        for answered, _ in enumerate(answers_as_ready(executor, str, items(), ahead=3), start=1):
            assert len(taken) <= answered + 3


def test_a_failure_is_raised_after_what_succeeded() -> None:
    """The first failure ends it: items not taken yet are never asked about, answers that were under way are kept."""
    asked: list[int] = []

    def answer(item: int) -> int:
        asked.append(item)
        if item == 1:
            raise ValueError("item 1")
        return item

    answers: list[int] = []
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="item 1"):
        answers.extend(answers_as_ready(executor, answer, range(100), ahead=2))

    assert answers[0] == 0
    assert set(asked) == {*answers, 1}
    assert len(asked) <= 5


def test_items_that_end_in_a_failure_are_answered_first() -> None:
    """When no further item can be had, those before it are answered all the same."""

    def items() -> Iterator[int]:
        yield from range(3)
        raise OSError("no more")

    answers: list[str] = []
    with ThreadPoolExecutor(2) as executor, pytest.raises(OSError, match="no more"):
        answers.extend(answers_as_ready(executor, str, items(), ahead=10))

    assert sorted(answers) == ["0", "1", "2"]
