"""Documents that are permuted together, where sums for each of them would not fit into memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Groups that the smaller window keeps at least.
_LEAST_GROUPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """`of_document`, of shape (documents,), numbers groups from 0; `is_current` and `is_fixed` are of shape (groups,).

    A group is of one window and has `documents_each` documents. What is left over in a window is one group more, that
    is fixed: it stays in its window in every permutation.
    """

    of_document: NDArray[np.intp]
    is_current: NDArray[np.bool_]
    is_fixed: NDArray[np.bool_]
    documents_each: int


def group_documents(is_current: NDArray[np.bool_], most: int, random: np.random.Generator) -> Groups:
    """At most about `most` groups; each document is its own where that suffices.

    Documents are put together at random. Permuting groups of equally many documents, and leaving some documents where
    they are, is a subgroup of all permutations of documents, and a test on any subgroup is as valid: Hemerik and
    Goeman, "Exact testing with random permutations", TEST 2018. There are fewer of them, so p is a little coarser.
    """
    documents = is_current.size
    if documents <= most:
        return Groups(
            of_document=np.arange(documents),
            is_current=is_current.copy(),
            is_fixed=np.zeros(documents, bool),
            documents_each=1,
        )
    sides = [np.flatnonzero(~is_current), np.flatnonzero(is_current)]
    smaller = min(side.size for side in sides)
    each = min(-(-documents // most), max(smaller // _LEAST_GROUPS, 1))
    of_document = np.empty(documents, np.intp)
    sizes: list[int] = []
    for side in sides:
        count = min(side.size // each, most - smaller // each if side.size > smaller else most)
        moved = count * each
        shuffled = random.permutation(side)
        of_document[shuffled] = sum(sizes) + np.arange(side.size) // each
        of_document[shuffled[moved:]] = sum(sizes) + count
        sizes += [count, int(side.size > moved)]
    return Groups(
        of_document=of_document,
        is_current=np.repeat([False, False, True, True], sizes),
        is_fixed=np.repeat([False, True, False, True], sizes),
        documents_each=each,
    )
