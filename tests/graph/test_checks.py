"""Every asset check, shown passing on a healthy store and failing on one planted fault."""

import uuid
from typing import Any

import dagster as dg
import pytest

from holocron_assets.derivation import derive
from holocron_assets.records import ItemType, QuarantinedItem
from holocron_assets.run_history import FAILURE_TAG, PERMANENT
from holocron_assets.stages.indexing import IndexPlace, refresh_index
from holocron_assets.tables import quarantine, spaces
from holocron_assets.transactions import read
from holocron_assets.verification.repair import repair
from holocron_assets.verification.verify import verify
from tests.conftest import Templates
from tests.graph.conftest import Graph
from tests.world import START, page_row, prose

FIRST_CHUNK = "(select min(chunk_id) from vector.chunk)"
RUN = "00000000-0000-0000-0000-000000000009"

#: asset, check, and statements that plant the one fault which the check is there to find.
FAULTS: list[tuple[str, str, list[str]]] = [
    (
        "extracted_texts",
        "sources_have_one_current_text",
        ["update vector.source_registry set text_sha256 = 'other' where source_id like '%/1'"],
    ),
    (
        "extracted_texts",
        "texts_match_their_hashes",
        ["update vector.extracted_text set content = content || '!' where source_id like '%/1'"],
    ),
    (
        "chunks",
        "chunk_ids_recompute",
        ["update vector.chunk set content = content || '!' where source_id like '%/1'"],
    ),
    (
        "chunks",
        "chunk_ids_recompute",
        ["update vector.chunk set offsets_json = replace(offsets_json, 'start_offset\":0', 'start_offset\":1')"],
    ),
    (
        "chunks",
        "chunks_tile_their_text",
        ["update vector.chunk set retired_utc = now() where source_id like '%/1' and offsets_json like '%_index\":0%'"],
    ),
    (
        "chunks",
        "registry_counts_agree",
        ["update vector.source_registry set chunk_count = chunk_count + 1 where source_id like '%/1'"],
    ),
    (
        "chunks",
        "vanished_sources_have_no_current_chunks",
        ["update vector.source_registry set text_sha256 = null, content_sha256 = null where source_id like '%/1'"],
    ),
    (
        "chunks",
        "vanished_sources_have_no_current_chunks",
        [f"update vector.chunk set source_id = null where chunk_id = {FIRST_CHUNK}"],
    ),
    (
        "chunks",
        "chunk_history_is_complete",
        ["update vector.chunk_version set valid_to_utc = now() where source_id like '%/1'"],
    ),
    (
        "embeddings",
        "embeddings_match_their_chunks",
        [
            "update vector.embedding set input_content_sha256 = 'x' "
            "where chunk_id = (select min(chunk_id) from vector.chunk)"
        ],
    ),
    ("embeddings", "embeddings_have_lineage", [f"update vector.embedding set run_id = '{RUN}'"]),
    ("embeddings", "vectors_are_valid", ["update vector.embedding set vector = [1.0, 2.0]"]),
    (
        "embeddings",
        "vectors_are_valid",
        ["update vector.embedding set vector = list_transform(vector, lambda x: 'nan'::float)"],
    ),
    (
        "embeddings",
        "vectors_are_valid",
        ["update vector.embedding set vector = list_transform(vector, lambda x: x * 2)"],
    ),
    (
        "embeddings",
        "vectors_are_valid",
        ["update vector.embedding set vector = list_transform(vector, lambda x: nullif(x, x))"],
    ),
    ("embeddings", "vectors_are_valid", ["update vector.embedding set vector_sha256 = 'other'"]),
    (
        "embeddings",
        "every_current_chunk_is_embedded",
        [f"delete from vector.embedding where chunk_id = {FIRST_CHUNK}"],
    ),
    (
        "embeddings",
        "embedding_keys_are_unique",
        ["insert into vector.embedding select uuid(), * exclude (embedding_id) from vector.embedding limit 1"],
    ),
]

#: Faults that a constraint of the database forbids, so that the constraint must go before they can be planted.
FORBIDDEN: list[tuple[str, str, str, str]] = [
    ("ingest_records", "ingest_ids_are_unique", "ingest.IngestRecords", "ingest_id"),
    ("chunks", "chunk_ids_are_unique", "vector.chunk", "chunk_id"),
]


@pytest.fixture
def healthy(graph: Graph, templates: Templates) -> Graph:
    """A store with three pages, everything up to date."""

    def fill() -> None:
        graph.world.add(*[page_row(f"Page {n}", n, prose(f"topic {n}", 4500)) for n in (1, 2, 3)])
        assert graph.materialize().success

    templates.fill(graph.world.settings, "healthy", fill)
    return graph


def test_every_check_passes_on_a_healthy_store(healthy: Graph) -> None:
    """Asked for alone, as by the button in the UI, every check passes; `store_verification` brings its own."""
    (space,) = read(healthy.world.store, spaces.list_spaces)
    refresh_index(healthy.world.store, space, IndexPlace.of(healthy.world.settings))
    alone = dg.AssetSelection.all_asset_checks() - dg.AssetSelection.checks_for_assets("store_verification")
    job = dg.define_asset_job("checks", selection=alone)
    defs = dg.Definitions.merge(healthy.defs, dg.Definitions(jobs=[job]))

    result = defs.resolve_job_def("checks").execute_in_process(instance=healthy.instance)

    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) == 1 + 4 + 3 + 6 + 7 + 7 + 3 + 3 + 1
    assert all(evaluation.passed for evaluation in evaluations)


@pytest.mark.parametrize(("asset", "check", "faults"), FAULTS, ids=[f"{f[1]}-{n}" for n, f in enumerate(FAULTS)])
def test_a_planted_fault_fails_its_check(healthy: Graph, asset: str, check: str, faults: list[str]) -> None:
    """One wrong row fails the check, as an error that blocks, with an explanation of what to do."""
    for statement in faults:
        healthy.world.rows(statement)

    evaluation = healthy.check(check, asset)

    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    assert evaluation.description


def test_a_damaged_transform_fails_its_check(healthy: Graph) -> None:
    """A derived space whose transform is not what its hash says is an error that blocks, and names it."""
    derive(healthy.world.store, "ngram", "binary", dimensions=None, sample=None, dry_run=False)
    assert healthy.materialize("embeddings").success
    assert healthy.check("transforms_are_intact").passed
    healthy.world.rows("update vector.transform set artefact = encode('nonsense')")

    evaluation = healthy.check("transforms_are_intact")

    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "ngram-binary" in str(evaluation.metadata["offenders"].value)
    assert not healthy.check("transforms_are_intact", "space_embeddings").passed


def test_a_database_that_lost_a_column_fails_its_check(healthy: Graph) -> None:
    """What preflight would stop the next run for, the check says already."""
    healthy.world.rows("alter table vector.source_registry drop column last_indexed_utc")

    evaluation = healthy.check("database_is_fit", "ingest_records")

    assert not evaluation.passed
    assert "vector.source_registry.last_indexed_utc" in str(evaluation.metadata["offenders"].value)


@pytest.mark.parametrize(("asset", "check", "table", "column"), FORBIDDEN, ids=[f[1] for f in FORBIDDEN])
def test_a_doubled_id_fails_its_check(healthy: Graph, asset: str, check: str, table: str, column: str) -> None:
    """The constraint forbids it; where the constraint is lost, the check still finds it."""
    with pytest.raises(Exception, match=r"(?i)duplicate key"):
        healthy.world.rows(f"insert into {table} select * from {table} limit 1")
    healthy.world.rows(f"create table unkeyed as select * from {table}")
    healthy.world.rows(f"drop table {table}")
    healthy.world.rows(f"create table {table} as select * from unkeyed union all (select * from unkeyed limit 1)")

    evaluation = healthy.check(check, asset)

    assert not evaluation.passed


@pytest.mark.parametrize(
    ("asset", "item_type"),
    [
        ("ingest_records", ItemType.LINE),
        ("extracted_texts", ItemType.RECORD),
        ("embeddings", ItemType.CHUNK),
    ],
)
def test_quarantine_is_a_warning_with_a_list(healthy: Graph, asset: str, item_type: ItemType) -> None:
    """What is held back shows as a warning that names it, and stops nothing."""
    (chunk, digest) = healthy.world.rows("select chunk_id, content_sha256 from vector.chunk limit 1")[0]
    is_chunk = item_type is ItemType.CHUNK
    item = QuarantinedItem(
        item_type=item_type,
        item_id=chunk if is_chunk else "item 42",
        item_version=digest if is_chunk else "",
        stage="x",
        reason="it would not",
    )
    with healthy.world.store.session() as session:
        quarantine.upsert_quarantined(session, [item], uuid.UUID(RUN), START)

    evaluation = healthy.check("nothing_is_quarantined", asset)

    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "it would not" in str(evaluation.metadata["offenders"].value)


def test_a_failing_blocking_check_skips_what_follows(healthy: Graph) -> None:
    """In a run of everything, a poisoned upstream stops the assets below it."""
    healthy.world.rows("update vector.source_registry set chunk_count = chunk_count + 1 where source_id like '%/1'")
    healthy.world.add(page_row("Page 4", 4, prose("topic 4")))

    result = healthy.materialize()

    assert not result.success
    assert not result.asset_materializations_for_node("embeddings")


def test_what_was_never_found_right_is_read_back_until_it_is(healthy: Graph) -> None:
    """What a run wrote that failed its check, or was killed before it, fails the next runs too, though they write
    nothing; none is tried again by itself. Mended and found right once, it costs nothing any more."""
    world = healthy.world
    world.add(page_row("Page 4", 4, prose("topic 4")))
    world.extract()
    world.chunk()
    world.rows("update vector.chunk set content = content || '!' where source_id like '%/4'")

    for _ in range(2):
        failed = healthy.materialize()
        assert not failed.success
        assert not failed.asset_materializations_for_node("embeddings")
        run = healthy.instance.get_run_by_id(failed.run_id)
        assert run is not None
        assert run.tags[FAILURE_TAG] == PERMANENT

    repair(world.store, verify(world.store))
    assert chunks_read(healthy.materialize()) > 0
    assert chunks_read(healthy.materialize()) == 0


def chunks_read(result: dg.ExecuteInProcessResult) -> int:
    assert result.success
    (one,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "chunk_ids_recompute"]
    return int(str(one.metadata["chunks_read"].value))


@pytest.mark.parametrize(("asset", "check", "faults"), FAULTS, ids=[f"{f[1]}-{n}" for n, f in enumerate(FAULTS)])
def test_verify_finds_and_repairs_every_fault(healthy: Graph, asset: str, check: str, faults: list[str]) -> None:
    """`verify` finds each planted fault, and after `--repair` and a run the store is as it was."""
    before = contents(healthy)
    for statement in faults:
        healthy.world.rows(statement)

    found = verify(healthy.world.store)
    assert check in {finding.claim for finding in found.findings if not finding.holds}
    repair(healthy.world.store, found)
    if asset == "chunks":
        # The checks of the mending run itself see a source of which it wrote a part.
        assert healthy.materialize().success
    else:
        healthy.world.run()

    assert [finding for finding in verify(healthy.world.store).findings if not finding.holds] == []
    assert contents(healthy) == before


def contents(graph: Graph) -> list[list[tuple[Any, ...]]]:
    """What makes two stores identical: keys, texts, hashes and vectors."""
    queries = (
        "select source_id, text_sha256, content_sha256, chunk_count, presence from vector.source_registry",
        "select source_id, text_sha256, content from vector.extracted_text where retired_utc is null "
        "and current_since_utc is not null",
        "select chunk_id, content, content_sha256, offsets_json from vector.chunk where retired_utc is null",
        "select embedding_id, chunk_id, input_content_sha256, vector::varchar, vector_sha256 from vector.embedding",
    )
    return [sorted(graph.world.rows(query), key=repr) for query in queries]
