"""The artefacts of runs as Dagster's runs leave them."""

import json
import logging
from pathlib import Path
from typing import Any

from holocron_assets.composition import InstalledProviders
from holocron_assets.sections import LakeSettings
from tests.graph.conftest import Graph
from tests.world import page_row, prose


def with_lake(graph: Graph, tmp_path: Path) -> Path:
    """Have artefacts written; returns where."""
    graph.world.settings = graph.world.settings.model_copy(update={"lake": LakeSettings(root="lake")})
    graph.world.providers = InstalledProviders(graph.world.settings)
    return tmp_path / "lake" / "vector_runs"


def runs_of(graph: Graph) -> set[str]:
    return {str(run_id) for (run_id,) in graph.world.rows("select run_id from vector.run")}


def told(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in folder.glob("*/run.json")]


def test_every_stage_leaves_artefacts(graph: Graph, tmp_path: Path) -> None:
    """Each recorded run of each stage has a folder in the lake, and a run without work adds none."""
    folder = with_lake(graph, tmp_path)
    graph.world.add(page_row("Tides", 1, prose("tides", 5000)))

    first = graph.materialize()
    second = graph.materialize()

    assert first.success
    assert second.success
    assert {path.name for path in folder.iterdir()} == runs_of(graph)
    assert {one["stage"] for one in told(folder)} == {"extract", "chunk", "embed"}
    assert {one["reference"] for one in told(folder)} == {first.run_id}


def test_without_a_lake_nothing_is_written(graph: Graph, tmp_path: Path) -> None:
    """Nobody who did not ask for artefacts has any."""
    graph.world.add(page_row("Tides", 1, prose("tides")))

    assert graph.materialize().success

    assert not list(tmp_path.rglob("vector_runs"))


def test_a_lake_that_cannot_be_written_is_warned_of(graph: Graph, tmp_path: Path) -> None:
    """Every step succeeds, and its log says that the artefacts are missing and how to write them."""
    with_lake(graph, tmp_path)
    (tmp_path / "lake").write_text("a file where the folder should be")
    graph.world.add(page_row("Tides", 1, prose("tides")))

    result = graph.materialize()

    assert result.success
    told_of = "`holocron artefacts --missing`"
    logged = graph.instance.all_logs(result.run_id)
    warnings = {one.step_key for one in logged if one.level == logging.WARNING and told_of in one.user_message}
    assert warnings == {"extracted_texts", "chunks", "embeddings"}
    assert graph.world.rows("select distinct status from vector.run") == [("SUCCEEDED",)]


def test_a_space_that_fails_leaves_its_error(graph: Graph, tmp_path: Path) -> None:
    """The run of a space that could not be embedded is a folder with the error, and the step fails as ever."""
    folder = with_lake(graph, tmp_path)
    graph.world.add(page_row("Tides", 1, prose("tides")))
    graph.world.rows(
        "insert into vector.embedding_space (embedding_space_id, provider, model_name, model_tag, model_digest, "
        "dimensions, created_utc) values (uuid(), 'gone', 'model', 'tag', 'digest', 8, now())"
    )

    result = graph.materialize()

    assert not result.success
    (failed,) = [one for one in told(folder) if one["status"] == "FAILED"]
    assert (failed["stage"], failed["space"]["provider"]) == ("embed", "gone")
    (error,) = (folder / failed["run_id"] / "errors.ndjson").read_bytes().splitlines()
    assert json.loads(error)["error"] == failed["error"]
