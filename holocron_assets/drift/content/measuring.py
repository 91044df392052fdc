"""Everything there is to say about two windows of one space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.classifying import classify
from holocron_assets.drift.content.detecting import Detection
from holocron_assets.drift.content.fitting import Fit, fit, with_far_centroids
from holocron_assets.drift.content.grouping import group_documents, times_of
from holocron_assets.drift.content.lengths import Lengths, compare_lengths
from holocron_assets.drift.content.permuting import SPLITS, Permuted, floors, permute
from holocron_assets.drift.content.pictures import Histogram, Projection, histogram, project
from holocron_assets.drift.content.sampling import sample_rows
from holocron_assets.drift.content.slicing import told_apart
from holocron_assets.drift.content.statistics import shares, stability_index
from holocron_assets.drift.content.sums import OCCUPANCY, Sums, columns_of, sum_up
from holocron_assets.drift.content.topics import Cluster, changed_clusters
from holocron_assets.drift.content.windows import Categorical, VectorSource, Windows, require_ready, vectors_of
from holocron_assets.drift.shapes import Shape, shape_of

#: Rows that are fitted on, of both windows together; half as many of each are looked at closely.
_SAMPLED_ROWS = 20_000
#: Rows among which those that are far from all clusters are looked for.
_SEARCHED_ROWS = 50_000
#: What the sums of all groups may take.
_MOST_BYTES = 2**30
_MOST_DIMENSIONS = 10
_NAMES_OF_HISTOGRAMS = ("norm", "similarity_to_centre", "squared_distance_to_centroid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure, as it was tested.

    `effect` is in a unit that means the same at every number of documents (see `statistics`), `floor` what 99 % of
    effects, whatever their sign, stay within where there is no drift. `reference` and `current` are the means, where it
    is about one.
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
    """What is needed to say how it was done: what was fitted, on how many rows, and what was permuted how often."""

    seed: int
    permutations: int
    splits: int
    fitted_documents: int
    fitted_rows: int
    bandwidth: float
    clusters: int
    features: int
    documents_each: int
    fixed_documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentDrift:
    """What two windows differ by. `comparisons` are tested, by name, the classifier's area under the curve last.

    `detection` is what it takes to say how little would be noticed, which depends on the floors that one judges by.
    `shifted_dimensions` are those that moved most for their own spread. All else is context.
    """

    reference: Window
    current: Window
    comparisons: Mapping[str, Comparison]
    mixes: Mapping[str, Mix]
    shifted_dimensions: Sequence[ShiftedDimension]
    detection: Detection
    grown: Sequence[Cluster]
    shrunk: Sequence[Cluster]
    lengths: Lengths
    projection: Projection
    histograms: Sequence[Histogram]
    method: Method


def measure(
    windows: Windows,
    source: VectorSource,
    *,
    dimensions: int,
    seed: int,
    permutations: int = 499,
    clusters: int = 64,
    features: int = 256,
) -> ContentDrift:
    """Compare the current window with the reference. The same inputs and seed give the same figures.

    Memory is bounded by 1 GiB of sums, what a few numbers for each row take, and the sample. Raises `NotReadyError`
    for too few documents, and `VectorError` for a vector that is not finite or has other dimensions.
    """
    require_ready(windows)
    drawing = np.random.default_rng(seed).spawn(9)
    of_fit, of_sample, of_groups, of_labels, of_splits, of_halves, of_points, of_slices, of_far = drawing
    fitted_rows = sample_rows(windows, np.ones_like(windows.is_current), _SAMPLED_ROWS, of_fit)
    fitted_documents = np.unique(windows.document_of_row[fitted_rows])
    fitted = fit(
        vectors_of(source, fitted_rows, dimensions),
        fitted_documents.size,
        clusters=clusters,
        features=features,
        random=of_fit,
    )
    far_rows = sample_rows(windows, np.ones_like(windows.is_current), _SEARCHED_ROWS, of_far)
    fitted = with_far_centroids(
        fitted, vectors_of(source, far_rows, dimensions), windows.document_of_row[far_rows], of_far
    )
    columns = columns_of(windows, dimensions, features, len(fitted.centroids))
    groups = group_documents(windows.is_current, _MOST_BYTES // (8 * columns.width), of_groups, windows.times)
    sums, streamed = sum_up(windows, source, fitted, groups.of_document, columns)
    permuted = permute(sums, groups, permutations, of_labels)

    sides = [windows.is_current == side for side in (False, True)]
    rows = np.sort(np.concatenate([sample_rows(windows, side, _SAMPLED_ROWS // 2, of_sample) for side in sides]))
    vectors = vectors_of(source, rows, dimensions)
    documents, is_current = windows.document_of_row[rows].astype(np.intp), windows.is_current_row[rows]
    classified = classify(vectors, documents, is_current, of_halves)
    of_sides = np.stack([~groups.is_current, groups.is_current]).astype(np.float64) @ sums.matrix
    times = None if windows.times is None else times_of(groups, windows.times)
    comparisons = _comparisons(sums, of_sides, permuted, floors(sums, groups, of_splits, times))
    comparisons["classifier"] = Comparison(
        name="classifier",
        statistic=classified.statistic,
        p=classified.p,
        effect=classified.auc,
        floor=max(classified.floor, told_apart(windows, source, dimensions, of_slices)),
    )
    mixes = _mixes(windows, sums, of_sides)
    occupancy = mixes[OCCUPANCY]
    grown, shrunk = changed_clusters(windows, streamed, occupancy.reference, occupancy.current)
    numbers = (streamed.norms, streamed.similarities, streamed.distances)
    of_current = windows.is_current_row
    return ContentDrift(
        reference=_window(windows, documents[~is_current], vectors[~is_current], ~windows.is_current),
        current=_window(windows, documents[is_current], vectors[is_current], windows.is_current),
        comparisons=comparisons,
        mixes=mixes,
        shifted_dimensions=_shifted(permuted),
        detection=_detection(
            windows, fitted, permuted, occupancy, tests=len(comparisons), fitted_documents=fitted_documents
        ),
        grown=grown,
        shrunk=shrunk,
        lengths=compare_lengths(streamed.norms[~of_current], streamed.norms[of_current]),
        projection=project(fitted, vectors, is_current, of_points),
        histograms=[
            histogram(name, values, of_current) for name, values in zip(_NAMES_OF_HISTOGRAMS, numbers, strict=True)
        ],
        method=Method(
            seed=seed,
            permutations=permutations,
            splits=SPLITS,
            fitted_documents=fitted_documents.size,
            fitted_rows=fitted_rows.size,
            bandwidth=fitted.bandwidth,
            clusters=len(fitted.centroids),
            features=features,
            documents_each=groups.documents_each,
            fixed_documents=int(np.count_nonzero(groups.of_document >= groups.moved)),
        ),
    )


def _comparisons(
    sums: Sums, of_sides: NDArray[np.float64], permuted: Permuted, floor: Mapping[str, float]
) -> dict[str, Comparison]:
    found = {}
    old, new = of_sides
    for name, p in permuted.p.items():
        at = sums.columns.numbers.get(name)
        found[name] = Comparison(
            name=name,
            statistic=permuted.statistics[name],
            p=p,
            effect=permuted.effects[name],
            floor=floor[name],
            reference=None if at is None else float(sums.pooled[at] + old[at] / old[0]),
            current=None if at is None else float(sums.pooled[at] + new[at] / new[0]),
        )
    return found


def _mixes(windows: Windows, sums: Sums, of_sides: NDArray[np.float64]) -> dict[str, Mix]:
    found = {}
    for name, where in sums.columns.shares.items():
        old, new = shares(sums, of_sides, name)
        attribute = windows.attributes.get(name)
        found[name] = Mix(
            names=attribute.names
            if isinstance(attribute, Categorical)
            else [str(one) for one in range(where.stop - where.start)],
            reference=old,
            current=new,
            stability_index=stability_index(old, new),
        )
    return found


def _detection(
    windows: Windows,
    fitted: Fit,
    permuted: Permuted,
    occupancy: Mix,
    *,
    tests: int,
    fitted_documents: NDArray[np.integer],
) -> Detection:
    sizes = windows.rows_of_document[windows.is_current]
    current = int(np.count_nonzero(windows.is_current[fitted_documents]))
    return Detection(
        tests=tests,
        shifts=permuted.chance["mean_shift"],
        occupancies=permuted.chance[OCCUPANCY],
        divergences=permuted.chance_effects[OCCUPANCY],
        # Documents of unequal sizes are worth fewer: Kish, "Survey Sampling", 1965.
        documents=float(np.square(sizes.sum()) / np.square(sizes).sum()),
        joined=float(np.square(occupancy.reference).sum()),
        own_cluster=min(fitted_documents.size / (fitted.usual * max(current, 1)), 1.0),
        spread=float(np.sqrt(np.square(fitted.centroids).sum(axis=1) @ occupancy.reference)),
    )


def _shifted(permuted: Permuted) -> list[ShiftedDimension]:
    differences = permuted.differences
    order = np.lexsort((-np.abs(differences), permuted.p_of_dimensions))
    return [
        ShiftedDimension(
            dimension=int(one),
            difference=float(differences[one]),
            p_adjusted=float(permuted.p_of_dimensions[one]),
        )
        for one in order[:_MOST_DIMENSIONS]
    ]


def _window(
    windows: Windows, documents: NDArray[np.intp], vectors: NDArray[np.float32], of_window: NDArray[np.bool_]
) -> Window:
    sizes = windows.rows_of_document[of_window]
    return Window(
        documents=int(np.count_nonzero(of_window)),
        rows=int(sizes.sum()),
        sampled_documents=np.unique(documents).size,
        sampled_rows=documents.size,
        largest_document_share=float(sizes.max() / sizes.sum()),
        shape=shape_of(vectors),
    )
