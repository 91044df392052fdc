"""Canaries: what a space answered to its anchors when it was registered."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from holocron_assets.anchors import Anchor
from holocron_assets.identity import canonical_json, text_sha256
from holocron_assets.ports import Session
from holocron_assets.tables.staging import TEXT, table_of, vector_column
from holocron_assets.vectors import rows_of, vector_sha256

_COLUMNS = dict.fromkeys(("anchor_sha256", "kind", "content", "vector_sha256"), TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """When and by what the anchors of a space were embedded.

    `repeatability` is the largest relative Euclidean distance between two answers of that day to one anchor. While it
    is not complete, the space holds vectors of this model beside those of another.
    """

    canary_id: uuid.UUID
    repeatability: float
    runtime: Mapping[str, str]
    recorded_utc: datetime
    is_complete: bool = True


def insert_canary(session: Session, canary: Canary, space_id: uuid.UUID) -> None:
    """Record a canary of a space; from now on it is the one that counts."""
    session.execute(
        "insert_canary",
        canary_id=canary.canary_id,
        embedding_space_id=space_id,
        repeatability=canary.repeatability,
        runtime_json=canonical_json(dict(canary.runtime)),
        now=canary.recorded_utc,
        completed_utc=canary.recorded_utc if canary.is_complete else None,
    )


def update_canary_completed(session: Session, canary_id: uuid.UUID, now: datetime) -> int:
    """Record that the space holds vectors of this model only; returns 1 unless that was recorded before."""
    return session.execute("update_canary_completed", canary_id=canary_id, now=now)


def insert_anchors(session: Session, canary: Canary, anchors: Sequence[Anchor], vectors: NDArray[np.float32]) -> None:
    """Record the anchors of a canary; `vectors` has shape (len(anchors), dimensions)."""
    rows = (
        (text_sha256(anchor.text), anchor.kind, anchor.text, vector_sha256(vector))
        for anchor, vector in zip(anchors, vectors, strict=True)
    )
    staged: pa.Table = table_of(_COLUMNS, rows).append_column("vector", vector_column(vectors))
    session.stage("staged_anchors", staged)
    session.execute("insert_anchors", canary_id=canary.canary_id)


def get_canary(session: Session, space_id: uuid.UUID) -> Canary | None:
    """The canary of a space that counts; None for a space that another program registered, or an older version."""
    rows = session.rows("get_canary", embedding_space_id=space_id)
    return _canary(rows[0]) if rows else None


def list_canaries(session: Session, space_id: uuid.UUID) -> list[Canary]:
    """Every canary of a space, the newest first."""
    return [_canary(row) for row in session.rows("list_canaries", embedding_space_id=space_id)]


def list_anchors(session: Session, canary: Canary, dimensions: int) -> tuple[list[Anchor], NDArray[np.float32]]:
    """The anchors of a canary, and their vectors of shape (n, dimensions)."""
    anchors: list[Anchor] = []
    vectors = [np.empty((0, dimensions), np.float32)]
    for batch in session.stream("list_anchors", canary_id=canary.canary_id):
        anchors += [
            Anchor(kind=kind.as_py(), text=content.as_py())
            for kind, content in zip(batch.column("kind"), batch.column("content"), strict=True)
        ]
        vectors.append(rows_of(batch.column("vector"), dimensions))
    return anchors, np.concatenate(vectors)


def _canary(row: Mapping[str, Any]) -> Canary:
    return Canary(
        canary_id=row["canary_id"],
        repeatability=row["repeatability"],
        runtime=json.loads(row["runtime_json"]),
        recorded_utc=row["recorded_utc"],
        is_complete=row["completed_utc"] is not None,
    )
