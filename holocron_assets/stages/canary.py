"""Whether a space's model still answers as on the day when the space was registered.

A digest names the weights, and not what else an answer depends on: an engine's version, its kernels, a limit that was
set on the server. So every space keeps what it answered to some fixed texts, its anchors.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from holocron_assets.anchors import Anchor, anchors, one_of_each_kind
from holocron_assets.batching import batches
from holocron_assets.clock import utc_now
from holocron_assets.errors import ModelChangedError, ProviderError
from holocron_assets.identity import text_sha256
from holocron_assets.ports import EmbeddingProvider, Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.settings import Settings
from holocron_assets.spaces import require_same_space
from holocron_assets.stages.calling import ProviderCalls
from holocron_assets.stages.comparing import answers_to
from holocron_assets.tables import canaries
from holocron_assets.tables.canaries import Canary
from holocron_assets.tables.embeddings import ChunkContent
from holocron_assets.tables.reembedding import list_current_embeddings
from holocron_assets.transactions import read, write
from holocron_assets.vectors import relative_distances

#: How much further than on the first day an answer may be, because that day did not show everything.
_MARGIN = 10.0
_BATCH_CHARACTERS = 2000
#: Float32 sums in another order, as another processor makes them: two engines for one model were 4e-6 apart.
_NUMERIC_NOISE = 1e-5
#: Weights of eight bits are up to 0.09 from those of 32 (a cosine of .996), so what is further is another model.
_LARGEST_TOLERANCE = 0.1
_LARGEST_REPEATABILITY = 0.05
#: Of the vectors that a space without anchors holds already.
_STORED_SAMPLE = 16


#: Which of a space's anchors are looked at.
Choice = Callable[[Sequence[Anchor]], Sequence[Anchor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPolicy:
    """The user's own anchors, for spaces to come, and how far an answer may be from the registered one.

    `tolerance` is a relative Euclidean distance; None is what the space's own repeatability suggests.
    """

    own_anchors: Path | None = None
    tolerance: float | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        own = settings.canary.anchors
        return cls(own_anchors=settings.path(own) if own else None, tolerance=settings.canary.tolerance)

    def tolerance_of(self, repeatability: float) -> float:
        """How far an answer may be in a space that repeats its answers so well."""
        suggested = min(max(_MARGIN * repeatability, _NUMERIC_NOISE), _LARGEST_TOLERANCE)
        return suggested if self.tolerance is None else self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a provider answers to anchors: vectors of shape (len(anchors), dimensions), and how well it repeats them."""

    anchors: Sequence[Anchor]
    vectors: NDArray[np.float32]
    repeatability: float
    runtime: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AskedAgain:
    """Some anchors of a canary, with what was answered then and now; vectors of shape (len(anchors), dimensions).

    Of an anchor that is rejected now, the second is NaN.
    """

    canary: Canary
    anchors: Sequence[Anchor]
    then: NDArray[np.float32]
    now: NDArray[np.float32]
    runtime: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How far some anchors are from where they were registered, as relative Euclidean distances."""

    anchors: Sequence[Anchor]
    distances: NDArray[np.float64]
    tolerance: float
    runtime_then: Mapping[str, str]
    runtime_now: Mapping[str, str]
    is_complete: bool = True
    canary_id: uuid.UUID | None = None

    @property
    def moved(self) -> int:
        """How many are further than they may be."""
        return int(np.count_nonzero(~(self.distances <= self.tolerance)))


def measure(provider: EmbeddingProvider, space: EmbeddingSpace, policy: CanaryPolicy) -> Answers:
    """Embed the anchors in batches, without those that the model does not take, and two of each kind alone once more.

    Raises `SpaceMismatchError` when the provider serves another space by then, `ProviderError` when it takes none, or
    answers so differently each time that it could be any model, and `ConfigurationError` when the user's own anchors
    cannot be read.
    """
    wanted = anchors(policy.own_anchors)
    with ProviderCalls(provider, space) as calls:
        together = _embedded(calls, _in_batches(wanted, provider))
        taken = [one for one in wanted if one.text in together]
        if not taken:
            raise ProviderError(f"space {space.slug}: the model rejects every anchor; nothing can be embedded in it")
        twice = {*one_of_each_kind(taken, turn=0), *one_of_each_kind(taken, turn=1)}
        alone = _embedded(calls, ([one] for one in twice))
    first, second = (np.stack([answers[text] for text in alone]) for answers in (together, alone))
    repeatability = float(relative_distances(first, second).max())
    if repeatability > _LARGEST_REPEATABILITY and policy.tolerance is None:
        raise ProviderError(
            f"space {space.slug}: its model answers the same text with vectors that are {repeatability:.2g} of their "
            "length apart; a model that changed could not be told from it. Are there two behind one name? If that is "
            "how it is, set `canary.tolerance` in holocron.yaml."
        )
    # A name may have come to mean another model while this was asked.
    require_same_space(space, provider.describe())
    return Answers(
        anchors=taken,
        vectors=np.stack([together[one.text] for one in taken]),
        repeatability=repeatability,
        runtime=dict(provider.runtime()),
    )


def insert_answers(
    session: Session, space: EmbeddingSpace, answers: Answers, canary_id: uuid.UUID, *, is_complete: bool = True
) -> None:
    """Make `answers` what the space is held to from now on.

    Until it is complete, the space is neither filled nor searched: it holds vectors of two models.
    """
    canary = Canary(
        canary_id=canary_id,
        repeatability=answers.repeatability,
        runtime=answers.runtime,
        recorded_utc=utc_now(),
        is_complete=is_complete,
    )
    canaries.insert_canary(session, canary, space.embedding_space_id)
    canaries.insert_anchors(session, canary, answers.anchors, answers.vectors)


def ensure_canary(store: Store, provider: EmbeddingProvider, space: EmbeddingSpace, policy: CanaryPolicy) -> None:
    """Measure a space that has no canary: another program registered it, or an earlier version.

    Raises `ModelChangedError` when vectors that it holds already are not what the model answers now.
    """
    if read(store, canaries.get_canary, space.embedding_space_id) is not None:
        return
    answers = measure(provider, space, policy)
    tolerance = policy.tolerance_of(answers.repeatability)
    stored = read(store, list_current_embeddings, space.embedding_space_id, "", after=None, limit=_STORED_SAMPLE)
    if stored:
        with ProviderCalls(provider, space) as calls:
            compared = answers_to(store, space, provider, calls, stored)
        moved = [one for one in compared if not one.distance <= tolerance]
        if moved:
            raise ModelChangedError(
                f"space {space.slug}: {len(moved)} of {len(compared)} vectors that it holds are not what its model "
                f"answers now, such as that of {moved[0].chunk.chunk_id}. They were kept and nothing was embedded. "
                "Bring the old model or runtime back, or set `canary.tolerance` in holocron.yaml if the difference is "
                "of no account."
            )
    write(store, insert_answers, space, answers, uuid.uuid4())


def ask_again(
    store: Store, provider: EmbeddingProvider, space: EmbeddingSpace, choose: Choice = list
) -> AskedAgain | None:
    """Embed some anchors again, by default all; None for a space without a canary."""
    found = read(store, _canary_of, space)
    if found is None:
        return None
    canary, known, registered = found
    chosen = choose(known)
    with ProviderCalls(provider, space) as calls:
        answers = _embedded(calls, _in_batches(chosen, provider))
    # An anchor that was taken and is now rejected is nowhere near.
    nowhere = np.full(space.dimensions, np.nan, np.float32)
    rows = {anchor.text: row for row, anchor in enumerate(known)}
    return AskedAgain(
        canary=canary,
        anchors=chosen,
        then=registered[[rows[one.text] for one in chosen]],
        now=np.stack([answers.get(one.text, nowhere) for one in chosen]),
        runtime=dict(provider.runtime()),
    )


def compare(
    store: Store,
    provider: EmbeddingProvider,
    space: EmbeddingSpace,
    policy: CanaryPolicy,
    choose: Choice = list,
) -> Comparison:
    """How far some anchors moved, by default all; of a space without a canary there are none."""
    asked = ask_again(store, provider, space, choose)
    if asked is None:
        return Comparison(anchors=(), distances=np.empty(0), tolerance=0.0, runtime_then={}, runtime_now={})
    return Comparison(
        anchors=asked.anchors,
        distances=relative_distances(asked.then, asked.now),
        tolerance=policy.tolerance_of(asked.canary.repeatability),
        runtime_then=asked.canary.runtime,
        runtime_now=asked.runtime,
        is_complete=asked.canary.is_complete,
        canary_id=asked.canary.canary_id,
    )


def told(comparison: Comparison) -> str:
    """A comparison of which something moved in words."""
    worst = int(np.argmax(np.nan_to_num(comparison.distances, nan=np.inf)))
    anchor, distance = comparison.anchors[worst], comparison.distances[worst]
    far = "is rejected now" if np.isnan(distance) else f"is {distance:.2g} of its length away"
    changes = runtime_changes(comparison.runtime_then, comparison.runtime_now)
    return (
        f"{comparison.moved} of {len(comparison.anchors)} anchors moved by more than {comparison.tolerance:.2g} of a "
        f"vector's length; the worst ({anchor.kind}, {anchor.text[:40]!r}) {far}. "
        f"Of the runtime, {changes or 'everything that it tells is the same'}"
    )


def runtime_changes(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What a runtime says otherwise than it did, in words; nothing where it says the same."""
    return "; ".join(
        f"{name} was {then.get(name)!r} and is {now.get(name)!r}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    )


def _in_batches(anchors: Sequence[Anchor], provider: EmbeddingProvider) -> Iterator[list[Anchor]]:
    """The longest come first and by themselves: one that does not fit would have its whole batch asked for again."""
    longest_first = sorted(anchors, key=lambda one: -len(one.text))
    size = min(provider.batch_characters, _BATCH_CHARACTERS)
    return batches(longest_first, lambda one: len(one.text), size=size, count=provider.batch_size)


def _embedded(calls: ProviderCalls, parts: Iterable[Sequence[Anchor]]) -> dict[str, NDArray[np.float32]]:
    """The vectors of those texts that are taken."""
    contents = [
        [
            ChunkContent(chunk_id=key, content=one.text, content_sha256=key)
            for one in part
            for key in [text_sha256(one.text)]
        ]
        for part in parts
    ]
    texts = {one.content_sha256: one.content for part in contents for one in part}
    vectors: dict[str, NDArray[np.float32]] = {}
    for answer in calls.embedded(contents):
        if answer.accepted:
            taken = [texts[one.content_sha256] for one in answer.accepted]
            vectors |= dict(zip(taken, np.concatenate(answer.vectors), strict=True))
    return vectors


def _canary_of(session: Session, space: EmbeddingSpace) -> tuple[Canary, list[Anchor], NDArray[np.float32]] | None:
    canary = canaries.get_canary(session, space.embedding_space_id)
    return (canary, *canaries.list_anchors(session, canary, space.dimensions)) if canary else None
