"""The names and aliases of spaces that the search page's forms offer: a help, for which nobody waits."""

from contextlib import suppress
from dataclasses import dataclass

from holocron_assets.errors import HolocronError
from holocron_assets.ports import Session, Store
from holocron_assets.promotion import aliases_of
from holocron_assets.tables import spaces
from holocron_assets.transactions import read


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What the active spaces are called, and the aliases that mean one of them."""

    names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class SpacesKnown:
    """The active spaces, as they were when the store could last be asked; `store` is one that does not wait."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stamp: str | None = None
        self.offered = Offered()

    def look(self) -> Offered:
        """What each is called, now if that can be told at once."""
        with suppress(HolocronError):
            stamp = self._store.stamp()
            if stamp is None or stamp != self._stamp:
                self.offered = read(self._store, _offered)
                self._stamp = stamp
        return self.offered


def _offered(session: Session) -> Offered:
    registered = spaces.list_spaces(session)
    active = [space for space in registered if space.is_active]
    aliases = aliases_of(session, registered)
    return Offered(
        names=tuple(space.slug for space in active),
        aliases=tuple(sorted(alias for space in active for alias in aliases[space.embedding_space_id])),
    )
