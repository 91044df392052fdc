"""Evaluating spaces in Dagster: partitions, figures, and the check on them."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from holocron_assets.evaluation.comparing import METHODS
from holocron_assets.sections import EvaluationSettings
from holocron_assets.spaces import space_of
from holocron_assets.tables import spaces
from holocron_assets.transactions import read
from resources.providers import open_provider
from tests.conftest import Templates
from tests.graph.conftest import Graph
from tests.stages.test_evaluate import collection, page
from tests.world import page_row, prose

CHECK = "retrieval_did_not_get_worse"


@pytest.fixture
def graph(graph: Graph, templates: Templates, tmp_path: Path) -> Graph:
    """Ten pages, each of them the answer to a query."""
    world = graph.world

    def fill() -> None:
        world.add(*[page_row(f"Page {n}", n, prose(f"{chr(96 + n) * 5} matters", 800)) for n in range(1, 11)])
        world.run()

    templates.fill(world.settings, "ten topics", fill)
    collection(tmp_path / "own", {f"{chr(96 + n) * 5} matters": {page(n): 1} for n in range(1, 11)})
    _evaluate_on(graph, str(tmp_path / "own"))
    graph.instance.add_dynamic_partitions("embedding_spaces", [slug(graph)])
    return graph


def _evaluate_on(graph: Graph, *folders: str) -> None:
    graph.world.settings = graph.world.settings.model_copy(
        update={"evaluation": EvaluationSettings(collections=folders)}
    )


def slug(graph: Graph) -> str:
    return read(graph.world.store, spaces.list_spaces)[0].slug


def evaluated(graph: Graph) -> dg.ExecuteInProcessResult:
    return graph.materialize("retrieval_evaluation", partition=slug(graph))


def figures(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    ((materialization,), *_) = [result.asset_materializations_for_node("retrieval_evaluation")]
    assert materialization.partition
    return {name: getattr(value, "records", value.value) for name, value in materialization.metadata.items()}


def damage(graph: Graph) -> None:
    """Every text becomes that of another page."""
    for n in range(1, 11):
        topic = f"{chr(97 + n % 10) * 5} matters"
        graph.world.add(page_row(f"Page {n}", n, prose(topic, 800), revision=2, fetched_at=graph.world.next_day()))
    graph.world.extract()
    graph.world.chunk(allow_mass_change=True)
    graph.world.embed()


def test_a_partition_is_evaluated(graph: Graph) -> None:
    """The partition shows the metrics of the method to use, each method beside it, and pictures."""
    result = evaluated(graph)

    found = figures(result)
    assert result.success
    assert (found["own: best method"], found["method to use"]) == ("lexical", "lexical")
    assert found["own: queries"] == 10
    assert found["own: nDCG@10"] > 0.7
    assert {record.data["method"] for record in found["own: methods"]} == {str(one) for one in METHODS}
    assert "data:image/svg+xml;base64," in found["own: nDCG@10 by method"]
    assert "data:image/svg+xml;base64," in found["own: queries by nDCG@10"]


def test_the_check_passes_and_fails(graph: Graph) -> None:
    """It passes while nothing is found less, fails as an error when texts got mixed up, and stops no run."""
    first, again = evaluated(graph), evaluated(graph)
    damage(graph)
    worse, worse_still_stands = evaluated(graph), evaluated(graph)

    (passed,), (passed_again,), (failed,), (failed_again,) = (
        one.get_asset_check_evaluations() for one in (first, again, worse, worse_still_stands)
    )
    assert (passed.check_name, passed.passed, passed_again.passed) == (CHECK, True, True)
    assert (failed.passed, failed.severity, worse.success) == (False, dg.AssetCheckSeverity.ERROR, True)
    assert "by vector: nDCG@10" in str(failed.metadata["offenders"].value)
    assert not failed_again.passed
    assert not graph.check(CHECK, "retrieval_evaluation").passed


def test_another_partition_hides_no_loss(graph: Graph) -> None:
    """Dagster shows the checks of the last run: that of a space that lost nothing fails too while another did."""
    evaluated(graph)
    damage(graph)
    evaluated(graph)
    other = open_provider("hashing", "ngram", {"dimensions": 64})
    graph.world.embed(other)
    partition = space_of(other.describe()).slug
    graph.instance.add_dynamic_partitions("embedding_spaces", [partition])

    result = graph.materialize("retrieval_evaluation", partition=partition)

    (failed,) = result.get_asset_check_evaluations()
    assert (result.success, failed.passed) == (True, False)
    assert slug(graph) in str(failed.metadata["offenders"].value)


def test_evaluating_twice_writes_nothing_twice(graph: Graph) -> None:
    """The second time finds the same, and the evaluation of the first time stands."""
    evaluated(graph)
    found = figures(evaluated(graph))

    assert found["own: evaluations that are new"] == 0
    assert graph.world.rows("select count(*) from vector.retrieval_evaluation") == [(len(METHODS),)]


def test_without_a_collection_nothing_is_evaluated(graph: Graph) -> None:
    """The sample's judgements say nothing of other pages; the run says what is missing, and succeeds."""
    _evaluate_on(graph, "sample")

    result = evaluated(graph)

    assert result.success
    assert graph.world.rows("select count(*) from vector.retrieval_evaluation") == [(0,)]


def test_a_space_that_cannot_be_evaluated_is_named(graph: Graph, tmp_path: Path) -> None:
    """A malformed collection fails the step with file and line, and nothing tries it again."""
    shutil.copytree(tmp_path / "own", tmp_path / "broken")
    (tmp_path / "broken" / "qrels.tsv").write_text("a\tb\t1\nc\n")
    _evaluate_on(graph, str(tmp_path / "broken"))
    malformed = evaluated(graph)
    collection(tmp_path / "elsewhere", {"a": {"no such page": 1}})
    _evaluate_on(graph, str(tmp_path / "elsewhere"))
    strange = evaluated(graph)

    assert "qrels.tsv:2: 1 columns" in reason(malformed)
    assert f"{slug(graph)} was not evaluated: of the 1 sources or chunks" in reason(strange)
    assert all(graph.instance.get_run_by_id(one.run_id).tags["holocron/failure"] for one in (malformed, strange))


def reason(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return str(failure.user_failure_data.description)
