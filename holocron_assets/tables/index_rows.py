"""What search indexes are made of: the current vectors of a space and what belongs to them."""

import uuid
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from holocron_assets.ports import Session


def get_index_state(session: Session, space_id: uuid.UUID) -> Mapping[str, str]:
    """What differs, in one or another value, whenever an index of the space would."""
    row = session.rows("get_index_state", embedding_space_id=space_id)[0]
    return {name: str(value) for name, value in row.items()}


def list_index_keys(session: Session, space_id: uuid.UUID) -> Iterator[pa.RecordBatch]:
    """chunk_id, row_version and source_id of every current chunk that has a vector in the space, in no order."""
    return session.stream("list_index_keys", embedding_space_id=space_id)


def list_index_rows(session: Session, space_id: uuid.UUID, chunk_ids: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Everything that an index keeps of those chunks that are still current, by chunk id.

    Columns: chunk_id, content_sha256, source_id, source_type, title, tags_json, source_ref_json, offsets_json,
    fetched_at_utc, content, vector and row_version.
    """
    return session.stream("list_index_rows", embedding_space_id=space_id, chunk_ids=list(chunk_ids))
