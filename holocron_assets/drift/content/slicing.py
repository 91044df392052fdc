"""What the reference differs by from one time to another: stretches of it that are as large as the current window, or
a quarter of it where that is less.

Random halves of it tell what chance does, not what an ordinary week does: much is written of a thing at once, and busy
pages change more often than others. Texts that came together resemble each other without any drift. Slices that are
smaller than the window differ by more than it does: what is found in sums is taken to its size, and the floors of the
classifier and of novelty are too high then, which is better than none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.classifying import classify
from holocron_assets.drift.content.sampling import sample_rows
from holocron_assets.drift.content.windows import MIN_DOCUMENTS, VectorSource, Windows, vectors_of

#: With fewer slices, what they differ by says little of what is ordinary.
_LEAST_SLICES = 4
#: A year of weeks; what was longer ago is no measure of what is usual.
_MOST_SLICES = 53
#: Slices that are looked at closely, each beside the next one, and rows of each.
_MOST_SAMPLED, _SLICE_ROWS = 8, 2000
#: Of as many comparisons between times, the largest is left out.
_LEAST_TO_LEAVE_OUT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Vectors of a slice, of shape (rows, dimensions), and which documents they are of, of shape (rows,)."""

    vectors: NDArray[np.float32]
    documents: NDArray[np.intp]


def slices_of(
    members: NDArray[np.intp], times: NDArray[np.floating], size: int, least: int = MIN_DOCUMENTS
) -> Sequence[NDArray[np.intp]]:
    """Consecutive slices of so many members each, oldest first, or of a quarter of all; none of fewer than `least`.

    `members` are numbers that `times` has an entry for. Those that came at one time are in the order of their numbers.
    What is left over is the oldest.
    """
    size = min(size, members.size // _LEAST_SLICES)
    if size < least:
        return []
    count = min(members.size // size, _MOST_SLICES)
    ordered = members[np.argsort(times[members], kind="stable")]
    return np.split(ordered[ordered.size - count * size :], count)


def ordinary(effects: Sequence[float] | NDArray[np.float64]) -> float:
    """What all but the largest of some comparisons between times stay within, whatever their sign; 0 for none.

    One import, or one jump long ago, is no ordinary week. With fewer than five, the second largest is no bound.
    """
    ordered = np.sort(np.abs(effects))
    if not ordered.size:
        return 0.0
    return float(ordered[-2 if ordered.size >= _LEAST_TO_LEAVE_OUT else -1])


def beside_earlier(slices: Sequence[NDArray[np.intp]], members: int) -> Sequence[NDArray[np.intp]]:
    """The newest of the slices of so many members: those before which half of all came or more."""
    newest = slices[-_MOST_SAMPLED:]
    return newest[-(members // (2 * newest[0].size)) :] if newest else []


def newest_slices(windows: Windows) -> Sequence[NDArray[np.intp]]:
    """Documents of the newest slices of the reference, oldest first."""
    if windows.times is None:
        return []
    size = int(np.count_nonzero(windows.is_current))
    return slices_of(np.flatnonzero(~windows.is_current), windows.times, size)[-_MOST_SAMPLED:]


def sampled_slices(
    windows: Windows, source: VectorSource, dimensions: int, random: np.random.Generator
) -> Sequence[Slice]:
    """Rows of the newest slices of the reference, oldest first."""
    sampled = []
    for some in newest_slices(windows):
        is_wanted = np.zeros_like(windows.is_current)
        is_wanted[some] = True
        rows = sample_rows(windows, is_wanted, _SLICE_ROWS, random)
        documents = windows.document_of_row[rows].astype(np.intp)
        sampled.append(Slice(vectors=vectors_of(source, rows, dimensions), documents=documents))
    return sampled


def told_apart(slices: Sequence[Slice], random: np.random.Generator) -> float:
    """The ordinary area under the curve of neighbouring slices: see `ordinary`; 0 for one that is chance."""
    areas = []
    for old, new in pairwise(slices):
        is_new = np.repeat([False, True], [old.documents.size, new.documents.size])
        vectors = np.concatenate([old.vectors, new.vectors])
        found = classify(vectors, np.concatenate([old.documents, new.documents]), is_new, random)
        areas.append(found.auc if found.auc > found.chance else 0.0)
    return ordinary(areas)
