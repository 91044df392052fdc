"""Giving quarantined items another chance: they become pending again."""

from collections.abc import Sequence

from holocron_assets.clock import utc_now
from holocron_assets.errors import HolocronError
from holocron_assets.ports import Store
from holocron_assets.records import ItemType
from holocron_assets.tables import quarantine

_ALL = 1_000_000


def retry(store: Store, items: Sequence[str], item_type: ItemType | None) -> dict[str, int]:
    """Release quarantined records and chunks, all or those named; returns how many of each type.

    Raises when a named item is not in quarantine.
    """
    types = [item_type] if item_type else [ItemType.RECORD, ItemType.CHUNK]
    released: dict[str, int] = {}
    with store.session() as session:
        entries = quarantine.list_quarantined(session, _ALL)
        held = {one.item_id for one in entries if one.item_type in types}
        unknown = [item for item in items if item not in held]
        if unknown:
            raise HolocronError(f"not in quarantine: {', '.join(unknown)}. `holocron status` lists what is.")
        for kind in types:
            wanted = sorted(
                {one.item_id for one in entries if one.item_type == kind and (not items or one.item_id in items)}
            )
            released[kind.value] = quarantine.release_quarantined(session, kind, wanted, utc_now())
            if kind is ItemType.RECORD:
                quarantine.request_examination(session, wanted)
    return released
