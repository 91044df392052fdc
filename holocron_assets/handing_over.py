"""Writing bundles of evidence to the tables of the chat runtime, where a database has them (docs/evidence.md)."""

import uuid
from datetime import datetime

from holocron_assets import __version__
from holocron_assets.clock import utc_now
from holocron_assets.errors import StoreError
from holocron_assets.evidence.bundle import ROLE, EvidenceBundle
from holocron_assets.ports import Session, Store
from holocron_assets.tables import evidence
from holocron_assets.transactions import read, write

_WRITER = f"holocron-assets {__version__}"
#: What is written, and what a run is looked up by.
_BUNDLE = (
    "bundle_id created_utc build_version policy_json summary_json bundle_sha256 bundle_kind created_by bundle_json"
)
_ITEM = (
    "item_id bundle_id evidence_id evidence_type byte_count content_sha256 metadata_json source_system source_uri "
    "source_ref selector_json ordinal role created_utc content"
)
_NEEDED = {"evidence_bundle": _BUNDLE, "evidence_item": _ITEM}
_NEEDED_FOR_A_RUN = {"run": "run_id", "run_evidence": "run_id bundle_id attached_utc role attached_by"}


def hand_over(store: Store, bundle: EvidenceBundle, run_id: uuid.UUID | None = None) -> bool:
    """Write a bundle with its items, and attach it to a run of `llm.run` if one is named; whether it is new.

    What is there already is left as it is, so a bundle may be handed over again. Raises `StoreError` where the
    database lacks a table, a column or the run; nothing is written then, and nothing is ever created.
    """
    _require(store, _NEEDED | (_NEEDED_FOR_A_RUN if run_id else {}))
    if run_id and not read(store, evidence.count_llm_runs, run_id):
        raise StoreError(
            f"{store.name} has no run {run_id} in llm.run, so no evidence was written. Name one of its runs, or leave "
            "out --run-id."
        )
    return bool(write(store, _insert, bundle, run_id, utc_now()))


def _insert(session: Session, bundle: EvidenceBundle, run_id: uuid.UUID | None, now: datetime) -> int:
    inserted = evidence.insert_evidence_bundle(session, bundle, _WRITER, now)
    evidence.insert_evidence_items(session, bundle, now)
    if run_id:
        evidence.insert_run_evidence(session, run_id, bundle, ROLE, _WRITER, now)
    return inserted


def _require(store: Store, needed: dict[str, str]) -> None:
    there = read(store, evidence.list_evidence_columns)
    missing = [
        f"llm.{table}" if table not in there else f"llm.{table}.{column}"
        for table, columns in needed.items()
        for column in (columns.split() if table in there else [table])
        if table not in there or column not in there[table]
    ]
    if missing:
        raise StoreError(
            f"{store.name} lacks {', '.join(missing)}, or this user may not see it. These tables belong to the chat "
            "runtime: apply its migrations, or leave out --write and use the file."
        )
