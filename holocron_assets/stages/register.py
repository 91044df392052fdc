"""From the spaces that the settings declare to the registry, which alone says what exists."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from holocron_assets.clock import utc_now
from holocron_assets.errors import HolocronError, SpaceMismatchError, StoreError
from holocron_assets.ports import EmbeddingProvider, ProviderCatalog, Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.sections import CanarySettings
from holocron_assets.settings import Settings
from holocron_assets.spaces import generation_of, require_same_model, space_of
from holocron_assets.stages.canary import Answers, CanaryPolicy, compare, insert_answers, measure
from holocron_assets.tables import spaces
from holocron_assets.transactions import read, write


@dataclass(slots=True, kw_only=True)
class RegistrationReport:
    """The registry after registering, what was new, and which declarations could not be opened."""

    registered: list[EmbeddingSpace] = field(default_factory=list)
    new: list[EmbeddingSpace] = field(default_factory=list)
    failures: dict[str, HolocronError] = field(default_factory=dict)


def register_spaces(store: Store, catalog: ProviderCatalog, settings: Settings) -> RegistrationReport:
    """Register declared spaces that the store does not have; never changes one that it has.

    A declaration whose model is another one than when it was registered fails with `ModelChangedError`, unless the
    settings say that changed models are registered.
    """
    report = RegistrationReport(registered=read(store, spaces.list_spaces))
    policy = CanaryPolicy.of(settings)
    for declaration in settings.spaces:
        try:
            provider = catalog.open(declaration.provider, declaration.model, declaration.options)
            space = space_of(provider.describe())
            if space.embedding_space_id in {one.embedding_space_id for one in report.registered}:
                continue
            require_may_register(report.registered, space, settings.canary)
            if register(store, provider, space, policy):
                report.new.append(space)
        except StoreError:
            raise
        except HolocronError as error:
            report.failures[declaration.label] = error
        else:
            report.registered = read(store, spaces.list_spaces)
    return report


def require_may_register(registered: Sequence[EmbeddingSpace], space: EmbeddingSpace, canary: CanarySettings) -> None:
    """Raise `ModelChangedError` for a declared space whose model changed, unless such ones are to be registered."""
    if canary.on_change == "stop":
        require_same_model(registered, space)


def register(store: Store, provider: EmbeddingProvider, space: EmbeddingSpace, policy: CanaryPolicy) -> bool:
    """Register a space together with what it answers to its anchors; False when it is registered already."""
    is_new = write(store, _insert, space, measure(provider, space, policy), uuid.uuid4())
    if space.embedding_space_id not in {one.embedding_space_id for one in read(store, spaces.list_spaces)}:
        raise SpaceMismatchError(
            f"space {space.slug}: the store holds another space of the same provider, model, tag, digest and "
            "dimensions, registered under an id of its own. Rename or remove that row of vector.embedding_space."
        )
    return is_new


def register_successor(
    store: Store, provider: EmbeddingProvider, old: EmbeddingSpace, policy: CanaryPolicy
) -> EmbeddingSpace:
    """The space of what answers under the name of `old` now, registered where it is not yet."""
    described = provider.describe()
    known = read(store, spaces.list_spaces)
    generations = [
        one for one in known if space_of(described, generation_of(one)).embedding_space_id == one.embedding_space_id
    ]
    for one in generations:
        # Two models that take turns behind one name are two spaces, and no more.
        compared = compare(store, provider, one, policy)
        if compared.anchors and compared.is_complete and not compared.moved:
            return one
    space = space_of(described, max((generation_of(one) for one in generations), default=0) + 1)
    if space.embedding_space_id not in {one.embedding_space_id for one in known}:
        register(store, provider, space, policy)
    registered = read(store, spaces.list_spaces)
    return next(one for one in registered if one.embedding_space_id == space.embedding_space_id)


def _insert(session: Session, space: EmbeddingSpace, answers: Answers, canary_id: uuid.UUID) -> bool:
    is_new = spaces.insert_space(session, space, utc_now())
    if is_new:
        insert_answers(session, space, answers, canary_id)
    return is_new
