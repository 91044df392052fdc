"""Evidence in the chat runtime's tables, on every store: what is written, once, and only where it may be."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from holocron_assets.errors import StoreError
from holocron_assets.evidence.bundle import bundle_of, evidence_id
from holocron_assets.evidence.policy import EvidencePolicy
from holocron_assets.handing_over import hand_over
from holocron_assets.identity import text_sha256
from tests.llm_tables import RUN_ID, TABLES, create_llm_tables, llm
from tests.searching import a_hit, a_result
from tests.world import World

__all__ = ["llm"]

BUNDLE = bundle_of(a_result(["The keeper 😀.", "Padmé"]), EvidencePolicy())
COUNTS = (
    "select (select count(*) from llm.evidence_bundle), (select count(*) from llm.evidence_item), "
    "(select count(*) from llm.run_evidence)"
)


def test_a_bundle_becomes_rows(llm: World) -> None:
    """The bundle with all of it as JSON, and an item for each passage, with every column that the contract has."""
    assert hand_over(llm.store, BUNDLE)

    ((bundle_id, version, policy, summary, lake_uri, digest, kind, writer, content),) = llm.rows(
        "select bundle_id, build_version, policy_json, summary_json, lake_uri, bundle_sha256, bundle_kind, created_by, "
        "bundle_json from llm.evidence_bundle"
    )
    assert uuid.UUID(str(bundle_id)) == BUNDLE.bundle_id
    assert (version, lake_uri, digest, kind) == ("holocron-1", None, BUNDLE.bundle_sha256, "llm_input")
    assert json.loads(policy)["max_items"] == 50
    assert json.loads(summary) == BUNDLE.summary
    assert writer.startswith("holocron-assets ")
    assert content == BUNDLE.as_json()
    first, second = llm.rows(
        "select evidence_id, evidence_type, byte_count, content_sha256, source_system, source_uri, source_ref, "
        "ordinal, role, content, metadata_json, selector_json from llm.evidence_item order by ordinal"
    )
    chunk_id = text_sha256("chunk 1")
    assert first[:10] == (
        evidence_id(chunk_id, 0),
        "doc_chunk",
        16,
        text_sha256("The keeper 😀."),
        "mediawiki",
        "https://wiki.example/1",
        "mediawiki:ondrel:page/1",
        0,
        "context",
        "The keeper 😀.",
    )
    assert json.loads(first[10]) == BUNDLE.items[0].metadata
    assert json.loads(first[11]) == {"start_offset": 100, "end_offset": 113}
    assert second[9] == "Padmé"
    assert llm.rows(COUNTS) == [(1, 2, 0)]


def test_a_bundle_is_attached_to_a_run(llm: World) -> None:
    """With a run id, and only then, the run is said to have been given the bundle."""
    hand_over(llm.store, BUNDLE, RUN_ID)

    ((run_id, bundle_id, role, writer),) = llm.rows("select run_id, bundle_id, role, attached_by from llm.run_evidence")
    assert (uuid.UUID(str(run_id)), uuid.UUID(str(bundle_id)), role) == (RUN_ID, BUNDLE.bundle_id, "context")
    assert writer.startswith("holocron-assets ")


def test_twice_is_once(llm: World) -> None:
    """A bundle that is handed over again changes nothing, and can be attached to a run later."""
    hand_over(llm.store, BUNDLE)
    before = llm.rows("select * from llm.evidence_item order by ordinal")

    assert not hand_over(llm.store, BUNDLE)
    assert not hand_over(llm.store, BUNDLE, RUN_ID)
    assert not hand_over(llm.store, BUNDLE, RUN_ID)

    assert llm.rows("select * from llm.evidence_item order by ordinal") == before
    assert llm.rows(COUNTS) == [(1, 2, 1)]


def test_two_at_once_are_one(llm: World) -> None:
    """Whoever comes second finds everything there."""
    with ThreadPoolExecutor(4) as pool:
        new = list(pool.map(lambda _: hand_over(llm.store, BUNDLE, RUN_ID), range(8)))

    assert sum(new) == 1
    assert llm.rows(COUNTS) == [(1, 2, 1)]


def test_a_run_that_is_not_there_is_refused(llm: World) -> None:
    """Nothing is written for a run that the runtime does not have."""
    with pytest.raises(StoreError, match=r"has no run 0{8}-.* in llm.run, so no evidence was written"):
        hand_over(llm.store, BUNDLE, uuid.UUID(int=7))

    assert llm.rows(COUNTS) == [(0, 0, 0)]


def test_a_bundle_of_nothing_is_a_bundle(llm: World) -> None:
    """A search that found nothing leaves a bundle without items."""
    assert hand_over(llm.store, bundle_of(a_result([]), EvidencePolicy()))

    assert llm.rows(COUNTS) == [(1, 0, 0)]


def test_a_url_that_no_column_holds_is_left_out(llm: World) -> None:
    """The item's row has none then, and the bundle's JSON has all of it."""
    urls = ["https://x.example/" + "a" * 1982, "https://x.example/" + "a" * 1983, "https://x.example/" + "😀" * 992]
    hits = tuple(a_hit(rank, f"text {rank}", url=url) for rank, url in enumerate(urls, start=1))

    hand_over(llm.store, bundle_of(replace(a_result([]), hits=hits), EvidencePolicy()))

    assert llm.rows("select source_uri from llm.evidence_item order by ordinal") == [(urls[0],), (None,), (None,)]
    ((content,),) = llm.rows("select bundle_json from llm.evidence_bundle")
    assert [item["source_uri"] for item in json.loads(content)["items"]] == urls


@pytest.mark.parametrize("left_out", [*TABLES, "all"])
def test_a_table_that_is_not_there_is_never_made(world: World, left_out: str) -> None:
    """What is missing is named, and the database stays as it is."""
    if left_out != "all":
        create_llm_tables(world, left_out, *(["run_evidence"] if left_out == "run" else []))
    tables = "select count(*) from information_schema.tables"
    before = world.rows(tables)

    missing = "evidence_bundle, llm.evidence_item" if left_out == "all" else left_out
    with pytest.raises(StoreError, match=rf"lacks llm\.{missing}.*These tables belong to the chat runtime"):
        hand_over(world.store, BUNDLE, RUN_ID)

    assert world.rows(tables) == before


def test_without_a_run_its_tables_are_not_needed(world: World) -> None:
    """A database without runs takes bundles."""
    create_llm_tables(world, "run", "run_evidence")

    assert hand_over(world.store, BUNDLE)


def test_a_column_that_is_not_there_is_named(world: World) -> None:
    """A runtime whose migrations are behind is told which columns it lacks."""
    create_llm_tables(world, "evidence_bundle.created_by", "evidence_item.selector_json")

    missing = r"lacks llm\.evidence_bundle\.created_by, llm\.evidence_item\.selector_json, or"
    with pytest.raises(StoreError, match=missing):
        hand_over(world.store, BUNDLE)
