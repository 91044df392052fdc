"""The identity of embedding spaces: from what a provider says of itself to the row that is registered. Pure."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from holocron_assets.errors import ConfigurationError, ModelChangedError, SpaceMismatchError
from holocron_assets.identity import space_fingerprint, space_id
from holocron_assets.records import EmbeddingSpace, SpaceIdentity

#: What to do about a changed model, for messages.
NEW_SPACE = (
    "register what it is now as a space of its own: `holocron spaces add`, or `canary.on_change: register` in "
    "holocron.yaml"
)
_GENERATION = "generation"
#: Between the transforms of a space that is derived from a derived one; the first was applied first.
_THEN = ">"
#: The longest that the existing database's column takes.
_LONGEST_REF = 200


def space_of(identity: SpaceIdentity, generation: int = 1) -> EmbeddingSpace:
    """The space that an identity names; equal identities give equal spaces in every store.

    The existing database's unique key knows provider, model, tag, digest and dimensions only. So where
    anything else departs from the provider's default, the tag carries a mark of the whole identity.

    A `generation` above 1 is that of a model which answered otherwise under the same digest.
    """
    if generation > 1:
        policy = {**identity.preprocess_policy, _GENERATION: generation}
        identity = replace(identity, preprocess_policy=policy, is_plain=False)
    whole = _whole(identity)
    tag = identity.model_tag if identity.is_plain else f"{identity.model_tag}+{space_fingerprint(whole)[:12]}"
    key = space_id(whole)
    return EmbeddingSpace(
        embedding_space_id=key,
        slug=slug_of(identity.model_name, key, identity.transform_ref),
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


def generation_of(space: EmbeddingSpace) -> int:
    """Which time it is that this identity was registered; above 1 when its model had moved."""
    return int(space.preprocess_policy.get(_GENERATION, 1))


def options_of(space: EmbeddingSpace) -> dict[str, Any]:
    """What a provider is opened with to serve a registered space."""
    return {name: value for name, value in space.preprocess_policy.items() if name != _GENERATION}


def slug_of(model_name: str, key: uuid.UUID, transform_ref: str | None) -> str:
    """The readable name of a space; plain characters, which partition keys and shells both like."""
    kinds = [one.partition("/")[0] for one in transforms_of(transform_ref)]
    readable = re.sub(r"[^a-z0-9]+", "-", " ".join([model_name, *kinds]).lower()).strip("-") or "space"
    return f"{readable}-{key.hex[:8]}"


def transforms_of(transform_ref: str | None) -> list[str]:
    """The transforms between a model and its space, each by its own name, in the order in which they are applied."""
    return transform_ref.split(_THEN) if transform_ref else []


def identity_of(space: EmbeddingSpace) -> SpaceIdentity:
    """What the provider of a registered space said of itself, or what was derived of that; the tag without its mark."""
    return SpaceIdentity(
        provider=space.provider,
        model_name=space.model_name,
        model_tag=space.model_tag.partition("+")[0],
        model_digest=space.model_digest,
        dimensions=space.dimensions,
        normalize=space.normalize,
        distance_metric=space.distance_metric,
        preprocess_policy=space.preprocess_policy,
        is_plain="+" not in space.model_tag,
        transform_ref=space.transform_ref,
        description=space.description,
    )


def derived_identity(source: SpaceIdentity, ref: str, dimensions: int, *, normalize: bool) -> SpaceIdentity:
    """The identity of what the transform called `ref` makes of the vectors of `source`.

    Raises `ConfigurationError` when `source` is derived so often that nothing can name it.
    """
    whole = _THEN.join([*transforms_of(source.transform_ref), ref])
    if len(whole) > _LONGEST_REF:
        raise ConfigurationError(
            f"the transforms {whole} are too many: their names take more than {_LONGEST_REF} characters"
        )
    return replace(source, dimensions=dimensions, normalize=normalize, transform_ref=whole, is_plain=False)


def named_space(known: Sequence[EmbeddingSpace], wanted: str) -> EmbeddingSpace:
    """The one of `known` with this slug or id, or whose slug alone contains `wanted`; raises `ConfigurationError`."""
    exact = [space for space in known if wanted in (space.slug, str(space.embedding_space_id))]
    fitting = exact or [space for space in known if wanted and wanted in space.slug]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(space.slug for space in (fitting or known)) or "none"
    problem = "no space is called" if not fitting else "more than one space fits"
    raise ConfigurationError(f"{problem} {wanted!r}; there are: {names}")


def require_same_space(registered: EmbeddingSpace, described: SpaceIdentity) -> None:
    """Raise `SpaceMismatchError`, naming what differs, unless the provider still serves `registered`.

    `ModelChangedError` where that is the model itself.
    """
    now = space_of(described, generation_of(registered))
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
    error = ModelChangedError if _is_another_model(registered, now) else SpaceMismatchError
    raise error(
        f"space {registered.slug}: provider {registered.provider!r} no longer serves it: {'; '.join(differences)}. "
        f"Its vectors were kept and nothing was embedded. Bring the old model back, or {NEW_SPACE}."
    )


def require_same_model(registered: Sequence[EmbeddingSpace], described: EmbeddingSpace) -> None:
    """Raise `ModelChangedError` when an active space is of the same name and tag, and of another model."""
    for space in registered:
        same_name = (space.provider, space.model_name) == (described.provider, described.model_name)
        same_tag = plain_tag(space) == plain_tag(described)
        if space.is_active and same_name and same_tag and _is_another_model(space, described):
            raise ModelChangedError(
                f"{described.provider} {described.model_name} {plain_tag(described)} is another model now: its digest "
                f"is {described.model_digest!r} and it has {described.dimensions} dimensions; {space.slug} was "
                f"registered with {space.model_digest!r} and {space.dimensions}. Nothing was registered or embedded. "
                f"Bring the old model back, or {NEW_SPACE}."
            )


def _is_another_model(registered: EmbeddingSpace, described: EmbeddingSpace) -> bool:
    """Whether the digest differs; where a server tells none, what it makes of a text under the same options."""
    if registered.model_digest or described.model_digest:
        return registered.model_digest != described.model_digest
    same_options = options_of(registered) == options_of(described)
    same_transform = registered.transform_ref == described.transform_ref
    made = [(one.dimensions, one.normalize) for one in (registered, described)]
    return same_options and same_transform and made[0] != made[1]


def plain_tag(space: EmbeddingSpace) -> str:
    """The tag as the provider has it."""
    return space.model_tag.partition("+")[0]


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
