"""Content drift: how often it is seen where there is none, how often where there is, and how little would be.

No store and no model: vectors that are drawn, so that what is to be found is known.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from holocron_assets.comparisons.content_figures import metrics_of
from holocron_assets.drift.content.findings import ContentDrift
from holocron_assets.drift.content.measuring import measure
from holocron_assets.drift.content.windows import Windows
from holocron_assets.drift.report import Verdict
from holocron_assets.drift.verdicts import judged

_REPETITIONS, _DETECTIONS, _DIMENSIONS = 400, 200, 32
#: As in a report.
_PERMUTATIONS = 499
_ALPHA = 0.05
#: How often all shares together are within what is expected of them.
_CONFIDENCE = 0.95
_TOPICS = 12

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Documents of each side, of so many chunks each, that are correlated; the last has so many chunks more."""

    reference: int
    current: int
    chunks: int = 1
    correlation: float = 0.0
    giant: int = 0

    @property
    def documents(self) -> NDArray[np.intp]:
        """Of shape (rows,)."""
        count = self.reference + self.current
        return np.concatenate([np.repeat(np.arange(count), self.chunks), np.full(self.giant, count - 1)])

    @property
    def is_current(self) -> NDArray[np.bool_]:
        """Of shape (documents,)."""
        return np.arange(self.reference + self.current) >= self.reference

    @property
    def seed(self) -> list[int]:
        """Its own: what is drawn for one world says nothing of another."""
        return [self.reference, self.current, self.chunks, self.giant]

    def draw(self, random: np.random.Generator) -> Matrix:
        """Standard normal vectors without drift."""
        documents = self.documents
        of_document = random.standard_normal((self.is_current.size, _DIMENSIONS)) * np.sqrt(self.correlation)
        own = random.standard_normal((documents.size, _DIMENSIONS)) * np.sqrt(1 - self.correlation)
        return np.asarray(of_document[documents] + own)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vectors:
    vectors: NDArray[np.float32]

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        yield self.vectors

    def rows(self, wanted: NDArray[np.intp]) -> NDArray[np.float32]:
        return self.vectors[wanted]


def drift_laws(_folder: Path, documents: int, _kind: str) -> Iterator[str]:
    """False alarms, power, and whether what is called detectable is detected."""
    yield f"no drift, {_REPETITIONS} times: p <= {_ALPHA} (and an effect above the floor)"
    rates: dict[str, float] = {}
    for name, world in (
        (f"{documents} documents a side", World(reference=documents, current=documents)),
        ("10 times as many in the reference", World(reference=10 * documents // 4, current=documents // 4)),
        ("20 documents a side, of 3 chunks", World(reference=20, current=20, chunks=3, correlation=0.3)),
        ("40 documents a side, of 8 chunks", World(reference=40, current=40, chunks=8, correlation=0.3)),
        ("one document with 90 % of all rows", World(reference=30, current=30, correlation=0.3, giant=540)),
    ):
        found = _drawn(world, _REPETITIONS)
        rates |= {f"{figure} with {name}": rate for figure, rate in _rates(found).items()}
        yield f"  {name}: {_line(found)}"
    yield f"  {_beyond(rates)}"
    of_chunks = _drawn(World(reference=40, current=40, chunks=8, correlation=0.3), 50, by_chunk=True)
    yield f"  the same 8 chunks each taken for a document of its own: {_line(of_chunks)}"
    yield f"drift, {documents} documents a side, {_REPETITIONS} times: p <= {_ALPHA}"
    world = World(reference=documents, current=documents)
    for name in ("shift of .5", "scale of 1.2", "tenth of others"):
        yield f"  {name}: {_line(_drawn(world, _REPETITIONS, drift=name))}"
    yield f"drift of the size that is called detectable leads to a verdict in four of five cases; {_DETECTIONS} times:"
    for world in (
        World(reference=20, current=20),
        World(reference=documents // 2, current=documents // 2, chunks=4, correlation=0.3),
        World(reference=2 * documents, current=2 * documents),
        World(reference=2 * documents, current=documents // 2, chunks=5, correlation=0.3),
    ):
        yield f"  {_detected(world)}"


def _measured(world: World, vectors: Matrix, seed: int, *, by_chunk: bool = False) -> ContentDrift:
    documents, is_current = world.documents, world.is_current
    if by_chunk:
        documents, is_current = np.arange(documents.size), is_current[documents]
    return measure(
        Windows(document_of_row=documents, is_current=is_current, attributes={}),
        _Vectors(vectors=vectors.astype(np.float32)),
        dimensions=_DIMENSIONS,
        seed=seed,
        permutations=_PERMUTATIONS,
    )


def _drawn(world: World, repetitions: int, *, drift: str = "", by_chunk: bool = False) -> list[ContentDrift]:
    found = []
    for repetition in range(repetitions):
        random = np.random.default_rng([1, *world.seed, repetition])
        vectors = world.draw(random)
        is_current = world.is_current[world.documents]
        if drift == "shift of .5":
            vectors[is_current, 0] += 0.5
        elif drift == "scale of 1.2":
            vectors[is_current] *= 1.2
        elif drift == "tenth of others":
            vectors[is_current & (random.random(is_current.size) < 0.1)] += 1.25
        found.append(_measured(world, vectors, repetition, by_chunk=by_chunk))
    return found


def _line(found: list[ContentDrift]) -> str:
    """By figure: how often it is significant, and how often its effect is above the floor as well."""
    verdicts: Counter[str] = Counter()
    for one in found:
        for name, figure in one.comparisons.items():
            verdicts[name] += figure.p <= _ALPHA and abs(figure.effect) > figure.floor
    return ", ".join(
        f"{name} {rate:.3f}" + (f" ({verdicts[name] / len(found):.3f})" if name in verdicts else "")
        for name, rate in _rates(found).items()
    )


def _rates(found: list[ContentDrift]) -> dict[str, float]:
    """By figure: how often it is significant."""
    significant: Counter[str] = Counter()
    for one in found:
        for name, figure in one.comparisons.items():
            significant[name] += figure.p <= _ALPHA
        significant["any dimension"] += one.shifted_dimensions[0].p_adjusted <= _ALPHA
    return {name: count / len(found) for name, count in significant.items()}


def _beyond(rates: dict[str, float]) -> str:
    """Which rates are not what chance makes of one in twenty, with so many of them that one may be far from it."""
    least, most = binom.interval(_CONFIDENCE ** (1 / len(rates)), _REPETITIONS, _ALPHA) / np.array(_REPETITIONS)
    outside = [f"{name} {rate:.3f}" for name, rate in rates.items() if not least <= rate <= most]
    return (
        f"where the law holds, all {len(rates)} of these are from {least:.3f} to {most:.3f} in 19 of 20 runs; "
        f"outside: {', '.join(outside) or 'none'}"
    )


def _detected(world: World) -> str:
    topics = 1.5 * np.random.default_rng(5).standard_normal((_TOPICS, _DIMENSIONS))
    documents, is_current = world.documents, world.is_current[world.documents]
    found: Counter[str] = Counter()
    shifts, shares = [], []
    for repetition in range(_DETECTIONS):
        random = np.random.default_rng([2, *world.seed, repetition])
        topic_of = random.integers(0, _TOPICS - 1, world.is_current.size)
        vectors = world.draw(random) + topics[topic_of[documents]]
        least = {one.name: one.effect or 0.0 for one in metrics_of(_measured(world, vectors, repetition))}
        shifts.append(least["detectable_shift"])
        shares.append(least["detectable_topic"])
        direction = random.standard_normal(_DIMENSIONS)
        shift = shifts[-1] * direction / np.linalg.norm(direction)
        found["shift"] += _is_noticed(_measured(world, vectors + np.outer(is_current, shift), repetition))
        is_new = is_current & (random.random(world.is_current.size) < shares[-1])[documents]
        vectors[is_new] += (topics[-1] - topics[topic_of[documents]])[is_new]
        found["topic"] += _is_noticed(_measured(world, vectors, repetition))
    seen = {name: count / _DETECTIONS for name, count in found.items()}
    return (
        f"{world.reference} and {world.current} documents of {world.chunks} chunks: a shift of {np.mean(shifts):.2f} "
        f"in {seen['shift']:.2f}, a new topic of {np.mean(shares):.1%} in {seen['topic']:.2f}"
    )


def _is_noticed(found: ContentDrift) -> bool:
    return any(one.verdict not in (None, Verdict.OK) for one in judged(metrics_of(found)))
