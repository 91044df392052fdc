"""The names of spaces that the search page's forms offer: a help, for which nobody waits."""

from contextlib import suppress

from holocron_assets.errors import HolocronError
from holocron_assets.ports import Store
from holocron_assets.tables import spaces
from holocron_assets.transactions import read


class SpacesKnown:
    """The active spaces, as they were when the store could last be asked; `store` is one that does not wait."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stamp: str | None = None
        self.names: tuple[str, ...] = ()

    def look(self) -> tuple[str, ...]:
        """What each is called, now if that can be told at once."""
        with suppress(HolocronError):
            stamp = self._store.stamp()
            if stamp is None or stamp != self._stamp:
                registered = read(self._store, spaces.list_spaces)
                self.names = tuple(space.slug for space in registered if space.is_active)
                self._stamp = stamp
        return self.names
