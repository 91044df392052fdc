"""The links of the chain from an ingest record to a vector, as plain rows: they are shown, not computed with."""

import uuid
from collections.abc import Sequence
from typing import Any

from holocron_assets.ports import Session


def list_chunks_by_prefix(session: Session, prefix: str) -> list[dict[str, Any]]:
    """The chunk whose id begins so; two where the beginning is not enough to tell."""
    return session.rows("list_chunks_by_prefix", prefix=prefix)


def list_chunk_versions(session: Session, chunk_id: str) -> list[dict[str, Any]]:
    """Every state of a chunk, the first one first."""
    return session.rows("list_chunk_versions", chunk_id=chunk_id)


def list_texts_of_source(session: Session, source_id: str) -> list[dict[str, Any]]:
    """Every text that a source has or had, without its content."""
    return session.rows("list_texts_of_source", source_id=source_id)


def list_records_of_source(session: Session, source_id: str) -> list[dict[str, Any]]:
    """Every examined record of a source, without its payload."""
    return session.rows("list_records_of_source", source_id=source_id)


def list_embeddings_of_chunk(session: Session, chunk_id: str) -> list[dict[str, Any]]:
    """Every embedding of a chunk in any space, without its vector."""
    return session.rows("list_embeddings_of_chunk", chunk_id=chunk_id)


def list_runs(session: Session, run_ids: Sequence[uuid.UUID]) -> list[dict[str, Any]]:
    """Some runs with their jobs."""
    return session.rows("list_runs", run_ids=[str(run) for run in run_ids])


def get_text_of_chunk_version(session: Session, source_id: str, text_sha256: str) -> str | None:
    """The text that a state of a chunk was cut from."""
    rows = session.rows("get_text_of_chunk_version", source_id=source_id, text_sha256=text_sha256)
    return rows[0]["content"] if rows else None
