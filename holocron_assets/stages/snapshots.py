"""Taking snapshots: what a space holds now, as a list under a name that never means another one."""

import hashlib
import re
import uuid

from holocron_assets.clock import utc_now
from holocron_assets.errors import ConfigurationError, NotReadyError
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.tables import drift_windows
from holocron_assets.tables.drift_windows import Snapshot
from holocron_assets.transactions import write

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def take_snapshot(store: Store, space: EmbeddingSpace, name: str) -> Snapshot:
    """Keep under `name` which chunks the space holds, in one transaction.

    Raises `ConfigurationError` for a name that is taken or cannot be one, and `NotReadyError` where the space is empty.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} cannot name a snapshot: letters, digits, dots, - and _, at most 100 of them"
        )
    return write(store, _take, space, name, uuid.uuid4())


def _take(session: Session, space: EmbeddingSpace, name: str, snapshot_id: uuid.UUID) -> Snapshot:
    for one in drift_windows.list_snapshots(session):
        if (one.embedding_space_id, one.name) == (space.embedding_space_id, name):
            if one.snapshot_id == snapshot_id:
                return one  # the answer to an earlier commit was lost
            raise ConfigurationError(
                f"space {space.slug} has a snapshot {name} of {one.created_utc:%Y-%m-%d %H:%M}, and it stays what it "
                "is. Take another name."
            )
    if not drift_windows.insert_snapshot_chunks(session, snapshot_id, space.embedding_space_id):
        raise NotReadyError(f"space {space.slug} holds nothing to take a snapshot of; fill it first")
    digest, chunks, documents = hashlib.sha256(), 0, set[str | None]()
    for batch in drift_windows.list_snapshot_chunks(session, snapshot_id):
        ids, contents = batch.column("chunk_id").to_pylist(), batch.column("content_sha256").to_pylist()
        digest.update("".join(f"{one}:{content}\n" for one, content in zip(ids, contents, strict=True)).encode())
        documents.update(batch.column("source_id").to_pylist())
        chunks += batch.num_rows
    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        embedding_space_id=space.embedding_space_id,
        name=name,
        document_count=len(documents),
        chunk_count=chunks,
        membership_sha256=digest.hexdigest(),
        created_utc=utc_now(),
    )
    drift_windows.insert_snapshot(session, snapshot)
    return snapshot
