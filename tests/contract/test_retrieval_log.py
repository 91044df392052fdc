"""The log of searches, on every store."""

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from holocron_assets.errors import InputError
from holocron_assets.retrieval.hits import Fusion, Method, Mode, Scores, SearchResult
from holocron_assets.retrieval_log import log_retrieval
from holocron_assets.tables import retrievals, spaces
from holocron_assets.tables.retrievals import Retrieval, RetrievalHit
from holocron_assets.transactions import read, write
from tests.searching import a_hit, a_result
from tests.world import START, World, page_row, prose


@pytest.fixture
def found(world: World) -> SearchResult:
    """Hits that are chunks of the store, in a space of it."""
    world.add(page_row("Tides", 1, prose("the tides", 5000)))
    world.run()
    (space,) = read(world.store, spaces.list_spaces)
    hits = tuple(
        a_hit(rank, text, chunk_id=chunk_id)
        for rank, (chunk_id, text) in enumerate(sorted(world.current_chunks().items()), start=1)
    )
    return replace(a_result([]), hits=hits, embedding_space_id=space.embedding_space_id)


def logged(world: World) -> dict[str, Any]:
    ((retrieval_id, run_id, space_id, query, vector, top_k, filters, policy),) = world.rows(
        "select retrieval_id, run_id, embedding_space_id, query_text, query_embedding_json, top_k, filters_json, "
        "policy_json from vector.retrieval"
    )
    assert (run_id, vector) == (None, None)
    ids = uuid.UUID(str(retrieval_id)), uuid.UUID(str(space_id))
    return {"ids": ids, "query": query, "top_k": top_k, "filters": filters, "policy": json.loads(policy)}


def test_a_search_is_logged_with_its_hits(world: World, found: SearchResult) -> None:
    """Query, policy and filters, and each hit with the score that it was ranked by and all others beside it."""
    result = replace(found, filters={"title": "Tides"}, notes=("a note",))

    retrieval_id = log_retrieval(world.store, result, top_k=10, min_score=0.001)

    assert logged(world) == {
        "ids": (retrieval_id, result.embedding_space_id),
        "query": "who keeps the tide clock",
        "top_k": 10,
        "filters": '{"title":"Tides"}',
        "policy": {
            "method": "hybrid:rrf:0.5",
            "scoring_method": "rrf",
            "min_score_threshold": 0.001,
            "secondary_sort": "chunk_id",
            "reranker": None,
            "notes": ["a note"],
            "version": "2.0",
            "bm25_k1": 1.5,
            "bm25_b": 0.75,
            "fusion": "rrf",
            "vector_weight": 0.5,
            "rrf_k": 60,
        },
    }
    rows = world.rows("select rank, chunk_id, score, metadata_json from vector.retrieval_hit order by rank")
    assert len(rows) == len(result.hits) > 2
    for hit, (rank, chunk_id, score, metadata) in zip(result.hits, rows, strict=True):
        assert (rank, chunk_id) == (hit.rank, hit.chunk_id)
        assert score == pytest.approx(hit.scores.rrf, rel=1e-6)
        assert json.loads(metadata) == {
            "scores": {
                "cosine_similarity": hit.scores.cosine_similarity,
                "bm25": hit.scores.bm25,
                "rrf": hit.scores.rrf,
            },
            "source_id": hit.source_id,
            "content_sha256": hit.content_sha256,
            "offsets": {"start_offset": hit.start_offset, "end_offset": hit.end_offset},
        }


@pytest.mark.parametrize(
    ("method", "ranked_by", "constants"),
    [
        (Method(mode=Mode.VECTOR), "cosine_similarity", set()),
        (Method(mode=Mode.LEXICAL), "bm25", {"bm25_k1", "bm25_b"}),
        (
            Method(mode=Mode.HYBRID, fusion=Fusion.WEIGHTED, vector_weight=0.3),
            "bm25",
            {"bm25_k1", "bm25_b", "fusion", "vector_weight"},
        ),
    ],
)
def test_only_constants_that_played_a_part_are_logged(
    world: World, found: SearchResult, method: Method, ranked_by: str, constants: set[str]
) -> None:
    """A vector search has no BM25 in its policy, and a weighted one no constant of rank fusion."""
    log_retrieval(world.store, replace(found, method=method, ranked_by=ranked_by), top_k=3)

    known = {"method", "scoring_method", "min_score_threshold", "secondary_sort", "reranker", "notes", "version"}
    assert set(logged(world)["policy"]) - known == constants
    assert logged(world)["filters"] is None


def test_a_transaction_that_is_run_again_logs_once(world: World, found: SearchResult) -> None:
    """After a lost answer the same rows are written again, and nothing is there twice."""
    retrieval = Retrieval(
        retrieval_id=uuid.UUID(int=5),
        embedding_space_id=found.embedding_space_id,
        query_text="q",
        top_k=1,
        filters_json=None,
        policy_json="{}",
        created_utc=START,
    )
    hits = [RetrievalHit(rank=1, chunk_id=found.hits[0].chunk_id, score=0.1 + 0.2, metadata_json="{}")]

    counts = [
        (
            write(world.store, retrievals.insert_retrieval, retrieval),
            write(world.store, retrievals.insert_retrieval_hits, retrieval.retrieval_id, hits),
        )
        for _ in range(2)
    ]

    assert counts == [(1, 1), (0, 0)]
    assert world.rows("select count(*) from vector.retrieval_hit") == [(1,)]


def test_a_search_without_hits_is_logged(world: World, found: SearchResult) -> None:
    """That nothing was found is worth knowing."""
    log_retrieval(world.store, replace(found, hits=()), top_k=3)

    assert logged(world)["top_k"] == 3
    assert world.rows("select count(*) from vector.retrieval_hit") == [(0,)]


def test_nothing_is_logged_of_a_hit_without_its_score(world: World, found: SearchResult) -> None:
    """A hit that lacks the score that ranks it is an error, and no half of a search stays behind."""
    hits = (*found.hits[:1], replace(found.hits[1], scores=Scores(bm25=1.0)))

    with pytest.raises(InputError, match="has no score 'rrf'"):
        log_retrieval(world.store, replace(found, hits=hits), top_k=3)

    assert world.rows("select count(*) from vector.retrieval") == [(0,)]
