"""What a ranking is worth by the judgements of its query. Pure.

As trec_eval computes them, to five digits: https://github.com/usnistgov/trec_eval. A document is relevant when its
judgement is above 0, and one that nobody judged is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

#: So many documents of a ranking are looked at; later ones count for nothing.
DEPTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What one ranking is worth, or many on average; each from 0 to 1, and 1 is best.

    `ndcg_at_10`: gains are the judgements themselves, discounted by log2(rank + 1), against the best order there is.
    `recall_at_10`, `recall_at_100`: the share of the relevant documents that are among the first. `mrr_at_10`: 1 / rank
    of the first relevant one. `map_at_100`: the precision at each relevant one, on average over all that are relevant.
    """

    ndcg_at_10: float
    recall_at_10: float
    recall_at_100: float
    mrr_at_10: float
    map_at_100: float


#: Their names, and what people call them.
METRICS = {
    "ndcg_at_10": "nDCG@10",
    "recall_at_10": "recall@10",
    "recall_at_100": "recall@100",
    "mrr_at_10": "MRR@10",
    "map_at_100": "MAP@100",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryMetrics:
    """What the ranking for a query is worth."""

    query_id: str
    metrics: Metrics


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Documents by score, the highest first, and those of one score by their ids."""
    return sorted(scores, key=lambda document: (-scores[document], document))


def measure(ranking: Sequence[str], judgements: Mapping[str, float]) -> Metrics | None:
    """What a ranking of documents is worth; None where no document is relevant, because nothing could be found."""
    ideal = np.array(sorted((gain for gain in judgements.values() if gain > 0), reverse=True))
    if not ideal.size:
        return None
    gains = np.array([max(judgements.get(document, 0.0), 0.0) for document in ranking[:DEPTH]])
    ranks = np.flatnonzero(gains) + 1
    found = np.arange(1, ranks.size + 1)
    return Metrics(
        ndcg_at_10=_discounted(gains[:10]) / _discounted(ideal[:10]),
        recall_at_10=float((ranks <= 10).sum() / ideal.size),
        recall_at_100=ranks.size / ideal.size,
        mrr_at_10=float(1 / ranks[0]) if ranks.size and ranks[0] <= 10 else 0.0,
        map_at_100=float((found / ranks).sum() / ideal.size),
    )


def mean(measured: Sequence[QueryMetrics]) -> Metrics:
    """The metrics of many queries, each query counting alike; there must be one."""
    means = np.mean([astuple(one.metrics) for one in measured], axis=0)
    return Metrics(**dict(zip(METRICS, map(float, means), strict=True)))


def _discounted(gains: NDArray[np.float64]) -> float:
    return float((gains / np.log2(np.arange(2, gains.size + 2))).sum())
