"""Refusing to use a space whose model answers otherwise than it did, or whose vectors are of two models just now."""

import uuid
from dataclasses import dataclass

from holocron_assets.derived_spaces import model_space
from holocron_assets.errors import ModelChangedError, NotReadyError, TransientError
from holocron_assets.ports import EmbeddingProvider, ProviderCatalog, Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.stages.canary import CanaryPolicy, Choice, compare, ensure_canary, told
from holocron_assets.tables import canaries
from holocron_assets.tables.canaries import Canary
from holocron_assets.transactions import read


def require_unmoved(
    store: Store, provider: EmbeddingProvider, space: EmbeddingSpace, policy: CanaryPolicy, choose: Choice
) -> uuid.UUID | None:
    """Embed some anchors again; raises `ModelChangedError` that says how far from the registered ones they are.

    `NotReadyError` while the vectors of the space are being replaced. A space that has no anchors gets them, as
    `ensure_canary` says. Returns the canary that the model was held to.
    """
    comparison = compare(store, provider, space, policy, choose)
    if comparison.canary_id is None:
        ensure_canary(store, provider, space, policy)
        comparison = compare(store, provider, space, policy, choose)
    if not comparison.is_complete:
        raise unsettled(space)
    if comparison.moved:
        raise ModelChangedError(
            f"space {space.slug}: its model answers otherwise than when it was registered, under the same digest. "
            f"{told(comparison)}. Its vectors were kept and nothing more was embedded. Bring the old runtime back, or "
            f"replace them with `holocron spaces reembed {space.slug} --replace`, or have what answers now registered "
            "beside it: `canary.on_change: register` in holocron.yaml."
        )
    return comparison.canary_id


def require_model_unmoved(
    store: Store, providers: ProviderCatalog, space: EmbeddingSpace, policy: CanaryPolicy, choose: Choice
) -> uuid.UUID | None:
    """The same of the model that a space's queries are embedded by; a derived space has no anchors of its own."""
    model = model_space(store, space)
    return require_unmoved(store, providers.reopen(model), model, policy, choose)


def require_settled(store: Store, space: EmbeddingSpace) -> uuid.UUID | None:
    """Raise `NotReadyError` while vectors of a space are being replaced by those of another model.

    Returns the canary that they are held to.
    """
    return read(store, _settled_canary, space)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTo:
    """The space whose model made some vectors, and the canary that they were held to when somebody began to read them.

    `canary_id` is None for a space that another program registered, or an older version.
    """

    space: EmbeddingSpace
    canary_id: uuid.UUID | None

    def require(self, session: Session) -> None:
        """Raise unless it is so still: of what was read since, some may be of another model.

        `NotReadyError` while vectors are being replaced, `TransientError` where they were. Whoever replaces some
        commits another canary first.
        """
        if _settled_canary(session, self.space) != self.canary_id:
            raise TransientError(f"space {self.space.slug}: its vectors were replaced while they were read; run again")


def settled(store: Store, space: EmbeddingSpace) -> HeldTo:
    """What a space is held to, or the one that it is derived from; raises as `require_settled`."""
    model = model_space(store, space)
    return HeldTo(space=model, canary_id=require_settled(store, model))


def unsettled(space: EmbeddingSpace) -> NotReadyError:
    """What to say of a space whose vectors are being replaced."""
    return NotReadyError(
        f"space {space.slug}: its vectors are being replaced, and those of two models are never used together. "
        f"Finish with `holocron spaces reembed {space.slug} --replace`."
    )


def require_canary(session: Session, space: EmbeddingSpace, canary_id: uuid.UUID | None) -> Canary | None:
    """The canary of a space, in the transaction that writes vectors; `ModelChangedError` when it is another by now.

    Whoever compared with `canary_id` knows nothing of a model that the space is held to since.
    """
    canary = canaries.get_canary(session, space.embedding_space_id)
    if (canary.canary_id if canary else None) != canary_id:
        raise ModelChangedError(
            f"space {space.slug}: another run began to replace its vectors meanwhile. Nothing of this batch was "
            "stored; run again when that one is done."
        )
    return canary


def _settled_canary(session: Session, space: EmbeddingSpace) -> uuid.UUID | None:
    canary = canaries.get_canary(session, space.embedding_space_id)
    if canary is not None and not canary.is_complete:
        raise unsettled(space)
    return canary.canary_id if canary else None
