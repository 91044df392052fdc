"""Counts, samples and distributions, for people."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from holocron_assets.ports import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much there is of everything."""

    records: int
    present_sources: int
    vanished_sources: int
    redirects: int
    unread_sources: int
    sources_in_error: int
    pending_sources: int
    current_texts: int
    retired_texts: int
    current_chunks: int
    retired_chunks: int
    embeddings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordKind:
    """Ingest records of one kind."""

    source_system: str
    source_name: str
    resource_type: str
    variant: str
    n: int
    newest_fetch_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleText:
    """The beginning of a text."""

    source_id: str
    title: str | None
    character_count: int
    extractor: str
    beginning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleChunk:
    """The beginning of a chunk."""

    chunk_id: str
    title: str | None
    byte_count: int
    beginning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthCount:
    """How many things have from `length` up to the next length in the list."""

    length: int
    n: int


def get_counts(session: Session) -> Counts:
    """How much there is of everything."""
    return Counts(**session.rows("get_counts")[0])


def list_embedding_counts(session: Session) -> dict[uuid.UUID, int]:
    """How many embeddings each space has, current and historic."""
    return {row["embedding_space_id"]: row["n"] for row in session.rows("list_embedding_counts")}


def list_record_kinds(session: Session, limit: int) -> list[RecordKind]:
    """The commonest kinds of ingest records."""
    return [RecordKind(**row) for row in session.rows("list_record_kinds", limit=limit)]


def list_sample_texts(session: Session, limit: int) -> list[SampleText]:
    """The beginnings of the newest texts."""
    return [SampleText(**row) for row in session.rows("list_sample_texts", limit=limit)]


def list_sample_chunks(session: Session, limit: int) -> list[SampleChunk]:
    """The beginnings of the newest chunks."""
    return [SampleChunk(**row) for row in session.rows("list_sample_chunks", limit=limit)]


def list_text_lengths(session: Session) -> list[LengthCount]:
    """Current texts by their length in characters, in powers of two."""
    return [LengthCount(**row) for row in session.rows("list_text_lengths")]


def list_chunk_lengths(session: Session) -> list[LengthCount]:
    """Current chunks by their length in bytes, in steps of 200."""
    return [LengthCount(**row) for row in session.rows("list_chunk_lengths")]
