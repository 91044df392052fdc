"""Making what is wrong pending again, so that the next run makes it anew.

Only what can be made anew is touched: embeddings, texts and chunks, never an ingest record.
"""

from holocron_assets.clock import utc_now
from holocron_assets.ports import Session, Store
from holocron_assets.tables import checks, quarantine
from holocron_assets.tables.checks import REPAIRED_AT_ONCE
from holocron_assets.transactions import write
from holocron_assets.verification.verify import Verification


def repair(store: Store, found: Verification) -> dict[str, int]:
    """Repair in one transaction; returns what was done, by kind. Verify again to see what is left."""
    return write(store, _repair, found)


def _repair(session: Session, found: Verification) -> dict[str, int]:
    done: dict[str, int] = {}
    _repair_texts(session, found, done)
    _repair_chunks(session, found, done)
    _repair_embeddings(session, found, done)
    return {what: amount for what, amount in done.items() if amount}


def _repair_texts(session: Session, found: Verification, done: dict[str, int]) -> None:
    wrong = found.texts.wrong
    done["texts deleted"] = checks.delete_texts(session, [text for text, _ in wrong])
    done["records to read again"] = quarantine.request_examination(session, [str(record) for _, record in wrong])
    disagreeing = checks.list_text_disagreements(session, REPAIRED_AT_ONCE)
    done["records to read again"] += checks.request_examination_of_sources(session, disagreeing)


def _repair_chunks(session: Session, found: Verification, done: dict[str, int]) -> None:
    """What is retired here comes back when its source is cut again, if it belongs to the cut."""
    now = utc_now()
    without_source = [one.chunk_id for one in checks.list_stray_chunks(session, REPAIRED_AT_ONCE)]
    without_version = checks.list_version_disagreements(session, REPAIRED_AT_ONCE)
    miscounted = [one.source_id for one in checks.list_count_disagreements(session, REPAIRED_AT_ONCE)]
    chunks = {
        *found.chunks.wrong_ids,
        *found.chunks.wrong_hashes,
        *without_source,
        *(one.chunk_id for one in without_version),
    }
    sources = {*found.chunks.sources, *miscounted, *(one.source_id for one in without_version)}
    done["chunks retired"] = checks.retire_chunks_by_id(session, sorted(chunks), now)
    checks.end_chunk_versions(session, sorted(chunks), now)
    done["sources to cut again"] = checks.request_chunking(session, sorted(source for source in sources if source), now)


def _repair_embeddings(session: Session, found: Verification, done: dict[str, int]) -> None:
    wrong = {
        *(key for vectors in found.vectors.values() for key, _ in vectors.wrong),
        *checks.list_duplicate_embeddings(session, REPAIRED_AT_ONCE),
        *checks.list_unmatched_embeddings(session, REPAIRED_AT_ONCE),
        *checks.list_embeddings_without_lineage(session, REPAIRED_AT_ONCE),
    }
    done["embeddings deleted"] = checks.delete_embeddings(session, sorted(wrong))
