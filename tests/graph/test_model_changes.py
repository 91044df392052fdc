"""A model that changed under its name, seen from Dagster."""

import dagster as dg
import pytest

from holocron_assets.planning import plan
from holocron_assets.sections import CanarySettings
from tests.graph.conftest import Graph
from tests.moving import Catalog, Moving
from tests.world import page_row, prose, silent


@pytest.fixture
def model(graph: Graph) -> Moving:
    """The model of the one space, which holds a page; another page waits."""
    model = Moving()
    graph.world.providers = Catalog(model)
    graph.world.add(page_row("Page 1", 1, prose("alpha")))
    assert graph.materialize().success
    graph.world.add(page_row("Page 2", 2, prose("beta")))
    return model


def spaces(graph: Graph) -> list[tuple[str, int]]:
    return graph.world.rows(
        "select p.model_digest, count(e.embedding_id) from vector.embedding_space p left join vector.embedding e "
        "using (embedding_space_id) group by p.embedding_space_id, p.model_digest, p.created_utc order by p.created_utc"
    )


@pytest.mark.parametrize("change", [{"turned": 0.3}, {"digest": "f" * 64}])
def test_a_changed_model_stops_the_run(graph: Graph, model: Moving, change: dict[str, object]) -> None:
    """The step fails with what changed, and the space keeps its vectors and gets no other."""
    before = spaces(graph)
    for name, value in change.items():
        setattr(model, name, value)

    result = graph.materialize()

    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    description = failure.step_failure_data.user_failure_data
    assert description is not None
    assert "is not up to date" in str(description.description)
    assert spaces(graph) == before


@pytest.mark.parametrize("change", [{"turned": 0.3}, {"digest": "f" * 64}])
def test_a_changed_model_is_registered_beside_the_old_one(
    graph: Graph, model: Moving, change: dict[str, object]
) -> None:
    """Where the settings ask for it: the new space is complete after the same run, and the old one stays."""
    ((digest, before),) = spaces(graph)
    ((first_id,),) = graph.world.rows("select embedding_space_id from vector.embedding_space")
    graph.world.settings = graph.world.settings.model_copy(update={"canary": CanarySettings(on_change="register")})
    for name, value in change.items():
        setattr(model, name, value)

    for _ in range(2):
        result = graph.materialize()

        assert not result.success, "the old space lacks a chunk, and nothing can embed it any more"
        old, new = spaces(graph)
        assert old == (digest, before)
        assert new == (str(change.get("digest", digest)), len(graph.world.current_chunks()))
    partitions = graph.instance.get_dynamic_partitions("embedding_spaces")
    assert len(partitions) == 2
    graph.world.rows(f"update vector.embedding_space set is_active = false where embedding_space_id = '{first_id}'")
    assert graph.materialize().success


@pytest.mark.parametrize("change", [{"turned": 0.3}, {"digest": "f" * 64}])
def test_a_partition_whose_model_changed_is_not_filled(graph: Graph, model: Moving, change: dict[str, object]) -> None:
    """The run for it fails, whatever was registered beside it; that one is a partition of its own, and filled."""
    graph.materialize("key:ingest_records or key:extracted_texts or key:chunks")
    (old,) = graph.instance.get_dynamic_partitions("embedding_spaces")
    graph.world.settings = graph.world.settings.model_copy(update={"canary": CanarySettings(on_change="register")})
    for name, value in change.items():
        setattr(model, name, value)

    result = graph.materialize("key:space_embeddings", partition=old)

    assert not result.success
    (new,) = set(graph.instance.get_dynamic_partitions("embedding_spaces")) - {old}
    latest = {
        record.partition_key
        for record in graph.instance.fetch_materializations(dg.AssetKey("space_embeddings"), limit=10).records
        if record.run_id == result.run_id
    }
    assert latest == {new}


def test_a_plan_foretells_that_a_changed_model_is_not_registered(graph: Graph, model: Moving) -> None:
    """What a run would refuse, a plan does not count as a space to fill; what it would register, it does."""
    model.digest = "f" * 64
    world = graph.world

    refused = plan(world.store, world.settings, world.providers, silent)
    assert [one.is_registered for one in refused.spaces] == [True]
    assert "its digest is 'ffff" in str(refused.unavailable_spaces)

    asking = world.settings.model_copy(update={"canary": CanarySettings(on_change="register")})
    allowed = plan(world.store, asking, world.providers, silent)
    assert [one.is_registered for one in allowed.spaces] == [True, False]
