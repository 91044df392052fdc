"""Putting other vectors in the place of stored ones, or none, with what becomes of everything made of them."""

import uuid
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from holocron_assets.clock import utc_now
from holocron_assets.derived_spaces import derived_from
from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace, ItemType, QuarantinedItem
from holocron_assets.stages.comparing import ChunkAnswer
from holocron_assets.stages.embed import STAGE
from holocron_assets.tables import quarantine, reembedding
from holocron_assets.tables.reembedding import EmbeddedChunk, Replacement
from holocron_assets.vectors import vector_sha256

#: In one transaction.
_HISTORY_AT_ONCE = 1024


def replace_vectors(session: Session, space: EmbeddingSpace, answers: Sequence[ChunkAnswer], run_id: uuid.UUID) -> None:
    """Store the vectors of `answers`, and both hashes; a text that is rejected loses its vector and is quarantined."""
    replacements = [
        Replacement(
            embedding_id=answer.chunk.embedding_id,
            old_vector_sha256=answer.chunk.vector_sha256,
            new_vector_sha256=None if answer.vector is None else vector_sha256(answer.vector),
        )
        for answer in answers
    ]
    nothing = np.zeros(space.dimensions, np.float32)
    vectors = np.stack([nothing if answer.vector is None else answer.vector for answer in answers])
    _replace(session, space, replacements, vectors, run_id)
    rejected = [
        QuarantinedItem(
            item_type=ItemType.CHUNK,
            item_id=answer.chunk.chunk_id,
            item_version=answer.chunk.content_sha256,
            scope=str(space.embedding_space_id),
            stage=STAGE,
            reason=answer.reason,
        )
        for answer in answers
        if answer.vector is None
    ]
    if rejected:
        quarantine.upsert_quarantined(session, rejected, run_id, utc_now())


def forget_vectors(session: Session, space: EmbeddingSpace, chunks: Sequence[EmbeddedChunk], run_id: uuid.UUID) -> None:
    """Take away the vectors of chunks whose content is another by now: the old one may come back."""
    removals = [
        Replacement(embedding_id=one.embedding_id, old_vector_sha256=one.vector_sha256, new_vector_sha256=None)
        for one in chunks
    ]
    _take_away(session, space, removals, run_id)


def forget_derived(session: Session, space: EmbeddingSpace) -> int:
    """Take away some of what spaces that are derived from this one hold; returns how many, 0 when there is no more."""
    derived = derived_from(session, space.embedding_space_id)
    return reembedding.delete_some_embeddings(session, derived, _HISTORY_AT_ONCE)


def forget_history(session: Session, space: EmbeddingSpace, run_id: uuid.UUID) -> int:
    """Take away some vectors of contents that are not current: one that came back would bring an old model's vector.

    Returns how many; 0 when there are no more.
    """
    history = reembedding.list_history_embeddings(session, space.embedding_space_id, _HISTORY_AT_ONCE)
    if history:
        _take_away(session, space, history, run_id)
    return len(history)


def _take_away(session: Session, space: EmbeddingSpace, removals: Sequence[Replacement], run_id: uuid.UUID) -> None:
    _replace(session, space, removals, np.zeros((len(removals), space.dimensions), np.float32), run_id)


def _replace(
    session: Session,
    space: EmbeddingSpace,
    replacements: Sequence[Replacement],
    vectors: NDArray[np.float32],
    run_id: uuid.UUID,
) -> None:
    reembedding.insert_replacements(session, replacements, vectors, run_id, utc_now())
    reembedding.delete_derived_embeddings(session, derived_from(session, space.embedding_space_id))
    reembedding.update_embedding_vectors(session, run_id)
    reembedding.delete_rejected_embeddings(session)
