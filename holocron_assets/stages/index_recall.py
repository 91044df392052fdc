"""Whether an index answers as the store would: the nearest chunks by both, for a sample of the chunks themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.hits import Method, Mode
from holocron_assets.retrieval.index import SearchIndex
from holocron_assets.tables import embeddings
from holocron_assets.transactions import read
from holocron_assets.vectors import NearChunk, nearest

TOP_K = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Of the `TOP_K` nearest chunks that the store finds for each of some queries, the share that the index has too."""

    share: float
    queries: int


def measure_recall(store: Store, space: EmbeddingSpace, index: SearchIndex, queries: int) -> Recall:
    """Compare both on the vectors of some chunks, spread evenly over the index; needs one pass over all vectors each.

    A chunk as near as the last one stands for it: ties may be cut differently.
    """
    vectors = index.sample(queries)
    if not len(vectors):
        return Recall(share=1.0, queries=0)
    found = index.rank([""] * len(vectors), vectors, Method(mode=Mode.VECTOR), TOP_K)
    shares = []
    for vector, candidates in zip(vectors, found, strict=True):
        exact = nearest_in_store(store, space, vector, TOP_K)
        least = exact[-1].cosine_similarity if exact else 0.0
        near = sum((one.scores.cosine_similarity or -1.0) >= least - 1e-6 for one in candidates)
        shares.append(min(1.0, near / len(exact)) if exact else 1.0)
    return Recall(share=float(np.mean(shares)), queries=len(vectors))


def nearest_in_store(
    store: Store, space: EmbeddingSpace, vector: NDArray[np.float32], limit: int
) -> Sequence[NearChunk]:
    """The current chunks nearest to a vector, by the database's own comparison or by reading every vector; exact."""
    return read(store, _nearest, space, vector, limit)


def _nearest(session: Session, space: EmbeddingSpace, vector: NDArray[np.float32], limit: int) -> list[NearChunk]:
    return nearest(embeddings.list_current_vectors(session, space.embedding_space_id, vector, limit), vector, limit)
