"""Looking after the registered embedding spaces: what each has and lacks, and whether it is still served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from holocron_assets.clock import utc_now
from holocron_assets.derived_spaces import model_space, open_space
from holocron_assets.errors import NotReadyError, SpaceMismatchError
from holocron_assets.ports import EmbeddingProvider, ProviderCatalog, Session, Store
from holocron_assets.promotion import aliases_of, default_space, promoted_to
from holocron_assets.records import EmbeddingSpace
from holocron_assets.spaces import named_space, require_same_space, space_of
from holocron_assets.stages.canary import CanaryPolicy, compare, told
from holocron_assets.stages.model_guard import unsettled
from holocron_assets.stages.register import register
from holocron_assets.tables import embeddings, overview, spaces, transforms
from holocron_assets.tables.transforms import StoredTransform
from holocron_assets.transactions import read, write


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceState:
    """A registered space, its aliases, its vectors, also those of history, and the current chunks that it lacks.

    Those that are quarantined in it are no lack: they are counted apart. `transform` says how it is derived from
    another one, where it is; `source` is that one's slug.
    """

    space: EmbeddingSpace
    aliases: Sequence[str]
    vectors: int
    lacking: int
    quarantined: int
    transform: StoredTransform | None
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedSpace:
    """What a provider describes, and whether the registry has it only now."""

    space: EmbeddingSpace
    is_new: bool
    is_registered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a space's provider says of itself now; `mismatch` says what differs from the registry, if anything does.

    `largest_distance` is how far an anchor is from where it was registered, and `tolerance` how far it may be, both in
    lengths of the vector. None of the three for a space that has no anchors yet.
    """

    space: EmbeddingSpace
    runtime: Mapping[str, str]
    mismatch: str | None
    anchors: int | None = None
    largest_distance: float | None = None
    tolerance: float | None = None


def list_states(store: Store) -> list[SpaceState]:
    """Every registered space, the oldest first."""
    return read(store, _states)


def _states(session: Session) -> list[SpaceState]:
    vectors = overview.list_embedding_counts(session)
    stored = transforms.list_transforms(session)
    registered = spaces.list_spaces(session)
    slugs = {space.embedding_space_id: space.slug for space in registered}
    states = []
    aliases = aliases_of(session, registered)
    for space in registered:
        transform = stored.get(space.embedding_space_id)
        backlog = embeddings.count_pending_chunks(session, space.embedding_space_id)
        states.append(
            SpaceState(
                space=space,
                aliases=aliases[space.embedding_space_id],
                vectors=vectors.get(space.embedding_space_id, 0),
                lacking=backlog.pending - backlog.quarantined,
                quarantined=backlog.quarantined,
                transform=transform,
                source=slugs.get(transform.source_space_id) if transform else None,
            )
        )
    return states


def find_state(store: Store, wanted: str) -> SpaceState:
    """One space by its slug, its id, or any unmistakable part of its slug; raises `ConfigurationError`."""
    states = list_states(store)
    space = named_space([state.space for state in states], wanted)
    return next(state for state in states if state.space == space)


def add(store: Store, provider: EmbeddingProvider, policy: CanaryPolicy, *, dry_run: bool) -> AddedSpace:
    """Register the space that a provider describes, and change nothing that is registered; with `dry_run` only look."""
    space = space_of(provider.describe())
    known = {one.embedding_space_id for one in read(store, spaces.list_spaces)}
    is_new = space.embedding_space_id not in known
    if is_new and not dry_run:
        register(store, provider, space, policy)
    return AddedSpace(space=space, is_new=is_new, is_registered=not (is_new and dry_run))


def probe(store: Store, providers: ProviderCatalog, policy: CanaryPolicy, wanted: str) -> Probe:
    """Ask a space's provider what it serves now, and have it embed every anchor again. Writes nothing.

    Raises `ProviderError` when it serves nothing.
    """
    space = named_space(read(store, spaces.list_spaces), wanted)
    provider = open_space(store, providers, space)
    runtime = dict(provider.runtime())
    try:
        require_same_space(space, provider.describe())
        model = model_space(store, space)
        compared = compare(store, providers.reopen(model), model, policy)
    except SpaceMismatchError as error:
        return Probe(space=space, runtime=runtime, mismatch=str(error))  # no anchor was asked for
    if not compared.is_complete:
        return Probe(space=space, runtime=runtime, mismatch=str(unsettled(model)))
    if not compared.anchors:
        return Probe(space=space, runtime=runtime, mismatch=None)
    return Probe(
        space=space,
        runtime=runtime,
        mismatch=told(compared) if compared.moved else None,
        anchors=len(compared.anchors),
        largest_distance=float(compared.distances.max()),
        tolerance=compared.tolerance,
    )


def set_active(store: Store, wanted: str, *, is_active: bool, dry_run: bool) -> tuple[EmbeddingSpace, bool]:
    """Have a space filled and searched, or not; returns it as it was, and whether this is a change.

    Raises `NotReadyError` for a space that was promoted, because whoever searches by its alias would find nothing, and
    where searches would go over to a space that nobody promoted.
    """
    space = named_space(read(store, spaces.list_spaces), wanted)
    changes = space.is_active != is_active
    if changes:
        (read if dry_run else write)(store, _activate, space, is_active=is_active, dry_run=dry_run)
    return space, changes


def _activate(session: Session, space: EmbeddingSpace, *, is_active: bool, dry_run: bool) -> None:
    if not is_active and (aliases := promoted_to(session, space)):
        raise NotReadyError(
            f"{space.slug} is what the alias {', '.join(aliases)} means; promote another space to it first"
        )
    registered = spaces.list_spaces(session)
    later = [replace(one, is_active=is_active) if one.slug == space.slug else one for one in registered]
    now, then = default_space(session, registered), default_space(session, later)
    if now and then and now.slug != then.slug:
        raise NotReadyError(
            f"searches use {now.slug} while nothing is promoted, and would go over to {then.slug} without anybody "
            f"having looked at it. Say which they should use: `holocron spaces promote {now.slug}`, or {then.slug}."
        )
    if not dry_run:
        spaces.update_space_activity(session, space.embedding_space_id, utc_now(), is_active=is_active)
