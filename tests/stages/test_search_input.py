"""Questions that nobody should ask: each has a clear answer, or a message that says what is wrong with it."""

from typing import Any, cast

import pytest

from holocron_assets.errors import ConfigurationError, QuestionError
from holocron_assets.retrieval.filters import Filters
from holocron_assets.retrieval.hits import Method, Mode
from holocron_assets.search import Question
from tests.conftest import Templates
from tests.derived import six_pages
from tests.world import World


@pytest.fixture
def filled(world: World, templates: Templates) -> World:
    six_pages(world, templates)
    return world


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question(query=""), "the query is empty"),
        (Question(query=" \t\n"), "the query is empty"),
        (Question(query="x" * 1_000_000), "has 1,000,000 characters; ask with at most 20,000"),
        (Question(query="topic", top_k=0), "0 hits cannot be found"),
        (Question(query="topic", top_k=-3), "-3 hits cannot be found"),
        (Question(query="topic \udcff"), "no valid Unicode"),
        (Question(query="topic", filters=Filters(source_name=("\udcff",))), "no valid Unicode"),
        (Question(query="topic", filters=Filters(title="\ud800")), "no valid Unicode"),
        (Question(query="topic", filters=Filters(title="x" * 2_000_000)), "a filter has 2,000,000 characters"),
        (Question(query="topic", filters=Filters(tag=("a", "x" * 30_000))), "a filter has 30,000 characters"),
        (Question(query="topic", min_score=0.4), "say the mode, too"),
        (Question(query="topic", method=Method(mode=Mode.VECTOR), min_score=float("nan")), "a least score is a number"),
        (
            Question(query="topic", method=Method(mode=Mode.VECTOR), min_score=cast("Any", "0.4")),
            "a least score is a number",
        ),
        (Question(query=cast("Any", None)), "a query is a text, and None is none"),
        (Question(query=cast("Any", b"topic")), "a query is a text"),
        (Question(query="topic", top_k=cast("Any", 2.5)), "2.5 hits cannot be found"),
    ],
)
def test_what_cannot_be_answered_is_refused(filled: World, question: Question, message: str) -> None:
    """With a message that says how to ask."""
    with pytest.raises(QuestionError, match=message):
        filled.searcher().search(question)


def test_a_filter_may_be_one_text(filled: World) -> None:
    """Or any number of them in whatever holds them: it is the same as a tuple."""
    one = Filters(source_system="mediawiki", tag=["a", "b"])  # type: ignore[arg-type]

    assert one == Filters(source_system=("mediawiki",), tag=("a", "b"))
    assert (
        filled.searcher().search(Question(query="topic", filters=Filters(source_system=cast("Any", "mediawiki")))).hits
    )


@pytest.mark.parametrize(
    ("name", "value"), [("tag", 7), ("tag", None), ("tag", (1,)), ("title", ("a",)), ("since", "2026"), ("until", 3)]
)
def test_a_filter_of_another_kind_is_refused(name: str, value: Any) -> None:
    """By its name, when it is made."""
    with pytest.raises(QuestionError, match=f"the filter {name} is .*, and .* is something else"):
        Filters(**{name: value})


def test_an_unknown_space_is_refused_with_the_known_ones(filled: World) -> None:
    """As everywhere a space is named."""
    with pytest.raises(ConfigurationError, match="ngram"):
        filled.searcher().search(Question(query="topic"), space="nowhere")


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    "query", ["of the", "zyzzyva", "\x00\x1b[31m\x07", "'; drop table vector.chunk; --", "<script>", "…!?", "\u202eסוף"]
)
def test_odd_queries_have_answers(filled: World, mode: Mode, query: str) -> None:
    """Stop words, unknown words, controls, SQL, HTML, signs: vectors find the nearest, words what has one of them."""
    hits = filled.searcher().search(Question(query=query, method=Method(mode=mode), top_k=3)).hits

    assert len(hits) == 3 or mode is Mode.LEXICAL
    assert all(hit.scores.bm25 for hit in hits) or mode is not Mode.LEXICAL
    assert (len(hits) > 0) or query != "of the"
