"""Snippets: the best window, in whole words, with the matched ones marked, in any script."""

import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holocron_assets.retrieval.snippets import Snippet, snippet
from holocron_assets.retrieval.words import Word


def words(text: str) -> Iterator[Word]:
    """As they are written, in small letters."""
    for found in re.finditer(r"\w+", text):
        yield Word(term=found[0].casefold(), start=found.start(), end=found.end())


def marked(found: Snippet) -> str:
    """The snippet with brackets around matches."""
    text = found.text
    for start, end in reversed(found.spans):
        text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
    return text


FILL = "lorem ipsum dolor sit amet consectetur "


@pytest.mark.parametrize(
    ("passage", "query", "longest", "expected"),
    [
        ("The keeper of the tide clock.", "tide clock", 100, "The keeper of the [tide] [clock]."),
        (FILL * 5 + "the Tide clock rang " + FILL * 5, "clock tide", 30, "the [Tide] [clock] rang lorem"),
        # two different words beat one word three times
        ("tide tide tide " + FILL * 3 + "clock of tide " + FILL * 3, "tide clock", 18, "[clock] of [tide]"),
        # of the same words, more of them
        ("tide " + FILL * 3 + "tide of tide " + FILL * 3, "tide", 14, "[tide] of [tide]"),
        # of equals the first
        ("tide one " + FILL * 3 + "tide two", "tide", 9, "[tide] one"),
        ("nothing of it here at all", "tide", 12, "nothing of"),
        ("nothing", "", 12, "nothing"),
        ("", "tide", 12, ""),
        (" \n tide \n ", "tide", 50, "[tide]"),
        ("Clock's (tide)!", "tide", 50, "Clock's ([tide])!"),
        ("a" * 50, "tide", 12, "a" * 12),
        ("x " + "a" * 50 + " y", "a" * 50, 12, "[" + "a" * 12 + "]"),
        ("word " * 9 + "a" * 50 + "tide", "tide", 12, "word word"),
        # an accent stays with its letter, and joined signs stay together
        ("e\u0301" * 30, "x", 5, "e\u0301" * 2),
        ("👩\u200d🚀" * 9, "x", 4, "👩\u200d🚀"),
        ("שומר שעון הגאות יושב במגדל " * 3, "הגאות", 20, "שעון [הגאות] יושב"),
        ("حارس ساعة المد يجلس في البرج", "المد", 14, "ساعة [المد] يجلس"),
    ],
)
def test_the_window(passage: str, query: str, longest: int, expected: str) -> None:
    """The window that a reader would choose."""
    found = snippet(passage, {word.term for word in words(query)}, words, longest)

    assert marked(found) == expected
    assert passage[found.start : found.start + len(found.text)] == found.text
    assert found.is_cut_before == bool(passage[: found.start].split())
    assert found.is_cut_after == bool(passage[found.start + len(found.text) :].split())


texts = st.text(alphabet="ab  \n.\u0301漢ש", max_size=120)


@given(texts, texts, st.integers(1, 40))
def test_what_always_holds(passage: str, query: str, longest: int) -> None:
    """Never too long, always a part of the passage; every span is a matched word, and there is one if there can be."""
    found = snippet(passage, {word.term for word in words(query)}, words, longest)

    assert len(found.text) <= longest
    assert passage[found.start :].startswith(found.text)
    wanted = {word.term for word in words(query)}
    matches = [word for word in words(passage) if word.term in wanted]
    # A letter that its marks make longer than the window is not shown without them.
    assert bool(found.spans) == bool(matches) or ("\u0301" in passage and not found.spans)
    starts_at = {word.start - found.start: word.end - found.start for word in matches}
    end = 0
    for start, stop in found.spans:
        assert end <= start < stop <= len(found.text)
        assert stop == starts_at[start] or (stop < starts_at[start] and len(found.text) == stop)
        end = stop


@given(st.lists(st.sampled_from(["tide", "clock", "keeper", "of", "salt"]), max_size=60), st.integers(8, 60))
def test_words_are_whole(chosen: list[str], longest: int) -> None:
    """Where every word fits, none is cut."""
    found = snippet(" ".join(chosen), {word.term for word in words("tide clock")}, words, longest)

    assert set(found.text.split()) <= set(chosen)
    assert found.text == found.text.strip()


@pytest.mark.parametrize("piece", ["tide ", "tide", "tide clock keeper ", "x ", "x", " ", "漢", "e\u0301"])
def test_long_passages_take_linear_time(piece: str) -> None:
    """Eight times as long a passage does not take much more than eight times as long, whatever it holds."""

    def seconds(length: int) -> float:
        passage = piece * (length // len(piece))
        began = time.process_time()
        snippet(passage, {word.term for word in words("tide clock")}, words)
        return time.process_time() - began

    short, long = (min(seconds(length) for _ in range(3)) for length in (20_000, 160_000))

    assert long / max(short, 1e-3) < 30
