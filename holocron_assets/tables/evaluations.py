"""Evaluations of retrieval: what they measured, query by query, and what judgements can name."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from holocron_assets.evaluation.metrics import METRICS, Metrics, QueryMetrics
from holocron_assets.ports import Session
from holocron_assets.tables.staging import FLOAT, INTEGER, TEXT, table_of

_COLUMNS = {"ordinal": INTEGER, "query_id": TEXT, **dict.fromkeys(METRICS, FLOAT)}


class Judged(StrEnum):
    """What the judgements of a collection are of."""

    CORPUS = "corpus"  #: documents that it brings
    SOURCES = "sources"  #: sources of the user's store
    CHUNKS = "chunks"  #: chunks of the user's store


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How well a space was searched by a method, on average over the queries of a collection.

    `skipped_count` are queries for which nothing in the store is relevant, `unknown_count` judgements of what is not
    there. `is_winner`: this is the method to use for the space, whatever its other evaluations say.
    """

    evaluation_id: uuid.UUID
    embedding_space_id: uuid.UUID
    run_id: uuid.UUID
    collection: str
    collection_sha256: str
    judged: Judged
    method: str
    top_k: int
    query_count: int
    skipped_count: int
    unknown_count: int
    chunk_count: int
    metrics: Metrics
    evaluated_utc: datetime
    is_winner: bool = False


def insert_evaluation(session: Session, evaluation: Evaluation) -> None:
    """Record an evaluation; it is not marked as the winner."""
    row = asdict(evaluation)
    metrics, now, _ = row.pop("metrics"), row.pop("evaluated_utc"), row.pop("is_winner")
    session.execute("insert_evaluation", **(row | metrics | {"judged": evaluation.judged.value, "now": now}))


def insert_evaluation_queries(session: Session, evaluation_id: uuid.UUID, measured: Sequence[QueryMetrics]) -> None:
    """Record what each query of an evaluation came to."""
    rows = [(number, one.query_id, *astuple(one.metrics)) for number, one in enumerate(measured)]
    session.stage("staged_evaluation_queries", table_of(_COLUMNS, rows))
    session.execute("insert_evaluation_queries", evaluation_id=evaluation_id)


def update_evaluation_winner(session: Session, winner: Evaluation) -> int:
    """Mark an evaluation as the winner of its space, and no other; returns how many marks changed."""
    return session.execute(
        "update_evaluation_winner",
        embedding_space_id=winner.embedding_space_id,
        evaluation_id=winner.evaluation_id,
    )


def update_evaluation_chunk_count(session: Session, evaluation_id: uuid.UUID, chunk_count: int) -> int:
    """Say among how many chunks the same was found again; returns 1 if that is another number."""
    return session.execute("update_evaluation_chunk_count", evaluation_id=evaluation_id, chunk_count=chunk_count)


def list_evaluations(session: Session, collection: str | None = None) -> list[Evaluation]:
    """The evaluations on a collection, or on all of them, the newest first."""
    return [_evaluation(row) for row in session.rows("list_evaluations", collection=collection)]


def list_evaluation_queries(session: Session, evaluation_id: uuid.UUID) -> list[QueryMetrics]:
    """What each query of an evaluation came to, in the collection's order."""
    return [
        QueryMetrics(query_id=row["query_id"], metrics=_metrics(row))
        for row in session.rows("list_evaluation_queries", evaluation_id=evaluation_id)
    ]


def list_searchable_sources(session: Session, source_ids: Sequence[str]) -> set[str]:
    """Those of some ids that are sources with a current chunk."""
    return {row["source_id"] for row in session.rows("list_searchable_sources", source_ids=list(source_ids))}


def list_searchable_chunks(session: Session, chunk_ids: Sequence[str]) -> set[str]:
    """Those of some ids that are current chunks."""
    return {row["chunk_id"] for row in session.rows("list_searchable_chunks", chunk_ids=list(chunk_ids))}


def count_changes_since_evaluation(session: Session, evaluation: Evaluation) -> int:
    """How many chunks and vectors changed since its space was last evaluated so, whether or not the same was found."""
    (row,) = session.rows(
        "count_changes_since_evaluation",
        embedding_space_id=evaluation.embedding_space_id,
        collection_sha256=evaluation.collection_sha256,
        method=evaluation.method,
    )
    return int(row["n"])


def _evaluation(row: dict[str, Any]) -> Evaluation:
    rest = {name: value for name, value in row.items() if name not in METRICS}
    return Evaluation(**(rest | {"judged": Judged(row["judged"]), "metrics": _metrics(row)}))


def _metrics(row: dict[str, Any]) -> Metrics:
    return Metrics(**{name: float(row[name]) for name in METRICS})
