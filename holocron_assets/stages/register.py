"""From the spaces that the settings declare to the registry, which alone says what exists."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from holocron_assets.clock import utc_now
from holocron_assets.errors import HolocronError, SpaceMismatchError
from holocron_assets.ports import ProviderCatalog, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.settings import SpaceDeclaration
from holocron_assets.spaces import space_of
from holocron_assets.tables import spaces
from holocron_assets.transactions import read, write


@dataclass(slots=True, kw_only=True)
class RegistrationReport:
    """The registry after registering, what was new, and which declarations could not be opened."""

    registered: list[EmbeddingSpace] = field(default_factory=list)
    new: list[EmbeddingSpace] = field(default_factory=list)
    failures: dict[str, HolocronError] = field(default_factory=dict)


def register_spaces(
    store: Store, catalog: ProviderCatalog, declarations: Sequence[SpaceDeclaration]
) -> RegistrationReport:
    """Register declared spaces that the store does not have; never changes one that it has."""
    report = RegistrationReport()
    described: list[EmbeddingSpace] = []
    for declaration in declarations:
        try:
            provider = catalog.open(declaration.provider, declaration.model, declaration.options)
            described.append(space_of(provider.describe()))
        except HolocronError as error:
            report.failures[declaration.label] = error
    report.registered = read(store, spaces.list_spaces)
    known = {space.embedding_space_id for space in report.registered}
    missing = [space for space in described if space.embedding_space_id not in known]
    if not missing:
        return report
    report.new = [space for space in missing if write(store, spaces.insert_space, space, utc_now())]
    report.registered = read(store, spaces.list_spaces)
    present = {space.embedding_space_id for space in report.registered}
    for space in missing:
        if space.embedding_space_id not in present:
            report.failures[space.slug] = SpaceMismatchError(
                f"space {space.slug}: the store holds another space of the same provider, model, tag, digest and "
                "dimensions, registered under an id of its own. Rename or remove that row of vector.embedding_space."
            )
    return report
