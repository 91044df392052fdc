"""What a model answers now to contents that are embedded already, beside what is stored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.batching import batches
from holocron_assets.ports import EmbeddingProvider, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.stages.calling import ProviderCalls
from holocron_assets.tables import embeddings, transforms
from holocron_assets.tables.embeddings import PendingChunk
from holocron_assets.tables.reembedding import EmbeddedChunk
from holocron_assets.transactions import read
from holocron_assets.vectors import relative_distances


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkAnswer:
    """The vector of an embedded chunk's content now, and how far it is from the stored one, in lengths of that.

    None where the model rejects the content, for a `reason`; it is infinitely far then.
    """

    chunk: EmbeddedChunk
    vector: NDArray[np.float32] | None
    distance: float
    reason: str = ""


def answers_to(
    store: Store,
    space: EmbeddingSpace,
    provider: EmbeddingProvider,
    calls: ProviderCalls,
    chunks: Sequence[EmbeddedChunk],
) -> list[ChunkAnswer]:
    """Of those `chunks` whose content is still what was embedded; they are in order of position."""
    by_chunk = {one.chunk_id: one for one in chunks}
    keys = [PendingChunk(position=one.position, chunk_id=one.chunk_id) for one in chunks]
    contents = [
        content
        for content in read(store, embeddings.list_chunk_contents, keys)
        if content.content_sha256 == by_chunk[content.chunk_id].content_sha256
    ]
    sound, matrix = read(store, transforms.list_vectors, space, contents)
    stored = {one.chunk_id: vector for one, vector in zip(sound, matrix, strict=True)}
    # What is stored and is no vector of the space, or not what its hash says, is nowhere near any.
    nowhere = np.full(space.dimensions, np.nan, np.float32)
    asked = batches(contents, lambda one: len(one.content), size=provider.batch_characters, count=provider.batch_size)
    answers = []
    for batch in calls.embedded(asked):
        answers += [
            ChunkAnswer(chunk=by_chunk[one.chunk_id], vector=None, distance=float("inf"), reason=reason)
            for one, reason in batch.rejected
        ]
        if not batch.accepted:
            continue
        found = [by_chunk[one.chunk_id] for one in batch.accepted]
        vectors = np.concatenate(batch.vectors)
        distances = relative_distances(np.stack([stored.get(one.chunk_id, nowhere) for one in found]), vectors)
        answers += [
            ChunkAnswer(chunk=chunk, vector=vector, distance=float(distance))
            for chunk, vector, distance in zip(found, vectors, distances, strict=True)
        ]
    return answers
