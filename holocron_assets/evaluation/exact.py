"""Ranking by vectors alone, straight from the store: every vector is compared with every query."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.errors import ConfigurationError
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.hits import Method, Mode, Scores
from holocron_assets.settings import Settings
from holocron_assets.tables import embeddings
from holocron_assets.transactions import read
from holocron_assets.vectors import nearest

#: What can be ranked by.
METHODS = (Method(mode=Mode.VECTOR),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A chunk, its source, and the cosine that it was found by."""

    chunk_id: str
    source_id: str
    scores: Scores


class ExactRanker:
    """See `holocron_assets.evaluation.ranking.Ranker`."""

    def __init__(self, store: Store, space: EmbeddingSpace) -> None:
        self._store = store
        self._space = space

    def rank(
        self, texts: Sequence[str], vectors: NDArray[np.float32] | None, method: Method, top_k: int
    ) -> list[list[Found]]:
        """Raises `ConfigurationError` for a method that ranks by words."""
        if vectors is None or method.mode is not Mode.VECTOR:
            raise ConfigurationError(f"{method} ranks by words, and this version ranks by vectors alone")
        return [read(self._store, self._nearest, vector, top_k) for vector in vectors]

    def _nearest(self, session: Session, vector: NDArray[np.float32], top_k: int) -> list[Found]:
        batches = embeddings.list_current_vectors(session, self._space.embedding_space_id, vector, top_k)
        near = nearest(batches, vector, top_k)
        details = embeddings.list_hit_details(session, [one.chunk_id for one in near])
        return [
            Found(
                chunk_id=one.chunk_id,
                source_id=details[one.chunk_id].source_id,
                scores=Scores(cosine_similarity=one.cosine_similarity),
            )
            for one in near
        ]


def open_ranker(store: Store, _settings: Settings, space: EmbeddingSpace) -> ExactRanker:
    """What ranks the chunks of a store by a space."""
    return ExactRanker(store, space)
