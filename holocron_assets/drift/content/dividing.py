"""Figures that every way to divide documents gives anew, because they depend on which of them are the reference."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.permuting import FLOOR, SPLITS, p_of
from holocron_assets.drift.content.slicing import ordinary

Sides = NDArray[np.bool_]

#: Of a slice in time and what came before it.
_SLICE_PERMUTATIONS = 99


class Divisible(Protocol):
    """Something that two windows of documents can be compared by."""

    def grown(self, is_reference: Sides, is_current: Sides) -> float:
        """By how much it is more in the current window; those, of shape (documents,), need not have all documents."""
        ...


class Surprise(NamedTuple):
    """`statistic` is by how much something is more in the current window, and `p` how often permutations of documents
    give as much. `effect` is the statistic less what permutations give on average: windows of other sizes differ by
    something even without drift."""

    statistic: float
    p: float
    effect: float


def surprise_of(
    of: Divisible,
    is_reference: Sides,
    is_current: Sides,
    permutations: int,
    random: np.random.Generator,
    *,
    negligible: float,
    is_two_sided: bool = False,
    moved: int | None = None,
) -> Surprise:
    """Only the first `moved` documents change windows, if not all. Two-sided, it is less or more that is as much:
    each way counts by what it is off the mean of all, the windows as they are among them."""
    observed = of.grown(is_reference, is_current)
    members = np.flatnonzero((is_reference | is_current)[:moved])
    sides = np.stack([is_reference, is_current])
    labels = is_current[members]
    chance = np.empty(permutations)
    for way in range(permutations):
        sides[1, members] = random.permutation(labels)
        sides[0, members] = ~sides[1, members]
        chance[way] = of.grown(sides[0], sides[1])
    if is_two_sided:
        middle = (observed + chance.sum()) / (1 + permutations)
        p = p_of(abs(observed - middle), np.abs(chance - middle), negligible)
    else:
        p = p_of(observed, chance, negligible)
    return Surprise(observed, p, float(observed - chance.mean()))


def floor_of_halves(
    of: Divisible, reference: NDArray[np.intp], current: int, documents: int, random: np.random.Generator
) -> float:
    """What `FLOOR` of effects stay within between random halves of the reference, whose documents are given by their
    numbers among so many; taken to a current window of so many documents: see `permuting.floors`."""
    size = min(current, reference.size // 2)
    effects = np.empty(SPLITS)
    for way in range(SPLITS):
        drawn = random.permutation(reference)
        sides = np.zeros((2, documents), bool)
        sides[0, drawn[:size]] = sides[1, drawn[size : 2 * size]] = True
        effects[way] = of.grown(sides[0], sides[1])
    largest = np.quantile(np.abs(effects - effects.mean()), FLOOR, method="higher")
    return float(largest * np.sqrt((1 / reference.size + 1 / current) / (2 / size)))


def floor_of_slices(
    of: Divisible,
    slices: Sequence[NDArray[np.intp]],
    is_known: Sides,
    random: np.random.Generator,
    *,
    negligible: float,
    is_two_sided: bool = False,
) -> float:
    """What is ordinary of slices of the reference, oldest first, each beside all that came before it and is known; 0
    for one that is no more than chance."""
    is_before = is_known.copy()
    for some in slices:
        is_before[some] = False
    effects = []
    for some in slices:
        is_new = np.zeros_like(is_known)
        is_new[some] = True
        found = surprise_of(
            of, is_before, is_new, _SLICE_PERMUTATIONS, random, negligible=negligible, is_two_sided=is_two_sided
        )
        # No permutation gives as much.
        is_chance = round(found.p * (1 + _SLICE_PERMUTATIONS)) > 1
        effects.append(0.0 if is_chance else found.effect)
        is_before[some] = is_known[some]
    return ordinary(effects)
