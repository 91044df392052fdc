"""What a text's words are for a lexical search: folded, and reduced to their stems."""

import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import regex
import Stemmer
from bm25s import stopwords

from holocron_assets.errors import ConfigurationError

#: Letters, with their marks, and digits of any script; a single letter after an apostrophe (clock's) is no word.
_WORD = regex.compile(r"(?<!['\u2019])[\p{L}\p{M}\p{N}]+|[\p{L}\p{M}\p{N}]{2,}")
#: Accents of Latin, Greek and Cyrillic letters, once they stand beside their letters.
_ACCENTS = regex.compile("[\u0300-\u036f]+")
#: A word longer than this is data that lost its spaces.
_LONGEST = 100
#: So many words are remembered with their stems; texts hold more different ones only where they are noise.
_REMEMBERED = 500_000
NONE = "none"
_STOP_WORDS: Mapping[str, tuple[str, ...]] = {
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
        self.stops = language in _STOP_WORDS
        if language != NONE and not (self.stems or self.stops):
            known = ", ".join(sorted({*Stemmer.algorithms(), *_STOP_WORDS, NONE}))
            raise ConfigurationError(f"search.language: nothing is known of {language!r}; write one of {known}")
        self._stem: Callable[[str], str] = Stemmer.Stemmer(language).stemWord if self.stems else str
        self._known: dict[str, str | None] = {}
        self._lock = threading.Lock()
        self._stopped = frozenset(_WORD.findall(" ".join(_STOP_WORDS.get(language, ())).casefold()))

    def terms(self, text: str) -> list[str]:
        """The terms of a text, in its order, as often as they are there."""
        return [term for word in _WORD.findall(text.casefold()) if (term := self._term(word)) is not None]

    def query_terms(self, text: str) -> list[str]:
        """Those of a query: without its stop words, unless it has no others."""
        words = _WORD.findall(text.casefold())
        telling = [word for word in words if word not in self._stopped]
        return [term for word in telling or words if (term := self._term(word)) is not None]

    def words(self, text: str) -> Iterator[Word]:
        """The words of a text with where they stand in it as it was given."""
        for found in _WORD.finditer(text):
            if term := self._term(found[0].casefold()):
                yield Word(term=term, start=found.start(), end=found.end())

    def _term(self, word: str) -> str | None:
        with suppress(KeyError):
            return self._known[word]
        # A stemmer keeps state while it works.
        with self._lock:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[word] = term = self._reduced(word) if len(word) <= _LONGEST else None
        return term

    def _reduced(self, word: str) -> str:
        # Stems depend on accents, and people who search leave them out.
        stem = self._stem(unicodedata.normalize("NFC", word))
        return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", stem)))
