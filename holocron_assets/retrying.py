"""Letting quarantined items go: records and chunks become pending again, lines are dismissed."""

from collections.abc import Mapping, Sequence

from holocron_assets.clock import utc_now
from holocron_assets.errors import HolocronError
from holocron_assets.ports import Session, Store
from holocron_assets.records import ItemType
from holocron_assets.tables import quarantine
from holocron_assets.transactions import read, write

_ALL = 1_000_000


def retry(store: Store, items: Sequence[str], item_type: ItemType | None) -> dict[str, int]:
    """Release quarantined items: those named, or all of a type, or all records and chunks.

    Returns how many of each type. Raises when a named item is not in quarantine.
    """
    unspecified = list(ItemType) if items else [ItemType.RECORD, ItemType.CHUNK]
    types = [item_type] if item_type else unspecified
    held = {kind: {one.item_id for one in read(store, quarantine.list_quarantined, _ALL, kind)} for kind in types}
    unknown = [item for item in items if not any(item in ids for ids in held.values())]
    if unknown:
        raise HolocronError(f"not in quarantine: {', '.join(unknown)}. `holocron status` lists what is.")
    wanted = {kind: sorted(ids.intersection(items) if items else ids) for kind, ids in held.items()}
    return write(store, _release, wanted)


def _release(session: Session, items: Mapping[ItemType, Sequence[str]]) -> dict[str, int]:
    released: dict[str, int] = {}
    for kind, wanted in items.items():
        released[kind.value] = quarantine.release_quarantined(session, kind, wanted, utc_now())
        if kind is ItemType.RECORD:
            quarantine.request_examination(session, wanted)
    return released
