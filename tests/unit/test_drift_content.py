"""Content drift: what a reader is shown, the same however vectors come, and input that is not as it should be."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from holocron_assets.drift.content import measuring
from holocron_assets.drift.content.clustering import k_means, nearest_centroids
from holocron_assets.drift.content.findings import ContentDrift
from holocron_assets.drift.content.grouping import group_documents
from holocron_assets.drift.content.measuring import measure
from holocron_assets.drift.content.sampling import sample_rows
from holocron_assets.drift.content.statistics import jensen_shannon, stability_index
from holocron_assets.drift.content.windows import MIN_DOCUMENTS, Categorical, Numeric, Windows
from holocron_assets.drift.shapes import shape_of
from holocron_assets.errors import NotReadyError, VectorError
from tests.drifting import Vectors, measured, normal, windows_of

_FIRST_NEW = 260
_TOPICS = 4 * np.random.default_rng(21).standard_normal((6, 8))


def numbers_of(value: Any) -> list[float]:
    """Every number of a result, however deep."""
    if isinstance(value, Mapping):
        return [number for one in value.values() for number in numbers_of(one)]
    if isinstance(value, np.ndarray):
        return [float(one) for one in value.ravel()]
    if isinstance(value, list | tuple):
        return [number for one in value for number in numbers_of(one)]
    return [float(value)] if isinstance(value, int | float) else []


def drifting() -> tuple[Windows, NDArray[np.float32]]:
    """A quarter of the current window is on a topic without precedent, in another language, and longer."""
    _, documents = windows_of(150, 150, chunks=3)
    random = np.random.default_rng(11)
    topic = random.integers(0, 5, 300)
    topic[_FIRST_NEW:] = 5
    is_new = (topic == 5)[documents]
    windows, _ = windows_of(
        150,
        150,
        chunks=3,
        language=Categorical(codes=is_new.astype(np.int32), names=["en", "de"]),
        source=Categorical(codes=random.integers(0, 3, documents.size), names=["wiki", "papers", "news"]),
        log_length=Numeric(values=random.standard_normal(documents.size) + 2 * is_new),
        is_duplicate=Numeric(values=(random.random(documents.size) < 0.1).astype(np.float32)),
    )
    vectors = _TOPICS[topic[documents]] + normal(documents, random, correlation=0.3)
    return windows, vectors.astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Torn(Vectors):
    """A source that holds other rows than it yields."""

    yielded: NDArray[np.float32]

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """See `VectorSource`."""
        yield self.yielded


def changed(found: ContentDrift) -> set[str]:
    return {name for name, one in found.comparisons.items() if one.p <= 0.02 and one.effect > one.floor}


@pytest.fixture(scope="module")
def found() -> ContentDrift:
    windows, vectors = drifting()
    return measured(windows, vectors)


def test_what_changed_is_found_and_nothing_else(found: ContentDrift) -> None:
    """Topic, language and length changed; the mix of sources and the share of duplicates did not."""
    assert changed(found) == {"mmd", "occupancy", "novelty", "language", "log_length", "classifier"}
    assert found.comparisons["mmd"].p <= 0.02
    assert min(found.comparisons[name].p for name in ("source", "is_duplicate")) > 0.1
    assert found.comparisons["log_length"].effect == pytest.approx(2 * 4 / 15, abs=0.2)
    assert found.mixes["language"].current == pytest.approx([11 / 15, 4 / 15])
    assert found.mixes["language"].reference == pytest.approx([1, 0])


def test_the_new_topic_is_what_grew_most(found: ContentDrift) -> None:
    """Its clusters had no share in the reference; texts of different documents show what it is about."""
    windows, _ = drifting()
    largest = found.grown[0]
    shown = windows.document_of_row[np.array(largest.exemplars)]

    assert largest.reference_share == 0
    assert len(set(shown.tolist())) == 3
    assert shown.min() >= _FIRST_NEW
    assert all(one.current_share < one.reference_share for one in found.shrunk)
    assert found.mixes["occupancy"].current[largest.number] == pytest.approx(largest.current_share)


def test_pictures_show_every_row_once(found: ContentDrift) -> None:
    """Histograms count all rows of both windows on the same bins; points are those of rows of each window."""
    windows, vectors = drifting()
    projection = found.projection

    assert all((one.reference.sum(), one.current.sum(), one.edges.size) == (450, 450, 41) for one in found.histograms)
    assert found.method.novelty_rows == 900
    assert projection.reference.shape == (450, 2)
    assert 0 < projection.explained[1] <= projection.explained[0] < 1
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    assert found.histograms[0].edges[[0, -1]] == pytest.approx([norms.min(), norms.max()])
    assert found.comparisons["norm"].reference == pytest.approx(norms[~windows.is_current_row].mean())


@pytest.mark.parametrize("block", [1, 7, 4096])
def test_blocks_change_no_bit(found: ContentDrift, block: int) -> None:
    """However many vectors the source yields at once, every figure is the same."""
    windows, vectors = drifting()
    again = measure(windows, Vectors(vectors=vectors, block=block), dimensions=8, seed=1, permutations=99, features=64)

    np.testing.assert_equal(asdict(again), asdict(found))


def test_threads_change_nothing_that_can_be_seen(found: ContentDrift) -> None:
    """With one thread or two, every figure is equal to nine digits."""
    program = (
        "import json; from tests.drifting import measured; from dataclasses import asdict\n"
        "from tests.unit.test_drift_content import drifting, numbers_of\n"
        "print(json.dumps(numbers_of(asdict(measured(*drifting())))))"
    )
    for threads in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

        assert json.loads(printed) == pytest.approx(numbers_of(asdict(found)), rel=1e-9, abs=1e-12)


def test_groups_of_documents_tell_the_same(monkeypatch: pytest.MonkeyPatch, found: ContentDrift) -> None:
    """Where sums for every document would take too much memory, effects are the same and verdicts are too."""
    windows, vectors = drifting()
    width = 3 + 8 + 2 * 64 + 3 + found.method.clusters + 5
    monkeypatch.setattr(measuring, "_MOST_BYTES", 8 * width * 80)

    grouped = measured(windows, vectors)

    assert (grouped.method.documents_each, grouped.method.fixed_documents) == (4, 4)
    assert changed(grouped) == changed(found)
    # The discrepancy leaves out pairs within groups.
    for name in found.comparisons.keys() - {"mmd"}:
        assert grouped.comparisons[name].statistic == pytest.approx(found.comparisons[name].statistic)


@settings(deadline=None)
@given(st.integers(20, 300), st.integers(20, 300), st.integers(30, 400))
def test_a_group_is_of_one_window(reference: int, current: int, most: int) -> None:
    """Every document is in a group of its window; all that are permuted have equally many; both windows have some."""
    is_current = np.arange(reference + current) >= reference
    groups = group_documents(is_current, most, np.random.default_rng(1))
    sizes = np.bincount(groups.of_document)

    assert (groups.is_current[groups.of_document] == is_current).all()
    assert sizes.size == groups.is_current.size <= max(most + 2, 22)
    assert (sizes[: groups.moved] == groups.documents_each).all()
    assert 10 <= np.count_nonzero(groups.is_current[: groups.moved]) <= groups.moved - 10


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=60), st.integers(20, 100))
def test_a_sample_has_many_documents(sizes: list[int], most: int) -> None:
    """No more rows than asked for, each once, and none of a document that takes the room of twenty."""
    documents = np.repeat(np.arange(len(sizes)), sizes)
    is_current = np.arange(len(sizes)) % 2 == 0
    windows = Windows(document_of_row=documents, is_current=is_current, attributes={})
    rows = sample_rows(windows, is_current, most, np.random.default_rng(1))

    assert 0 < rows.size <= most
    assert (np.diff(rows) > 0).all()
    assert is_current[documents[rows]].all()
    assert np.bincount(documents[rows]).max() <= most // MIN_DOCUMENTS


@pytest.mark.parametrize("made", ["zeros", "equal", "nearly all equal", "two kinds", "one dimension"])
def test_vectors_that_are_alike_break_nothing(made: str) -> None:
    """Constant vectors, duplicates, a single dimension: what is the same is no surprise, and one name is no mix."""
    windows, documents = windows_of(30, 30, chunks=2, kind=Categorical(codes=np.zeros(120, int), names=["all"]))
    vectors = np.full((documents.size, 1 if made == "one dimension" else 5), 0.0 if made == "zeros" else 0.3)
    if made == "nearly all equal":
        vectors[7] = 1
    elif made == "two kinds":
        vectors[documents % 2 == 0, 0] = -2

    found = measured(windows, vectors)

    assert np.isfinite(numbers_of(asdict(found))).all()
    assert (found.uniform, "kind" in found.comparisons) == ({"kind": "all"}, False)
    if made != "nearly all equal":
        assert all(one.p == 1 for name, one in found.comparisons.items() if name != "classifier" or made != "two kinds")
    if made in {"zeros", "equal", "one dimension"}:
        assert all(one.p_adjusted == 1 for one in found.shifted_dimensions)
        assert found.current.shape.effective_rank == 0
        assert found.method.clusters == 1


def test_scattered_lengths_of_unit_vectors_are_no_drift() -> None:
    """What float32 leaves of a length of 1 is not compared."""
    windows, documents = windows_of(40, 40)
    vectors = normal(documents, np.random.default_rng(1), dimensions=64)

    found = measured(windows, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    assert (found.comparisons["norm"].p, found.lengths.ks, found.lengths.wasserstein) == (1, 0, 0)


@pytest.mark.parametrize(("reference", "current", "name"), [(19, 40, "reference"), (40, 3, "current")])
def test_too_few_documents_are_said(reference: int, current: int, name: str) -> None:
    """How many a window has, and how many are needed."""
    windows, documents = windows_of(reference, current, chunks=5)

    with pytest.raises(NotReadyError, match=rf"the {name} window has {min(reference, current)} documents, .* {20} "):
        measured(windows, normal(documents, np.random.default_rng(1)))


@pytest.mark.parametrize("bad", [[np.nan, 0.0], [np.inf, 1.0], [np.inf, -np.inf]])
def test_a_vector_that_is_not_finite_is_named(monkeypatch: pytest.MonkeyPatch, bad: list[float]) -> None:
    """Wherever it is met first, in the sample or in the pass."""
    windows, documents = windows_of(40, 40)
    vectors = normal(documents, np.random.default_rng(1))
    vectors[41, 3:5] = bad

    for most in (20_000, 20):
        monkeypatch.setattr(measuring, "_SAMPLED_ROWS", most)
        with pytest.raises(VectorError, match="row 41 is not finite"):
            measured(windows, vectors)


def test_vectors_of_another_shape_are_refused() -> None:
    """Other dimensions than the space's, and fewer or more rows than there are."""
    windows, documents = windows_of(40, 40)
    vectors = normal(documents, np.random.default_rng(1)).astype(np.float32)

    with pytest.raises(VectorError, match="80 rows of 9 dimensions"):
        measure(windows, Vectors(vectors=vectors), dimensions=9, seed=1)
    for rows in (79, 81):
        source = Torn(vectors=vectors, block=10, yielded=np.resize(vectors, (rows, 8)))
        with pytest.raises(VectorError, match=f"{rows} rows"):
            measure(windows, source, dimensions=8, seed=1)


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (Numeric(values=np.zeros(3)), "has shape"),
        (Numeric(values=np.full(80, np.nan)), "is not finite in row 0"),
        (Categorical(codes=np.full(80, 2), names=["a", "b"]), "beyond its 2 names"),
    ],
)
def test_attributes_that_fit_no_rows_are_refused(attribute: Numeric | Categorical, message: str) -> None:
    """A number or a code for each row, and none that means nothing."""
    windows, documents = windows_of(40, 40, some=attribute)

    with pytest.raises(ValueError, match=message):
        measured(windows, normal(documents, np.random.default_rng(1)))


def test_an_attribute_cannot_have_the_name_of_a_figure() -> None:
    """There would be two of that name."""
    windows, documents = windows_of(40, 40, novelty=Numeric(values=np.zeros(80)))

    with pytest.raises(ValueError, match="cannot be named novelty"):
        measured(windows, normal(documents, np.random.default_rng(1)))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 1000))
def test_no_two_centroids_are_alike(points: int, clusters: int, seed: int) -> None:
    """As many as asked for, or as there are distinct points; each point is given to its nearest."""
    random = np.random.default_rng(seed)
    some = random.integers(-1, 2, (points, 2)).astype(np.float64)
    centroids = k_means(some, clusters, random)
    labels, distances = nearest_centroids(some, centroids, 1.0)

    assert len(centroids) <= min(clusters, len(np.unique(some, axis=0)))
    assert len(np.unique(centroids, axis=0)) == len(centroids)
    exact = np.square(some[:, None] - centroids).sum(axis=2)
    assert distances == pytest.approx(exact.min(axis=1), abs=1e-8)
    assert exact[np.arange(points), labels] == pytest.approx(exact.min(axis=1), abs=1e-8)


def test_divergences_have_their_bounds() -> None:
    """0 for equal shares, ln 2 for disjoint ones; the stability index is finite even so."""
    one, other = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.0, 1.0])

    assert jensen_shannon(one, one) == 0
    assert jensen_shannon(one, other) == pytest.approx(np.log(2))
    assert stability_index(one, one) == 0
    assert stability_index(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == pytest.approx(0.25 * np.log(3))
    assert 0 < stability_index(one, other) < 20


def test_a_shape_is_that_of_its_directions() -> None:
    """Variance in n directions alike is of rank n; a vector and its opposite have a cosine of -1."""
    crossed = np.vstack([np.eye(4), -np.eye(4)]).astype(np.float32)
    shape = shape_of(crossed)
    opposite = shape_of(np.array([[1, 2], [-1, -2]], np.float32))

    assert (shape.effective_rank, shape.participation_ratio) == pytest.approx((4, 4))
    assert shape.mean_cosine == pytest.approx(-1 / 7)
    assert (opposite.mean_cosine, opposite.effective_rank) == pytest.approx((-1, 1))
