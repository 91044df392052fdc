"""Where a vector comes from: the whole chain of one chunk, from the ingest records to the embeddings."""

import json
from dataclasses import dataclass
from typing import Any

from holocron_assets.errors import HolocronError
from holocron_assets.ports import Store
from holocron_assets.tables import lineage as links

_SHORTEST_PREFIX = 6


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
        raise HolocronError(f"give at least the first {_SHORTEST_PREFIX} characters of a chunk id, not {prefix!r}")
    with store.session(write=False) as session:
        found = links.list_chunks_by_prefix(session, prefix.lower())
        if not found:
            raise HolocronError(f"no chunk has an id that begins with {prefix}. `holocron search --json` shows ids.")
        if len(found) > 1:
            raise HolocronError(f"more than one chunk id begins with {prefix}: give more of it")
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
