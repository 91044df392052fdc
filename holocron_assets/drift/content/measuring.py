"""Everything there is to say about two windows of one space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.classifying import classify
from holocron_assets.drift.content.detecting import Detection
from holocron_assets.drift.content.findings import (
    Comparison,
    ContentDrift,
    Method,
    Mix,
    ShiftedDimension,
    Window,
)
from holocron_assets.drift.content.fitting import Fit, fit, with_far_centroids
from holocron_assets.drift.content.grouping import group_documents
from holocron_assets.drift.content.lengths import compare_lengths
from holocron_assets.drift.content.novelty import Novelty, compare_novelty, novelty_of_slices
from holocron_assets.drift.content.permuting import SPLITS, Permuted, floors, permute, slices_in_time
from holocron_assets.drift.content.pictures import histogram, project
from holocron_assets.drift.content.repeats import DUPLICATES, compare_repeats
from holocron_assets.drift.content.sampling import sample_rows
from holocron_assets.drift.content.slicing import Slice, sampled_slices, told_apart
from holocron_assets.drift.content.statistics import shares, stability_index
from holocron_assets.drift.content.sums import OCCUPANCY, Sums, columns_of, sum_up
from holocron_assets.drift.content.topics import changed_clusters
from holocron_assets.drift.content.windows import Categorical, VectorSource, Windows, require_ready, vectors_of
from holocron_assets.drift.shapes import shape_of

#: Rows that are fitted on, of both windows together; half as many of each are looked at closely.
_SAMPLED_ROWS = 20_000
#: Rows among which those that are far from all clusters are looked for.
_SEARCHED_ROWS = 50_000
#: What the sums of all groups may take.
_MOST_BYTES = 2**30
_MOST_DIMENSIONS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fitted:
    """What vectors are compared by, and the sample that it is of."""

    fit: Fit
    documents: NDArray[np.integer]
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sample:
    """Rows of both windows that are looked at closely: of shape (rows, dimensions), the others (rows,)."""

    vectors: NDArray[np.float32]
    documents: NDArray[np.intp]
    is_current: NDArray[np.bool_]


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

    Memory is bounded by 1 GiB of sums, what a few numbers for each row take, and the samples. Raises `NotReadyError`
    for too few documents, and `VectorError` for a vector that is not finite or has other dimensions.
    """
    require_ready(windows)
    windows, uniform = _varying(windows)
    drawing = np.random.default_rng(seed).spawn(11)
    of_fit, of_sample, of_groups, of_labels, of_splits, of_halves, of_points, of_slices, of_far = drawing[:9]
    of_novelty, of_repeats = drawing[9:]
    # Before there are sums, beside which its distances would be much.
    novelty = compare_novelty(windows, source, dimensions, permutations, of_novelty)
    ordinary_novelty = novelty_of_slices(windows, source, dimensions, of_novelty)
    fitted = _fitted(windows, source, dimensions, clusters, features, of_fit, of_far)
    columns = columns_of(windows, dimensions, features, len(fitted.fit.centroids))
    groups = group_documents(windows.is_current, _MOST_BYTES // (8 * columns.width), of_groups, windows.times)
    sums, streamed = sum_up(windows, source, fitted.fit, groups.of_document, columns)
    permuted = permute(sums, groups, permutations, of_labels)
    of_sides = np.stack([~groups.is_current, groups.is_current]).astype(np.float64) @ sums.matrix
    of_times = slices_in_time(groups, windows.times)
    slices = sampled_slices(windows, source, dimensions, of_slices)
    sample = _sample(windows, source, dimensions, of_sample)
    comparisons = _comparisons(sums, of_sides, permuted, floors(sums, groups, of_splits, of_times))
    if windows.texts is not None:
        group_of_row = groups.of_document[windows.document_of_row]
        comparisons[DUPLICATES] = compare_repeats(
            windows.texts, group_of_row, groups, of_times, permutations, of_repeats
        )
    comparisons["novelty"] = _of_novelty(novelty, ordinary_novelty)
    comparisons["classifier"] = _of_classifier(sample, slices, of_halves, of_slices)
    mixes = _mixes(windows, sums, of_sides)
    occupancy = mixes[OCCUPANCY]
    grown, shrunk = changed_clusters(windows, streamed, occupancy.reference, occupancy.current)
    of_current = windows.is_current_row
    return ContentDrift(
        reference=_window(windows, sample, is_current=False),
        current=_window(windows, sample, is_current=True),
        comparisons=comparisons,
        mixes=mixes,
        uniform=uniform,
        shifted_dimensions=_shifted(permuted),
        detection=_detection(windows, fitted, permuted, occupancy, tests=len(comparisons)),
        grown=grown,
        shrunk=shrunk,
        lengths=compare_lengths(streamed.norms[~of_current], streamed.norms[of_current]),
        projection=project(fitted.fit, sample.vectors, sample.is_current, of_points),
        histograms=[
            histogram("norm", streamed.norms, of_current),
            histogram("similarity_to_centre", streamed.similarities, of_current),
            histogram("distance_to_reference", novelty.distances, novelty.is_current),
        ],
        method=Method(
            seed=seed,
            permutations=permutations,
            splits=SPLITS,
            fitted_documents=fitted.documents.size,
            fitted_rows=fitted.rows,
            bandwidth=fitted.fit.bandwidth,
            clusters=len(fitted.fit.centroids),
            far_clusters=len(fitted.fit.centroids) - fitted.fit.usual,
            features=features,
            time_slices=len(of_times),
            sampled_slices=len(slices),
            novelty_rows=novelty.distances.size,
            documents_each=groups.documents_each,
            fixed_documents=int(np.count_nonzero(groups.of_document >= groups.moved)),
        ),
    )


def _varying(windows: Windows) -> tuple[Windows, dict[str, str]]:
    """Without the attributes of which there is one name only, and these names."""
    uniform = {
        name: one.names[0]
        for name, one in windows.attributes.items()
        if isinstance(one, Categorical) and len(one.names) == 1
    }
    kept = {name: one for name, one in windows.attributes.items() if name not in uniform}
    return replace(windows, attributes=kept), uniform


def _fitted(
    windows: Windows,
    source: VectorSource,
    dimensions: int,
    clusters: int,
    features: int,
    random: np.random.Generator,
    of_far: np.random.Generator,
) -> _Fitted:
    every = np.ones_like(windows.is_current)
    rows = sample_rows(windows, every, _SAMPLED_ROWS, random)
    documents = np.unique(windows.document_of_row[rows])
    vectors = vectors_of(source, rows, dimensions)
    fitted = fit(vectors, documents.size, clusters=clusters, features=features, random=random)
    searched = sample_rows(windows, every, _SEARCHED_ROWS, of_far)
    vectors = vectors_of(source, searched, dimensions)
    fitted = with_far_centroids(fitted, vectors, windows.document_of_row[searched], of_far)
    return _Fitted(fit=fitted, documents=documents, rows=rows.size)


def _sample(windows: Windows, source: VectorSource, dimensions: int, random: np.random.Generator) -> _Sample:
    sides = [windows.is_current == side for side in (False, True)]
    rows = np.sort(np.concatenate([sample_rows(windows, side, _SAMPLED_ROWS // 2, random) for side in sides]))
    return _Sample(
        vectors=vectors_of(source, rows, dimensions),
        documents=windows.document_of_row[rows].astype(np.intp),
        is_current=windows.is_current_row[rows],
    )


def _of_novelty(novelty: Novelty, of_slices: float) -> Comparison:
    return Comparison(
        name="novelty",
        statistic=novelty.statistic,
        p=novelty.p,
        effect=novelty.effect,
        floor=max(novelty.floor, of_slices),
        reference=novelty.reference,
        current=novelty.current,
    )


def _of_classifier(
    sample: _Sample, slices: Sequence[Slice], of_halves: np.random.Generator, of_slices: np.random.Generator
) -> Comparison:
    found = classify(sample.vectors, sample.documents, sample.is_current, of_halves)
    return Comparison(
        name="classifier",
        statistic=found.statistic,
        p=found.p,
        effect=found.auc,
        floor=max(found.chance, told_apart(slices, of_slices)),
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
    fitted: _Fitted,
    permuted: Permuted,
    occupancy: Mix,
    *,
    tests: int,
) -> Detection:
    sizes = windows.rows_of_document[windows.is_current]
    current = int(np.count_nonzero(windows.is_current[fitted.documents]))
    return Detection(
        tests=tests,
        shifts=permuted.chance["mean_shift"],
        occupancies=permuted.chance[OCCUPANCY],
        divergences=permuted.chance_effects[OCCUPANCY],
        # Documents of unequal sizes are worth fewer: Kish, "Survey Sampling", 1965.
        documents=float(np.square(sizes.sum()) / np.square(sizes).sum()),
        joined=float(np.square(occupancy.reference).sum()),
        own_cluster=min(fitted.documents.size / (fitted.fit.usual * max(current, 1)), 1.0),
        clusters=fitted.fit.usual,
        spread=float(np.sqrt(np.square(fitted.fit.centroids).sum(axis=1) @ occupancy.reference)),
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


def _window(windows: Windows, sample: _Sample, *, is_current: bool) -> Window:
    sizes = windows.rows_of_document[windows.is_current == is_current]
    is_own = sample.is_current == is_current
    return Window(
        documents=sizes.size,
        rows=int(sizes.sum()),
        sampled_documents=np.unique(sample.documents[is_own]).size,
        sampled_rows=int(np.count_nonzero(is_own)),
        largest_document_share=float(sizes.max() / sizes.sum()),
        shape=shape_of(sample.vectors[is_own]),
    )
