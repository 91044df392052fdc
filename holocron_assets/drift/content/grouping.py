"""Documents that are permuted together, where sums for each of them would not fit into memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Groups that the smaller window keeps at least.
_LEAST_GROUPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """`of_document`, of shape (documents,), numbers groups from 0; `is_current` is of shape (groups,).

    The first `moved` groups are permuted; each is of one window and has `documents_each` documents. What is left over
    in a window is one group more, after those, and stays in its window in every permutation.
    """

    of_document: NDArray[np.intp]
    is_current: NDArray[np.bool_]
    moved: int
    documents_each: int


def group_documents(
    is_current: NDArray[np.bool_],
    most: int,
    random: np.random.Generator,
    times: NDArray[np.floating] | None = None,
) -> Groups:
    """At most about `most` groups; each document is its own where that suffices.

    Documents are put together at random, or with those that came next to them where `times` are known. Permuting groups
    of equally many documents, and leaving some documents where they are, is a subgroup of all permutations of
    documents, and a test on any subgroup is as valid: Hemerik and Goeman, "Exact testing with random permutations",
    TEST 2018. There are fewer of them, so p is a little coarser.
    """
    documents = is_current.size
    if documents <= most:
        return Groups(of_document=np.arange(documents), is_current=is_current.copy(), moved=documents, documents_each=1)
    sides = [np.flatnonzero(~is_current), np.flatnonzero(is_current)]
    smaller = min(side.size for side in sides)
    each = min(-(-documents // most), max(smaller // _LEAST_GROUPS, 1))
    counts = [min(side.size // each, most - smaller // each if side.size > smaller else most) for side in sides]
    moved = sum(counts)
    left_over = [side.size > count * each for side, count in zip(sides, counts, strict=True)]
    of_document = np.empty(documents, np.intp)
    for side, count, first, fixed in zip(sides, counts, (0, counts[0]), (moved, moved + left_over[0]), strict=True):
        ordered = random.permutation(side) if times is None else side[np.argsort(times[side], kind="stable")]
        of_document[ordered] = np.where(
            np.arange(side.size) < count * each, first + np.arange(side.size) // each, fixed
        )
    return Groups(
        of_document=of_document,
        is_current=np.repeat([False, True, False, True], [*counts, *left_over]),
        moved=moved,
        documents_each=each,
    )


def times_of(groups: Groups, times: NDArray[np.floating]) -> NDArray[np.floating]:
    """When the first document of each group came, of shape (groups,)."""
    found = np.full(groups.is_current.size, np.inf)
    np.minimum.at(found, groups.of_document, times)
    return found
