"""What a run would do."""

import json
import uuid
from collections.abc import Sequence

from holocron_assets.ports import Session
from holocron_assets.records import RecordKey
from holocron_assets.tables.staging import TEXT, table_of


def list_records(session: Session, ingest_ids: Sequence[uuid.UUID]) -> list[RecordKey]:
    """The keys of some records, as if they were wanted."""
    return [RecordKey(**row) for row in session.rows("list_records", ingest_ids=[str(key) for key in ingest_ids])]


def list_unchunked_sources(session: Session, policy_version: str) -> list[str]:
    """Sources that wait to be chunked already."""
    return [row["source_id"] for row in session.rows("list_unchunked_sources", policy_version=policy_version)]


def stage_planned_chunks(session: Session, source_ids: Sequence[str], chunks: Sequence[tuple[str, str]]) -> None:
    """Stage sources and the (chunk_id, content_sha256) that they would have."""
    session.stage("staged_planned_sources", table_of({"source_id": TEXT}, ((one,) for one in source_ids)))
    session.stage("staged_planned_chunks", table_of({"chunk_id": TEXT, "content_sha256": TEXT}, chunks))


def count_chunks_to_embed(session: Session, space_id: uuid.UUID) -> int:
    """How many chunks a space would have to embed, quarantined ones aside."""
    rows = session.rows("count_chunks_to_embed", embedding_space_id=space_id, space_scope=str(space_id))
    return int(rows[0]["n"])


def get_last_throughput(session: Session, space_id: uuid.UUID) -> float | None:
    """Embeddings per second of provider time in the last run of a space, if there was one."""
    rows = session.rows("get_last_throughput", embedding_space_id=space_id)
    metrics = json.loads(rows[0]["metrics_json"] or "{}") if rows else {}
    milliseconds = metrics.get("api_duration_ms", 0)
    return metrics.get("embeddings_created", 0) * 1000 / milliseconds if milliseconds else None
