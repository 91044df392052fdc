"""Whether a space's model still answers as on the day when the space was registered.

A digest names the weights, and not what else an answer depends on: an engine's version, its kernels, a limit that was
set on the server. So every space keeps what it answered to some fixed texts, its anchors.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from holocron_assets.anchors import Anchor, anchors, one_of_each_kind
from holocron_assets.batching import batches
from holocron_assets.clock import utc_now
from holocron_assets.derived_spaces import model_space
from holocron_assets.errors import ModelChangedError, ProviderError
from holocron_assets.identity import text_sha256
from holocron_assets.ports import EmbeddingProvider, ProviderCatalog, Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.settings import Settings
from holocron_assets.spaces import NEW_SPACE
from holocron_assets.stages.calling import ProviderCalls
from holocron_assets.tables import canaries
from holocron_assets.tables.canaries import Canary
from holocron_assets.tables.embeddings import ChunkContent
from holocron_assets.transactions import read, write
from holocron_assets.vectors import relative_distances

#: How much further than on the first day an answer may be, because that day did not show everything.
_MARGIN = 10.0
_BATCH_CHARACTERS = 2000
#: Float32 sums in another order, as another processor makes them: two engines for one model were 4e-6 apart.
_NUMERIC_NOISE = 1e-5


#: Which of a space's anchors are looked at.
Choice = Callable[[Sequence[Anchor]], Sequence[Anchor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPolicy:
    """The anchors of spaces to come, and how far an answer may be from the registered one.

    `tolerance` is a relative Euclidean distance; None is what the space's own repeatability suggests.
    """

    anchors: Sequence[Anchor]
    tolerance: float | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say; raises `ConfigurationError` when the user's own anchors cannot be read."""
        own = settings.canary.anchors
        return cls(anchors=anchors(settings.path(own) if own else None), tolerance=settings.canary.tolerance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a provider answers to anchors: vectors of shape (len(anchors), dimensions), and how well it repeats them."""

    anchors: Sequence[Anchor]
    vectors: NDArray[np.float32]
    repeatability: float
    runtime: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How far some anchors are from where they were registered, as relative Euclidean distances."""

    anchors: Sequence[Anchor]
    distances: NDArray[np.float64]
    tolerance: float
    runtime_then: Mapping[str, str]
    runtime_now: Mapping[str, str]

    @property
    def moved(self) -> int:
        """How many are further than they may be."""
        return int(np.count_nonzero(~(self.distances <= self.tolerance)))


def measure(provider: EmbeddingProvider, space: EmbeddingSpace, policy: CanaryPolicy) -> Answers:
    """Embed the anchors in batches, without those that the model does not take, and two of each kind alone once more.

    Raises `ProviderError` when it takes none.
    """
    with ProviderCalls(provider, space) as calls:
        together = _embedded(calls, _in_batches(policy.anchors, provider))
        taken = [one for one in policy.anchors if one.text in together]
        if not taken:
            raise ProviderError(f"space {space.slug}: the model rejects every anchor; nothing can be embedded in it")
        twice = {*one_of_each_kind(taken, turn=0), *one_of_each_kind(taken, turn=1)}
        alone = _embedded(calls, ([one] for one in twice))
    first, second = (np.stack([answers[text] for text in alone]) for answers in (together, alone))
    return Answers(
        anchors=taken,
        vectors=np.stack([together[one.text] for one in taken]),
        repeatability=float(relative_distances(first, second).max()),
        runtime=dict(provider.runtime()),
    )


def insert_answers(session: Session, space: EmbeddingSpace, answers: Answers, canary_id: uuid.UUID) -> None:
    """Make `answers` what the space is held to from now on."""
    canary = Canary(
        canary_id=canary_id,
        repeatability=answers.repeatability,
        runtime=answers.runtime,
        recorded_utc=utc_now(),
    )
    canaries.insert_canary(session, canary, space.embedding_space_id)
    canaries.insert_anchors(session, canary, answers.anchors, answers.vectors)


def ensure_canary(store: Store, provider: EmbeddingProvider, space: EmbeddingSpace, policy: CanaryPolicy) -> None:
    """Measure a space that has no canary: another program registered it, or an earlier version."""
    if read(store, canaries.get_canary, space.embedding_space_id) is None:
        write(store, insert_answers, space, measure(provider, space, policy), uuid.uuid4())


def compare(
    store: Store,
    provider: EmbeddingProvider,
    space: EmbeddingSpace,
    policy: CanaryPolicy,
    choose: Choice = list,
) -> Comparison:
    """Embed some anchors again, by default all; of a space without a canary there are none."""
    found = read(store, _canary_of, space)
    if found is None:
        return Comparison(anchors=(), distances=np.empty(0), tolerance=0.0, runtime_then={}, runtime_now={})
    canary, known, registered = found
    chosen = choose(known)
    with ProviderCalls(provider, space) as calls:
        answers = _embedded(calls, _in_batches(chosen, provider))
    # An anchor that was taken and is now rejected is nowhere near.
    nowhere = np.full(space.dimensions, np.nan, np.float32)
    rows = {anchor.text: row for row, anchor in enumerate(known)}
    distances = relative_distances(
        registered[[rows[one.text] for one in chosen]], np.stack([answers.get(one.text, nowhere) for one in chosen])
    )
    suggested = max(_MARGIN * canary.repeatability, _NUMERIC_NOISE)
    return Comparison(
        anchors=chosen,
        distances=distances,
        tolerance=suggested if policy.tolerance is None else policy.tolerance,
        runtime_then=canary.runtime,
        runtime_now=dict(provider.runtime()),
    )


def require_model_unmoved(
    store: Store, providers: ProviderCatalog, space: EmbeddingSpace, policy: CanaryPolicy, choose: Choice
) -> None:
    """The same of the model that a space's queries are embedded by; a derived space has no anchors of its own."""
    model = model_space(store, space)
    require_unmoved(store, providers.reopen(model), model, policy, choose)


def require_unmoved(
    store: Store, provider: EmbeddingProvider, space: EmbeddingSpace, policy: CanaryPolicy, choose: Choice
) -> None:
    """Embed some anchors again; raises `ModelChangedError` that says how far from the registered ones they are."""
    comparison = compare(store, provider, space, policy, choose)
    if comparison.moved:
        raise ModelChangedError(
            f"space {space.slug}: its model answers otherwise than when it was registered, under the same digest. "
            f"{told(comparison)}. Its vectors were kept and nothing was embedded. Bring the old runtime back, or "
            f"replace them with `holocron spaces reembed {space.slug} --replace`, or {NEW_SPACE}."
        )


def told(comparison: Comparison) -> str:
    """A comparison of which something moved in words."""
    worst = int(np.argmax(np.nan_to_num(comparison.distances, nan=np.inf)))
    anchor, distance = comparison.anchors[worst], comparison.distances[worst]
    far = "is rejected now" if np.isnan(distance) else f"is {distance:.2g} of its length away"
    then, now = comparison.runtime_then, comparison.runtime_now
    changes = [
        f"{name} was {then.get(name)!r} and is {now.get(name)!r}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    return (
        f"{comparison.moved} of {len(comparison.anchors)} anchors moved by more than {comparison.tolerance:.2g} of a "
        f"vector's length; the worst ({anchor.kind}, {anchor.text[:40]!r}) {far}. "
        f"Of the runtime, {'; '.join(changes) or 'everything that it tells is the same'}"
    )


def _in_batches(anchors: Sequence[Anchor], provider: EmbeddingProvider) -> Iterator[list[Anchor]]:
    """The longest come first and by themselves: one that does not fit would have its whole batch asked for again."""
    longest_first = sorted(anchors, key=lambda one: -len(one.text))
    size = min(provider.batch_characters, _BATCH_CHARACTERS)
    return batches(longest_first, lambda one: len(one.text), size=size, count=provider.batch_size)


def _embedded(calls: ProviderCalls, parts: Iterable[Sequence[Anchor]]) -> dict[str, NDArray[np.float32]]:
    """The vectors of those texts that are taken."""
    texts: dict[str, str] = {}
    vectors: dict[str, NDArray[np.float32]] = {}

    def contents() -> Iterator[list[ChunkContent]]:
        for part in parts:
            hashes = [text_sha256(one.text) for one in part]
            texts.update(zip(hashes, (one.text for one in part), strict=True))
            yield [
                ChunkContent(chunk_id=key, content=one.text, content_sha256=key)
                for key, one in zip(hashes, part, strict=True)
            ]

    for answer in calls.embedded(contents()):
        if answer.accepted:
            taken = [texts[one.content_sha256] for one in answer.accepted]
            vectors |= dict(zip(taken, np.concatenate(answer.vectors), strict=True))
    return vectors


def _canary_of(session: Session, space: EmbeddingSpace) -> tuple[Canary, list[Anchor], NDArray[np.float32]] | None:
    canary = canaries.get_canary(session, space.embedding_space_id)
    return (canary, *canaries.list_anchors(session, canary, space.dimensions)) if canary else None
