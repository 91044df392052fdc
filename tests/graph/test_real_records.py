"""Real records through the whole graph: every page that has a text is found by a sentence from it.

The records are not part of this repository; the test is skipped where they are not beside it.
"""

import re
from pathlib import Path

import pytest

from holocron_assets.sections import ChunkingSettings, SpaceDeclaration
from tests.graph.conftest import Graph

RECORDS = Path(__file__).parents[2].parent / "shared" / "corpus" / "wiki_records.ndjson.gz"
TABLES = (
    "ingest.IngestRecords",
    "vector.ingest_seen",
    "vector.extracted_text",
    "vector.source_registry",
    "vector.chunk",
    "vector.chunk_version",
    "vector.embedding",
    "vector.job",
    "vector.run",
)


def sentences_of(text: str) -> list[str]:
    """The first sentence of a text and one from its middle; the beginning of a text that has none."""
    sentences = [one.strip() for one in re.split(r"(?<=[.!?。।؟])\s+|\n", text) if 40 <= len(one.strip()) <= 300]
    return [sentences[len(sentences) // 2], sentences[0]] if sentences else [text[:300]]


def found_by(graph: Graph, sentence: str) -> str:
    result = graph.world.search(sentence, top_k=1)
    return result.hits[0].source_id


def contents(graph: Graph) -> dict[str, list[tuple[object, ...]]]:
    return {table: graph.world.rows(f"select * from {table} order by all") for table in TABLES}


@pytest.mark.slow
@pytest.mark.skipif(not RECORDS.exists(), reason=f"no real records at {RECORDS}")
def test_every_real_page_is_found_and_a_second_run_writes_nothing(graph: Graph) -> None:
    """All 142 records are stored, every page with a text is the first hit for one of its sentences, and running
    again changes no row of any table. Four chunks of a page are enough to find it: a model takes its time."""
    embedded = SpaceDeclaration(provider="embedded", model="all-minilm-l6-v2")
    few = ChunkingSettings(version="2.0-four", max_chunks_per_source=4)
    graph.world.settings = graph.world.settings.model_copy(
        update={"ingest": (str(RECORDS),), "spaces": (embedded,), "chunking": few}
    )
    assert graph.materialize().success

    pages = graph.world.rows(
        "select s.source_id, t.content from vector.source_registry s join vector.extracted_text t "
        "on t.source_id = s.source_id and t.current_since_utc is not null and t.retired_utc is null order by all"
    )
    missed = [
        source_id
        for source_id, text in pages
        if all(found_by(graph, sentence) != source_id for sentence in sentences_of(str(text)))
    ]

    assert graph.world.rows("select count(*) from ingest.IngestRecords") == [(142,)]
    assert len(pages) == 70
    assert missed == []

    before = contents(graph)
    assert graph.materialize().success
    assert contents(graph) == before
