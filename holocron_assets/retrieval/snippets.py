"""The part of a passage that shows best why it was found. Offsets count characters, in reading order of any script."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from holocron_assets.retrieval.words import Word

#: The words of a text, in its order; two may overlap.
Analyse = Callable[[str], Iterable[Word]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """What stands in a passage from `start` on; `spans` are the matched words, as half-open ranges of `text`.

    `is_cut_before` and `is_cut_after` say whether the passage has more than space there.
    """

    text: str
    start: int
    spans: tuple[tuple[int, int], ...]
    is_cut_before: bool = False
    is_cut_after: bool = False


def snippet(passage: str, wanted: Collection[str], analyse: Analyse, longest: int = 240) -> Snippet:
    """The window of at most `longest` characters with the most different `wanted` terms, then with the most words.

    Of windows that are as good the first counts. It begins and ends with whole words, unless a single one is longer
    than all of it. Without a match it is the beginning of the passage.
    """
    found = [word for word in analyse(passage) if word.term in wanted]
    first, last = _densest(found, longest)
    start, end = _widened(passage, first, last, longest)
    spans: list[tuple[int, int]] = []
    for word in found:
        begin, stop = max(word.start, start) - start, min(word.end, end) - start
        if spans and begin < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(stop, spans[-1][1]))
        elif begin < stop:
            spans.append((begin, stop))
    return Snippet(
        text=passage[start:end],
        start=start,
        spans=tuple(spans),
        is_cut_before=bool(passage[:start].strip()),
        is_cut_after=bool(passage[end:].strip()),
    )


def _densest(found: Sequence[Word], longest: int) -> tuple[int, int]:
    """From where to where the best window must reach; a word that is longer than it is cut."""
    best, window = (0, 0), (0, 0)
    inside: Counter[str] = Counter()
    left = 0
    for right, word in enumerate(found):
        inside[word.term] += 1
        while left < right and word.end - found[left].start > longest:
            inside[found[left].term] -= 1
            if not inside[found[left].term]:
                del inside[found[left].term]
            left += 1
        if (value := (len(inside), right - left)) > best:
            best, window = value, (found[left].start, min(word.end, found[left].start + longest))
    return window


def _widened(text: str, first: int, last: int, longest: int) -> tuple[int, int]:
    """The range around another one, as long as may be, between words, without space at its ends."""
    start = max(0, first - (longest - (last - first)) // 2)
    start = max(0, min(len(text), start + longest) - longest)
    while 0 < start < first and not text[start - 1].isspace():
        start += 1
    end = min(len(text), start + longest)
    whole = end
    while last < whole < len(text) and not text[whole].isspace():
        whole -= 1
    if whole > start:
        end = whole
    while start < end < len(text) and _belongs_to_its_neighbour(text[end]):
        end -= 1
    while start < min(first, end) and text[start].isspace():
        start += 1
    while max(start, last) < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _belongs_to_its_neighbour(sign: str) -> bool:
    """A mark on the letter before it, or what joins two into one."""
    return unicodedata.category(sign).startswith("M") or sign == "\u200d"
