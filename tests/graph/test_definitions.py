"""The code location: what is in it, and whether Dagster can show it."""

import dagster as dg
import pytest

from holocron_assets.assets import schemas
from tests.graph.conftest import Graph

ASSETS = {
    "chunks": {"extracted_texts"},
    "drift_reports": {"space_embeddings"},
    "embedding_spaces": set[str](),
    "embeddings": {"chunks", "embedding_spaces"},
    "extracted_texts": {"ingest_records"},
    "ingest_records": set[str](),
    "retrieval_evaluation": {"search_index"},
    "search_index": {"space_embeddings"},
    "space_comparison": {"embeddings"},
    "space_embeddings": {"chunks", "embedding_spaces"},
    "store_verification": {"embeddings"},
}
EMBEDDING_CHECKS = {
    "embedding_keys_are_unique",
    "embeddings_match_their_chunks",
    "embeddings_have_lineage",
    "transforms_are_intact",
    "vectors_are_valid",
    "every_current_chunk_is_embedded",
}
BLOCKING = {
    "ingest_records": {"ingest_ids_are_unique", "database_is_fit"},
    "extracted_texts": {"sources_have_one_current_text", "texts_match_their_hashes"},
    "chunks": {
        "chunk_ids_are_unique",
        "chunk_ids_recompute",
        "chunks_tile_their_text",
        "registry_counts_agree",
        "vanished_sources_have_no_current_chunks",
        "chunk_history_is_complete",
    },
    "embeddings": EMBEDDING_CHECKS,
    "space_embeddings": EMBEDDING_CHECKS,
    "search_index": {"index_files_are_whole", "index_is_current", "index_recall"},
}
TABLES = {
    "ingest_records": ("ingest", "IngestRecords", schemas.INGEST_RECORDS),
    "extracted_texts": ("vector", "extracted_text", schemas.EXTRACTED_TEXTS),
    "chunks": ("vector", "chunk", schemas.CHUNKS),
    "embeddings": ("vector", "embedding", schemas.EMBEDDINGS),
    "embedding_spaces": ("vector", "embedding_space", schemas.EMBEDDING_SPACES),
    "retrieval_evaluation": ("vector", "retrieval_evaluation", schemas.EVALUATIONS),
    "drift_reports": ("vector", "drift_report", schemas.DRIFT_REPORTS),
}


def test_definitions_load(graph: Graph) -> None:
    """Dagster can load the code location."""
    dg.Definitions.validate_loadable(graph.defs)


def test_the_assets_and_what_they_depend_on(graph: Graph) -> None:
    """These assets exist, with these dependencies: a change of the graph is a change here."""
    specs = {spec.key.to_user_string(): spec for spec in graph.defs.resolve_all_asset_specs()}

    assert {name: {dep.asset_key.to_user_string() for dep in spec.deps} for name, spec in specs.items()} == ASSETS


def test_every_asset_is_described_and_grouped(graph: Graph) -> None:
    """A newcomer finds a description, a group and kinds on every asset."""
    for spec in graph.defs.resolve_all_asset_specs():
        assert len(spec.description or "") > 60, spec.key
        assert spec.group_name != "default"
        assert "duckdb" in spec.kinds


def test_the_blocking_checks(graph: Graph) -> None:
    """These checks stop what follows; the others only tell."""
    found: dict[str, set[str]] = {}
    for checks in graph.defs.asset_checks or []:
        for spec in checks.check_specs:
            if spec.blocking:
                found.setdefault(spec.asset_key.to_user_string(), set()).add(spec.name)

    assert found == BLOCKING


@pytest.mark.parametrize("asset", TABLES)
def test_documented_columns_exist(graph: Graph, asset: str) -> None:
    """Every column that the catalogue describes is in the table, and described in words."""
    schema, table, documented = TABLES[asset]
    rows = graph.world.rows(
        f"select column_name from information_schema.columns where table_schema = '{schema}' and table_name = '{table}'"
    )

    assert set(documented) <= {name for (name,) in rows}
    assert all(meaning.endswith(".") for _, meaning in documented.values())


def test_code_versions_follow_extractors_and_policy(graph: Graph) -> None:
    """Another extractor or another chunking policy shows in Dagster as another version of the code."""
    specs = {spec.key.to_user_string(): spec for spec in graph.defs.resolve_all_asset_specs()}

    assert "mediawiki_html/" in str(specs["extracted_texts"].code_version)
    assert '"version":"2.0"' in str(specs["chunks"].code_version)
