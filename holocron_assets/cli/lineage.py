"""`holocron lineage`: where a chunk and its vectors come from."""

import json
import textwrap
from typing import Any

import click

from holocron_assets.cli.output import json_option, print_json, say
from holocron_assets.composition import command_store
from holocron_assets.lineage import Lineage, trace
from holocron_assets.runs import stage_of
from holocron_assets.settings import load_settings

_SHOWN_CHARACTERS = 200


@click.command()
@click.argument("chunk_id")
@json_option
def command(chunk_id: str, *, as_json: bool) -> None:
    """Print the whole chain of a chunk: ingest records, texts, versions, vectors, with runs and hashes.

    CHUNK_ID may be shortened to its first characters. Hashes and ids are shortened too; --json has them whole.
    """
    found = trace(command_store(load_settings()), chunk_id)
    if as_json:
        print_json(found)
        return
    for heading, lines in _chain(found).items():
        say(heading, "bold")
        for line in lines:
            say(f"  {line}")


def _chain(found: Lineage) -> dict[str, list[str]]:
    """The links in order, each with its lines."""
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
