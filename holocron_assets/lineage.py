"""Where a vector comes from: the whole chain of one chunk, from the ingest records to the embeddings."""

import json
import textwrap
from dataclasses import dataclass
from typing import Any

from holocron_assets.errors import InputError, UnknownItemError
from holocron_assets.ports import Store
from holocron_assets.runs import stage_of
from holocron_assets.tables import lineage as links

_SHORTEST_PREFIX = 6
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Every link as rows of the store; the runs are those that any other link names.

    `earlier_contents` are the contents of the chunk's ended versions by hash, recovered from the kept texts; None
    where the text is gone.
    """

    chunk: dict[str, Any]
    versions: list[dict[str, Any]]
    earlier_contents: dict[str, str | None]
    texts: list[dict[str, Any]]
    records: list[dict[str, Any]]
    embeddings: list[dict[str, Any]]
    runs: list[dict[str, Any]]


def trace(store: Store, prefix: str) -> Lineage:
    """The chain of the chunk whose id begins with `prefix`; raises when that is none or more than one."""
    if len(prefix) < _SHORTEST_PREFIX:
        raise InputError(f"give at least the first {_SHORTEST_PREFIX} characters of a chunk id, not {prefix!r}")
    with store.session(write=False) as session:
        found = links.list_chunks_by_prefix(session, prefix.lower())
        if not found:
            raise UnknownItemError(f"no chunk has an id that begins with {prefix}. `holocron search --json` shows ids.")
        if len(found) > 1:
            raise InputError(f"more than one chunk id begins with {prefix}: give more of it")
        chunk = found[0]
        versions = links.list_chunk_versions(session, chunk["chunk_id"])
        texts = links.list_texts_of_source(session, chunk["source_id"])
        records = links.list_records_of_source(session, chunk["source_id"])
        embeddings = links.list_embeddings_of_chunk(session, chunk["chunk_id"])
        offsets = json.loads(chunk["offsets_json"])
        earlier = {}
        for version in versions:
            if version["content_sha256"] != chunk["content_sha256"]:
                text = links.get_text_of_chunk_version(session, chunk["source_id"], version["text_sha256"])
                span = slice(offsets["start_offset"], offsets["end_offset"])
                earlier[version["content_sha256"]] = None if text is None else text[span]
        named = {row["run_id"] for rows in (versions, texts, records, embeddings, [chunk]) for row in rows}
        runs = links.list_runs(session, sorted(run for run in named if run is not None))
    return Lineage(
        chunk=chunk,
        versions=versions,
        earlier_contents=earlier,
        texts=texts,
        records=records,
        embeddings=embeddings,
        runs=runs,
    )


def chain(found: Lineage) -> dict[str, list[str]]:
    """The links in order as people read them, each heading with its lines; hashes and ids are shortened."""
    chunk = found.chunk
    offsets, policy = json.loads(chunk["offsets_json"]), json.loads(chunk["policy_json"])
    return {
        f"{chunk['title'] or chunk['source_id']}": [f"source {chunk['source_id']} ({chunk['presence']})"],
        "ingest records": [_record(row) for row in found.records],
        "extracted texts": [_text(row) for row in found.texts],
        f"chunk {chunk['chunk_id']}": [
            f"characters {offsets['start_offset']} to {offsets['end_offset']}, chunking policy {policy['version']}",
            textwrap.shorten(chunk["content"], _SHOWN_CHARACTERS, placeholder=" ..."),
            *(_version(row) for row in found.versions),
        ],
        "embeddings": [_embedding(row, chunk["content_sha256"]) for row in found.embeddings],
        "runs": [_run(row) for row in found.runs],
    }


def _record(row: dict[str, Any]) -> str:
    revision = f"revision {row['revision']}, " if row["revision"] else ""
    because = f" ({row['reason']})" if row["reason"] else ""
    return (
        f"{row['ingest_id']} {row['variant']} of {row['request_uri']}, {revision}"
        f"fetched {_time(row['fetched_at_utc'])}, "
        f"payload {_short(row['hash_sha256'])}: {row['outcome']}{because}, run {_short(row['run_id'])}"
    )


def _text(row: dict[str, Any]) -> str:
    if row["current_since_utc"] is None:
        lifetime = "never current"
    elif row["retired_utc"] is None:
        lifetime = f"current since {_time(row['current_since_utc'])}"
    else:
        lifetime = f"retired {_time(row['retired_utc'])}"
    return (
        f"{_short(row['text_sha256'])}: {row['character_count']:,} characters by {row['extractor']} "
        f"{row['extractor_version']} from record {_short(row['ingest_id'])}, {lifetime}, run {_short(row['run_id'])}"
    )


def _version(row: dict[str, Any]) -> str:
    until = f"to {_time(row['valid_to_utc'])}" if row["valid_to_utc"] else "until now"
    return (
        f"content {_short(row['content_sha256'])} of text {_short(row['text_sha256'])} "
        f"from {_time(row['valid_from_utc'])} {until}, run {_short(row['run_id'])}"
    )


def _embedding(row: dict[str, Any], current_content: str) -> str:
    history = "" if row["input_content_sha256"] == current_content else " (history)"
    return (
        f"vector {_short(row['vector_sha256'])} of content {_short(row['input_content_sha256'])}{history} by "
        f"{row['provider']} {row['model_name']} {row['model_tag']}, {row['dimensions']} dimensions, "
        f"weights {_short(row['model_digest'] or 'unknown')}, run {_short(row['run_id'])}"
    )


def _run(row: dict[str, Any]) -> str:
    runtime = json.loads(row["options_json"] or "{}").get("runtime", {})
    engine = "".join(f", {name} {version}" for name, version in runtime.items())
    return (
        f"{row['run_id']} {stage_of(row['input_json'])} {row['status']} {_time(row['started_utc'])} "
        f"by {row['locked_by']}{engine}"
    )


def _short(value: Any) -> str:
    return str(value)[:12]


def _time(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}"
