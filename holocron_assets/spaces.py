"""The identity of embedding spaces: from what a provider says of itself to the row that is registered. Pure."""

import re
import uuid
from collections.abc import Sequence
from typing import Any

from holocron_assets.errors import ConfigurationError, SpaceMismatchError
from holocron_assets.identity import space_fingerprint, space_id
from holocron_assets.records import EmbeddingSpace, SpaceIdentity


def space_of(identity: SpaceIdentity) -> EmbeddingSpace:
    """The space that an identity names; equal identities give equal spaces in every store.

    The existing database's unique key knows provider, model, tag, digest and dimensions only. So where
    anything else departs from the provider's default, the tag carries a mark of the whole identity.
    """
    whole = _whole(identity)
    tag = identity.model_tag if identity.is_plain else f"{identity.model_tag}+{space_fingerprint(whole)[:12]}"
    key = space_id(whole)
    return EmbeddingSpace(
        embedding_space_id=key,
        slug=slug_of(identity.model_name, key),
        provider=identity.provider,
        model_name=identity.model_name,
        model_tag=tag,
        model_digest=identity.model_digest,
        dimensions=identity.dimensions,
        normalize=identity.normalize,
        distance_metric=identity.distance_metric,
        preprocess_policy=dict(identity.preprocess_policy),
        transform_ref=identity.transform_ref,
        description=identity.description,
    )


def slug_of(model_name: str, key: uuid.UUID) -> str:
    """The readable name of a space; plain characters, which partition keys and shells both like."""
    readable = re.sub(r"[^a-z0-9]+", "-", model_name.lower()).strip("-") or "space"
    return f"{readable}-{key.hex[:8]}"


def named_space(known: Sequence[EmbeddingSpace], wanted: str) -> EmbeddingSpace:
    """The one of `known` with this slug or id, or whose slug alone contains `wanted`; raises `ConfigurationError`."""
    exact = [space for space in known if wanted in (space.slug, str(space.embedding_space_id))]
    fitting = exact or [space for space in known if wanted in space.slug]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(space.slug for space in (fitting or known)) or "none"
    problem = "no space is called" if not fitting else "more than one space fits"
    raise ConfigurationError(f"{problem} {wanted!r}; there are: {names}")


def require_same_space(registered: EmbeddingSpace, described: SpaceIdentity) -> None:
    """Raise `SpaceMismatchError`, naming what differs, unless the provider still serves `registered`."""
    now = space_of(described)
    if now.embedding_space_id == registered.embedding_space_id:
        return
    names = (
        "model_tag",
        "model_digest",
        "dimensions",
        "normalize",
        "distance_metric",
        "preprocess_policy",
        "transform_ref",
    )
    differences = [
        f"{name} is {getattr(now, name)!r}, registered as {getattr(registered, name)!r}"
        for name in names
        if getattr(now, name) != getattr(registered, name)
    ]
    raise SpaceMismatchError(
        f"space {registered.slug}: provider {registered.provider!r} no longer serves it: {'; '.join(differences)}. "
        "Its vectors were kept and nothing was embedded. Bring the old model back, or declare the new one under "
        "`spaces:` in holocron.yaml: it becomes a space of its own."
    )


def _whole(identity: SpaceIdentity) -> dict[str, Any]:
    return {
        "provider": identity.provider,
        "model_name": identity.model_name,
        "model_tag": identity.model_tag,
        "model_digest": identity.model_digest,
        "dimensions": identity.dimensions,
        "normalize": identity.normalize,
        "distance_metric": identity.distance_metric,
        "preprocess_policy": dict(identity.preprocess_policy),
        "transform_ref": identity.transform_ref,
    }
