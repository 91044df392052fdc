"""Bundles of evidence in the schema `llm` of the chat runtime, which only some databases have."""

import uuid
from collections import defaultdict
from dataclasses import asdict
from datetime import datetime

from holocron_assets.evidence.bundle import EvidenceBundle
from holocron_assets.identity import NAMESPACE, canonical_json
from holocron_assets.ports import Session
from holocron_assets.tables.staging import INTEGER, TEXT, table_of

#: Code units of UTF-16 in `source_uri`, where a database counts them.
LONGEST_URI = 2000

_ITEM = {
    "item_id": TEXT,
    "evidence_id": TEXT,
    "evidence_type": TEXT,
    "byte_count": INTEGER,
    "content_sha256": TEXT,
    "metadata_json": TEXT,
    "source_system": TEXT,
    "source_uri": TEXT,
    "source_ref": TEXT,
    "selector_json": TEXT,
    "ordinal": INTEGER,
    "role": TEXT,
    "content": TEXT,
}


def list_evidence_columns(session: Session) -> dict[str, set[str]]:
    """The columns of each of the tables that there is, in small letters."""
    columns: dict[str, set[str]] = defaultdict(set)
    for row in session.rows("list_evidence_columns"):
        columns[row["table_name"].lower()].add(row["column_name"].lower())
    return dict(columns)


def insert_evidence_bundle(session: Session, bundle: EvidenceBundle, created_by: str, now: datetime) -> int:
    """Insert a bundle; returns 1 unless it is there already."""
    return session.execute(
        "insert_evidence_bundle",
        bundle_id=bundle.bundle_id,
        build_version=bundle.build_version,
        policy_json=canonical_json(asdict(bundle.policy)),
        summary_json=canonical_json(bundle.summary),
        bundle_sha256=bundle.bundle_sha256,
        bundle_kind=bundle.bundle_kind,
        created_by=created_by,
        bundle_json=bundle.as_json(),
        now=now,
    )


def insert_evidence_items(session: Session, bundle: EvidenceBundle, now: datetime) -> int:
    """Insert the items of a bundle that are not there yet; returns how many. A URL that is too long is left out."""
    rows = (
        (
            str(uuid.uuid5(NAMESPACE, f"evidence\0{bundle.bundle_id}\0{item.evidence_id}")),
            item.evidence_id,
            item.evidence_type,
            item.byte_count,
            item.content_sha256,
            canonical_json(item.metadata),
            item.source_system,
            _fitting(item.source_uri),
            item.source_ref["source_id"],
            canonical_json(item.selector_json),
            item.ordinal,
            item.role,
            item.content,
        )
        for item in bundle.items
    )
    session.stage("staged_evidence_items", table_of(_ITEM, rows))
    return session.execute("insert_evidence_items", bundle_id=bundle.bundle_id, now=now)


def count_llm_runs(session: Session, run_id: uuid.UUID) -> int:
    """1 where the chat runtime has such a run, else 0."""
    return int(session.rows("count_llm_runs", run_id=run_id)[0]["n"])


def insert_run_evidence(
    session: Session, run_id: uuid.UUID, bundle: EvidenceBundle, role: str, attached_by: str, now: datetime
) -> int:
    """Attach a bundle to a run; returns 1 unless it is attached already."""
    return session.execute(
        "insert_run_evidence", run_id=run_id, bundle_id=bundle.bundle_id, role=role, attached_by=attached_by, now=now
    )


def _fitting(uri: str | None) -> str | None:
    return uri if uri is not None and len(uri.encode("utf-16-le")) <= 2 * LONGEST_URI else None
