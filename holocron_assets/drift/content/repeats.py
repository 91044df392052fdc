"""How many chunks have the text of another one.

A copy of what was there is a repeat of the current window, and makes none of what it is a copy of: else a site and its
mirror were alike, each the copy of the other. So which chunks are repeats depends on which documents are the reference,
and is counted again in every permutation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from holocron_assets.drift.content.dividing import floor_of_halves, floor_of_slices, surprise_of
from holocron_assets.drift.content.findings import Comparison
from holocron_assets.drift.content.grouping import Groups
from holocron_assets.drift.content.slicing import beside_earlier

DUPLICATES = "duplicates"

#: Shares that differ by less are the same but for rounding.
_EQUAL = 1e-12
_UPPER = np.int64(2**32)


class _Shares(NamedTuple):
    reference: float
    current: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repeats:
    """`counts`, of shape (texts, groups), is how often each group has a text, of those that several rows have; `rows`,
    of shape (groups,), is how many rows each has, and `several` how many of a text that several have."""

    counts: csr_array
    rows: NDArray[np.float64]
    several: NDArray[np.float64]

    def shares(self, is_reference: NDArray[np.bool_], is_current: NDArray[np.bool_]) -> _Shares:
        """Of the reference's rows, those whose text another one of it has; of the current ones, of either window."""
        # One product counts both: those of the reference in the lower bits, the current ones in the upper.
        found = self.counts @ (is_reference + is_current * _UPPER)
        single = np.count_nonzero(found & (_UPPER - 1) == 1), np.count_nonzero(found == _UPPER)
        before, after = (
            (self.several[side].sum() - alone) / self.rows[side].sum()
            for side, alone in zip((is_reference, is_current), single, strict=True)
        )
        return _Shares(float(before), float(after))

    def grown(self, is_reference: NDArray[np.bool_], is_current: NDArray[np.bool_]) -> float:
        """See `Divisible`."""
        found = self.shares(is_reference, is_current)
        return found.current - found.reference


def compare_repeats(
    texts: NDArray[np.integer],
    group_of_row: NDArray[np.intp],
    groups: Groups,
    slices: Sequence[NDArray[np.intp]],
    permutations: int,
    random: np.random.Generator,
) -> Comparison:
    """Of rows with these texts, which are numbers from 0, of shape (rows,); two-sided. `slices` are those in time of
    the groups of the reference, oldest first."""
    repeats = _repeats(texts, group_of_row, groups.is_current.size)
    if not repeats.counts.shape[0]:
        return Comparison(name=DUPLICATES, statistic=0.0, p=1.0, effect=0.0, floor=0.0, reference=0.0, current=0.0)
    is_current, is_reference = groups.is_current, ~groups.is_current
    is_moved = np.arange(is_current.size) < groups.moved
    reference = np.flatnonzero(is_reference & is_moved)
    found = surprise_of(
        repeats,
        is_reference,
        is_current,
        permutations,
        random,
        negligible=_EQUAL,
        is_two_sided=True,
        moved=groups.moved,
    )
    halves = floor_of_halves(repeats, reference, groups.moved - reference.size, is_current.size, random)
    late = beside_earlier(slices, reference.size)
    over_time = floor_of_slices(repeats, late, is_reference & is_moved, random, negligible=_EQUAL, is_two_sided=True)
    observed = repeats.shares(is_reference, is_current)
    return Comparison(
        name=DUPLICATES,
        statistic=found.statistic,
        p=found.p,
        effect=found.effect,
        floor=max(halves, over_time),
        reference=observed.reference,
        current=observed.current,
    )


def _repeats(texts: NDArray[np.integer], group_of_row: NDArray[np.intp], groups: int) -> _Repeats:
    is_several = np.bincount(texts) > 1
    is_wanted = is_several[texts]
    number = np.cumsum(is_several) - 1
    found, of = number[texts[is_wanted]], group_of_row[is_wanted]
    shape = (int(np.count_nonzero(is_several)), groups)
    return _Repeats(
        counts=csr_array(coo_array((np.ones(found.size, np.int64), (found, of)), shape=shape)),
        rows=np.bincount(group_of_row, minlength=groups).astype(np.float64),
        several=np.bincount(of, minlength=groups).astype(np.float64),
    )
