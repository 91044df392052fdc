"""The main job in Dagster: from files to vectors, incrementally, with everything it tells."""

import gzip
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from holocron_assets.anchors import anchors
from holocron_assets.errors import StoreBusyError
from holocron_assets.ports import Purpose
from holocron_assets.run_history import FAILURE_TAG, PERMANENT
from holocron_assets.sections import SpaceDeclaration, SqlSource
from holocron_assets.stages.ingest_rows import SqlSourceReport
from holocron_assets.tables import spaces as space_table
from holocron_assets.vectors import Vectors
from resources.providers import PROVIDERS, Entry
from resources.providers.hashing import ByteNgrams
from tests.graph.conftest import Graph
from tests.world import missing_row, page_row, prose

GOOD = "select 1 as id, 'One' as title, 'first' as text"
TABLES = (
    "ingest.IngestRecords",
    "vector.ingest_seen",
    "vector.source_registry",
    "vector.extracted_text",
    "vector.chunk",
    "vector.chunk_version",
    "vector.embedding_space",
    "vector.embedding",
    "vector.job",
    "vector.run",
    "vector.quarantine",
    "vector.ingest_file",
)


def everything(graph: Graph) -> dict[str, list[tuple[Any, ...]]]:
    return {table: sorted(graph.world.rows(f"select * from {table}"), key=repr) for table in TABLES}


def write_records(graph: Graph, *rows: dict[str, Any], name: str = "records.ndjson") -> None:
    """Records in a file that the settings name, old enough to be remembered as read."""
    path = graph.world.settings.path(name)
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    os.utime(path, (1_700_000_000, 1_700_000_000 + len(rows)))
    graph.world.settings = graph.world.settings.model_copy(update={"ingest": (name,)})


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    return {name: value.value for name, value in materialization(result, asset).metadata.items()}


def materialization(result: dg.ExecuteInProcessResult, asset: str) -> dg.AssetMaterialization:
    events = result.asset_materializations_for_node(asset)
    (event,) = [event for event in events if event.asset_key == dg.AssetKey(asset)]
    return event


def failure(result: dg.ExecuteInProcessResult) -> Any:
    """What the step that failed says of it."""
    return next(event for event in result.all_events if event.is_step_failure).step_failure_data.user_failure_data


def warnings(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> list[str]:
    logs = instance.all_logs(result.run_id)
    return [entry.user_message for entry in logs if entry.level == 30]


def test_files_become_vectors(graph: Graph) -> None:
    """One selection takes records from a file to checked vectors, and says what it did."""
    write_records(graph, *[page_row(f"Page {n}", n, prose(f"topic {n}")) for n in (1, 2, 3)])

    result = graph.materialize()

    assert result.success
    assert metadata(result, "ingest_records")["new records"] == 3
    assert metadata(result, "extracted_texts")["outcomes"] == {"text": 3}
    assert metadata(result, "chunks")["dagster/row_count"] == 6
    assert metadata(result, "embeddings")["embedded"] == 6
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


def test_a_second_run_writes_nothing(graph: Graph) -> None:
    """With nothing new, a run changes no row of any table."""
    write_records(graph, *[page_row(f"Page {n}", n, prose(f"topic {n}")) for n in (1, 2, 3)])
    graph.materialize()
    before = everything(graph)

    result = graph.materialize()

    assert result.success
    assert everything(graph) == before


def test_a_change_costs_what_changed(graph: Graph) -> None:
    """After one page of three was edited, one record, one text and its chunks are worked on."""
    pages = [page_row(f"Page {n}", n, prose(f"topic {n}", 1500)) for n in (1, 2, 3)]
    write_records(graph, *pages)
    graph.materialize()
    write_records(
        graph, *pages, page_row("Page 2", 2, prose("news", 1500), revision=2, fetched_at=graph.world.next_day())
    )

    result = graph.materialize()

    assert metadata(result, "ingest_records")["new records"] == 1
    assert metadata(result, "extracted_texts")["records examined"] == 1
    assert metadata(result, "chunks")["sources chunked"] == 1
    assert metadata(result, "embeddings")["embedded"] == 1


def test_standard_metadata_has_the_types_that_dagster_shows(graph: Graph) -> None:
    """Row counts are numbers, samples tables, lineage lineage: Dagster accepts anything and shows nothing else."""
    write_records(graph, page_row("Page", 1, prose("topic")))
    result = graph.materialize()
    expected = {
        "dagster/row_count": dg.IntMetadataValue,
        "dagster/column_lineage": dg.TableColumnLineageMetadataValue,
        "samples": dg.TableMetadataValue,
        "lengths": dg.MarkdownMetadataValue,
    }

    for asset in ("ingest_records", "extracted_texts", "chunks", "embeddings", "embedding_spaces"):
        event = materialization(result, asset)
        assert "dagster/row_count" in event.metadata
        for name, value in event.metadata.items():
            assert isinstance(value, expected.get(name, dg.MetadataValue)), (asset, name)
        assert len(str(event.metadata)) < 20_000


def test_the_plain_command_fills_the_partitions(graph: Graph) -> None:
    """`embeddings` reports every space as a materialised partition of `space_embeddings`."""
    write_records(graph, page_row("Page", 1, prose("topic")))
    graph.materialize()

    slugs = graph.instance.get_dynamic_partitions("embedding_spaces")
    filled = graph.instance.get_materialized_partitions(dg.AssetKey("space_embeddings"))
    assert len(slugs) == 1
    assert filled == set(slugs)


def test_a_partition_can_be_filled_by_itself(graph: Graph) -> None:
    """Materialising one partition of `space_embeddings` does the work for that space."""
    write_records(graph, page_row("Page", 1, prose("topic")))
    graph.materialize("key:ingest_records or key:extracted_texts or key:chunks or key:embedding_spaces")
    (slug,) = graph.instance.get_dynamic_partitions("embedding_spaces")

    result = graph.materialize("key:space_embeddings", partition=slug)

    assert result.success
    assert graph.world.rows("select count(*) from vector.embedding") == [(2,)]
    event = materialization(result, "space_embeddings")
    assert event.partition == slug
    assert event.metadata["embedded"].value == 2


def test_a_partition_is_judged_by_itself(graph: Graph) -> None:
    """A run for one partition passes its checks while another space still waits."""
    write_records(graph, page_row("Page", 1, prose("topic")))
    second = SpaceDeclaration(provider="hashing", model="ngram", options={"dimensions": 64})
    both = (*graph.world.settings.spaces, second)
    graph.world.settings = graph.world.settings.model_copy(update={"spaces": both})
    graph.materialize("key:ingest_records or key:extracted_texts or key:chunks or key:embedding_spaces")
    first, other = graph.instance.get_dynamic_partitions("embedding_spaces")

    alone = graph.materialize("key:space_embeddings", partition=first)
    complete = graph.check("every_current_chunk_is_embedded", "space_embeddings")

    assert alone.success
    assert not complete.passed
    assert f"{other} lacks 2 chunks" in str(complete.description)


def test_embeddings_alone_works_on_nothing(graph: Graph) -> None:
    """On an empty store `embeddings` creates the schema, registers the spaces, embeds nothing and says so."""
    result = graph.materialize("key:embeddings")

    assert result.success
    assert metadata(result, "embeddings")["dagster/row_count"] == 0
    assert graph.world.rows("select count(*) from vector.embedding_space") == [(1,)]
    assert any("there are 0 chunks to embed from" in text for text in warnings(result, graph.instance))


def test_embeddings_alone_tells_what_waits(graph: Graph) -> None:
    """`embeddings` runs nothing upstream, but says how much waits there and the command that brings it."""
    graph.world.add(page_row("Page", 1, prose("topic")))

    result = graph.materialize("key:embeddings")

    (text,) = [text for text in warnings(result, graph.instance) if "wait for extraction" in text]
    assert text.startswith("1 ingest records wait for extraction and 0 texts for chunking")
    assert "dagster asset materialize --select '+key:embeddings'" in text
    assert metadata(result, "embeddings")["to bring everything up to date"] in text
    assert metadata(result, "embeddings")["records waiting for extraction"] == 1


def test_the_sample_is_loaded_only_while_it_is_alone(graph: Graph) -> None:
    """The bundled sample is for newcomers: with records from elsewhere it is left out."""
    graph.world.settings = graph.world.settings.model_copy(update={"ingest": ("sample",)})
    graph.world.add(page_row("Mine", 1, prose("topic")))

    result = graph.materialize("key:ingest_records")

    assert metadata(result, "ingest_records")["new records"] == 0


def test_a_failing_space_does_not_stop_the_others(graph: Graph) -> None:
    """Every space that can be is brought up to date; then the run fails and names those that were not."""
    good, bad = graph.world.settings.spaces[0], SpaceDeclaration(provider="hashing", model="nonsense")
    graph.world.settings = graph.world.settings.model_copy(update={"spaces": (bad, good)})
    write_records(graph, page_row("Page", 1, prose("topic")))

    result = graph.materialize("key:ingest_records or key:extracted_texts or key:chunks or key:embeddings")

    assert not result.success
    assert graph.world.rows("select count(*) from vector.embedding") == [(2,)]
    assert failure(result).description.startswith("hashing nonsense is not up to date: ")


def test_a_bad_declaration_does_not_stop_the_main_command(graph: Graph) -> None:
    """The registry warns of a declaration that fails, the other space is filled, and `embeddings` fails by name."""
    good, bad = graph.world.settings.spaces[0], SpaceDeclaration(provider="hashing", model="nonsense")
    graph.world.settings = graph.world.settings.model_copy(update={"spaces": (bad, good)})
    write_records(graph, page_row("Page", 1, prose("topic")))

    result = graph.materialize("+key:embeddings")

    assert graph.world.rows("select count(*) from vector.embedding") == [(2,)]
    assert failure(result).description.startswith("hashing nonsense is not up to date: ")
    assert list(metadata(result, "embedding_spaces")["declarations that failed"]) == ["hashing nonsense"]
    assert any("hashing nonsense failed: " in text for text in warnings(result, graph.instance))


def two_spaces(graph: Graph) -> tuple[str, str]:
    """Chunks to embed in two spaces of different dimensions; their slugs, the one of 64 dimensions first."""
    wide = SpaceDeclaration(provider="hashing", model="ngram", options={"dimensions": 64})
    both = (wide, *graph.world.settings.spaces)
    graph.world.settings = graph.world.settings.model_copy(update={"spaces": both})
    write_records(graph, page_row("Page", 1, prose("topic")))
    graph.materialize("key:ingest_records or key:extracted_texts or key:chunks or key:embedding_spaces")
    with graph.world.store.session(write=False) as session:
        other, wider = sorted(space_table.list_spaces(session), key=lambda space: space.dimensions)
    return wider.slug, other.slug


def break_the_wide_space(monkeypatch: pytest.MonkeyPatch, fault: Callable[[], object]) -> None:
    """Let `fault` happen in each call that embeds chunks in 64 dimensions."""
    embed = ByteNgrams.embed
    texts_of_anchors = {anchor.text for anchor in anchors(None)}

    def embed_or_fail(self: ByteNgrams, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        if self.describe().dimensions == 64 and not texts_of_anchors.issuperset(texts):
            fault()
        return embed(self, texts, purpose)

    monkeypatch.setattr(ByteNgrams, "embed", embed_or_fail)


def crash() -> None:
    raise RuntimeError("out of luck")


def filled_partitions(graph: Graph) -> set[str]:
    return graph.instance.get_materialized_partitions(dg.AssetKey("space_embeddings"))


def test_a_crashing_provider_does_not_stop_the_other_spaces(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is none of ours ends its own space only, which the failure names with the error's type."""
    wide, _ = two_spaces(graph)
    break_the_wide_space(monkeypatch, crash)

    result = graph.materialize("key:embeddings")

    assert graph.world.rows("select count(*) from vector.embedding") == [(2,)]
    assert failure(result).description.startswith(
        f"{wide} is not up to date: provider 'hashing' failed with RuntimeError: out of luck"
    )
    assert "RuntimeError: out of luck" in graph.world.rows("select error from vector.run where status = 'FAILED'")[0][0]


def test_a_provider_that_cannot_be_imported_stops_no_other(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider whose driver is missing fails its own space; the others are filled."""
    monkeypatch.setitem(PROVIDERS, "driverless", Entry(target="resources.providers.no_such_module:Provider"))
    declared = (SpaceDeclaration(provider="driverless", model="any"), *graph.world.settings.spaces)
    graph.world.settings = graph.world.settings.model_copy(update={"spaces": declared})
    write_records(graph, page_row("Page", 1, prose("topic")))

    result = graph.materialize("+key:embeddings")

    assert graph.world.rows("select count(*) from vector.embedding") == [(2,)]
    assert failure(result).description.startswith(
        "driverless any is not up to date: provider 'driverless' failed with ModuleNotFoundError"
    )


def test_a_failure_is_not_recorded_as_success(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failing `embeddings` is not materialised, nor is the failed space's partition; the figures are on the failure."""
    _, other = two_spaces(graph)
    break_the_wide_space(monkeypatch, crash)

    result = graph.materialize("key:embeddings")

    assert graph.instance.get_latest_materialization_event(dg.AssetKey("embeddings")) is None
    assert filled_partitions(graph) == {other}
    assert failure(result).metadata["embedded"].value == 2


def test_a_space_that_still_lacks_chunks_is_not_filled(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """A space whose chunks changed while it was embedded fails for what is pending, and is no filled partition."""
    wide, other = two_spaces(graph)
    changed = "update vector.chunk set content_sha256 = 'changed meanwhile'"
    break_the_wide_space(monkeypatch, lambda: graph.world.rows(changed))

    result = graph.materialize("key:embeddings")

    assert failure(result).description == (f"{wide} is not up to date: 2 current chunks have no vector yet; run again")
    assert filled_partitions(graph) == {other}


def test_what_others_chunk_while_a_space_is_embedded_is_left_to_the_next_run(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that did all there was to do succeeds, whatever came meanwhile, and warns of it; the next run does that."""
    two_spaces(graph)

    def write_meanwhile() -> None:
        graph.world.add(page_row("Another", 2, prose("another", 300)))
        graph.world.extract()
        graph.world.chunk()

    break_the_wide_space(monkeypatch, write_meanwhile)

    result = graph.materialize("key:embeddings")

    assert result.success
    assert any("1 chunks came while this run embedded" in text for text in warnings(result, graph.instance))
    (check,) = [one for one in result.get_asset_check_evaluations() if one.check_name.startswith("every_current")]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert graph.check("every_current_chunk_is_embedded").severity is dg.AssetCheckSeverity.ERROR
    assert graph.materialize("key:embeddings").success
    assert graph.check("every_current_chunk_is_embedded").passed


def test_of_several_partitions_only_the_good_ones_are_filled(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one run over two partitions, the good one is recorded with its figures and the run fails for the other."""
    wide, other = two_spaces(graph)
    break_the_wide_space(monkeypatch, crash)

    result = materialize_partitions(graph, wide, other)

    (record,) = graph.instance.fetch_materializations(dg.AssetKey("space_embeddings"), limit=9).records
    event = record.asset_materialization
    assert (event.partition, event.metadata["embedded"].value) == (other, 2)
    assert failure(result).description.startswith(f"{wide} is not up to date: ")
    assert "spaces" in failure(result).metadata


def test_several_partitions_are_filled_in_one_run(graph: Graph) -> None:
    """One run over two partitions records both, each with the figures of its own space."""
    slugs = two_spaces(graph)

    result = materialize_partitions(graph, *slugs)

    events = result.asset_materializations_for_node("space_embeddings")
    assert {event.partition: event.metadata["dimensions"].value for event in events} == dict(
        zip(slugs, (64, 32), strict=True)
    )


def materialize_partitions(graph: Graph, *slugs: str) -> dg.ExecuteInProcessResult:
    """One run over several partitions, tagged as a single-run backfill tags it."""
    first, *_, last = sorted(slugs, key=graph.instance.get_dynamic_partitions("embedding_spaces").index)
    job = dg.define_asset_job("job", selection="key:space_embeddings")
    defs = dg.Definitions.merge(graph.defs, dg.Definitions(jobs=[job]))
    return defs.resolve_job_def("job").execute_in_process(
        instance=graph.instance,
        raise_on_error=False,
        tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
    )


def test_the_guard_stops_the_job_and_the_config_lets_it_pass(graph: Graph) -> None:
    """A mass change fails `chunks` with its reason and skips what follows; run config allows it."""
    pages = [page_row(f"Page {n}", n, prose(f"topic {n}", 300)) for n in range(1, 31)]
    write_records(graph, *pages)
    graph.materialize()
    write_records(graph, *pages, *[missing_row(f"Page {n}", fetched_at=graph.world.next_day()) for n in range(1, 26)])

    stopped = graph.materialize()
    still_there = graph.world.rows("select count(*) from vector.chunk where retired_utc is null")
    allowed = graph.materialize(config={"ops": {"chunks": {"config": {"allow_mass_change": True}}}})

    assert (stopped.success, still_there) == (False, [(30,)])
    assert allowed.success
    assert graph.world.rows("select count(*) from vector.chunk where retired_utc is null") == [(5,)]


def test_an_inactive_space_loses_its_partition(graph: Graph) -> None:
    """A space that the database says is inactive is not embedded, and its partition goes when nothing runs."""
    write_records(graph, page_row("Page", 1, prose("topic")))
    graph.materialize()
    graph.world.rows("update vector.embedding_space set is_active = false")

    result = graph.materialize("key:embeddings")

    assert result.success
    assert graph.instance.get_dynamic_partitions("embedding_spaces") == []


def test_rejected_lines_are_told(graph: Graph) -> None:
    """Lines that are no records end in quarantine, with a warning and a check that says so; the rest is loaded."""
    graph.world.settings = graph.world.settings.model_copy(update={"ingest": ("records.ndjson",)})
    graph.world.settings.path("records.ndjson").write_text(
        json.dumps(page_row("Page", 1, prose("topic"))) + "\nnot json\n", encoding="utf-8"
    )

    result = graph.materialize()

    assert result.success
    assert metadata(result, "ingest_records")["lines rejected"] == 1
    check = next(
        one
        for one in result.get_asset_check_evaluations()
        if (one.asset_key, one.check_name) == (dg.AssetKey("ingest_records"), "nothing_is_quarantined")
    )
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_a_truncated_file_fails_after_loading_what_it_could(graph: Graph) -> None:
    """A file that ends in the middle fails the run with the line; what came before is stored, and becomes vectors."""
    path = graph.world.settings.path("records.ndjson.gz")
    rows = [page_row(f"Page {n}", n, prose(f"topic {n}")) for n in range(1, 200)]
    path.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode())[:-50])
    graph.world.settings = graph.world.settings.model_copy(update={"ingest": (path.name,)})

    result = graph.materialize()

    assert not result.success
    assert "is incomplete: " in failure(result).description
    assert graph.world.rows("select count(*) > 100 from ingest.IngestRecords") == [(True,)]
    assert metadata(result, "embeddings")["embedded"] > 100
    run = graph.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags[FAILURE_TAG] == PERMANENT
    assert "is incomplete: " in str(graph.check("every_input_is_read", "ingest_records").description)


def test_a_query_on_a_busy_database_is_tried_again_and_stops_nothing(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its retries the run goes on without it, and fails in the end, though not for good."""
    asked = []

    def busy(*_: object) -> list[SqlSourceReport]:
        asked.append(1)
        raise StoreBusyError("another transaction holds rows")

    monkeypatch.setattr("holocron_assets.assets.ingest_records.ingest_sql_sources", busy)
    monkeypatch.setattr("holocron_assets.assets.steps._RETRY_SECONDS", 0.0)
    write_records(graph, page_row("Page", 1, prose("topic")))

    result = graph.materialize()

    assert len(asked) == 3
    assert "another transaction holds rows" in failure(result).description
    assert metadata(result, "embeddings")["embedded"] > 0
    run = graph.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert FAILURE_TAG not in run.tags


def test_rows_become_vectors_and_vanish(graph: Graph) -> None:
    """The queries of the settings are run with the files; what a query no longer gives is retired."""
    rows = "select 1 as id, 'One' as title, 'first' as text union all select 2, 'Two', 'second'"

    def run(query: str) -> dg.ExecuteInProcessResult:
        sources = (SqlSource(name="notes", query=query),)
        graph.world.settings = graph.world.settings.model_copy(update={"sql_sources": sources})
        return graph.materialize()

    first, second, empty = run(rows), run(f"select * from ({rows}) as r where id = 1"), run(f"{rows} limit 0")

    assert [metadata(one, "ingest_records")["rows read"] for one in (first, second, empty)] == [2, 1, 0]
    assert [metadata(one, "ingest_records")["rows gone"] for one in (first, second, empty)] == [0, 1, 1]
    assert metadata(first, "embeddings")["embedded"] == 2
    assert graph.world.current_chunks() == {}
    assert any("gives no rows at all" in warning for warning in warnings(empty, graph.instance))


def test_a_query_that_fails_fails_the_run_after_the_others(graph: Graph) -> None:
    """Files and other queries are ingested all the same, and what follows is done; the failure names the query."""
    write_records(graph, page_row("Page", 1, prose("topic")))
    sources = [SqlSource(name=name, query=query) for name, query in (("bad", "select 1"), ("good", GOOD))]
    graph.world.settings = graph.world.settings.model_copy(update={"sql_sources": tuple(sources)})

    result = graph.materialize()

    assert not result.success
    assert "nothing was stored of SQL source bad" in failure(result).description
    assert metadata(result, "ingest_records")["new records"] == 2
    graph.world.settings = graph.world.settings.model_copy(update={"ingest": ("gone",), "sql_sources": ()})
    result = graph.materialize("key:ingest_records or key:extracted_texts")
    assert "there is no file or folder" in failure(result).description
    assert metadata(result, "extracted_texts")["dagster/row_count"] == 2


@pytest.mark.parametrize("kind", ["html", "txt", "json"])
def test_folders_of_documents_are_loaded(graph: Graph, kind: str, tmp_path: Path) -> None:
    """A folder of documents is loaded, an edited file again, an untouched one not."""
    folder = tmp_path / "notes"
    folder.mkdir()
    contents = {
        "html": "<html><body><article><h1>Tides</h1><p>{}</p></article></body></html>",
        "txt": "Tides\n\n{}",
        "json": '{{"title": "Tides", "body": "{}"}}',
    }[kind]
    for name in ("a", "b"):
        (folder / f"{name}.{kind}").write_text(contents.format(prose(f"file {name}", 600)))
    graph.world.settings = graph.world.settings.model_copy(update={"ingest": ("notes",)})
    first = graph.materialize()
    (folder / f"a.{kind}").write_text(contents.format(prose("another thing", 600)))

    second = graph.materialize()

    assert metadata(first, "ingest_records")["new records"] == 2
    assert metadata(second, "ingest_records")["new records"] == 1
    texts = graph.world.texts().values()
    assert any("another thing" in text for text in texts)
    assert not any("file a" in text for text in texts)
