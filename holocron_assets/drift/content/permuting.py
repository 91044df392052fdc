"""How surprising figures are, and how large they get without any drift: by dividing documents at random."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.grouping import Groups, times_of
from holocron_assets.drift.content.slicing import ordinary, slices_of
from holocron_assets.drift.content.statistics import Figures, beyond_chance, figures, is_squared
from holocron_assets.drift.content.sums import Sums
from holocron_assets.drift.content.windows import MIN_DOCUMENTS

Matrix = NDArray[np.float64]

#: Ways to divide documents that one matrix product adds up.
_WAYS_AT_ONCE = 64
#: Sums of the same numbers in another order are the same all the same.
_ROUNDING = 1e-9
#: Of the effects between parts of the reference, the one that so many do not exceed is the floor.
FLOOR = 0.99
SPLITS = 199


@dataclass(frozen=True, slots=True, kw_only=True)
class Permuted:
    """By name, `statistics` and `effects` of the windows as they are, `p`, how often chance alone gives as much, and
    `chance` and `chance_effects`, the statistics and the effects of all permutations, of shape (permutations,); these
    effects are as `figures` has them, with what chance gives on average.

    `differences`, of shape (dimensions,), are those of the means, current less reference.
    `p_of_dimensions`, of shape (dimensions,), is for each dimension how often any one of them differs as much by
    chance, in units of its own spread: the single-step max-T of Westfall and Young, "Resampling-Based Multiple
    Testing", 1993.
    """

    statistics: Mapping[str, float]
    effects: Mapping[str, float]
    p: Mapping[str, float]
    chance: Mapping[str, NDArray[np.float64]]
    chance_effects: Mapping[str, NDArray[np.float64]]
    differences: NDArray[np.float64]
    p_of_dimensions: NDArray[np.float64]


def permute(sums: Sums, groups: Groups, permutations: int, random: np.random.Generator) -> Permuted:
    """The labels as they are count as one permutation more, so that p is never 0: Phipson and Smyth, 2010."""
    total = sums.matrix.sum(axis=0)
    spread = _spread(sums)

    def compared(labels: Matrix) -> Figures:
        of_current = labels @ sums.matrix
        return figures(sums, total - of_current, of_current)

    observed = compared(groups.is_current.astype(np.float64)[None])
    ways, largest = [], []
    for labels in _labels(groups, permutations, random):
        ways.append(compared(labels))
        largest.append(_relative(ways[-1].differences, spread).max(axis=1))
    chance = {name: np.concatenate([some.statistics[name] for some in ways]) for name in observed.statistics}
    chance_effects = {name: np.concatenate([some.effects[name] for some in ways]) for name in observed.effects}
    statistics = {name: float(values[0]) for name, values in observed.statistics.items()}
    most = np.concatenate(largest)
    return Permuted(
        statistics=statistics,
        effects={
            name: float(beyond_chance(sums.columns, name, value, chance_effects[name])[0])
            for name, value in observed.effects.items()
        },
        p={name: p_of(value, chance[name], sums.negligible[name]) for name, value in statistics.items()},
        chance=chance,
        chance_effects=chance_effects,
        differences=observed.differences[0],
        p_of_dimensions=np.array([p_of(float(one), most, 0.0) for one in _relative(observed.differences, spread)[0]]),
    )


def slices_in_time(groups: Groups, times: NDArray[np.floating] | None) -> Sequence[NDArray[np.intp]]:
    """Groups of the reference in slices (see `slicing`), by the times of documents."""
    if times is None:
        return []
    reference = np.flatnonzero(~groups.is_current[: groups.moved])
    least = -(-MIN_DOCUMENTS // groups.documents_each)
    return slices_of(reference, times_of(groups, times), groups.moved - reference.size, least)


def floors(
    sums: Sums, groups: Groups, random: np.random.Generator, slices: Sequence[NDArray[np.intp]]
) -> Mapping[str, float]:
    """By name, what effects stay within between parts of the reference: 99 % of random halves, and slices in time.

    Each half has as many groups as the current window, or as half of the reference has, whichever is less. Chance does
    more among fewer documents, so what was found is taken to the sizes of the windows: squared effects go by
    1 / n + 1 / m for windows of n and m groups, others by its root.

    Neighbouring slices raise a floor by what they ordinarily differ by, where random halves do by less. Smaller ones
    are taken to the size of the halves first: what comes in bursts averages out as chance does.
    """
    reference = np.flatnonzero(~groups.is_current[: groups.moved])
    size = min(groups.moved - reference.size, reference.size // 2)
    found: dict[str, list[NDArray[np.float64]]] = {}
    for first in range(0, SPLITS, _WAYS_AT_ONCE):
        sides = np.zeros((2, min(_WAYS_AT_ONCE, SPLITS - first), groups.is_current.size))
        for way in range(sides.shape[1]):
            drawn = random.permutation(reference)
            sides[0, way, drawn[:size]] = sides[1, way, drawn[size : 2 * size]] = 1
        for name, values in figures(sums, sides[0] @ sums.matrix, sides[1] @ sums.matrix).effects.items():
            found.setdefault(name, []).append(values)
    effects = {name: np.concatenate(values) for name, values in found.items()}
    halves = {
        name: float(np.quantile(np.abs(beyond_chance(sums.columns, name, values, values)), FLOOR, method="higher"))
        for name, values in effects.items()
    }
    shrinks = (1 / reference.size + 1 / (groups.moved - reference.size)) / (2 / size)
    raised = {
        name: value * shrinks ** (1.0 if is_squared(sums.columns, name) else 0.5) for name, value in halves.items()
    }
    if slices:
        of_slices = np.stack([sums.matrix[some].sum(axis=0) for some in slices])
        share = min(slices[0].size / size, 1.0)
        for name, values in figures(sums, of_slices[:-1], of_slices[1:]).effects.items():
            is_square = name == "mean_shift" or is_squared(sums.columns, name)
            taken = values * (share if is_square else share**0.5)
            usual = ordinary(beyond_chance(sums.columns, name, taken, effects[name]))
            if usual > halves[name]:
                raised[name] = max(raised[name], usual)
    return raised


def _labels(groups: Groups, permutations: int, random: np.random.Generator) -> Iterator[Matrix]:
    """Which groups are current, 1 or 0, of shape (ways, groups), shuffled but for those that are fixed."""
    for first in range(0, permutations, _WAYS_AT_ONCE):
        ways = min(_WAYS_AT_ONCE, permutations - first)
        labels = np.repeat(groups.is_current[None].astype(np.float64), ways, axis=0)
        random.permuted(labels[:, : groups.moved], axis=1, out=labels[:, : groups.moved])
        yield labels


def p_of(observed: float, chance: NDArray[np.float64], negligible: float) -> float:
    """How often chance, of shape (permutations,), gives as much, but for rounding; the labels as they are count too."""
    reached = observed - _ROUNDING * abs(observed) - negligible
    return (1 + int(np.count_nonzero(chance >= reached))) / (1 + chance.size)


def _spread(sums: Sums) -> NDArray[np.float64]:
    """How much each dimension varies between groups, whatever their window; infinitely, where that is rounding only."""
    means = sums.matrix[:, sums.columns.mean]
    spread = np.sqrt(np.einsum("ij,ij->j", means, means))
    return np.where(spread > sums.negligible["mean_shift"] * np.sqrt(sums.matrix[:, 0].sum()), spread, np.inf)


def _relative(differences: Matrix, spread: NDArray[np.float64]) -> Matrix:
    return np.asarray(np.abs(differences) / spread)
