"""The transform between a derived space and its source: reading it, and a provider that applies it to queries."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from holocron_assets.errors import TransformError
from holocron_assets.ports import EmbeddingProvider, ProviderCatalog, Purpose, Session, Store
from holocron_assets.records import EmbeddingSpace, SpaceIdentity
from holocron_assets.spaces import derived_identity, identity_of, space_of, transforms_of
from holocron_assets.tables import spaces, transforms
from holocron_assets.transactions import read
from holocron_assets.transforms import Transform, load
from holocron_assets.vectors import Vectors, require_valid
from holocron_assets.wrapped import WrappedProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """A derived space, the space that its vectors are made of, and how."""

    space: EmbeddingSpace
    source: EmbeddingSpace
    transform: Transform
    artefact_sha256: str


def read_derivation(session: Session, space: EmbeddingSpace) -> Derivation:
    """How a derived space is made; raises `TransformError` unless what is stored makes this space and no other."""
    stored = transforms.list_transforms(session).get(space.embedding_space_id)
    if stored is None:
        raise _lost(space, "its transform is not stored")
    artefact = transforms.list_artefacts(session, [space.embedding_space_id])[space.embedding_space_id]
    try:
        transform = load(artefact, stored.artefact_sha256)
    except TransformError as error:
        raise _lost(space, str(error)) from error
    known = {one.embedding_space_id: one for one in spaces.list_spaces(session)}
    source = known.get(stored.source_space_id)
    if source is None:
        raise _lost(space, "the space that it is derived from is not registered")
    if space_of(derived(identity_of(source), transform)).embedding_space_id != space.embedding_space_id:
        raise _lost(space, f"what is stored is {transform.ref} of {source.slug}, which makes another space")
    return Derivation(space=space, source=source, transform=transform, artefact_sha256=stored.artefact_sha256)


def derived(source: SpaceIdentity, transform: Transform) -> SpaceIdentity:
    """The identity of what a transform makes of the vectors of `source`."""
    return derived_identity(source, transform.ref, transform.dimensions, normalize=transform.normalize)


def open_space(store: Store, providers: ProviderCatalog, space: EmbeddingSpace) -> EmbeddingProvider:
    """What embeds a query as `space` needs it: its provider, for a derived space with the transforms applied.

    It may serve another space now (`require_same_space`). Raises as `ProviderCatalog.open`, and `TransformError`.
    """
    if space.transform_ref is None:
        return providers.reopen(space)
    derivation = read(store, read_derivation, space)
    return _Transformed(open_space(store, providers, derivation.source), derivation)


def model_space(store: Store, space: EmbeddingSpace) -> EmbeddingSpace:
    """The space of the model whose vectors `space` is made of, through whatever lies between; most often itself."""
    return space if space.transform_ref is None else read(store, _model_space, space)


def _model_space(session: Session, space: EmbeddingSpace) -> EmbeddingSpace:
    known = {one.embedding_space_id: one for one in spaces.list_spaces(session)}
    made_of = {key: known.get(one.source_space_id) for key, one in transforms.list_transforms(session).items()}
    source: EmbeddingSpace | None = space
    for _ in transforms_of(space.transform_ref):
        source = made_of.get(source.embedding_space_id) if source else None
    if source is None or source.transform_ref is not None:
        raise _lost(space, "what is stored does not lead to the space of a model")
    return source


def derived_from(session: Session, space_id: uuid.UUID) -> list[uuid.UUID]:
    """The spaces that are derived from a space, and from these, and so on."""
    sources = {key: one.source_space_id for key, one in transforms.list_transforms(session).items()}
    found: list[uuid.UUID] = []
    reached = {space_id}
    while reached:
        reached = {key for key, source in sources.items() if source in reached and key not in found}
        found += sorted(reached)
    return found


class _Transformed(WrappedProvider):
    """A provider whose vectors are transformed, each as it would be in any other batch."""

    def __init__(self, provider: EmbeddingProvider, derivation: Derivation) -> None:
        super().__init__(provider)
        self._derivation = derivation

    def describe(self) -> SpaceIdentity:
        return derived(self._provider.describe(), self._derivation.transform)

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        vectors = self._provider.embed(texts, purpose)
        # A sign or a direction would hide that it was made of something that is no vector of the source.
        require_valid(vectors.values, self._derivation.source, len(texts))
        values = self._derivation.transform.apply(vectors.values)
        return Vectors(values=values, truncated_tokens=vectors.truncated_tokens)


def _lost(space: EmbeddingSpace, what: str) -> TransformError:
    return TransformError(
        f"space {space.slug}: {what}. Restore its row of vector.transform from a backup, or deactivate it and derive "
        "another: `holocron spaces derive`."
    )
