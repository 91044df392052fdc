"""What a content report says in words: which way a figure went, and of what."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from holocron_assets.comparisons.content_figures import metrics_of
from holocron_assets.comparisons.content_words import judgement, pictures_of
from holocron_assets.drift.charts import table
from holocron_assets.drift.content.findings import ContentDrift
from holocron_assets.drift.content.windows import Attribute, Categorical, Numeric
from holocron_assets.drift.report import Judgement, Metric, Verdict
from holocron_assets.drift.verdicts import judged
from tests.drifting import measured, normal, windows_of

_IS_CURRENT = windows_of(120, 120)[1] >= 120


def comparison(scale: float = 1.0, **attributes: Attribute) -> ContentDrift:
    """Of 120 documents a side, whose vectors differ by nothing but a scale of the current ones."""
    windows, documents = windows_of(120, 120, **attributes)
    vectors = normal(documents, np.random.default_rng(1)) * np.where(_IS_CURRENT, scale, 1.0)[:, None]
    return measured(windows, vectors, permutations=499)


def repeating(share_before: float, share_after: float) -> ContentDrift:
    """Shares of each side have the text of another chunk of that side."""
    windows, documents = windows_of(120, 120)
    texts = np.where(in_percent(share_before, share_after), _IS_CURRENT, np.arange(2, 242))
    return measured(replace(windows, texts=texts), normal(documents, np.random.default_rng(1)), permutations=499)


def told(found: ContentDrift) -> Judgement:
    return judgement(judged(metrics_of(found)), found, {})


def in_percent(share_before: float, share_after: float) -> Any:
    """Yes for a share of the rows of each side."""
    place = np.argsort(np.argsort(_IS_CURRENT, kind="stable")) % 120
    return np.where(_IS_CURRENT, place < 120 * share_after, place < 120 * share_before)


def mix(names: list[str], *, before: float, after: float) -> Categorical:
    """Shares of the second name."""
    return Categorical(codes=in_percent(before, after).astype(np.int32), names=names)


@pytest.mark.parametrize(
    ("attributes", "says", "look"),
    [
        (
            {
                "log_length": Numeric(
                    values=np.where(_IS_CURRENT, 5.0 - 0.5, 5.0) + 0.1 * np.random.default_rng(1).random(240)
                )
            },
            "Chunks are shorter (−39\u00a0% on average).",
            "some of the shorter chunks",
        ),
        (
            {"language": mix(["en", "de"], before=0.1, after=0.4)},
            "The language that grew most is de (10\u00a0% → 40\u00a0%).",
            "texts whose language is de",
        ),
        (
            {"origin": mix(["wiki:en", ""], before=0.0, after=0.4)},
            "The origin that grew most is (not said) (0\u00a0% → 40\u00a0%).",
            "texts whose origin is (not said)",
        ),
    ],
)
def test_words_say_which_way_a_figure_went(attributes: dict[str, Attribute], says: str, look: str) -> None:
    """By how much, of what, and what is to be looked at."""
    said = told(comparison(**attributes))

    assert says in said.why
    assert look in said.next_step


def test_words_say_whether_more_chunks_repeat_or_fewer() -> None:
    """With both shares as they are, and what is to be looked at."""
    more, fewer = told(repeating(0.05, 0.3)), told(repeating(0.3, 0.05))

    assert "More chunks have the text of another (5\u00a0% → 30\u00a0%)." in more.why
    assert "texts that repeat" in more.next_step
    assert "Fewer chunks have the text of another (30\u00a0% → 5\u00a0%)." in fewer.why
    assert "what became of texts that repeated" in fewer.next_step


def test_longer_vectors_are_said_to_be_longer_and_farther() -> None:
    """And that what the model is given may be why."""
    said = told(comparison(scale=2.0))

    assert "Vectors are longer (" in said.why
    assert "Texts are farther from the nearest that was there (" in said.why
    assert "what the model is given" in said.next_step


def test_a_report_has_the_largest_shares_of_a_mix() -> None:
    """Ten at most, in the figure's details and in a picture."""
    codes = np.arange(240) % 12
    found = comparison(origin=Categorical(codes=codes, names=[f"wiki:{n}" for n in range(12)]))
    (metric,) = [one for one in metrics_of(found) if one.name == "origin"]
    (picture,) = [one for one in pictures_of(found, {}) if one.title == "Sources"]
    shares = metric.details["largest_shares"]

    assert len(shares) == 10
    assert {one["name"] for one in shares} < {f"wiki:{n}" for n in range(12)}
    assert sum(one["reference"] for one in shares) == pytest.approx(10 / 12, abs=0.1)
    assert len(table(picture).rows) == 10


def test_what_grew_most_need_not_be_among_the_largest() -> None:
    """Of many names, one that ten others are larger than may be the only one that grew."""
    stayed = np.repeat(np.arange(10), 11)
    codes = np.empty(240, np.intp)
    for side, other in ((~_IS_CURRENT, 10), (_IS_CURRENT, 11)):
        codes[side] = [*stayed, *[other] * 10]
    found = comparison(origin=Categorical(codes=codes, names=[f"wiki:{n}" for n in range(12)]))
    (metric,) = [one for one in metrics_of(found) if one.name == "origin"]

    assert metric.details["grew_most"] == {"name": "wiki:11", "reference": 0.0, "current": pytest.approx(10 / 120)}
    assert "wiki:11" not in {one["name"] for one in metric.details["largest_shares"]}


def test_where_all_texts_say_the_same_a_figure_says_so() -> None:
    """It is in the report without effect and verdict, and counts as no test."""
    zeros = np.zeros(240, np.int32)
    found = comparison(
        language=Categorical(codes=zeros, names=[""]), origin=Categorical(codes=zeros, names=["mediawiki:demo"])
    )
    figures: dict[str, Metric] = {one.name: one for one in judged(metrics_of(found))}

    assert (figures["language"].effect, figures["language"].verdict) == (None, None)
    assert figures["language"].missing == "no text says its language"
    assert figures["origin"].missing == "all texts say the same origin: mediawiki:demo"
    assert "language" not in found.comparisons


def test_a_reference_that_is_too_short_to_know_ordinary_weeks_says_so() -> None:
    """With 80 documents, it can be cut in four; with fewer, there is a sentence. Not where nothing is worth a look."""
    said = {}
    for reference, shift in ((79, 3.0), (80, 3.0), (79, 0.0)):
        windows, documents = windows_of(reference, 60)
        windows = replace(windows, times=np.arange(reference + 60).astype(np.float64))
        vectors = normal(documents, np.random.default_rng(1)) + shift * windows.is_current_row[:, None]
        said[reference, shift] = "too short to tell what is ordinary" in told(measured(windows, vectors)).why

    assert said == {(79, 3.0): True, (80, 3.0): False, (79, 0.0): False}


def test_what_differs_as_the_reference_does_from_itself_is_not_called_alike() -> None:
    """Significant, and more than is worth a look by default, and not beyond what parts of the reference differ by."""
    windows, documents = windows_of(160, 40)
    order = np.arange(200)
    vectors = normal(documents, np.random.default_rng(1))
    vectors += 2.0 * (order >= 120)[documents][:, None] + 0.3 * windows.is_current_row[:, None]
    found = measured(replace(windows, times=order.astype(np.float64)), vectors, permutations=499)
    said = told(found)

    assert said.verdict is Verdict.OK
    assert "The texts that came differ from those that were there (by mean shift, mmd" in said.why
    assert "but by no more than the reference's own parts differ from each other. As far as" in said.why
    assert "are like those" not in said.why
