"""What the schema `sem` knows of pages, where a database has it."""

import uuid
from collections.abc import Sequence

from holocron_assets.extraction import SELECTION
from holocron_assets.ports import Session
from holocron_assets.selection import PageClass, Selection

_TABLES = 2


def count_page_class_tables(session: Session) -> bool:
    """Whether this database classifies pages."""
    return int(session.rows("count_page_class_tables")[0]["n"]) == _TABLES


def list_page_classes(session: Session, ingest_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, PageClass]:
    """The pages of those records that belong to one, by the record's id."""
    rows = session.rows("list_page_classes", ingest_ids=[str(key) for key in ingest_ids])
    return {row.pop("ingest_id"): PageClass(**row) for row in rows}


def get_page_class_state(session: Session) -> dict[str, str]:
    """What differs, in one or another value, whenever a page is classified otherwise."""
    row = session.rows("get_page_class_state")[0]
    return {name: str(value) for name, value in row.items()}


def list_page_types(session: Session) -> dict[str, str]:
    """The primary types of pages by their sources; a source whose page is not classified has none."""
    return {row["source_id"]: row["primary_type"] for row in session.rows("list_page_types")}


def update_page_links(session: Session) -> int:
    """Write on each page which source it is, where it says nothing or something else; returns how many."""
    return session.execute("update_page_links")


def list_reselected_records(session: Session, selection: Selection) -> list[uuid.UUID]:
    """Examined records about which the selection says something else than it did when they were examined."""
    rows = session.rows(
        "list_reselected_records",
        selection=SELECTION[0],
        unclassified=selection.unclassified,
        any_type=not selection.primary_types,
        any_continuity=not selection.continuities,
        primary_types=list(selection.primary_types),
        continuities=list(selection.continuities),
    )
    return [row["ingest_id"] for row in rows]
