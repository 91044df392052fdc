"""What was examined (`vector.ingest_seen`), the sources, their texts and aliases."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from holocron_assets.identity import canonical_json, text_id
from holocron_assets.ports import Session
from holocron_assets.records import Examination, Outcome
from holocron_assets.resolution import Candidate, Resolution
from holocron_assets.tables.staging import BOOLEAN, INTEGER, TEXT, TIME, table_of

_EXAMINATION = dict.fromkeys(
    (
        "ingest_id",
        "resource_key",
        "variant",
        "source_id",
        "source_type",
        "outcome",
        "text_sha256",
        "title",
        "redirect_target",
        "source_ref_json",
        "tags_json",
        "extractor",
        "extractor_version",
        "reason",
    ),
    TEXT,
) | {"revision": INTEGER, "fetched_at_utc": TIME}
_TEXT_ROW = dict.fromkeys(
    ("text_id", "source_id", "text_sha256", "title", "content", "extractor", "extractor_version", "ingest_id"), TEXT
) | {"character_count": INTEGER, "byte_count": INTEGER}
_RESOLUTION = dict.fromkeys(("source_id", "presence", "speaker", "described_by"), TEXT) | dict.fromkeys(
    ("keeps_text", "unreadable"), BOOLEAN
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """A registered source, and what its current chunks were cut from."""

    source_id: str
    source_type: str
    source_ref_json: str
    text_sha256: str | None
    content_sha256: str | None
    policy_version: str | None
    chunk_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedRecord:
    """An examined record as the rule sees it, and the hash of its text if it has one."""

    candidate: Candidate
    text_sha256: str | None


def upsert_examinations(session: Session, examinations: Sequence[Examination], run_id: uuid.UUID, now: datetime) -> int:
    """Remember what examining some records found; their sources become unresolved."""
    rows = (
        (
            str(found.ingest_id),
            found.resource_key,
            found.variant,
            found.source_id,
            found.source_type,
            found.outcome.value,
            found.text_sha256,
            found.title,
            found.redirect_target,
            canonical_json(found.source_ref),
            canonical_json(list(found.tags)),
            found.extractor,
            found.extractor_version,
            found.reason,
            found.revision,
            found.fetched_at_utc,
        )
        for found in examinations
    )
    session.stage("staged_examinations", table_of(_EXAMINATION, rows))
    return session.execute("upsert_examinations", run_id=run_id, now=now)


def insert_extracted_texts(
    session: Session, examinations: Sequence[Examination], run_id: uuid.UUID, now: datetime
) -> int:
    """Keep the texts of those examinations that have one; returns how many their sources never had before."""
    rows = (
        (
            str(text_id(found.source_id, found.text_sha256)),
            found.source_id,
            found.text_sha256,
            found.title,
            found.text,
            found.extractor,
            found.extractor_version,
            str(found.ingest_id),
            len(found.text),
            len(found.text.encode()),
        )
        for found in examinations
        if found.text is not None and found.source_id is not None and found.text_sha256 is not None
    )
    session.stage("staged_texts", table_of(_TEXT_ROW, rows))
    return session.execute("insert_extracted_texts", run_id=run_id, now=now)


def count_unresolved_records(session: Session, rule: str) -> int:
    """How many examined records have not been taken into account under this rule."""
    return int(session.rows("count_unresolved_records", rule=rule)[0]["n"])


def list_unresolved_resources(session: Session, rule: str, limit: int) -> list[str]:
    """The next resources whose records have not been taken into account under this rule."""
    return [row["resource_key"] for row in session.rows("list_unresolved_resources", rule=rule, limit=limit)]


def list_affected_sources(session: Session, resource_keys: Sequence[str]) -> list[str]:
    """The sources that a change of these resources may change."""
    return [row["source_id"] for row in session.rows("list_affected_sources", resource_keys=list(resource_keys))]


def list_resolution_candidates(session: Session, source_ids: Sequence[str]) -> list[ExaminedRecord]:
    """Every examined record that may decide these sources."""
    return [
        ExaminedRecord(
            candidate=Candidate(
                ingest_id=row["ingest_id"],
                resource_key=row["resource_key"],
                variant=row["variant"],
                fetched_at_utc=row["fetched_at_utc"],
                outcome=Outcome(row["outcome"]),
                source_id=row["source_id"],
                revision=row["revision"],
            ),
            text_sha256=row["text_sha256"],
        )
        for row in session.rows("list_resolution_candidates", source_ids=list(source_ids))
    ]


def stage_resolutions(session: Session, resolutions: Sequence[Resolution]) -> None:
    """Stage what the six statements below read."""
    rows = (
        (
            found.source_id,
            found.presence.value,
            str(found.speaker) if found.speaker else None,
            str(found.described_by) if found.described_by else None,
            found.unreadable and found.speaker is None,
            found.unreadable,
        )
        for found in resolutions
    )
    session.stage("staged_resolutions", table_of(_RESOLUTION, rows))


def insert_new_sources(session: Session, now: datetime) -> int:
    """Register the staged sources that are not registered; returns how many."""
    return session.execute("insert_new_sources", now=now)


def update_sources(session: Session, now: datetime) -> int:
    """Let the speaking records describe the staged sources."""
    return session.execute("update_sources", now=now)


def retire_replaced_texts(session: Session, now: datetime) -> int:
    """Retire the texts that the staged sources no longer have; returns how many."""
    return session.execute("retire_replaced_texts", now=now)


def establish_current_texts(session: Session, now: datetime) -> int:
    """Make the staged sources' texts current; returns how many were not before."""
    return session.execute("establish_current_texts", now=now)


def list_source_states(session: Session, source_ids: Sequence[str]) -> dict[str, SourceState]:
    """The registered ones among some sources, by id."""
    rows = session.rows("list_source_states", source_ids=list(source_ids))
    return {row["source_id"]: SourceState(**row) for row in rows}


def count_sources(session: Session, source_prefix: str) -> int:
    """How many sources are registered whose id begins so."""
    return int(session.rows("count_sources", source_prefix=source_prefix)[0]["n"])


def upsert_source_aliases(session: Session, now: datetime) -> int:
    """Record the staged redirects as aliases."""
    return session.execute("upsert_source_aliases", now=now)


def delete_stale_aliases(session: Session) -> int:
    """Forget aliases of staged sources that are no redirects."""
    return session.execute("delete_stale_aliases")


def mark_wanted(session: Session, ingest_ids: Sequence[uuid.UUID]) -> int:
    """Ask for these identified records to be read: they should speak for their sources."""
    return session.execute("mark_wanted", ingest_ids=[str(key) for key in ingest_ids])


def mark_resolved(session: Session, resource_keys: Sequence[str], rule: str) -> int:
    """These resources were taken into account under this rule."""
    return session.execute("mark_resolved", resource_keys=list(resource_keys), rule=rule)
