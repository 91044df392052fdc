"""Asking the judged queries of a collection: their vectors, and what each is worth as something ranks it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from holocron_assets.batching import batches
from holocron_assets.evaluation.judging import Judgements
from holocron_assets.evaluation.metrics import QueryMetrics, measure
from holocron_assets.evaluation.ranking import Ranker, rank_documents
from holocron_assets.ports import EmbeddingProvider, Purpose
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.hits import Method
from holocron_assets.tables.evaluations import Judged
from holocron_assets.vectors import require_valid


def query_vectors(provider: EmbeddingProvider, space: EmbeddingSpace, judgements: Judgements) -> NDArray[np.float32]:
    """The vectors of the queries, of shape (queries, dimensions), whatever model the provider serves by now."""
    parts = []
    texts = [one.text for one in judgements.queries]
    for batch in batches(texts, len, size=provider.batch_characters, count=provider.batch_size):
        parts.append(provider.embed(batch, Purpose.QUERY).values)
        require_valid(parts[-1], space, len(batch))
    return np.concatenate(parts)


def ask(ranker: Ranker, judgements: Judgements, vectors: NDArray[np.float32], method: Method) -> Sequence[QueryMetrics]:
    """What each query comes to that something is relevant for; `vectors` are those of the queries."""
    texts = [one.text for one in judgements.queries]
    of_chunks = judgements.judged is Judged.CHUNKS
    rankings = rank_documents(ranker, texts, vectors, method, of_chunks=of_chunks)
    return [
        QueryMetrics(query_id=query.query_id, metrics=metrics)
        for query, ranking in zip(judgements.queries, rankings, strict=True)
        if (metrics := measure(ranking, judgements.gains[query.query_id]))
    ]
