"""Chunks and their history, and which sources wait to be chunked."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from holocron_assets.chunking import ChunkingPolicy
from holocron_assets.identity import canonical_json, text_id
from holocron_assets.ports import Session
from holocron_assets.records import Chunk, ChunkedSource
from holocron_assets.tables.staging import INTEGER, TEXT, table_of

_CHUNK = dict.fromkeys(
    (
        "chunk_id",
        "source_id",
        "source_type",
        "source_ref_json",
        "offsets_json",
        "content",
        "content_sha256",
        "policy_json",
        "text_sha256",
        "extractor",
        "extractor_version",
    ),
    TEXT,
) | {"byte_count": INTEGER}
_CHUNKED_SOURCE = {
    "source_id": TEXT,
    "text_sha256": TEXT,
    "chunk_count": INTEGER,
    "omitted_character_count": INTEGER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkingBacklog:
    """What chunking would do, from keys and counts. See the query."""

    current_sources: int
    current_chunks: int
    pending_sources: int
    vanishing_sources: int
    recut_chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingText:
    """A source whose chunks do not come from its current text; `text_sha256` is None where it has none."""

    source_id: str
    source_type: str
    source_ref_json: str
    text_sha256: str | None
    character_count: int | None
    extractor: str | None
    extractor_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkChanges:
    """How many chunks become current that were not, and how many that were get another content."""

    added: int
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkState:
    """A chunk without its content."""

    chunk_id: str
    source_id: str
    content_sha256: str
    text_sha256: str | None
    is_current: bool


def insert_chunk_policy(session: Session, policy: ChunkingPolicy, now: datetime) -> None:
    """Bind a policy's version to its parameters, unless it is bound already."""
    session.execute(
        "insert_chunk_policy",
        policy_version=policy.version,
        policy_json=canonical_json(policy.parameters()),
        now=now,
    )


def get_chunk_policy(session: Session, policy_version: str) -> str | None:
    """The parameters that a policy's version is bound to, as JSON."""
    rows = session.rows("get_chunk_policy", policy_version=policy_version)
    return rows[0]["policy_json"] if rows else None


def get_chunking_backlog(session: Session, policy_version: str) -> ChunkingBacklog:
    """What chunking under this policy would do."""
    row = session.rows("get_chunking_backlog", policy_version=policy_version)[0]
    return ChunkingBacklog(**{name: int(value) for name, value in row.items()})


def list_pending_texts(session: Session, policy_version: str, limit: int) -> list[PendingText]:
    """The next sources to chunk."""
    return [
        PendingText(**row) for row in session.rows("list_pending_texts", policy_version=policy_version, limit=limit)
    ]


def list_text_contents(session: Session, keys: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The texts of some sources by source id; `keys` are (source_id, text_sha256)."""
    text_ids = [str(text_id(source_id, text_sha256)) for source_id, text_sha256 in keys]
    return {row["source_id"]: row["content"] for row in session.rows("list_text_contents", text_ids=text_ids)}


def list_chunk_states(session: Session, source_ids: Sequence[str]) -> list[ChunkState]:
    """Every chunk that some sources ever had."""
    return [ChunkState(**row) for row in session.rows("list_chunk_states", source_ids=list(source_ids))]


def stage_chunks(session: Session, sources: Sequence[ChunkedSource], chunks: Sequence[Chunk]) -> None:
    """Stage the whole new cut of some sources: what the statements below read."""
    session.stage(
        "staged_chunked_sources",
        table_of(
            _CHUNKED_SOURCE,
            ((s.source_id, s.text_sha256, s.chunk_count, s.omitted_character_count) for s in sources),
        ),
    )
    session.stage("staged_chunks", table_of(_CHUNK, ([getattr(chunk, name) for name in _CHUNK] for chunk in chunks)))


def get_chunk_changes(session: Session) -> ChunkChanges:
    """What writing the staged chunks will add and change."""
    return ChunkChanges(**session.rows("get_chunk_changes")[0])


def retire_chunks(session: Session, now: datetime) -> int:
    """Retire the staged sources' current chunks that are not staged; returns how many."""
    return session.execute("retire_chunks", now=now)


def close_chunk_versions(session: Session, now: datetime) -> int:
    """End the versions that the staged cut ends."""
    return session.execute("close_chunk_versions", now=now)


def update_chunks(session: Session, run_id: uuid.UUID) -> int:
    """Bring the staged chunks that exist up to date; returns how many changed."""
    return session.execute("update_chunks", run_id=run_id)


def insert_chunks(session: Session, run_id: uuid.UUID, now: datetime) -> int:
    """Insert the staged chunks that do not exist; returns how many."""
    return session.execute("insert_chunks", run_id=run_id, now=now)


def insert_chunk_versions(session: Session, policy_version: str, run_id: uuid.UUID, now: datetime) -> int:
    """Begin a version for each staged chunk that has none open."""
    return session.execute("insert_chunk_versions", policy_version=policy_version, run_id=run_id, now=now)


def update_chunked_sources(session: Session, policy_version: str, now: datetime) -> int:
    """Record on the staged sources what they were cut into."""
    return session.execute("update_chunked_sources", policy_version=policy_version, now=now)
