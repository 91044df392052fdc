"""Items that failed in a way a retry will not fix."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from holocron_assets.ports import Session
from holocron_assets.records import ItemType, QuarantinedItem
from holocron_assets.tables.staging import TEXT, table_of

_COLUMNS = dict.fromkeys(("item_type", "item_id", "item_version", "scope", "stage", "reason"), TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEntry:
    """A quarantined item as a person sees it."""

    item_type: str
    item_id: str
    item_version: str
    scope: str
    stage: str
    reason: str
    attempt_count: int
    first_failed_utc: datetime
    last_failed_utc: datetime
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineCount:
    """How many items of a type are quarantined; `scope` is the embedding space where that matters."""

    item_type: str
    scope: str
    n: int


def upsert_quarantined(session: Session, items: Sequence[QuarantinedItem], run_id: uuid.UUID, now: datetime) -> int:
    """Put items into quarantine, with their reasons."""
    rows = ([getattr(item, name) for name in _COLUMNS] for item in items)
    session.stage("staged_quarantined", table_of(_COLUMNS, rows))
    return session.execute("upsert_quarantined", run_id=run_id, now=now)


def release_quarantined(session: Session, item_type: ItemType, item_ids: Sequence[str], now: datetime) -> int:
    """Let items go, because they succeeded or are to be tried again; returns how many were held."""
    return session.execute("release_quarantined", item_type=item_type.value, item_ids=list(item_ids), now=now)


def list_quarantined(session: Session, limit: int, item_type: ItemType | None = None) -> list[QuarantineEntry]:
    """The quarantined items, of one type or of all, the latest failures first."""
    rows = session.rows("list_quarantined", item_type=item_type and item_type.value, limit=limit)
    return [QuarantineEntry(**row) for row in rows]


def count_quarantined(session: Session) -> list[QuarantineCount]:
    """How many items are quarantined, by type and scope."""
    return [QuarantineCount(**row) for row in session.rows("count_quarantined")]


def request_examination(session: Session, ingest_ids: Sequence[str]) -> int:
    """Have the next extraction read these records again."""
    return session.execute("request_examination", ingest_ids=list(ingest_ids))


def release_quarantined_lines(session: Session, paths: Sequence[str], read_at: datetime, now: datetime) -> int:
    """Let go these files and their lines, except what was rejected again when they were read at `read_at`."""
    return session.execute("release_quarantined_lines", paths=list(paths), read_at=read_at, now=now)
