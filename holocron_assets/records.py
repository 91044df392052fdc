"""The values that travel between stages, stores and providers: frozen data, no behaviour worth testing.

Times are naive UTC, as the database stores them. Hashes are lower-case hex SHA-256. JSON columns hold
canonical JSON text.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What examining one ingest record found."""

    TEXT = "text"  #: its text was extracted and stored
    IDENTIFIED = "identified"  #: it names its source; another record speaks for that source
    WANTED = "wanted"  #: identified, and now needed: the next extraction reads it
    REDIRECT = "redirect"  #: the page only points to another
    MISSING = "missing"  #: the server says that there is no such page, or a query no longer gives the row
    EMPTY = "empty"  #: the page is there and has no readable text
    FAILED = "failed"  #: it could not be read; quarantined with its reason
    IGNORED = "ignored"  #: it carries no text by its nature (an error response, a list of links)
    GONE = "gone"  #: the server answered 404 or 410


class Presence(StrEnum):
    """Whether a source exists, as far as its records say."""

    PRESENT = "present"
    VANISHED = "vanished"
    REDIRECT = "redirect"
    UNREAD = "unread"  #: no record of it could be read so far


class JobType(StrEnum):
    """The words of `vector.job.job_type`."""

    CHUNK_SOURCE = "CHUNK_SOURCE"
    EMBED_CHUNKS = "EMBED_CHUNKS"
    REEMBED_SPACE = "REEMBED_SPACE"
    RETRIEVE_TEST = "RETRIEVE_TEST"
    DRIFT_TEST = "DRIFT_TEST"


class ItemType(StrEnum):
    """What a quarantined item is, and so what its id names."""

    LINE = "line"  #: `path:line` of an ingest file, or a row of the lake
    RECORD = "record"  #: an `ingest_id`
    CHUNK = "chunk"  #: a `chunk_id`, in one embedding space


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRecord:
    """One fetched response: a row of `ingest.IngestRecords`."""

    ingest_id: uuid.UUID
    source_system: str
    source_name: str
    resource_type: str
    resource_id: str
    request_uri: str
    request_method: str
    status_code: int
    payload: str
    fetched_at_utc: datetime
    hash_sha256: str
    variant: str | None = None
    content_type: str | None = None
    content_length: int | None = None
    request_headers: str | None = None
    response_headers: str | None = None
    request_body: str | None = None
    run_id: uuid.UUID | None = None
    work_item_id: uuid.UUID | None = None
    attempt: int = 1
    error_message: str | None = None
    error_type: str | None = None
    duration_ms: int | None = None
    file_path: str | None = None
    request_timestamp: datetime | None = None
    response_timestamp: datetime | None = None
    rank: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordKey:
    """An ingest record without its payload: what is needed to plan its examination."""

    ingest_id: uuid.UUID
    source_system: str
    source_name: str
    resource_type: str
    resource_id: str
    variant: str | None
    content_type: str | None
    request_uri: str
    status_code: int
    fetched_at_utc: datetime
    wanted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRecord:
    """A record key with its payload, on the way to an extractor."""

    key: RecordKey
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What one ingest record turned out to be: a row of `vector.ingest_seen`, with the text if it has one."""

    ingest_id: uuid.UUID
    resource_key: str
    variant: str
    fetched_at_utc: datetime
    outcome: Outcome
    extractor: str
    extractor_version: str
    source_id: str | None = None
    source_type: str | None = None
    revision: int | None = None
    title: str | None = None
    redirect_target: str | None = None
    source_ref: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    reason: str | None = None
    text: str | None = None
    text_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceIdentity:
    """What a provider says of itself: everything that its vectors depend on.

    `model_tag` is the plain tag. `is_plain` says that policy, metric, normalisation and transform are
    the provider's own defaults for this model.
    """

    provider: str
    model_name: str
    model_tag: str
    model_digest: str
    dimensions: int
    normalize: bool
    distance_metric: str
    preprocess_policy: Mapping[str, Any]
    is_plain: bool
    transform_ref: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingSpace:
    """A row of `vector.embedding_space`; `slug` is its readable name and its Dagster partition key."""

    embedding_space_id: uuid.UUID
    slug: str
    provider: str
    model_name: str
    model_tag: str
    model_digest: str
    dimensions: int
    normalize: bool
    distance_metric: str
    preprocess_policy: Mapping[str, Any]
    transform_ref: str | None
    description: str | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A chunk as it is written: half-open character range of one text, with its content."""

    chunk_id: str
    source_id: str
    source_type: str
    source_ref_json: str
    offsets_json: str
    content: str
    content_sha256: str
    byte_count: int
    policy_json: str
    text_sha256: str
    extractor: str
    extractor_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkedSource:
    """What a source's current text was cut into; without a text there are no chunks."""

    source_id: str
    text_sha256: str | None
    chunk_count: int
    omitted_character_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """An embedding's keys; its vector travels beside it in an array."""

    embedding_id: uuid.UUID
    chunk_id: str
    input_content_sha256: str
    vector_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedItem:
    """Something that failed in a way a retry will not fix.

    `item_version` tells two states of one item apart; `scope` is the embedding space where only that failed.
    """

    item_type: ItemType
    item_id: str
    stage: str
    reason: str
    item_version: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """How much a store takes of a disk, and how much is free there."""

    store_bytes: int
    free_bytes: int
