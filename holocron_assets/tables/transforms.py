"""Derived spaces: their transforms, what they were fitted on, and the vectors that are transformed."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from holocron_assets.identity import canonical_json, embedding_id
from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace
from holocron_assets.tables.embeddings import ChunkKey, Position
from holocron_assets.vectors import faults, rows_of, vector_sha256

#: For more keys than these DuckDB reads the whole table (`dynamic_or_filter_threshold`).
LOOKED_UP_AT_ONCE = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTransform:
    """How a derived space's vectors are made of those of its source, and what that was fitted on."""

    embedding_space_id: uuid.UUID
    source_space_id: uuid.UUID
    transform_ref: str
    kind: str
    parameters: Mapping[str, Any]
    artefact_sha256: str
    sample: Mapping[str, Any]
    created_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivableChunk(ChunkKey):
    """A pending chunk whose vector the source has; or none, for this `reason`, and never will of this content."""

    position: Position
    reason: str | None


def insert_transform(session: Session, transform: StoredTransform, artefact: bytes) -> bool:
    """Store a transform beside its space; False when it is stored already."""
    inserted = session.execute(
        "insert_transform",
        embedding_space_id=transform.embedding_space_id,
        source_space_id=transform.source_space_id,
        transform_ref=transform.transform_ref,
        kind=transform.kind,
        parameters_json=canonical_json(dict(transform.parameters)),
        artefact_hex=artefact.hex(),
        artefact_sha256=transform.artefact_sha256,
        sample_json=canonical_json(dict(transform.sample)),
        now=transform.created_utc,
    )
    return inserted > 0


def list_transforms(session: Session) -> dict[uuid.UUID, StoredTransform]:
    """Every stored transform, by the space that it makes."""
    return {
        row["embedding_space_id"]: StoredTransform(
            embedding_space_id=row["embedding_space_id"],
            source_space_id=row["source_space_id"],
            transform_ref=row["transform_ref"],
            kind=row["kind"],
            parameters=json.loads(row["parameters_json"]),
            artefact_sha256=row["artefact_sha256"],
            sample=json.loads(row["sample_json"]),
            created_utc=row["created_utc"],
        )
        for row in session.rows("list_transforms")
    }


def list_artefacts(session: Session, space_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, bytes]:
    """The artefacts of some derived spaces."""
    rows = session.rows("list_artefacts", embedding_space_ids=[str(key) for key in space_ids])
    return {row["embedding_space_id"]: bytes(row["artefact"]) for row in rows}


def list_embedded_chunks(session: Session, space_id: uuid.UUID, limit: int) -> list[ChunkKey]:
    """The first current chunks that a space has a vector of, in order of their ids."""
    rows = session.rows("list_embedded_chunks", embedding_space_id=space_id, limit=limit)
    return [ChunkKey(**row) for row in rows]


def list_derivable_chunks(
    session: Session, space_id: uuid.UUID, source_id: uuid.UUID, *, after: Position | None, limit: int
) -> list[DerivableChunk]:
    """The next chunks that a derived space lacks and can have, beyond position `after`, in order of position."""
    rows = session.rows(
        "list_derivable_chunks",
        embedding_space_id=space_id,
        space_scope=str(space_id),
        source_space_id=source_id,
        source_scope=str(source_id),
        after=after,
        limit=limit,
    )
    return [DerivableChunk(**row) for row in rows]


def list_vectors(
    session: Session, space: EmbeddingSpace, chunks: Sequence[ChunkKey]
) -> tuple[list[ChunkKey], NDArray[np.float32]]:
    """The vectors of up to `LOOKED_UP_AT_ONCE` chunks, shape (n, dimensions), and the n chunks, in the order given.

    Without those that are not there, are not what their hash says, or are no vectors of the space.
    """
    keys = [str(embedding_id(one.chunk_id, space.embedding_space_id, one.content_sha256)) for one in chunks]
    found: dict[str, NDArray[np.float32]] = {}
    for batch in session.stream("list_vectors", embedding_ids=keys):
        # By DLPack, because `to_numpy` loads pandas.
        lengths = np.diff(np.from_dlpack(batch.column("vector").offsets))
        fits = lengths == space.dimensions
        whole = batch if fits.all() else batch.filter(pa.array(fits))
        vectors = rows_of(whole.column("vector"), space.dimensions)
        wrong = {int(row) for rows in faults(vectors, normalized=space.normalize).values() for row in rows}
        columns = (whole.column(name).to_pylist() for name in ("chunk_id", "vector_sha256"))
        for row, (chunk_id, digest) in enumerate(zip(*columns, strict=True)):
            if row not in wrong and vector_sha256(vectors[row]) == digest:
                found[chunk_id] = vectors[row]
    present = [one for one in chunks if one.chunk_id in found]
    matrix = np.array([found[one.chunk_id] for one in present], np.float32)
    return present, matrix.reshape(-1, space.dimensions)
