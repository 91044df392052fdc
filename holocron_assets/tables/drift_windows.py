"""What a space holds or held: windows by time, and named snapshots."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from holocron_assets.ports import Session

#: Before and after every record: what a window reaches to that has no end there.
EARLIEST, LATEST = datetime(1, 1, 1), datetime(9999, 1, 1)  # noqa: DTZ001 - times are naive UTC throughout
_NO_SNAPSHOT = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A list of the chunks that a space held, and of their contents; it never changes.

    `membership_sha256` is the digest of `chunk_id:content_sha256` and a line feed for each, by chunk id.
    """

    snapshot_id: uuid.UUID
    embedding_space_id: uuid.UUID
    name: str
    document_count: int
    chunk_count: int
    membership_sha256: str
    created_utc: datetime


def list_window_chunks(
    session: Session,
    space_id: uuid.UUID,
    as_of: datetime,
    *,
    since: datetime = EARLIEST,
    until: datetime = LATEST,
    without: uuid.UUID | None = None,
) -> Iterator[pa.RecordBatch]:
    """What was current `as_of` and has a vector, of texts fetched from `since` on and before `until`, by chunk id.

    `without` leaves out what a snapshot holds. Columns: chunk_id, content_sha256, source_id, byte_count, language and
    origin (source system and name).
    """
    return session.stream(
        "list_window_chunks",
        embedding_space_id=space_id,
        as_of=as_of,
        since=since,
        until=until,
        snapshot_id=without or _NO_SNAPSHOT,
    )


def list_snapshot_window(session: Session, snapshot: Snapshot) -> Iterator[pa.RecordBatch]:
    """The same columns of what a snapshot holds, as far as the store still has the vectors."""
    return session.stream(
        "list_snapshot_window",
        snapshot_id=snapshot.snapshot_id,
        embedding_space_id=snapshot.embedding_space_id,
    )


def list_space_vectors(session: Session, space_id: uuid.UUID) -> Iterator[pa.RecordBatch]:
    """chunk_id, content_sha256 and vector of all that a space holds, history too, in no order."""
    return session.stream("list_space_vectors", embedding_space_id=space_id)


def get_newest_fetch(session: Session, space_id: uuid.UUID) -> datetime | None:
    """When the newest record was fetched that a source in the space stands on; None where there is none."""
    found: datetime | None = session.rows("get_newest_fetch", embedding_space_id=space_id)[0]["fetched_at_utc"]
    return found


def list_chunk_titles(session: Session, chunk_ids: Sequence[str]) -> dict[str, str]:
    """The title of the source of each chunk, or how the chunk begins."""
    rows = session.rows("list_chunk_titles", chunk_ids=list(chunk_ids))
    return {row["chunk_id"]: row["title"] for row in rows}


def insert_snapshot_chunks(session: Session, snapshot_id: uuid.UUID, space_id: uuid.UUID) -> int:
    """Let a snapshot hold what the space holds now; returns how many chunks."""
    return session.execute("insert_snapshot_chunks", snapshot_id=snapshot_id, embedding_space_id=space_id)


def list_snapshot_chunks(session: Session, snapshot_id: uuid.UUID) -> Iterator[pa.RecordBatch]:
    """chunk_id, content_sha256, source_id and is_retired of what a snapshot holds, by chunk id.

    Retired is also a chunk that has another content by now.
    """
    return session.stream("list_snapshot_chunks", snapshot_id=snapshot_id)


def insert_snapshot(session: Session, snapshot: Snapshot) -> int:
    """Record a snapshot; returns 0 where the space has one of this name."""
    return session.execute(
        "insert_snapshot",
        snapshot_id=snapshot.snapshot_id,
        embedding_space_id=snapshot.embedding_space_id,
        name=snapshot.name,
        document_count=snapshot.document_count,
        chunk_count=snapshot.chunk_count,
        membership_sha256=snapshot.membership_sha256,
        now=snapshot.created_utc,
    )


def list_snapshots(session: Session) -> list[Snapshot]:
    """Every snapshot, the oldest first."""
    return [Snapshot(**row) for row in session.rows("list_snapshots")]
