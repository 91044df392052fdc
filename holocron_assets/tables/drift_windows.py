"""What a space holds or held: windows by time, and named snapshots."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from holocron_assets.ports import Session

#: Before and after every record: what a window reaches to that has no end there. In whole seconds, which no driver
#: rounds up to a time that a database has not.
EARLIEST, LATEST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - naive UTC throughout
_NO_SNAPSHOT = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A list of the chunks that a space held, and of their contents; it never changes.

    `membership_sha256` is the digest of that list: see `holocron_assets.drift.membership`.
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
) -> Iterator[pa.RecordBatch]:
    """What was current `as_of` and had a vector, of texts fetched from `since` on and before `until`, in no order.

    Columns: chunk_id, content_sha256, source_id, byte_count, language, origin (source system and name), fetched_utc.
    """
    return session.stream(
        "list_window_chunks",
        embedding_space_id=space_id,
        as_of=as_of,
        since=since,
        until=until,
    )


def list_snapshot_window(session: Session, snapshot: Snapshot, as_of: datetime) -> Iterator[pa.RecordBatch]:
    """The same columns of what a snapshot holds, as far as the store still has vectors that were there `as_of`."""
    return session.stream(
        "list_snapshot_window",
        snapshot_id=snapshot.snapshot_id,
        embedding_space_id=snapshot.embedding_space_id,
        as_of=as_of,
    )


def list_snapshot_chunks(session: Session, snapshot_id: uuid.UUID) -> Iterator[pa.RecordBatch]:
    """chunk_id and content_sha256 of all that a snapshot holds, in no order."""
    return session.stream("list_snapshot_chunks", snapshot_id=snapshot_id)


def count_vanished_documents(session: Session, snapshot_id: uuid.UUID, as_of: datetime) -> int:
    """How many documents of a snapshot had no current chunk any more `as_of`, with a vector or without."""
    count: int = session.rows("count_vanished_documents", snapshot_id=snapshot_id, as_of=as_of)[0]["n"]
    return count


def list_space_vectors(
    session: Session, space_id: uuid.UUID, as_of: datetime, snapshot_id: uuid.UUID | None = None
) -> Iterator[pa.RecordBatch]:
    """chunk_id, content_sha256 and vector of what a space held `as_of` and of what a snapshot holds, in no order."""
    return session.stream(
        "list_space_vectors", embedding_space_id=space_id, as_of=as_of, snapshot_id=snapshot_id or _NO_SNAPSHOT
    )


def get_newest_fetch(session: Session, space_id: uuid.UUID, as_of: datetime) -> datetime | None:
    """When the newest text was fetched first that was current in the space `as_of`; None where there is none."""
    rows = session.rows("get_newest_fetch", embedding_space_id=space_id, as_of=as_of)
    found: datetime | None = rows[0]["fetched_at_utc"]
    return found


def list_chunk_titles(session: Session, chunk_ids: Sequence[str]) -> dict[str, str]:
    """The title of the source of each chunk, or how the chunk begins."""
    rows = session.rows("list_chunk_titles", chunk_ids=list(chunk_ids))
    return {row["chunk_id"]: row["title"] for row in rows}


def insert_snapshot_chunks(session: Session, snapshot: Snapshot) -> int:
    """Let a snapshot hold what its space held when it was made; returns how many chunks."""
    return session.execute(
        "insert_snapshot_chunks",
        snapshot_id=snapshot.snapshot_id,
        embedding_space_id=snapshot.embedding_space_id,
        as_of=snapshot.created_utc,
    )


def insert_snapshot(session: Session, snapshot: Snapshot) -> int:
    """Record a snapshot; returns 0 where the space has one of this name, in capitals or small letters."""
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
