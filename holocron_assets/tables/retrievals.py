"""The log of searches: `vector.retrieval` and its hits."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from holocron_assets.ports import Session
from holocron_assets.tables.staging import INTEGER, TEXT, number_column, table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """A search: what was asked of which space, and how."""

    retrieval_id: uuid.UUID
    embedding_space_id: uuid.UUID
    query_text: str
    top_k: int
    filters_json: str | None
    policy_json: str
    created_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalHit:
    """What was found at a rank; `score` is the one that it was ranked by."""

    rank: int
    chunk_id: str
    score: float
    metadata_json: str


def insert_retrieval(session: Session, retrieval: Retrieval) -> int:
    """Log a search; returns 1 unless it is logged already."""
    return session.execute(
        "insert_retrieval",
        retrieval_id=retrieval.retrieval_id,
        embedding_space_id=retrieval.embedding_space_id,
        query_text=retrieval.query_text,
        top_k=retrieval.top_k,
        filters_json=retrieval.filters_json,
        policy_json=retrieval.policy_json,
        now=retrieval.created_utc,
    )


def insert_retrieval_hits(session: Session, retrieval_id: uuid.UUID, hits: Sequence[RetrievalHit]) -> int:
    """Log what a search found; returns how many hits were not logged before."""
    columns = {"rank": INTEGER, "chunk_id": TEXT, "metadata_json": TEXT}
    staged = table_of(columns, ((hit.rank, hit.chunk_id, hit.metadata_json) for hit in hits))
    staged = staged.append_column("score", number_column([hit.score for hit in hits]))
    session.stage("staged_retrieval_hits", staged)
    return session.execute("insert_retrieval_hits", retrieval_id=retrieval_id)
