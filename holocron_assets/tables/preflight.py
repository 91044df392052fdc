"""What the database itself says of its state: its kind, its columns and keys, what may be done."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holocron_assets.ports import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What answers; collation and compatibility level only where the database has them."""

    version: str
    edition: str
    collation: str | None
    compatibility_level: int | None
    is_read_only: bool
    now_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What this user may do: 1 or 0, None where the thing does not exist yet."""

    reads_records: int | None
    writes_vector: int | None
    creates_tables: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActualColumn:
    """A column as it is; `max_length` in characters, None without a limit."""

    type_name: str
    max_length: int | None
    is_nullable: bool
    fills_itself: bool
    collation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadSample:
    """How many payloads were measured, and their average length."""

    payloads: int
    average_characters: int


def get_database(session: Session) -> Database:
    """Version, collation and clock of the database."""
    return Database(**session.rows("get_database")[0])


def get_permissions(session: Session) -> Permissions:
    """What this user may do."""
    return Permissions(**session.rows("get_permissions")[0])


def list_columns(session: Session) -> dict[str, dict[str, ActualColumn]]:
    """The columns of each table of the schemas that this project knows."""
    tables: dict[str, dict[str, ActualColumn]] = defaultdict(dict)
    for row in session.rows("list_columns"):
        table = f"{row.pop('schema_name')}.{row.pop('table_name')}"
        name = row.pop("column_name")
        tables[table][name] = ActualColumn(**row)
    return dict(tables)


def list_unique_keys(session: Session) -> dict[str, set[frozenset[str]]]:
    """The sets of columns that are unique in each table."""
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in session.rows("list_unique_keys"):
        keys[f"{row['schema_name']}.{row['table_name']}", row["key_name"]].add(row["column_name"])
    tables: dict[str, set[frozenset[str]]] = defaultdict(set)
    for (table, _), columns in keys.items():
        tables[table].add(frozenset(columns))
    return dict(tables)


def list_indexed_columns(session: Session) -> set[str]:
    """The columns with which an index begins, as schema.table.column."""
    return _columns_of(session.rows("list_indexed_columns"))


def list_references(session: Session) -> set[str]:
    """The columns that a foreign key ties to another table, as schema.table.column."""
    return _columns_of(session.rows("list_references"))


def list_table_sizes(session: Session) -> dict[str, int]:
    """About how many rows each table has."""
    return {
        f"{row['schema_name']}.{row['table_name']}": int(row["row_count"] or 0)
        for row in session.rows("list_table_sizes")
    }


def count_resources(session: Session) -> int:
    """How many things were fetched, whatever the number of their variants and fetches."""
    return int(session.rows("count_resources")[0]["n"])


def get_payload_sample(session: Session) -> PayloadSample:
    """How long rendered pages are."""
    return PayloadSample(**session.rows("get_payload_sample")[0])


def count_ambiguous_names(session: Session) -> int:
    """How many source names the database cannot tell from another's."""
    return int(session.rows("count_ambiguous_names")[0]["n"])


def count_foreign_sources(session: Session) -> int:
    """How many sources another program registered."""
    return int(session.rows("count_foreign_sources")[0]["n"])


def _columns_of(rows: list[dict[str, Any]]) -> set[str]:
    return {f"{row['schema_name']}.{row['table_name']}.{row['column_name']}" for row in rows}
