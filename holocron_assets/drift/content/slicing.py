"""What the reference differs by from one time to another: stretches of it that are as large as the current window.

Random halves of it tell what chance does, not what an ordinary week does: much is written of a thing at once, and busy
pages change more often than others. Texts that came together resemble each other without any drift.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.classifying import classify
from holocron_assets.drift.content.sampling import sample_rows
from holocron_assets.drift.content.windows import VectorSource, Windows, vectors_of

#: With fewer slices, the largest difference of neighbours says little of what is ordinary.
_LEAST_SLICES = 4
#: A year of weeks; what was longer ago is no measure of what is usual.
_MOST_SLICES = 53
#: Slices that a classifier learns to tell from the next one, and rows of each that it looks at.
_MOST_LEARNT, _SLICE_ROWS = 8, 2000


def slices_of(members: NDArray[np.intp], times: NDArray[np.floating], size: int) -> Sequence[NDArray[np.intp]]:
    """Consecutive slices of so many members each, oldest first; none where there are fewer than four.

    `members` are numbers that `times` has an entry for. Those that came at one time are in the order of their numbers.
    What is left over is the oldest.
    """
    count = min(members.size // size, _MOST_SLICES)
    if count < _LEAST_SLICES:
        return []
    ordered = members[np.argsort(times[members], kind="stable")]
    return np.split(ordered[ordered.size - count * size :], count)


def told_apart(windows: Windows, source: VectorSource, dimensions: int, random: np.random.Generator) -> float:
    """The largest area under the curve of neighbouring slices of the reference that is more than chance; 0 for none."""
    if windows.times is None:
        return 0.0
    size = int(np.count_nonzero(windows.is_current))
    slices = slices_of(np.flatnonzero(~windows.is_current), windows.times, size)[-_MOST_LEARNT:]
    sampled = []
    for some in slices:
        is_wanted = np.zeros_like(windows.is_current)
        is_wanted[some] = True
        rows = sample_rows(windows, is_wanted, _SLICE_ROWS, random)
        sampled.append((vectors_of(source, rows, dimensions), windows.document_of_row[rows].astype(np.intp)))
    largest = 0.0
    for (old, of_old), (new, of_new) in pairwise(sampled):
        is_new = np.repeat([False, True], [of_old.size, of_new.size])
        found = classify(np.concatenate([old, new]), np.concatenate([of_old, of_new]), is_new, random)
        if found.auc > max(found.floor, largest):
            largest = found.auc
    return largest
