"""Tables by which a server compares vectors itself: complete, current, and never a reason to miss a hit."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.ports import Purpose
from holocron_assets.stages.index_recall import nearest_in_store
from holocron_assets.tables import spaces
from holocron_assets.vectors import NearChunk
from resources.stores import open_store
from tests.tsql_on_duckdb import Driver
from tests.world import World, json_row, page_row, prose


@pytest.fixture(params=["translated", "sqlserver"])
def backend(request: pytest.FixtureRequest) -> str:
    """SQL Server's own SQL, translated, and on a server where the environment names one."""
    return str(request.param)


def pages(count: int, start: int = 1, **columns: Any) -> list[dict[str, Any]]:
    return [page_row(f"Page {n}", n, prose(f"topic {n}", 2500), **columns) for n in range(start, start + count)]


def table(world: World) -> str:
    """The table of the only space; skips where the server has no type for it."""
    with world.store.session(write=False) as session:
        (space,) = spaces.list_spaces(session)
        name = f"search_{space.embedding_space_id.hex}"
        if not session.rows("get_vector_support", table_name=name)[0]["types"]:
            pytest.skip("this server has no vector type")
    return f"vector.{name}"


def hits(world: World, query: str, top_k: int = 5) -> list[NearChunk]:
    with world.store.session(write=False) as session:
        (space,) = spaces.list_spaces(session)
    vector = world.providers.reopen(space).embed([query], Purpose.QUERY).values[0]
    return list(nearest_in_store(world.store, space, vector, top_k))


def found_first(world: World, query: str) -> str:
    """The source of the nearest chunk."""
    (best,) = hits(world, query, 1)
    ((source_id,),) = world.rows(f"select source_id from vector.chunk where chunk_id = '{best.chunk_id}'")
    return str(source_id)


def test_the_table_holds_what_is_current(world: World) -> None:
    """After each run it holds the vectors of current chunks: new ones are there, retired ones are gone."""
    world.add(*pages(3))
    world.run()
    name = table(world)
    first = {key for (key,) in world.rows(f"select embedding_id from {name}")}

    world.add(page_row("Page 1", 1, prose("another topic", 2500), revision=2, fetched_at=world.next_day()))
    world.run()

    current = {
        key
        for (key,) in world.rows(
            "select e.embedding_id from vector.embedding e join vector.chunk c on c.chunk_id = e.chunk_id "
            "and c.content_sha256 = e.input_content_sha256 where c.retired_utc is null"
        )
    }
    second = {key for (key,) in world.rows(f"select embedding_id from {name}")}
    assert second == current
    assert first - second
    assert second - first


def test_what_vanished_leaves_the_table_without_new_vectors(world: World) -> None:
    """A run that embeds nothing still brings the table up to date; so does the first one on a newer server."""
    world.add(*pages(3))
    world.run()
    name = table(world)
    world.add(page_row("Page 1", 1, "", revision=2, fetched_at=world.next_day()))

    assert world.run().embedded == 0
    assert world.rows(f"select count(*) from {name}") == [(len(world.current_chunks()),)]

    with world.store.session() as session:
        session._connection.execute(f"drop table {name}")  # type: ignore[attr-defined]
    assert world.run().embedded == 0
    assert world.rows(f"select count(*) from {name}") == [(len(world.current_chunks()),)]


def test_hits_are_those_of_a_full_comparison(world: World) -> None:
    """What the server chooses from leads to the hits, scores and order that comparing everything here does."""
    twin = {"content_type": "text/plain", "text": prose("twins", 900), "encoding": "utf-8"}
    world.add(*pages(40), *[json_row(f"{n}.txt", twin) for n in range(4)])
    world.run()
    name = table(world)
    queries = [prose("twins", 900), "topic 31", "nothing of the kind"]
    by_server = [hits(world, query) for query in queries]

    with world.store.session() as session:
        session._connection.execute(f"drop table {name}")  # type: ignore[attr-defined]

    assert by_server == [hits(world, query) for query in queries]
    assert {hit.cosine_similarity for hit in by_server[0][:4]} == {1.0}


def test_what_the_table_lacks_is_found_all_the_same(world: World) -> None:
    """A vector that is not in the table yet, or was replaced since, is compared here."""
    world.add(*pages(5))
    world.run()
    name = table(world)
    before = hits(world, "in year 302 the topic 2 moved 14 steps")

    with world.store.session() as session:
        execute = session._connection.execute  # type: ignore[attr-defined]
        missing = f"(select embedding_id from vector.embedding where chunk_id = '{before[0].chunk_id}')"
        execute(f"delete from {name} where embedding_id in {missing}")
        replaced = f"(select embedding_id from vector.embedding where chunk_id = '{before[1].chunk_id}')"
        execute(f"update {name} set vector_sha256 = 'stale' where embedding_id in {replaced}")

    assert hits(world, "in year 302 the topic 2 moved 14 steps") == before

    world.add(*pages(1, start=6))
    world.run()
    assert world.rows(f"select count(*) from {name}") == [(len(world.current_chunks()),)]
    assert world.rows(f"select count(*) from {name} where vector_sha256 = 'stale'") == [(0,)]


def test_without_json_there_is_no_table(world: World) -> None:
    """The server makes its vectors of their JSON; where that is not kept, everything is compared here."""
    slim = world.settings.model_copy(
        update={"sqlserver": world.settings.sqlserver.model_copy(update={"vector_json": False})}
    )
    world.add(*pages(2))
    slim_world = replace(world, settings=slim, store=open_store(slim, wait_seconds=60))
    slim_world.run()

    with world.store.session(write=False) as session:
        (space,) = spaces.list_spaces(session)
        support = session.rows("get_vector_support", table_name=f"search_{space.embedding_space_id.hex}")
    assert support[0]["tables"] == 0
    assert found_first(slim_world, "in year 302 the topic 2 moved 14 steps") == "mediawiki:testwiki:page/2"


@pytest.mark.parametrize("backend", ["translated"])
def test_without_the_type_there_is_no_table(
    backend: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older server's vectors are compared here."""
    monkeypatch.setitem(sys.modules, "pyodbc", Driver(tmp_path, has_vectors=False))
    older = replace(world, store=open_store(world.settings, wait_seconds=60))
    older.add(*pages(2))
    older.run()

    assert older.rows("select count(*) from duckdb_tables() where table_name like 'search_%'") == [(0,)]
    assert found_first(older, "in year 302 the topic 2 moved 14 steps") == "mediawiki:testwiki:page/2"
