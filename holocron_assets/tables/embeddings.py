"""Embeddings: what is pending, writing them, and the nearest to a vector."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from holocron_assets.ports import Session
from holocron_assets.records import Embedding
from holocron_assets.tables.staging import TEXT, table_of, vector_column

#: Where a row stands in an order of the store's own choosing, in which neighbours are cheap to read together: what is
#: stored beside it where a database tells, else the key. Only ever handed back.
Position = int | str

_CLOCKS_DIFFER = timedelta(minutes=1)
_KEYS = dict.fromkeys(("embedding_id", "chunk_id", "input_content_sha256", "vector_sha256"), TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCount:
    """Current chunks without a vector in a space; `quarantined` of them are held back."""

    pending: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingCount:
    """Current chunks that a space neither has a vector of nor holds back; `came` of them since some time."""

    missing: int
    came: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingChunk:
    """A chunk to embed."""

    position: Position
    chunk_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkKey:
    """A chunk, and which of its contents is meant."""

    chunk_id: str
    content_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkContent(ChunkKey):
    """A current chunk's content."""

    content: str


def count_pending_chunks(session: Session, space_id: uuid.UUID) -> PendingCount:
    """How many current chunks a space has no vector of."""
    row = session.rows("count_pending_chunks", embedding_space_id=space_id, space_scope=str(space_id))[0]
    return PendingCount(**row)


def count_missing_chunks(session: Session, space_id: uuid.UUID, since: datetime, now: datetime) -> MissingCount:
    """How many current chunks a space lacks, and how many of them are current only since `since`.

    Times of the future, of a clock that was put back, count as before, unless two hosts may disagree by as much.
    """
    row = session.rows(
        "count_missing_chunks",
        embedding_space_id=space_id,
        space_scope=str(space_id),
        since=since,
        until=now + _CLOCKS_DIFFER,
    )[0]
    return MissingCount(**row)


def list_pending_chunks(
    session: Session, space_id: uuid.UUID, *, after: Position | None, limit: int
) -> list[PendingChunk]:
    """The next chunks to embed beyond position `after`, or from the first on, in order of position."""
    rows = session.rows(
        "list_pending_chunks", embedding_space_id=space_id, space_scope=str(space_id), after=after, limit=limit
    )
    return [PendingChunk(**row) for row in rows]


def get_pending_chunk(session: Session, space_id: uuid.UUID) -> str | None:
    """A current chunk that a space has no vector of, and that is not held back; None when there is none."""
    rows = session.rows("get_pending_chunk", embedding_space_id=space_id, space_scope=str(space_id))
    return rows[0]["chunk_id"] if rows else None


def list_chunk_contents(session: Session, chunks: Sequence[PendingChunk]) -> list[ChunkContent]:
    """The contents of chunks of one page, in order of position, without those retired since."""
    rows = session.rows(
        "list_chunk_contents",
        first_position=chunks[0].position,
        last_position=chunks[-1].position,
        chunk_ids=[chunk.chunk_id for chunk in chunks],
    )
    contents = {row["chunk_id"]: ChunkContent(**row) for row in rows}
    return [contents[chunk.chunk_id] for chunk in chunks if chunk.chunk_id in contents]


def insert_embeddings(
    session: Session,
    embeddings: Sequence[Embedding],
    vectors: NDArray[np.float32],
    space_id: uuid.UUID,
    run_id: uuid.UUID,
    now: datetime,
) -> int:
    """Insert embeddings whose chunks still have the content that was embedded; returns how many were new.

    `vectors` has shape (len(embeddings), dimensions).
    """
    rows = (
        (str(item.embedding_id), item.chunk_id, item.input_content_sha256, item.vector_sha256) for item in embeddings
    )
    staged: pa.Table = table_of(_KEYS, rows).append_column("vector", vector_column(vectors))
    session.stage("staged_embeddings", staged)
    return session.execute("insert_embeddings", embedding_space_id=space_id, run_id=run_id, now=now)


def mark_indexed_sources(session: Session, now: datetime) -> int:
    """Mark the pending sources whose chunks every active space has, or holds back with a reason; returns how many."""
    return session.execute("mark_indexed_sources", now=now)


def list_current_vectors(
    session: Session, space_id: uuid.UUID, query: NDArray[np.float32], limit: int
) -> Iterator[pa.RecordBatch]:
    """chunk_id and vector of current chunks of a space, in no order, among them the `limit` nearest to `query`.

    Of all of them, unless the database compares vectors itself. `query` has shape (dimensions,).
    """
    near = session.near_vectors(space_id, query, limit)
    return session.stream("list_current_vectors", embedding_space_id=space_id) if near is None else near
