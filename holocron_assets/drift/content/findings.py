"""What a comparison of two windows finds: its records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.detecting import Detection
from holocron_assets.drift.content.lengths import Lengths
from holocron_assets.drift.content.pictures import Histogram, Projection
from holocron_assets.drift.content.topics import Cluster
from holocron_assets.drift.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure, as it was tested.

    `effect` is in a unit that means the same at every number of documents (see `statistics`), but for novelty: beside
    more texts of the same kind, those on a new topic are a larger surprise. `floor` is what effects, whatever their
    sign, stay within where there is no drift: 99 % of those between random halves of the reference, and all but the
    largest of those between slices of it in time (see `slicing.ordinary`). Of the classifier it is what 99 % of guesses
    stay within, and its slices; of novelty and duplicates, a slice is beside what came before it. `reference` and
    `current` are the means, where it is about one.
    """

    name: str
    statistic: float
    p: float
    effect: float
    floor: float
    reference: float | None = None
    current: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """The shares of some names, or of clusters by their numbers, in both windows; each of shape (names,)."""

    names: Sequence[str]
    reference: NDArray[np.float64]
    current: NDArray[np.float64]
    stability_index: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftedDimension:
    """How much a dimension's mean grew, and how often any dimension's does as much by chance."""

    dimension: int
    difference: float
    p_adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How much there is of a window, how much of that was looked at closely, and how its vectors lie."""

    documents: int
    rows: int
    sampled_documents: int
    sampled_rows: int
    largest_document_share: float
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What is needed to say how it was done: what was fitted, on how many rows, and what was permuted how often.

    `far_clusters` are those of `clusters` that are of what is far from all others. `time_slices` is how many slices of
    the reference floors are of, `sampled_slices` how many of these novelty and the classifier were measured of; 0 where
    the reference has too few documents for four. `novelty_rows` were held beside each other.
    """

    seed: int
    permutations: int
    splits: int
    fitted_documents: int
    fitted_rows: int
    bandwidth: float
    clusters: int
    far_clusters: int
    features: int
    time_slices: int
    sampled_slices: int
    novelty_rows: int
    documents_each: int
    fixed_documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentDrift:
    """What two windows differ by. `comparisons` are tested, by name, the classifier's area under the curve last.

    `detection` is what it takes to say how little would be noticed, which depends on the floors that one judges by.
    `shifted_dimensions` are those that moved most for their own spread. `uniform` has the attributes of which all rows
    have the same name, with that name: nothing is to be compared there. All else is context.
    """

    reference: Window
    current: Window
    comparisons: Mapping[str, Comparison]
    mixes: Mapping[str, Mix]
    uniform: Mapping[str, str]
    shifted_dimensions: Sequence[ShiftedDimension]
    detection: Detection
    grown: Sequence[Cluster]
    shrunk: Sequence[Cluster]
    lengths: Lengths
    projection: Projection
    histograms: Sequence[Histogram]
    method: Method
