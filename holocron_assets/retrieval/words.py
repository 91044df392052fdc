"""What a text's words are for a lexical search: folded, and reduced to their stems.

Chinese and Japanese put no spaces between words: there, each two neighbouring characters are one.
"""

import re
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import regex
import Stemmer

from holocron_assets.errors import ConfigurationError

#: Letters, with their marks, and digits of any script; a single letter after an apostrophe (clock's) is no word.
_WORD = regex.compile(r"(?<!['\u2019])[\p{L}\p{M}\p{N}]+|[\p{L}\p{M}\p{N}]{2,}")
#: The same for a text that has no others; four times as fast.
_ASCII_WORD = re.compile(r"(?<!')[A-Za-z0-9]+|[A-Za-z0-9]{2,}")
#: Characters of scripts without spaces, and what stands between them; the length mark belongs to Katakana.
_SIGNS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\u30fc]+")
_RUNS = regex.compile(rf"{_SIGNS.pattern}|{_SIGNS.pattern.replace('[', '[^')}")
#: Accents of Latin, Greek and Cyrillic letters, once they stand beside their letters.
_ACCENTS = regex.compile("[\u0300-\u036f]+")
#: A word longer than this is data that lost its spaces.
_LONGEST = 100
#: So many words are remembered with their stems; texts hold more different ones only where they are noise.
_REMEMBERED = 500_000
NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word of a text at the half-open range of characters from `start` to `end`, and the term it is found by."""

    term: str
    start: int
    end: int


class Analyzer:
    """Words of one language; `none` keeps every word as it is.

    A language may have stems, or stop words, or both: `stems` and `stops` say. Raises `ConfigurationError` for a
    language that has neither. May be used by several threads at once.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self.stems = language in Stemmer.algorithms()
        self.stops = language in _stop_words()
        if language != NONE and not (self.stems or self.stops):
            known = ", ".join(sorted({*Stemmer.algorithms(), *_stop_words(), NONE}))
            raise ConfigurationError(f"search.language: nothing is known of {language!r}; write one of {known}")
        self._terms = _Terms(Stemmer.Stemmer(language).stemWord if self.stems else str)
        self._stopped = frozenset(_words(" ".join(_stop_words().get(language, ()))))

    def terms(self, text: str) -> list[str]:
        """The terms of a text, in its order, as often as they are there."""
        return list(filter(None, map(self._terms.__getitem__, _words(text))))

    def query_terms(self, text: str) -> list[str]:
        """Those of a query: without its stop words, unless it has no others."""
        words = _words(text)
        telling = [word for word in words if word not in self._stopped]
        return list(filter(None, map(self._terms.__getitem__, telling or words)))

    def words(self, text: str) -> Iterator[Word]:
        """The words of a text with where they stand in it as it was given; two of a script without spaces overlap."""
        for found in (_ASCII_WORD if text.isascii() else _WORD).finditer(text):
            for start, part in _parts(found[0]):
                if term := self._terms[_folded(part)]:
                    yield Word(term=term, start=found.start() + start, end=found.start() + start + len(part))


@cache
def analyzer_of(language: str) -> Analyzer:
    """The one for all who open an index: the terms of a language's words are the same everywhere."""
    return Analyzer(language)


class _Terms(dict[str, str]):
    """The term of each word that was asked for; empty for what is no word."""

    def __init__(self, stem: Callable[[str], str]) -> None:
        super().__init__()
        self._stem = stem
        self._lock = threading.Lock()

    def __missing__(self, word: str) -> str:
        # A stemmer keeps state while it works.
        with self._lock:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[word] = term = self._reduced(word) if len(word) <= _LONGEST else ""
        return term

    def _reduced(self, word: str) -> str:
        # Stems depend on accents, and people who search leave them out.
        return _composed(_ACCENTS.sub("", unicodedata.normalize("NFD", self._stem(word))))


def _words(text: str) -> list[str]:
    """The words of a text, folded, as often as they are there."""
    folded = _folded(text)
    words: list[str] = (_ASCII_WORD if folded.isascii() else _WORD).findall(folded)
    if folded.isascii() or not _SIGNS.search(folded):
        return words
    return [part for word in words for _, part in _parts(word)]


def _parts(word: str) -> Iterator[tuple[int, str]]:
    """A word, or what is found by itself of one of a script without spaces; with where in it that is."""
    if word.isascii() or not _SIGNS.search(word):
        yield 0, word
        return
    for run in _RUNS.finditer(word):
        is_pair = len(run[0]) > 2 and _SIGNS.match(run[0])
        yield from (
            ((run.start() + at, run[0][at : at + 2]) for at in range(len(run[0]) - 1))
            if is_pair
            else [(run.start(), run[0])]
        )


def _folded(text: str) -> str:
    """Without case, and with every letter written in one way."""
    return _composed(_composed(text).casefold())


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@cache
def _stop_words() -> Mapping[str, tuple[str, ...]]:
    # With these lists comes what takes long to import, and whoever only lists assets analyses nothing.
    from bm25s import stopwords  # noqa: PLC0415

    return {
        "chinese": stopwords.STOPWORDS_CHINESE,
        "danish": stopwords.STOPWORDS_DANISH,
        "dutch": stopwords.STOPWORDS_DUTCH,
        "english": stopwords.STOPWORDS_EN_PLUS,
        "french": stopwords.STOPWORDS_FRENCH,
        "german": stopwords.STOPWORDS_GERMAN,
        "italian": stopwords.STOPWORDS_ITALIAN,
        "korean": stopwords.STOPWORDS_KOREAN,
        "norwegian": stopwords.STOPWORDS_NORWEGIAN,
        "portuguese": stopwords.STOPWORDS_PORTUGUESE,
        "russian": stopwords.STOPWORDS_RUSSIAN,
        "spanish": stopwords.STOPWORDS_SPANISH,
        "swedish": stopwords.STOPWORDS_SWEDISH,
        "turkish": stopwords.STOPWORDS_TURKISH,
    }
