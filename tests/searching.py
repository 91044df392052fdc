"""Results of searches, made by hand for tests of what is done with them."""

import uuid
from collections.abc import Sequence
from typing import Any

from holocron_assets.identity import text_sha256
from holocron_assets.retrieval.hits import Fusion, Hit, Method, Mode, Scores, SearchResult

SPACE_ID = uuid.UUID("00000000-0000-4000-8000-000000000001")


def a_hit(rank: int, text: str, **fields: Any) -> Hit:
    """A hit whose hash is that of its text."""
    made: dict[str, Any] = {
        "rank": rank,
        "chunk_id": text_sha256(f"chunk {rank}"),
        "source_id": f"mediawiki:ondrel:page/{rank}",
        "title": f"Page {rank}",
        "scores": Scores(cosine_similarity=1 / (rank + 1), bm25=8.0 / rank, rrf=1 / (60 + rank)),
        "text": text,
        "url": f"https://wiki.example/{rank}",
        "start_offset": 100 * rank,
        "end_offset": 100 * rank + len(text),
        "content_sha256": text_sha256(text),
        "source_type": "wiki_page",
        "source_ref": {"source_name": "ondrel", "page_id": rank},
    }
    return Hit(**(made | fields))


def a_result(texts: Sequence[str], **fields: Any) -> SearchResult:
    """What a hybrid search found: these texts, in this order."""
    made: dict[str, Any] = {
        "query": "who keeps the tide clock",
        "space": "ngram-e4b58a24",
        "embedding_space_id": SPACE_ID,
        "method": Method(mode=Mode.HYBRID, fusion=Fusion.RRF, vector_weight=0.5),
        "ranked_by": "rrf",
        "hits": tuple(a_hit(rank, text) for rank, text in enumerate(texts, start=1)),
        "chunks_not_embedded": 0,
    }
    return SearchResult(**(made | fields))
