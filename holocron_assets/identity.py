"""The frozen rules for ids and hashes: pure functions, no I/O.

Stored keys depend on every byte of these rules. To change one is to re-key the database, so each has a
golden value in `tests/unit/test_identity.py`.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

#: Fixed for ever: every store, and every process that races another, derives the same ids from it.
NAMESPACE = uuid.UUID("6f1d1c4e-7c0b-5f35-9d0e-3a1f0a4a7b11")

_PLAIN_WORK_ID = re.compile(r"[A-Za-z0-9]{1,64}\Z")


def canonical_json(value: Any) -> str:
    """One spelling for one value: keys sorted, no spaces, non-ASCII kept."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def text_sha256(text: str) -> str:
    """SHA-256 of the UTF-8 text as lower-case hex; no normalisation of any kind."""
    return hashlib.sha256(text.encode()).hexdigest()


def payload_sha256(payload: str) -> str:
    """The ingest contract's hash: of the payload's JSON with sorted keys, else of the text itself."""
    try:
        text = json.dumps(json.loads(payload), sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = payload
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def page_source_id(source_system: str, source_name: str, page_id: int) -> str:
    """The source a MediaWiki page is: stable when the page is renamed."""
    return f"{source_system}:{source_name}:page/{page_id}"


def work_source_id(source_name: str, work_id: str) -> str | None:
    """The source an OpenAlex work is, or None when the id holds characters a key should not."""
    return f"openalex:{source_name}:work/{work_id}" if _PLAIN_WORK_ID.match(work_id) else None


def resource_source_id(source_system: str, source_name: str, resource_type: str, resource_id: str) -> str:
    """The source of anything that names no page and no work: a hash keeps it short and collation-proof."""
    digest = hashlib.sha256(f"{resource_type}\0{resource_id}".encode()).hexdigest()
    return f"{source_system}:{source_name}:sha/{digest[:32]}"


def resource_key(source_system: str, source_name: str, resource_type: str, resource_id: str) -> str:
    """Names what was asked for, whatever came back.

    A hash, because titles that differ only in case or trailing space are different pages, and some
    databases compare them equal.
    """
    parts = (source_system, source_name, resource_type, resource_id)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def chunk_id(source_id: str, chunk_index: int, start: int, end: int, policy_version: str) -> str:
    """The id of the chunk `[start, end)` of a source's text under a policy; content is no part of it."""
    return text_sha256(f"{source_id}:{chunk_index}:{start}:{end}:{policy_version}")


def text_id(source_id: str, text_digest: str) -> uuid.UUID:
    """The key of one text that a source has or had."""
    return _key(f"{source_id}\0{text_digest}")


def embedding_id(chunk: str, space: uuid.UUID, input_content_sha256: str) -> uuid.UUID:
    """The key of an embedding, derived from its idempotency key so that the primary key enforces it."""
    return _key(f"{chunk}:{space}:{input_content_sha256}")


def ingest_id(*parts: str) -> uuid.UUID:
    """A stable id for a record that arrived without one, so that loading it twice stores it once."""
    return uuid.uuid5(NAMESPACE, "ingest\0" + "\0".join(parts))


def space_fingerprint(identity: Mapping[str, Any]) -> str:
    """SHA-256 of a space's whole identity as canonical JSON."""
    return text_sha256(canonical_json(identity))


def space_id(identity: Mapping[str, Any]) -> uuid.UUID:
    """The id of an embedding space, the same in every store."""
    return uuid.uuid5(NAMESPACE, canonical_json(identity))


def _key(text: str) -> uuid.UUID:
    """128 bits of SHA-256: a key that costs an index a quarter of what its parts would."""
    return uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])
