"""The asset `search_index`: its partitions, figures and checks, and what has it follow the embeddings."""

import json
from typing import Any

import dagster as dg
import numpy as np
import pytest

from holocron_assets.assets import search_index
from holocron_assets.partitions import SPACES
from holocron_assets.retrieval.manifest import MANIFEST
from holocron_assets.sections import SpaceDeclaration
from holocron_assets.stages.index_recall import Recall, measure_recall
from holocron_assets.stages.indexing import IndexPlace, published_index
from holocron_assets.tables import spaces
from holocron_assets.transactions import read
from tests.graph.conftest import Graph
from tests.graph.test_staying_current import run_job
from tests.indexes import only_space
from tests.world import page_row, prose


@pytest.fixture
def embedded(graph: Graph) -> Graph:
    """Two pages, and everything up to vectors."""
    graph.world.add(*(page_row(f"Page {n}", n, prose(f"topic {n}", 2500)) for n in (1, 2)))
    assert graph.materialize("key:embeddings or key:chunks or key:extracted_texts").success
    return graph


def slugs(graph: Graph) -> list[str]:
    return sorted(space.slug for space in read(graph.world.store, spaces.list_spaces))


def figures(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """What the partition of the run says."""
    (event,) = result.asset_materializations_for_node("search_index")
    return {name: value.value for name, value in event.metadata.items()}


def failed(result: dg.ExecuteInProcessResult) -> set[str]:
    return {one.check_name for one in result.get_asset_check_evaluations() if not one.passed}


def index(graph: Graph) -> Any:
    return published_index(graph.world.store, only_space(graph.world), IndexPlace.of(graph.world.settings))


def test_a_partition_is_the_index_of_a_space(embedded: Graph) -> None:
    """Built with its figures; then nothing to do, cheaply; then what changed, and no more."""
    (slug,) = slugs(embedded)
    first = embedded.materialize("search_index", partition=slug)
    built = figures(first)
    chunks = len(embedded.world.current_chunks())

    assert first.success
    assert not failed(first)
    assert {one.check_name for one in first.get_asset_check_evaluations()} == {
        "index_is_current",
        "index_files_are_whole",
        "index_recall",
    }
    assert (built["dagster/partition_row_count"], built["added"], built["kind"]) == (chunks, chunks, "exact")
    assert (built["recall@10"], built["queries compared"]) == (1.0, chunks)
    files = index(embedded).folder.glob("segment-*/*")
    assert built["bytes"] == sum(path.stat().st_size for path in files)
    assert len(built["sample"].records) == chunks

    again = figures(embedded.materialize("search_index", partition=slug))
    assert (again["added"], again["retired"], again["merged"]) == (0, 0, 0)
    assert "built anew because" not in again

    world = embedded.world
    world.add(page_row("Page 1", 1, prose("another", 2500), revision=2, fetched_at=world.next_day()))
    world.run()
    changed = figures(embedded.materialize("search_index", partition=slug))
    assert 0 < changed["added"] < len(world.current_chunks())
    assert changed["retired"] > 0


def test_embeddings_alone_make_no_index(embedded: Graph) -> None:
    """`--select embeddings` does what it did."""
    assert index(embedded) is None


def test_why_it_was_built_anew_is_told(embedded: Graph) -> None:
    """Damage that was found, in words."""
    (slug,) = slugs(embedded)
    embedded.materialize("search_index", partition=slug)
    (index(embedded).folder / MANIFEST).write_text('{"version": 7}')

    built = figures(embedded.materialize("search_index", partition=slug))

    assert "no index of this version" in built["built anew because"]
    assert built["version"] == 8


def test_an_index_that_lacks_chunks_fails_its_check(embedded: Graph) -> None:
    """Looked at alone, after more was embedded: it says how many, and what to do; without any index, all of them."""
    (slug,) = slugs(embedded)
    assert embedded.check("index_is_current", "search_index").metadata["chunks lacking"].value == 4
    embedded.materialize("search_index", partition=slug)
    assert embedded.check("index_is_current", "search_index").passed

    world = embedded.world
    world.add(page_row("Page 1", 1, prose("another", 2500), revision=2, fetched_at=world.next_day()))
    world.run()
    found = embedded.check("index_is_current", "search_index")

    assert not found.passed
    assert found.metadata["chunks lacking"].value == found.metadata["chunks left over"].value == 2
    assert "Materialise search_index" in str(found.description)


def test_an_index_that_finds_the_wrong_chunks_fails_its_check(embedded: Graph) -> None:
    """Its vectors were overwritten, so that its files are as long as they were: recall alone tells it, too."""
    (slug,) = slugs(embedded)
    world = embedded.world
    world.add(*(page_row(f"Page {n}", n, prose(f"topic {n}", 2500)) for n in range(3, 15)))
    world.run()
    embedded.materialize("search_index", partition=slug)
    assert "100.0% of the 10 nearest chunks of 20 queries" in str(
        embedded.check("index_recall", "search_index").description
    )
    (segment,) = index(embedded).segments
    vectors = np.random.default_rng(1).standard_normal(segment.vectors.shape).astype(np.float32)
    (index(embedded).folder / segment.name / "vectors.f32").write_bytes(vectors.tobytes())

    found = embedded.check("index_recall", "search_index")

    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.ERROR
    result = embedded.materialize("search_index", partition=slug)
    assert result.success
    assert not failed(result)
    assert "vectors.f32 is not what was written" in figures(result)["built anew because"]
    assert embedded.check("index_recall", "search_index").passed


@pytest.mark.parametrize(
    "name", ["rows.arrow", "vectors.f32", "norms.npy", "terms.arrow", "starts.npy", "rows.npy", "counts.npy"]
)
def test_a_changed_byte_fails_a_check_and_is_mended(embedded: Graph, name: str) -> None:
    """Of whatever file, and wherever in it: the check names the file, and materialising builds the index anew."""
    (slug,) = slugs(embedded)
    embedded.materialize("search_index", partition=slug)
    path = index(embedded).folder / index(embedded).segments[0].name / name
    changed = bytearray(path.read_bytes())
    changed[-200 if name == "rows.arrow" else -1] ^= 1
    path.write_bytes(changed)

    found = embedded.check("index_files_are_whole", "search_index")
    result = embedded.materialize("search_index", partition=slug)

    assert not found.passed
    assert f"{slug}: {path.parent.name}/{name}" in str(found.metadata)
    assert result.success
    assert not failed(result)
    assert path.parent.name in figures(result)["built anew because"]


def test_recall_is_measured_once_in_a_run(embedded: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of a run confirms what the run measured; one that is asked for alone measures."""
    (slug,) = slugs(embedded)
    measured = []

    def counted(*asked: Any) -> Recall:
        measured.append(measure_recall(*asked))
        return measured[-1]

    monkeypatch.setattr(search_index, "measure_recall", counted)
    result = embedded.materialize("search_index", partition=slug)
    (checked,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "index_recall"]

    assert (checked.passed, checked.metadata["queries"].value) == (True, measured[0].queries)
    assert len(measured) == 1
    assert embedded.check("index_recall", "search_index").passed
    assert len(measured) == 2


def test_an_unfit_index_stops_its_evaluation(embedded: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job `evaluation` brings the index up to date first, and ends there if its check fails."""
    (slug,) = slugs(embedded)
    monkeypatch.setattr(search_index, "LEAST_RECALL", 1.1)

    result = run_job(embedded, "evaluation", slug)

    assert not result.success
    assert failed(result) == {"index_recall"}
    assert not result.asset_materializations_for_node("retrieval_evaluation")
    monkeypatch.undo()
    assert run_job(embedded, "evaluation", slug).asset_materializations_for_node("retrieval_evaluation")


def test_one_space_that_fails_does_not_stop_the_others(embedded: Graph) -> None:
    """The run fails and names it; the partitions that are done are filled, and no other."""
    (slug,) = slugs(embedded)
    embedded.instance.add_dynamic_partitions(str(SPACES.name), ["gone"])
    job = dg.define_asset_job("job", selection="search_index")
    defs = dg.Definitions.merge(embedded.defs, dg.Definitions(jobs=[job]))
    tags = {"dagster/asset_partition_range_start": slug, "dagster/asset_partition_range_end": "gone"}

    result = defs.resolve_job_def("job").execute_in_process(instance=embedded.instance, raise_on_error=False, tags=tags)

    assert not result.success
    failure = result.failure_data_for_node("search_index")
    assert "gone is not up to date: no such space is registered" in json.dumps(failure.user_failure_data.description)
    key = dg.AssetKey("search_index")
    assert embedded.instance.get_materialized_partitions(key) == {slug}


def test_a_space_that_is_filled_gets_its_index_in_the_same_run(graph: Graph) -> None:
    """The job that fills a new space ends with what it is searched in."""
    graph.world.add(page_row("Tides", 1, prose("tides")))
    graph.materialize()
    (slug,) = slugs(graph)

    assert run_job(graph, "fill_space", slug).success
    assert index(graph).manifest.live_count == len(graph.world.current_chunks())


@pytest.mark.filterwarnings("ignore:.*is currently in beta")  # what evaluates conditions in tests uses it
def test_indexes_follow_the_embeddings_of_any_run(graph: Graph) -> None:
    """After a run without partitions the partitions whose embeddings it reported are asked for, once, and no other."""
    graph.world.settings = graph.world.settings.model_copy(
        update={
            "spaces": tuple(
                SpaceDeclaration(provider="hashing", model="ngram", options={"dimensions": n}) for n in (32, 16)
            )
        }
    )
    graph.world.add(page_row("Tides", 1, prose("tides")))
    graph.materialize()
    seen = dg.evaluate_automation_conditions(graph.defs, graph.instance)
    assert seen.total_requested == 0

    graph.world.add(page_row("Tides", 1, prose("ebb"), revision=2, fetched_at=graph.world.next_day()))
    graph.materialize("key:extracted_texts or key:chunks or key:embeddings")
    seen = dg.evaluate_automation_conditions(graph.defs, graph.instance, cursor=seen.cursor)

    assert seen.get_requested_partitions(dg.AssetKey("search_index")) == set(slugs(graph))
    seen = dg.evaluate_automation_conditions(graph.defs, graph.instance, cursor=seen.cursor)
    assert seen.total_requested == 0


@pytest.mark.filterwarnings("ignore:.*is currently in beta")
def test_an_index_that_was_made_meanwhile_does_not_hide_what_was_embedded_under_it(embedded: Graph) -> None:
    """What an index run that was under way did not see is asked for, though the index is the newer of the two."""
    (slug,) = slugs(embedded)
    seen = dg.evaluate_automation_conditions(embedded.defs, embedded.instance)
    embedded.world.add(page_row("Page 1", 1, prose("ebb"), revision=2, fetched_at=embedded.world.next_day()))
    embedded.materialize("key:extracted_texts or key:chunks or key:embeddings")
    embedded.instance.report_runless_asset_event(dg.AssetMaterialization("search_index", partition=slug))

    seen = dg.evaluate_automation_conditions(embedded.defs, embedded.instance, cursor=seen.cursor)

    assert seen.get_requested_partitions(dg.AssetKey("search_index")) == {slug}


@pytest.mark.filterwarnings("ignore:.*is currently in beta")
def test_what_is_embedded_right_after_an_index_was_asked_for_is_asked_for_again(embedded: Graph) -> None:
    """Two looks in a row ask, where something was embedded before each."""
    (slug,) = slugs(embedded)
    seen = dg.evaluate_automation_conditions(embedded.defs, embedded.instance)
    for revision in (2, 3):
        row = page_row("Page 1", 1, prose(f"ebb {revision}"), revision=revision, fetched_at=embedded.world.next_day())
        embedded.world.add(row)
        embedded.materialize("key:extracted_texts or key:chunks or key:embeddings")

        seen = dg.evaluate_automation_conditions(embedded.defs, embedded.instance, cursor=seen.cursor)

        assert seen.get_requested_partitions(dg.AssetKey("search_index")) == {slug}
