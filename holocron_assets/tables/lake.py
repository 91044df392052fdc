"""`lake.RawExchangeRecord`: exchange records in a table of other software, which only some databases have."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from holocron_assets.ports import Session
from holocron_assets.tables.staging import INTEGER, TEXT, TIME, table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRecord:
    """A row of the table without its times: a whole envelope as JSON, and what it is searched by."""

    exchange_id: uuid.UUID
    exchange_type: str
    source_system: str
    entity_type: str
    natural_key: str | None
    observed_at_utc: datetime
    content_sha256: str
    payload_json: str
    schema_version: int


_TYPES = {"observed_at_utc": TIME, "schema_version": INTEGER}
_COLUMNS = {field.name: _TYPES.get(field.name, TEXT) for field in fields(ExchangeRecord)}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnloadedExchange:
    """A row that is no ingest record; `payload_bytes` of its envelope are as the store counts."""

    exchange_id: uuid.UUID
    payload_bytes: int
    updated_at_utc: datetime


def count_lake_tables(session: Session) -> int:
    """1 where the database has the table, else 0."""
    return int(session.rows("count_lake_tables")[0]["n"])


def list_records_missing_from_lake(
    session: Session, source_name: str | None, resource_type: str | None, *, from_id: uuid.UUID, limit: int
) -> list[uuid.UUID]:
    """Ingest records that the table does not hold, by id and in the order of ids, which is the store's own."""
    rows = session.rows(
        "list_records_missing_from_lake",
        source_name=source_name,
        resource_type=resource_type,
        from_ingest_id=from_id,
        limit=limit,
    )
    return [row["ingest_id"] for row in rows]


def insert_exchange_records(session: Session, records: Sequence[ExchangeRecord], now: datetime) -> int:
    """Insert what the table does not hold, neither by its id nor by its hash; returns how many."""
    rows = ([_plain(getattr(record, name)) for name in _COLUMNS] for record in records)
    session.stage("staged_exchange_records", table_of(_COLUMNS, rows))
    return session.execute("insert_exchange_records", now=now)


def list_unloaded_exchanges(session: Session, *, from_id: uuid.UUID, limit: int) -> list[UnloadedExchange]:
    """Rows whose ids no ingest record has, in the order of ids, which is the store's own."""
    rows = session.rows("list_unloaded_exchanges", from_exchange_id=from_id, limit=limit)
    return [UnloadedExchange(**row) for row in rows]


def list_envelopes(session: Session, exchange_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The envelopes of some rows, as JSON."""
    rows = session.rows("list_envelopes", exchange_ids=[str(key) for key in exchange_ids])
    return {row["exchange_id"]: row["payload_json"] for row in rows}


def _plain(value: object) -> object:
    return str(value) if isinstance(value, uuid.UUID) else value
