"""Which space an alias means, and changing that: promote a space when it is fit, roll back when it was not.

Search uses the alias `default`. While nothing was promoted to it, that is the oldest active space, so that a space
which is registered beside it disturbs no search.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from holocron_assets.clock import utc_now
from holocron_assets.derived_spaces import open_space
from holocron_assets.errors import ConfigurationError, NotReadyError, SpaceMismatchError
from holocron_assets.evaluation.comparing import Comparison, compare_spaces
from holocron_assets.next_steps import EVERYTHING
from holocron_assets.ports import ProviderCatalog, Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.spaces import named_space, require_same_space
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.model_guard import require_model_unmoved
from holocron_assets.tables import embeddings, promotions, spaces
from holocron_assets.tables.checks import Written
from holocron_assets.tables.promotions import Promotion
from holocron_assets.transactions import read, write
from holocron_assets.verification import contents, keys
from holocron_assets.verification.finding import Finding

DEFAULT = "default"

_ALIAS = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What an alias means, what it meant before, and the chunks that the space cannot embed or still lacks.

    `is_change` says that these are different; with a dry run nothing was changed all the same. `evaluated` compares
    the two on each collection that both were evaluated on, the one before first.
    """

    alias: str
    space: EmbeddingSpace
    previous: EmbeddingSpace | None
    is_change: bool
    quarantined: int
    lacking: int
    evaluated: tuple[Comparison, ...] = ()


def space_of_alias(session: Session, registered: Sequence[EmbeddingSpace], alias: str) -> EmbeddingSpace:
    """The space that an alias means; raises `ConfigurationError` where it means none."""
    history = promotions.list_promotions(session)
    space = _meant(history, registered, alias)
    if space is not None and not space.is_active:
        raise ConfigurationError(
            f"the alias {alias} means {space.slug}, and that is inactive. `holocron spaces activate {space.slug}`, "
            "or promote another."
        )
    if space is not None:
        return space
    if not registered:
        raise ConfigurationError(f"the store has no active embedding space. Fill it with `{EVERYTHING}`.")
    if alias == DEFAULT:
        raise ConfigurationError("every embedding space of the store is inactive; see docs/operations.md.")
    known = sorted({one.alias for one in history if _current(history, one.alias)} | {DEFAULT})
    raise ConfigurationError(f"no space is promoted to the alias {alias!r}; there are: {', '.join(known)}")


def searched_and_others(session: Session) -> tuple[EmbeddingSpace, list[EmbeddingSpace]]:
    """The space that searches use, and every other active one; raises as `space_of_alias`."""
    registered = spaces.list_spaces(session)
    searched = space_of_alias(session, registered, DEFAULT)
    return searched, [one for one in registered if one.is_active and one != searched]


def aliases_of(session: Session, registered: Sequence[EmbeddingSpace]) -> dict[uuid.UUID, list[str]]:
    """The aliases that mean a space, for each; `default` means the oldest active one where none was promoted to it."""
    history = promotions.list_promotions(session)
    aliases: dict[uuid.UUID, list[str]] = {space.embedding_space_id: [] for space in registered}
    for alias in sorted({one.alias for one in history} | {DEFAULT}):
        if space := _meant(history, registered, alias):
            aliases[space.embedding_space_id].append(alias)
    return aliases


def default_space(session: Session, registered: Sequence[EmbeddingSpace]) -> EmbeddingSpace | None:
    """What searches use that say nothing, if these are the spaces that there are."""
    return _meant(promotions.list_promotions(session), registered, DEFAULT)


def promoted_to(session: Session, space: EmbeddingSpace) -> list[str]:
    """The aliases that a space was promoted to and is what they mean."""
    history = promotions.list_promotions(session)
    current = [_current(history, alias) for alias in sorted({one.alias for one in history})]
    return [one.alias for one in current if one and one.embedding_space_id == space.embedding_space_id]


def promote(
    store: Store,
    providers: ProviderCatalog,
    canary: CanaryPolicy,
    wanted: str,
    alias: str,
    *,
    dry_run: bool,
    despite_loss: bool = False,
) -> Switch:
    """Let `alias` mean a space, in one transaction.

    Raises `NotReadyError` unless the space is active, has a vector of every current chunk that is not quarantined,
    passes its blocking checks, and is served as it was registered; and, but for `despite_loss`, where significantly
    less is found in it than in the space that the alias means, on any collection that both were evaluated on, among
    about as many chunks.
    """
    if not _ALIAS.fullmatch(alias):
        raise ConfigurationError(f"{alias!r} cannot be an alias: small letters, digits, - and _, at most 100 of them")
    space = named_space(read(store, spaces.list_spaces), wanted)
    if not space.is_active:
        raise NotReadyError(f"{space.slug} is inactive; `holocron spaces activate {space.slug}` and fill it first")
    _require_served(store, providers, canary, space)
    if broken := [finding for finding in read(store, _findings, space) if finding.blocks and not finding.holds]:
        reasons = "; ".join(f"{one.claim}: {one.explanation}" for one in broken)
        raise NotReadyError(f"{space.slug} is not fit to be searched. {reasons}")
    evaluated = read(store, _evaluated, space, alias)
    losses = [str(one) for one in evaluated if one.difference.is_loss and one.is_like_with_like]
    if losses and not despite_loss:
        raise NotReadyError(
            f"significantly less is found in {space.slug} than in the space that the alias {alias} means now: "
            f"{'; '.join(losses)}. If it should be searched all the same, promote it with --despite-loss."
        )
    switch = write(store, _switch, space, alias, uuid.uuid4()) if not dry_run else read(store, _preview, space, alias)
    return replace(switch, evaluated=evaluated)


def roll_back(store: Store, alias: str, *, dry_run: bool) -> Switch:
    """Undo the last promotion of an alias; raises `NotReadyError` where there is none, or nothing to go back to."""
    last = read(store, _last_promotion, alias)
    return read(store, _undo, last, dry_run=True) if dry_run else write(store, _undo, last, dry_run=False)


def _evaluated(session: Session, space: EmbeddingSpace, alias: str) -> tuple[Comparison, ...]:
    """What evaluations say of a space beside the one that an alias means."""
    meant = _meant(promotions.list_promotions(session), spaces.list_spaces(session), alias)
    if meant is None or meant.embedding_space_id == space.embedding_space_id:
        return ()
    return tuple(compare_spaces(session, meant.embedding_space_id, space.embedding_space_id))


def _switch(session: Session, space: EmbeddingSpace, alias: str, promotion_id: uuid.UUID) -> Switch:
    switch = _preview(session, space, alias)
    if space.embedding_space_id not in {one.embedding_space_id for one in spaces.list_spaces(session) if one.is_active}:
        raise NotReadyError(f"{space.slug} was deactivated meanwhile")
    if switch.lacking:
        raise NotReadyError(
            f"{space.slug} lacks {switch.lacking} current chunks. Materialise embeddings, then promote."
        )
    if switch.is_change:
        history = [one for one in promotions.list_promotions(session) if one.alias == alias]
        promotion = Promotion(
            alias=alias,
            ordinal=history[-1].ordinal + 1 if history else 1,
            promotion_id=promotion_id,
            embedding_space_id=space.embedding_space_id,
            promoted_utc=utc_now(),
        )
        promotions.insert_promotion(session, promotion)
    return switch


def _preview(session: Session, space: EmbeddingSpace, alias: str) -> Switch:
    registered = spaces.list_spaces(session)
    history = promotions.list_promotions(session)
    current = _current(history, alias)
    is_change = current is None or current.embedding_space_id != space.embedding_space_id
    return _described(session, alias, space, _meant(history, registered, alias), is_change=is_change)


def _last_promotion(session: Session, alias: str) -> Promotion:
    last = _current(promotions.list_promotions(session), alias)
    if last is None:
        raise NotReadyError(f"nothing is promoted to the alias {alias!r}, so there is nothing to undo")
    return last


def _undo(session: Session, last: Promotion, *, dry_run: bool) -> Switch:
    """Undo this promotion and no other, although it may be undone already by an attempt whose answer was lost."""
    alias = last.alias
    registered = spaces.list_spaces(session)
    history = promotions.list_promotions(session)
    current = _current(history, alias)
    others = [one for one in history if one.promotion_id != last.promotion_id]
    if current is not None and current.ordinal > last.ordinal:
        raise NotReadyError(f"another space was promoted to the alias {alias!r} meanwhile; look again")
    space = _meant(others, registered, alias)
    if space is None:
        raise NotReadyError(f"the alias {alias!r} never meant another space, so there is nothing to go back to")
    if not space.is_active:
        raise NotReadyError(f"{space.slug}, which the alias {alias!r} meant before, is inactive; activate it first")
    if not dry_run:
        promotions.update_promotion_rolled_back(session, last.promotion_id, utc_now())
    undone = next(one for one in registered if one.embedding_space_id == last.embedding_space_id)
    return _described(session, alias, space, undone, is_change=space != undone)


def _described(
    session: Session, alias: str, space: EmbeddingSpace, previous: EmbeddingSpace | None, *, is_change: bool
) -> Switch:
    backlog = embeddings.count_pending_chunks(session, space.embedding_space_id)
    return Switch(
        alias=alias,
        space=space,
        previous=previous,
        is_change=is_change,
        quarantined=backlog.quarantined,
        lacking=backlog.pending - backlog.quarantined,
    )


def _meant(history: Sequence[Promotion], registered: Sequence[EmbeddingSpace], alias: str) -> EmbeddingSpace | None:
    """What an alias means, active or not."""
    if current := _current(history, alias):
        return next(one for one in registered if one.embedding_space_id == current.embedding_space_id)
    return next((one for one in registered if one.is_active), None) if alias == DEFAULT else None


def _current(history: Sequence[Promotion], alias: str) -> Promotion | None:
    standing = [one for one in history if one.alias == alias and one.rolled_back_utc is None]
    return max(standing, key=lambda one: one.ordinal, default=None)


def _require_served(store: Store, providers: ProviderCatalog, canary: CanaryPolicy, space: EmbeddingSpace) -> None:
    try:
        require_same_space(space, open_space(store, providers, space).describe())
        require_model_unmoved(store, providers, space, canary, list)
    except SpaceMismatchError as error:
        raise NotReadyError(f"queries could not be embedded: {error}") from error


def _findings(session: Session, space: EmbeddingSpace) -> list[Finding]:
    return [
        keys.embedding_keys_are_unique(session),
        keys.embeddings_match_their_chunks(session),
        keys.embeddings_have_lineage(session),
        contents.vectors_are_valid({space.slug: contents.read_vectors(session, space, Written())}),
        keys.every_current_chunk_is_embedded(session, [space]),
    ]
