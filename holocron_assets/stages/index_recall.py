"""Whether an index answers as the store would: the nearest chunks by both, for a sample of the chunks themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.hits import Method, Mode
from holocron_assets.retrieval.index import Candidate, SearchIndex
from holocron_assets.retrieval.nearest import Part
from holocron_assets.retrieval.recall import TOP_K, graph_recall
from holocron_assets.stages.index_segments import compared
from holocron_assets.stages.index_wanted import list_keys
from holocron_assets.tables import embeddings
from holocron_assets.transactions import read
from holocron_assets.vectors import NearChunk, nearest

#: Each query is a pass over the vectors of the store: so many queries, unless that is more vectors than this.
_QUERIES, _VECTORS_READ = 20, 200_000
_SAME = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Of the `TOP_K` nearest chunks that the store finds for each of some queries, the share that the index has too."""

    share: float
    queries: int


def measure_recall(store: Store, space: EmbeddingSpace, index: SearchIndex) -> Recall:
    """Compare both on the vectors of some chunks, spread evenly over the index; at least one, if it has any.

    A chunk counts if the store finds it as near as the index does. One as near as the last stands for that: ties may be
    cut differently. Graphs are compared with the index itself too, with more queries and at every depth.
    """
    found = _of_store(store, space, index)
    if index.kind == "exact":
        return found
    parts = [
        Part(vectors=one.vectors, norms=one.norms, counted=live, graph=one.graph)
        for one, live in zip(index.segments, index.live, strict=True)
    ]
    return replace(found, share=min(found.share, graph_recall(parts)))


def _cosine(found: Candidate) -> float:
    return -1.0 if found.scores.cosine_similarity is None else found.scores.cosine_similarity


def _of_store(store: Store, space: EmbeddingSpace, index: SearchIndex) -> Recall:
    affordable = _VECTORS_READ // max(index.manifest.live_count, 1)
    sampled = index.sampled(max(1, min(_QUERIES, affordable)))
    if not sampled:
        return Recall(share=1.0, queries=0)
    vectors = index.vectors(sampled)
    found = index.rank([""] * len(vectors), vectors, Method(mode=Mode.VECTOR), TOP_K)
    shares = []
    for vector, candidates in zip(vectors, found, strict=True):
        exact = nearest_in_store(store, space, vector, TOP_K)
        near = {one.chunk_id: one.cosine_similarity for one in exact}
        least = min(near.values(), default=0.0)
        shared = sum(abs(_cosine(one) - near.get(one.chunk_id, least)) < _SAME for one in candidates)
        shares.append(min(1.0, shared / len(exact)) if exact else 1.0)
    return Recall(share=float(np.mean(shares)), queries=len(vectors))


def count_differences(store: Store, space: EmbeddingSpace, index: SearchIndex | None) -> tuple[int, int]:
    """How many chunks an index lacks as the store has them now, and how many it has beyond those."""
    keys = read(store, list_keys, space)
    kept, missing = compared(index, keys)
    held = 0 if index is None else index.manifest.live_count
    return missing.num_rows, held - sum(part.live_count for part in kept)


def nearest_in_store(
    store: Store, space: EmbeddingSpace, vector: NDArray[np.float32], limit: int
) -> Sequence[NearChunk]:
    """The current chunks nearest to a vector, by the database's own comparison or by reading every vector; exact."""
    return read(store, _nearest, space, vector, limit)


def _nearest(session: Session, space: EmbeddingSpace, vector: NDArray[np.float32], limit: int) -> list[NearChunk]:
    return nearest(embeddings.list_current_vectors(session, space.embedding_space_id, vector, limit), vector, limit)
