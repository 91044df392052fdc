"""Taking snapshots: what a space holds now, as a list under a name that never means another one."""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime

import pyarrow.compute as pc

from holocron_assets.clock import utc_now
from holocron_assets.drift.membership import membership_sha256
from holocron_assets.errors import ConfigurationError, NotReadyError
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.stages.windows import find_snapshot, keys_of
from holocron_assets.tables import drift_windows
from holocron_assets.tables.drift_windows import Snapshot
from holocron_assets.transactions import read, write

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def take_snapshot(store: Store, space: EmbeddingSpace, name: str) -> Snapshot:
    """Keep under `name` which chunks the space holds.

    Raises `ConfigurationError` for a name that is taken or cannot be one, and `NotReadyError` where the space is empty,
    or another run changed it meanwhile.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} cannot name a snapshot: letters, digits, dots, - and _, at most 100 of them"
        )
    members = read(store, _members, space, name)
    snapshot = Snapshot(
        snapshot_id=uuid.uuid4(),
        embedding_space_id=space.embedding_space_id,
        name=name,
        document_count=members.documents,
        chunk_count=members.chunks,
        membership_sha256=members.sha256,
        created_utc=members.as_of,
    )
    return write(store, keep_snapshot, space, snapshot)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Members:
    as_of: datetime
    documents: int
    chunks: int
    sha256: str


def _members(session: Session, space: EmbeddingSpace, name: str) -> _Members:
    """What the space holds, counted and digested by a session that keeps nobody from writing."""
    if one := find_snapshot(session, space, name):
        raise ConfigurationError(
            f"space {space.slug} has a snapshot {one.name} of {one.created_utc:%Y-%m-%d %H:%M}, and it stays what it "
            "is. Take another name."
        )
    as_of = utc_now()
    keys = keys_of(drift_windows.list_window_chunks(session, space.embedding_space_id, as_of))
    if not keys.num_rows:
        raise NotReadyError(f"space {space.slug} holds nothing to take a snapshot of; fill it first")
    documents = pc.count_distinct(keys.column("source_id"), mode="all").as_py()
    return _Members(as_of=as_of, documents=documents, chunks=keys.num_rows, sha256=membership_sha256(keys))


def keep_snapshot(session: Session, space: EmbeddingSpace, snapshot: Snapshot) -> Snapshot:
    """Write a snapshot and its chunks, in one transaction; raises as `take_snapshot`."""
    if snapshot.snapshot_id in {one.snapshot_id for one in drift_windows.list_snapshots(session)}:
        return snapshot  # the answer to an earlier commit was lost
    if not drift_windows.insert_snapshot(session, snapshot):
        raise ConfigurationError(f"space {space.slug} has a snapshot {snapshot.name} by now. Take another name.")
    written = drift_windows.insert_snapshot_chunks(session, snapshot)
    if written != snapshot.chunk_count:
        # What was written goes with the transaction.
        raise NotReadyError(
            f"space {space.slug} had {snapshot.chunk_count} chunks when they were counted, and {written} when they "
            "were kept: another run writes to it. Take the snapshot again."
        )
    return snapshot
