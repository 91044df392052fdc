"""Metrics of rankings, held against trec_eval, and the rules that they follow."""

from dataclasses import asdict
from math import log2

import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as some

from holocron_assets.evaluation.metrics import DEPTH, Metrics, QueryMetrics, mean, measure, ranked

NAMES = {
    "ndcg_at_10": "ndcg_cut_10",
    "recall_at_10": "recall_10",
    "recall_at_100": "recall_100",
    "map_at_100": "map_cut_100",
}
DOCUMENTS = [f"d{number}" for number in range(130)]


@given(
    ranking=some.permutations(DOCUMENTS).flatmap(
        lambda order: some.integers(0, len(order)).map(lambda length: order[:length])
    ),
    judgements=some.dictionaries(some.sampled_from([*DOCUMENTS, "never found"]), some.integers(-1, 3), min_size=1),
)
def test_metrics_are_those_of_trec_eval(ranking: list[str], judgements: dict[str, int]) -> None:
    """On any ranking and judgements the metrics equal trec_eval's to five digits."""
    found = measure(ranking, {document: float(gain) for document, gain in judgements.items()})
    # Ties are broken otherwise there, so scores strictly fall; and reciprocal rank is cut nowhere, so the ranking is.
    run = {document: float(len(ranking) - place) for place, document in enumerate(ranking)}
    oracle = pytrec_eval.RelevanceEvaluator({"q": judgements}, set(NAMES.values()))
    reciprocal = pytrec_eval.RelevanceEvaluator({"q": judgements}, {"recip_rank"})
    first_ten = {document: run[document] for document in ranking[:10]}

    if found is None:
        assert max(judgements.values()) <= 0
        return
    expected = oracle.evaluate({"q": run})["q"] if run else dict.fromkeys(NAMES.values(), 0.0)
    expected_reciprocal = reciprocal.evaluate({"q": first_ten})["q"]["recip_rank"] if run else 0.0
    for ours, theirs in NAMES.items():
        assert getattr(found, ours) == pytest.approx(expected[theirs], abs=1e-6), ours
    assert found.mrr_at_10 == pytest.approx(expected_reciprocal, abs=1e-6)


def test_gains_are_linear() -> None:
    """A document judged 3 gains three times one judged 1, discounted by the binary logarithm of its rank + 1."""
    found = measure(["a", "b"], {"a": 1, "b": 3})

    assert found
    assert found.ndcg_at_10 == pytest.approx((1 / log2(2) + 3 / log2(3)) / (3 / log2(2) + 1 / log2(3)))


def test_reciprocal_rank_is_cut_at_ten() -> None:
    """What is found at rank 11 is worth nothing to the mean reciprocal rank."""
    eleven = [f"x{number}" for number in range(10)] + ["right"]

    at_eleven, at_ten = measure(eleven, {"right": 1}), measure(eleven[1:], {"right": 1})

    assert at_eleven
    assert at_ten
    assert (at_eleven.mrr_at_10, at_ten.mrr_at_10) == (0.0, 0.1)


def test_a_ranking_ends_at_its_depth() -> None:
    """What is found behind the hundredth rank counts for nothing."""
    found = measure([*(f"x{number}" for number in range(DEPTH)), "right"], {"right": 1})

    assert found == Metrics(ndcg_at_10=0, recall_at_10=0, recall_at_100=0, mrr_at_10=0, map_at_100=0)


@pytest.mark.parametrize("judgements", [{}, {"a": 0.0}, {"a": -1.0}])
def test_a_query_without_relevant_documents_is_not_measured(judgements: dict[str, float]) -> None:
    """Where nothing is right, nothing can be found, and the query says nothing of the ranking."""
    assert measure(["a"], judgements) is None


def test_ties_are_broken_by_id() -> None:
    """Documents of one score are in the order of their ids, whatever order they came in."""
    assert ranked({"c": 1.0, "b": 2.0, "a": 1.0}) == ["b", "a", "c"]


def test_a_mean_counts_every_query_alike() -> None:
    """The mean of each metric is over queries."""
    measured = [
        QueryMetrics(query_id=str(value), metrics=Metrics(**dict.fromkeys((*NAMES, "mrr_at_10"), value)))
        for value in (0.0, 0.5, 1.0)
    ]

    assert set(asdict(mean(measured)).values()) == {0.5}
