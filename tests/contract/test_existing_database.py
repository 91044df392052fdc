"""The whole way from records to vectors in the tables of the existing database: only added to, and only in `vector`."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from holocron_assets.composition import InstalledProviders
from holocron_assets.registry import list_states
from holocron_assets.settings import Settings
from holocron_assets.tables import embeddings, evaluations, overview, planning
from holocron_assets.verification.verify import verify
from resources.stores.base import SqlStore
from tests.existing_tables import create_existing_tables
from tests.world import START, World, page_row, prose

COLUMNS = """
select table_schema, table_name, column_name, data_type, is_nullable from information_schema.columns
where table_schema in ('ingest', 'sem', 'vector') order by table_schema, table_name, ordinal_position
"""
THEIRS = (
    "select * from ingest.IngestRecords order by ingest_id",
    "select * from sem.SourcePage order by source_page_id",
    "select * from sem.PageClassification order by page_classification_id",
)
PAGE = uuid.UUID(int=7)
#: As the existing programs' indexer leaves it, which asks no server for its digest.
_INDEXED_BY_OTHERS = (
    "insert into vector.embedding_space (embedding_space_id, provider, model_name, dimensions) "
    f"values ('{uuid.UUID(int=8)}', 'ollama', 'nomic-embed-text', 3)",
    "insert into vector.source_registry (source_id, source_type, source_ref_json) values ('page_9', 'lake_text', '{}')",
    "insert into vector.source_registry (source_id, source_type, source_ref_json, status) "
    "values ('page_10', 'lake_text', '{}', 'pending')",
    "insert into vector.chunk (chunk_id, source_id, source_type, source_ref_json, offsets_json, content, "
    "content_sha256, byte_count, policy_json) "
    "values ('theirs', 'page_9', 'lake_text', '{}', '{}', 'Theirs', 'aa', 6, '{}')",
    "insert into vector.embedding (embedding_id, chunk_id, embedding_space_id, input_content_sha256, vector_json, "
    f"vector_sha256) values ('{uuid.UUID(int=9)}', 'theirs', '{uuid.UUID(int=8)}', 'aa', '[0.1, 0.2, 0.3]', 'bb')",
)


@pytest.fixture(params=["translated", "sqlserver"])
def backend(request: pytest.FixtureRequest) -> str:
    """The existing database is on SQL Server."""
    return str(request.param)


@pytest.fixture
def world(empty_store: SqlStore, settings: Settings) -> World:
    """The existing database as its crawler and its classifier left it, before the first run."""
    create_existing_tables(empty_store)
    return World(store=empty_store, settings=settings, providers=InstalledProviders(settings))


def crawled(title: str, page_id: int, text: str, shape: str, **columns: Any) -> dict[str, Any]:
    return page_row(title, page_id, text, variant=shape, source_name="wookieepedia") | columns


def fill(world: World) -> None:
    """Two pages in both variants, one of an older seeder without variants, and one that only lists links."""
    links = {"batchcomplete": True, "query": {"pages": [{"pageid": 4, "ns": 0, "title": "Delta", "links": []}]}}
    world.add(
        crawled("Alpha", 1, prose("alpha"), "raw"),
        crawled("Alpha", 1, prose("alpha"), "html", fetched_at_utc=(START + timedelta(hours=1)).isoformat()),
        crawled("alpha", 2, prose("another alpha"), "raw"),
        crawled("Gamma", 3, prose("gamma"), "raw", resource_type="content_raw", variant=None),
        crawled("Delta", 4, "", "raw", resource_type="page", variant=None, payload=json.dumps(links)),
    )
    world.rows(
        "insert into sem.SourcePage (source_page_id, source_system, resource_id, variant, continuity_hint) "
        f"values ('{PAGE}', 'mediawiki', 'Alpha', 'html', 'canon')"
    )
    world.rows(
        f"insert into sem.PageClassification (source_page_id, primary_type, method) values ('{PAGE}', 'Droid', 'rules')"
    )


def index_by_others(world: World) -> None:
    """A space, a source, a chunk and a vector that came by another way."""
    for statement in _INDEXED_BY_OTHERS:
        world.rows(statement)


def test_what_others_made_is_only_added_to(world: World) -> None:
    """Every column that was there is there as it was; new ones are in `vector` alone, and no row of others changes."""
    fill(world)
    columns, rows = world.rows(COLUMNS), [world.rows(query) for query in THEIRS]

    assert world.store.migrate() != []
    world.run()
    after = world.rows(COLUMNS)

    assert set(columns) <= set(after)
    assert {schema for schema, *_ in set(after) - set(columns)} == {"vector"}
    assert [world.rows(query) for query in THEIRS] == rows
    assert world.store.migrate() == []


def test_crawled_pages_become_vectors(world: World) -> None:
    """Each page once, classified or not, with what is known of it; what has no text has none, and all facts hold."""
    fill(world)
    world.store.migrate()
    report = world.run()
    references = {
        one: json.loads(text) for one, text in world.rows("select source_id, source_ref_json from vector.chunk")
    }
    prefix = "mediawiki:wookieepedia:page/"

    assert set(references) == {prefix + "1", prefix + "2", prefix + "3"}
    assert [references[prefix + "1"][name] for name in ("variant", "source_page_id", "primary_type", "continuity")] == [
        "html",
        str(PAGE),
        "Droid",
        "canon",
    ]
    assert "primary_type" not in references[prefix + "2"]
    assert report.embedded == len(world.current_chunks()) > 3
    assert [one.claim for one in verify(world.store).findings if not one.holds] == []
    assert world.search("gamma", top_k=1).hits[0].source_id == prefix + "3"


def test_spaces_of_other_programs_are_left_alone(world: World) -> None:
    """A space without a digest names no model: it is neither listed, filled nor waited for, and keeps what it holds."""
    fill(world)
    world.store.migrate()
    theirs = [
        "select * from vector.embedding_space where model_digest is null",
        "select * from vector.embedding where vector_binary is null",
        "select * from vector.chunk where text_sha256 is null",
        "select * from vector.source_registry where ingest_id is null order by source_id",
    ]
    index_by_others(world)
    before = [world.rows(query) for query in theirs]
    world.run()

    assert [len(rows) for rows in before] == [1, 1, 1, 2]
    assert [world.rows(query) for query in theirs] == before
    (state,) = list_states(world.store)
    assert state.lacking == 0
    assert world.rows("select count(*) from vector.embedding where chunk_id = 'theirs'") == [(1,)]
    assert world.rows("select distinct status from vector.source_registry where text_sha256 is not null") == [
        ("indexed",)
    ]
    assert [one.claim for one in verify(world.store).findings if not one.holds] == []
    assert world.search("gamma", top_k=1).hits[0].source_id == "mediawiki:wookieepedia:page/3"


def test_chunks_of_other_programs_are_in_no_figure(world: World) -> None:
    """They are neither counted nor shown, are missing in no space, and no judged query can be about them."""
    fill(world)
    world.store.migrate()
    world.run()
    index_by_others(world)
    ours = world.current_chunks().keys() - {"theirs"}
    space_id = list_states(world.store)[0].space.embedding_space_id

    with world.store.session() as session:
        assert overview.get_counts(session).current_chunks == len(ours)
        assert {one.chunk_id for one in overview.list_sample_chunks(session, 100)} == ours
        assert sum(one.n for one in overview.list_chunk_lengths(session)) == len(ours)
        assert embeddings.get_pending_chunk(session, space_id) is None
        assert embeddings.count_missing_chunks(session, space_id, START, START).missing == 0
        planning.stage_planned_chunks(session, [], [])
        assert planning.count_chunks_to_embed(session, space_id) == 0
        assert evaluations.list_searchable_sources(session, ["page_9"]) == set()
        assert evaluations.list_searchable_chunks(session, ["theirs"]) == set()
