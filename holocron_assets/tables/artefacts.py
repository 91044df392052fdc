"""Ended runs and what they left: plain rows, because they are written to files and not computed with."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from holocron_assets.ports import Session

#: A row of a page, after which the next page begins; none before the first.
After = Mapping[str, Any] | None

_BEGINNING = datetime(1900, 1, 1)  # noqa: DTZ001 - times are naive UTC throughout


def get_run(session: Session, run_id: uuid.UUID) -> dict[str, Any] | None:
    """A run with its job, whatever became of it."""
    rows = session.rows("get_run", run_id=run_id)
    return rows[0] if rows else None


def list_ended_runs(session: Session) -> list[uuid.UUID]:
    """Every run that ended, the oldest first."""
    return [row["run_id"] for row in session.rows("list_ended_runs")]


def list_chunks_of_run(session: Session, run_id: uuid.UUID, *, after: After, limit: int) -> Iterator[pa.RecordBatch]:
    """The states of chunks that a run wrote, without their contents, in order of ids and times."""
    return session.stream(
        "list_chunks_of_run",
        run_id=run_id,
        after_chunk_id=after["chunk_id"] if after else "",
        after_utc=after["valid_from_utc"] if after else _BEGINNING,
        limit=limit,
    )


def list_embeddings_of_run(
    session: Session, run_id: uuid.UUID, space_id: uuid.UUID, *, after: After, limit: int
) -> Iterator[pa.RecordBatch]:
    """The embeddings that a run wrote in its space, without their vectors, in order of chunks and contents."""
    return session.stream(
        "list_embeddings_of_run",
        run_id=run_id,
        embedding_space_id=space_id,
        after_chunk_id=after["chunk_id"] if after else "",
        after_content_sha256=after["input_content_sha256"] if after else "",
        limit=limit,
    )


def list_failures_of_run(session: Session, run_id: uuid.UUID, *, after: After, limit: int) -> Iterator[pa.RecordBatch]:
    """The items that a run put into quarantine, in order of a hash of their keys."""
    return session.stream(
        "list_failures_of_run", run_id=run_id, after_item_key=after["item_key"] if after else "", limit=limit
    )
