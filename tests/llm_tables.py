"""The tables of the chat runtime that evidence goes to, as its own scripts make them, apart from their indexes."""

import re
import uuid

import pytest

from tests.world import World

_BUNDLE = """
create table llm.evidence_bundle (
    bundle_id {key} not null primary key,
    created_utc {time} not null default {now},
    build_version {text:20} not null default '2.0',
    policy_json {text:max} not null,
    summary_json {text:max} not null,
    lake_uri {text:1000} null,
    bundle_sha256 {text:64} null,
    bundle_kind {text:50} null,
    created_by {text:200} null,
    notes {text:2000} null,
    assembly_artifact_id {key} null,
    bundle_json {text:max} null
);
"""
_RUN = """
create table llm.run (
    run_id {key} not null primary key,
    job_id {key} not null,
    started_utc {time} not null default {now},
    completed_utc {time} null,
    status {text:20} not null default 'RUNNING',
    worker_id {text:200} not null,
    ollama_base_url {text:500} not null,
    model_name {text:100} not null
);
"""
_ITEM = """
create table llm.evidence_item (
    item_id {key} not null primary key,
    bundle_id {key} not null references llm.evidence_bundle (bundle_id),
    evidence_id {text:200} not null,
    evidence_type {text:100} not null,
    lake_uri {text:1000} null,
    byte_count bigint not null,
    content_sha256 {text:64} not null,
    metadata_json {text:max} null,
    source_system {text:100} null,
    source_uri {text:2000} null,
    source_ref {text:400} null,
    selector_json {text:max} null,
    ordinal int null,
    role {text:50} null,
    excerpt_hash {text:64} null,
    created_utc {time} not null default {now},
    content {text:max} null,
    unique (bundle_id, evidence_id)
);
"""
_RUN_EVIDENCE = """
create table llm.run_evidence (
    run_id {key} not null references llm.run (run_id),
    bundle_id {key} not null references llm.evidence_bundle (bundle_id),
    attached_utc {time} not null default {now},
    role {text:50} null,
    attached_by {text:200} null,
    attached_reason {text:500} null,
    primary key (run_id, bundle_id)
);
"""
TABLES = {"evidence_bundle": _BUNDLE, "run": _RUN, "evidence_item": _ITEM, "run_evidence": _RUN_EVIDENCE}
RUN_ID = uuid.UUID("00000000-0000-4000-8000-00000000000a")


class _Text:
    """`{text:50}` in a dialect."""

    def __init__(self, template: str) -> None:
        self._template = template

    def __format__(self, length: str) -> str:
        return self._template.format(length)


_TYPES = {
    "duckdb": {"key": "uuid", "time": "timestamp", "now": "current_timestamp", "text": _Text("varchar")},
    "tsql": {
        "key": "uniqueidentifier",
        "time": "datetime2(7)",
        "now": "sysutcdatetime()",
        "text": _Text("nvarchar({})"),
    },
}


def create_llm_tables(world: World, *left_out: str) -> None:
    """The schema `llm` without some tables and columns, and a run that evidence may be attached to."""
    world.rows("create schema llm")
    for name, definition in TABLES.items():
        if name not in left_out:
            lines = [
                re.sub(r" references llm.(\w+) \(\w+\)", lambda found: "" if found[1] in left_out else found[0], line)
                for line in definition.splitlines()
                if f"{name}.{line.split(' {')[0].strip()}" not in left_out
            ]
            world.rows("\n".join(lines).format(**_TYPES[world.store.dialect]))
    if "run" not in left_out:
        world.rows(
            "insert into llm.run (run_id, job_id, worker_id, ollama_base_url, model_name) values "
            f"('{RUN_ID}', '{uuid.UUID(int=1)}', 'worker', 'http://localhost:11434', 'llama3.2')"
        )


@pytest.fixture
def llm(world: World) -> World:
    """A world whose database has the chat runtime's tables."""
    create_llm_tables(world)
    return world
