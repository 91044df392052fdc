"""Letting quarantined items go: records and chunks become pending again, lines are dismissed."""

from collections.abc import Sequence

from holocron_assets.clock import utc_now
from holocron_assets.errors import HolocronError
from holocron_assets.ports import Store
from holocron_assets.records import ItemType
from holocron_assets.tables import quarantine

_ALL = 1_000_000


def retry(store: Store, items: Sequence[str], item_type: ItemType | None) -> dict[str, int]:
    """Release quarantined items: those named, or all of a type, or all records and chunks.

    Returns how many of each type. Raises when a named item is not in quarantine.
    """
    unspecified = list(ItemType) if items else [ItemType.RECORD, ItemType.CHUNK]
    types = [item_type] if item_type else unspecified
    released: dict[str, int] = {}
    with store.session(write=False) as session:
        held = {kind: {one.item_id for one in quarantine.list_quarantined(session, _ALL, kind)} for kind in types}
        unknown = [item for item in items if not any(item in ids for ids in held.values())]
    if unknown:
        raise HolocronError(f"not in quarantine: {', '.join(unknown)}. `holocron status` lists what is.")
    with store.session() as session:
        for kind, ids in held.items():
            wanted = sorted(ids.intersection(items) if items else ids)
            released[kind.value] = quarantine.release_quarantined(session, kind, wanted, utc_now())
            if kind is ItemType.RECORD:
                quarantine.request_examination(session, wanted)
    return released
