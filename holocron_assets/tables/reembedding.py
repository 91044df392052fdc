"""Embeddings that are embedded again: which there are, and replacing their vectors."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from holocron_assets.ports import Session
from holocron_assets.tables.embeddings import ChunkKey, Position
from holocron_assets.tables.staging import TEXT, table_of, vector_column

#: Of what a run did, so many are kept for whoever goes on.
_SAMPLE = 32

_COLUMNS = dict.fromkeys(("embedding_id", "old_vector_sha256", "new_vector_sha256"), TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedChunk(ChunkKey):
    """A current chunk and its embedding in a space."""

    position: Position
    embedding_id: uuid.UUID
    vector_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What becomes of an embedding: another vector, or None and it is taken away."""

    embedding_id: uuid.UUID
    old_vector_sha256: str
    new_vector_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far a run came, as it is kept with the run: `done` chunks, the last of them at `position`.

    `sample` are chunks evenly spread over those done, every `stride`-th: whoever goes on looks at them first.
    """

    position: Position | None = None
    chunk_id: str = ""
    done: int = 0
    stride: int = 1
    sample: Sequence[str] = ()

    def after(self, window: Sequence[EmbeddedChunk]) -> "Reached":
        """With these done too."""
        stride, sample = self.stride, list(self.sample)
        for number, chunk in enumerate(window, start=self.done):
            if number % stride == 0:
                sample.append(chunk.chunk_id)
            if len(sample) > _SAMPLE:
                stride, sample = 2 * stride, sample[::2]
        last = window[-1]
        return Reached(
            position=last.position,
            chunk_id=last.chunk_id,
            done=self.done + len(window),
            stride=stride,
            sample=tuple(sample),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRun:
    """A run that embedded a space again, sources whose id begins with `source_prefix`, and how far it came.

    `canary_id` is what the model was held to; empty for a run of an earlier version.
    """

    status: str
    source_prefix: str
    canary_id: str
    reached: Reached


def count_current_embeddings(
    session: Session, space_id: uuid.UUID, source_prefix: str, *, after: Position | None
) -> int:
    """How many current embeddings a space has beyond a position, of sources whose id begins with `source_prefix`."""
    (row,) = session.rows(
        "count_current_embeddings", embedding_space_id=space_id, source_prefix=source_prefix, after=after
    )
    return int(row["n"])


def list_current_embeddings(
    session: Session, space_id: uuid.UUID, source_prefix: str, *, after: Position | None, limit: int
) -> list[EmbeddedChunk]:
    """The next of them, in order of position."""
    rows = session.rows(
        "list_current_embeddings",
        embedding_space_id=space_id,
        source_prefix=source_prefix,
        after=after,
        limit=limit,
    )
    return [EmbeddedChunk(**row) for row in rows]


def list_sampled_embeddings(session: Session, space_id: uuid.UUID, chunk_ids: Sequence[str]) -> list[EmbeddedChunk]:
    """The current embeddings of some chunks, in order of position."""
    rows = session.rows("list_sampled_embeddings", embedding_space_id=space_id, chunk_ids=list(chunk_ids))
    return [EmbeddedChunk(**row) for row in rows]


def insert_replacements(
    session: Session,
    replacements: Sequence[Replacement],
    vectors: NDArray[np.float32],
    run_id: uuid.UUID,
    now: datetime,
) -> None:
    """Log what becomes of embeddings that are still what they were, for the two functions below.

    `vectors` has shape (len(replacements), dimensions); the row of one that is taken away means nothing.
    """
    rows = ((str(one.embedding_id), one.old_vector_sha256, one.new_vector_sha256) for one in replacements)
    staged: pa.Table = table_of(_COLUMNS, rows).append_column("vector", vector_column(vectors))
    session.stage("staged_replacements", staged)
    session.execute("insert_replacements", run_id=run_id, now=now)


def update_embedding_vectors(session: Session, run_id: uuid.UUID) -> int:
    """Give the embeddings that were just logged their new vectors; returns how many."""
    return session.execute("update_embedding_vectors", run_id=run_id)


def delete_derived_embeddings(session: Session, derived_space_ids: Sequence[uuid.UUID]) -> int:
    """Take away what derived spaces made of the vectors that were just logged, before they change; returns how many."""
    return session.execute("delete_derived_embeddings", derived_space_ids=[str(one) for one in derived_space_ids])


def delete_some_embeddings(session: Session, space_ids: Sequence[uuid.UUID], limit: int) -> int:
    """Take up to `limit` embeddings of some spaces away, whatever they are of; returns how many."""
    return session.execute("delete_some_embeddings", space_ids=[str(one) for one in space_ids], limit=limit)


def delete_rejected_embeddings(session: Session) -> int:
    """Take the embeddings away that were just logged without a new vector; returns how many."""
    return session.execute("delete_rejected_embeddings")


def list_history_embeddings(session: Session, space_id: uuid.UUID, limit: int) -> list[Replacement]:
    """Embeddings of contents that are not current, as what is taken away."""
    rows = session.rows("list_history_embeddings", embedding_space_id=space_id, limit=limit)
    return [Replacement(**row, new_vector_sha256=None) for row in rows]


def list_reembeddings(session: Session, space_id: uuid.UUID, limit: int) -> list[EarlierRun]:
    """The latest runs that embedded a space again, the newest first; not those of other programs."""
    found = []
    for row in session.rows("list_reembeddings", embedding_space_id=space_id, limit=limit):
        try:
            options = json.loads(row["options_json"] or "{}")
            reached = Reached(**options.get("reached", {}))
            earlier = {"source_prefix": options["source"], "canary_id": options.get("canary_id", "")}
            found.append(EarlierRun(status=row["status"], reached=reached, **earlier))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found
