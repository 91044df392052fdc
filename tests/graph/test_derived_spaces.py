"""Derived spaces in Dagster: filled by the same command, behind what they are derived from."""

from collections.abc import Sequence

import dagster as dg
import pytest

from holocron_assets.derivation import derive
from holocron_assets.ports import Purpose
from holocron_assets.records import EmbeddingSpace
from holocron_assets.registry import set_active
from holocron_assets.run_history import FAILURE_TAG, PERMANENT
from holocron_assets.vectors import Vectors
from resources.providers.hashing import ByteNgrams
from tests.graph.conftest import Graph
from tests.world import page_row, prose


@pytest.fixture
def two(graph: Graph) -> tuple[EmbeddingSpace, EmbeddingSpace]:
    """The signs of a projection: the projection, and what is derived of it. Of a third page there is no vector yet."""
    graph.world.add(*[page_row(f"Page {n}", n, prose(f"topic {n}", 2500)) for n in (1, 2)])
    assert graph.materialize().success
    pca = derive(graph.world.store, "ngram", "pca", dimensions=3, sample=None, dry_run=False).space
    signs = derive(graph.world.store, pca.slug, "binary", dimensions=None, sample=None, dry_run=False).space
    graph.world.add(page_row("Page 3", 3, prose("topic 3", 2500)))
    return pca, signs


def is_permanent(graph: Graph, result: dg.ExecuteInProcessResult) -> bool:
    run = graph.instance.get_run_by_id(result.run_id)
    return run is not None and run.tags.get(FAILURE_TAG) == PERMANENT


def filled_partitions(graph: Graph) -> set[str]:
    return graph.instance.get_materialized_partitions(dg.AssetKey("space_embeddings"))


def test_one_command_fills_a_chain(graph: Graph, two: tuple[EmbeddingSpace, EmbeddingSpace]) -> None:
    """Source, projection and signs are filled in one run, in that order, and are partitions; then nothing is left."""
    assert graph.materialize().success

    slugs = {space.slug for space in two}
    assert slugs < filled_partitions(graph)
    chunks = len(graph.world.current_chunks())
    counts = "select count(*) from vector.embedding group by embedding_space_id"
    assert graph.world.rows(counts) == [(chunks,)] * 3
    runs = graph.world.rows("select count(*) from vector.run")
    assert graph.materialize().success
    assert graph.world.rows("select count(*) from vector.run") == runs


def test_a_source_that_fails_holds_up_what_is_derived(
    graph: Graph, two: tuple[EmbeddingSpace, EmbeddingSpace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the source has is derived without its provider; for the rest, the failure names the space that is behind,
    and lasts as long as that one's."""

    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    pca, signs = two
    monkeypatch.setattr(ByteNgrams, "embed", fail)

    result = graph.materialize()

    (failure,) = [event for event in result.all_events if event.is_step_failure]
    told = str(failure.step_failure_data.user_failure_data.description)
    assert "out of order" in told
    assert f"{signs.slug} is not up to date: 2 current chunks have no vector, because the space {pca.slug}" in told
    assert graph.world.rows("select count(*) from vector.embedding group by embedding_space_id") == [(4,)] * 3
    assert is_permanent(graph, result)
    assert not filled_partitions(graph) & {pca.slug, signs.slug}


def test_an_inactive_source_holds_up_what_is_derived(graph: Graph, two: tuple[EmbeddingSpace, EmbeddingSpace]) -> None:
    """It is not filled, so what is derived from it cannot be complete; the failure says how to go on, and is not tried
    again by itself."""
    pca, signs = two
    set_active(graph.world.store, pca.slug, is_active=False, dry_run=False)

    result = graph.materialize()

    (failure,) = [event for event in result.all_events if event.is_step_failure]
    told = str(failure.step_failure_data.user_failure_data.description)
    assert f"{signs.slug} is not up to date" in told
    assert f"`holocron spaces activate {pca.slug}`" in told
    assert is_permanent(graph, result)


def test_what_comes_while_the_source_is_embedded_fails_nothing(
    graph: Graph, two: tuple[EmbeddingSpace, EmbeddingSpace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks that the source cannot have yet are no failure of what is derived from it; the next run brings them."""
    embed, pages = ByteNgrams.embed, [page_row("Page 4", 4, prose("topic 4", 300))]

    def embed_and_write(self: ByteNgrams, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        if pages and any("topic 3" in text for text in texts):
            graph.world.add(pages.pop())
            graph.world.extract()
            graph.world.chunk()
        return embed(self, texts, purpose)

    monkeypatch.setattr(ByteNgrams, "embed", embed_and_write)
    assert graph.materialize().success
    assert graph.world.rows("select count(*) from vector.embedding group by embedding_space_id") == [(6,)] * 3

    assert graph.materialize().success
    assert graph.world.rows("select count(*) from vector.embedding group by embedding_space_id") == [(7,)] * 3
