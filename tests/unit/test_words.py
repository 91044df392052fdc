"""What the words of a text are for a lexical search, in any language and whatever the text holds."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holocron_assets.errors import ConfigurationError
from holocron_assets.retrieval.words import Analyzer

ENGLISH, PLAIN = Analyzer("english"), Analyzer("none")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The clocks' hands", ["the", "clock", "hand"]),
        ("the clock's hand, don't", ["the", "clock", "hand", "don"]),
        ("Café CAFÉ cafe\u0301", ["cafe", "cafe", "cafe"]),
        ("STRASSE straße", ["strass", "strass"]),
        ("x\x00y\x1bz", ["x", "y", "z"]),
        ("\u0301\u0301 …!? \t\n", []),
        ("", []),
        ("B2B 42 3.14", ["b2b", "42", "3", "14"]),
    ],
)
def test_english_words(text: str, terms: list[str]) -> None:
    """Without case and accents, by their stems; signs and controls part words, and marks alone are none."""
    assert ENGLISH.terms(text) == terms


@pytest.mark.parametrize(
    ("language", "text", "terms"),
    [
        ("german", "Häuser und Hauses", ["haus", "und", "haus"]),
        ("none", "Häuser", ["hauser"]),
        ("arabic", "الكتاب كتاب", ["كتاب", "كتاب"]),
        ("hindi", "किताब हिन्दी", ["किताब", "हिन्द"]),
        ("none", "שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("chinese", "我们的东京塔", ["我们", "们的", "的东", "东京", "京塔"]),
        ("none", "東京タワー iPhoneを買う 猫", ["東京", "京タ", "タワ", "ワー", "iphone", "を買", "買う", "猫"]),
    ],
)
def test_words_of_other_languages(language: str, text: str, terms: list[str]) -> None:
    """By the stems of the language if it has any; scripts without spaces give each two neighbouring characters."""
    assert Analyzer(language).terms(text) == terms


def test_what_has_stems_or_stop_words_and_what_has_neither() -> None:
    """A language may have one without the other; one of which nothing is known is refused with the known ones."""
    assert (Analyzer("romanian").stems, Analyzer("romanian").stops) == (True, False)
    assert (Analyzer("korean").stems, Analyzer("korean").stops) == (False, True)
    with pytest.raises(ConfigurationError, match="nothing is known of 'klingon'; write one of arabic"):
        Analyzer("klingon")


def test_stop_words_count_only_in_a_query_of_nothing_else() -> None:
    """`the clock of the tower` asks for clock and tower; `to be or not to be` asks for all of it."""
    assert ENGLISH.query_terms("The clock of the tower") == ["clock", "tower"]
    assert ENGLISH.query_terms("to be or not to be") == ENGLISH.terms("to be or not to be")
    assert Analyzer("french").query_terms("l'heure de la mare\u0301e a\u0300 Paris") == ["heur", "mar", "paris"]


@pytest.mark.parametrize("sign", ["a", "a ", "'", "'a", "東", "\u0301", "\x00", "é"])
def test_a_megabyte_of_one_sign_takes_a_moment(sign: str) -> None:
    """And a word longer than any is none."""
    started = time.process_time()

    terms = ENGLISH.terms(sign * (1_000_000 // len(sign)))

    assert time.process_time() - started < 10
    assert len(set(terms)) <= 1
    assert sign != "a" or not terms


@settings(deadline=None)
@given(st.text())
def test_words_stand_where_they_are_said_to_stand(text: str) -> None:
    """Each is a range of the text as it was given, in its order, and is found by the term of that range."""
    last = -1
    for word in PLAIN.words(text):
        assert 0 <= word.start < word.end <= len(text)
        assert word.start > last
        assert word.term in PLAIN.terms(text[word.start : word.end])
        last = word.start


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_has_words_or_none(text: str) -> None:
    """No text breaks it, the query's terms are among the text's, and no term is empty."""
    terms = ENGLISH.terms(text)

    assert all(terms)
    assert set(ENGLISH.query_terms(text)) <= set(terms)
