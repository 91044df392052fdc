"""Which pages are embedded, by what the database knows of them: their type and their continuity. Pure."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PageClass:
    """What `sem.SourcePage` and its current classification say of a page; a page may be known and not classified."""

    source_page_id: uuid.UUID
    primary_type: str | None
    continuity: str | None

    def reference(self) -> dict[str, str]:
        """As it is kept with the source, for whoever filters by it."""
        known = {
            "source_page_id": str(self.source_page_id),
            "primary_type": self.primary_type,
            "continuity": self.continuity,
        }
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Pages of these types and continuities, any where none is named; `unclassified` ones as well, or not.

    A record that belongs to no page counts as unclassified.
    """

    primary_types: tuple[str, ...] = ()
    continuities: tuple[str, ...] = ()
    unclassified: bool = True

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.primary_types and not self.continuities and self.unclassified

    def reason_against(self, page: PageClass | None) -> str | None:
        """Why a record of this page is left out; None where it is not."""
        if page is None or page.primary_type is None:
            return None if self.unclassified else "not selected: its page is not classified"
        if self.primary_types and page.primary_type not in self.primary_types:
            return f"not selected: its page is a {page.primary_type}"
        if self.continuities and page.continuity not in self.continuities:
            return f"not selected: its page's continuity is {page.continuity or 'not known'}"
        return None
