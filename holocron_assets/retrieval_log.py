"""Keeping what was searched for and what was found, for whoever evaluates it later."""

import uuid
from dataclasses import asdict
from typing import Any

from holocron_assets.clock import utc_now
from holocron_assets.identity import canonical_json
from holocron_assets.ports import Session, Store
from holocron_assets.retrieval.hits import BM25_B, BM25_K1, RRF_K, Fusion, Mode, SearchResult
from holocron_assets.retrieval.results import ranking_score
from holocron_assets.tables import retrievals
from holocron_assets.tables.retrievals import Retrieval, RetrievalHit
from holocron_assets.transactions import write

#: Of the policy's JSON. Version 1.0 is that of the existing programs, which know cosine similarity alone.
_VERSION = "2.0"


def log_retrieval(store: Store, result: SearchResult, *, top_k: int, min_score: float | None = None) -> uuid.UUID:
    """Write a search and its hits, in one transaction; returns its `retrieval_id`.

    `top_k` hits were asked for, none of them below `min_score`.
    """
    retrieval = Retrieval(
        retrieval_id=uuid.uuid4(),
        embedding_space_id=result.embedding_space_id,
        query_text=result.query,
        top_k=top_k,
        filters_json=canonical_json(result.filters) if result.filters else None,
        policy_json=canonical_json(_policy(result, min_score)),
        created_utc=utc_now(),
    )
    hits = [
        RetrievalHit(
            rank=hit.rank,
            chunk_id=hit.chunk_id,
            score=ranking_score(result, hit),
            metadata_json=canonical_json(
                {
                    "scores": {name: score for name, score in asdict(hit.scores).items() if score is not None},
                    "source_id": hit.source_id,
                    "content_sha256": hit.content_sha256,
                    "offsets": {"start_offset": hit.start_offset, "end_offset": hit.end_offset},
                }
            ),
        )
        for hit in result.hits
    ]
    write(store, _insert, retrieval, hits)
    return retrieval.retrieval_id


def _insert(session: Session, retrieval: Retrieval, hits: list[RetrievalHit]) -> None:
    retrievals.insert_retrieval(session, retrieval)
    retrievals.insert_retrieval_hits(session, retrieval.retrieval_id, hits)


def _policy(result: SearchResult, min_score: float | None) -> dict[str, Any]:
    """How it was ranked, with the constants that played a part."""
    method = result.method
    policy: dict[str, Any] = {
        "method": str(method),
        "scoring_method": result.ranked_by,
        "min_score_threshold": min_score,
        "secondary_sort": "chunk_id",
        "reranker": result.reranker,
        "notes": list(result.notes),
        "version": _VERSION,
    }
    if method.mode is not Mode.VECTOR:
        policy |= {"bm25_k1": BM25_K1, "bm25_b": BM25_B}
    if method.mode is Mode.HYBRID:
        policy |= {"fusion": str(method.fusion), "vector_weight": method.vector_weight}
        policy |= {"rrf_k": RRF_K} if method.fusion is Fusion.RRF else {}
    return policy
