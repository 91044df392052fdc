"""The rows nearest to some vectors: what a comparison of everything in float64 finds, however the rows are cut up."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from holocron_assets.retrieval import nearest
from holocron_assets.retrieval.nearest import Near, Part, nearest_rows

#: Few different numbers, so that many rows tie, and rows of zeros come up.
numbers = st.sampled_from([0.0, 0.0, 1.0, -1.0, 0.5, 3.0, 1e-3, 1e3])


def part(vectors: NDArray[np.float32], counted: NDArray[np.bool_] | None = None) -> Part:
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return Part(vectors=vectors, norms=norms, counted=np.ones(norms.size, bool) if counted is None else counted)


def brute(parts: Sequence[Part], query: NDArray[np.float32], limit: int) -> dict[int, float]:
    """By float64, every row: the best, and all that tie with the last of them."""
    wide = query.astype(np.float64)
    length = np.linalg.norm(wide)
    found: dict[int, float] = {}
    first = 0
    for one in parts:
        for number, vector in enumerate(one.vectors.astype(np.float64)):
            if one.counted[number] and vector.any() and length:
                found[first + number] = round(float(vector @ wide / (np.linalg.norm(vector) * length)), 9)
        first += len(one.vectors)
    least = sorted(found.values())[-limit] if len(found) > limit else -2.0
    return {row: similarity for row, similarity in found.items() if similarity >= least}


def require_same(near: Near, exact: dict[int, float], limit: int) -> None:
    found = dict(zip(near.rows.tolist(), near.similarities.tolist(), strict=True))
    assert len(found) >= min(limit, len(exact))
    # A tie may be told apart by the last decimal.
    assert sorted(found.values())[-limit:] == pytest.approx(sorted(exact.values())[-limit:], abs=2e-9)
    assert all(found[row] == pytest.approx(exact[row], abs=2e-9) for row in found.keys() & exact.keys())
    cut = min(exact.values(), default=0.0)
    assert all(similarity <= cut + 2e-9 for row, similarity in exact.items() if row not in found)
    assert all(similarity <= cut + 2e-9 for row, similarity in found.items() if row not in exact)


@st.composite
def searches(draw: st.DrawFn) -> tuple[list[Part], NDArray[np.float32], int]:
    dimensions = draw(st.integers(1, 5))
    rows = st.lists(st.lists(numbers, min_size=dimensions, max_size=dimensions), max_size=40)
    parts = []
    for vectors in draw(st.lists(rows, max_size=3)):
        mask = draw(st.lists(st.booleans(), min_size=len(vectors), max_size=len(vectors)))
        parts.append(part(np.array(vectors, np.float32).reshape(-1, dimensions), np.array(mask, bool)))
    queries = draw(st.lists(st.lists(numbers, min_size=dimensions, max_size=dimensions), min_size=1, max_size=4))
    return parts, np.array(queries, np.float32), draw(st.integers(1, 50))


@settings(max_examples=300, deadline=None)
@given(searches())
def test_it_finds_what_comparing_everything_finds(search: tuple[list[Part], NDArray[np.float32], int]) -> None:
    """Ties, masks, rows and queries without direction, vectors of any length: as in float64, and one query as many."""
    parts, queries, limit = search

    together = nearest_rows(parts, queries, limit)

    for query, near in zip(queries, together, strict=True):
        require_same(near, brute(parts, query, limit), limit)
        (alone,) = nearest_rows(parts, query[None], limit)
        assert dict(zip(alone.rows, alone.similarities, strict=True)) == dict(
            zip(near.rows, near.similarities, strict=True)
        )


@pytest.mark.parametrize(
    ("rows", "limit", "share"), [(3, 10, 1.0), (20_000, 10, 1.0), (150_000, 300, 0.5), (150_000, 10, 0.01)]
)
@pytest.mark.parametrize("unit", [True, False])
def test_many_rows_in_several_blocks(*, rows: int, limit: int, share: float, unit: bool) -> None:
    """Beyond one block, with all rows, half of them or few, of unit length or not."""
    rng = np.random.default_rng(rows + limit)
    vectors = rng.standard_normal((rows, 24)).astype(np.float32)
    vectors[rng.integers(0, rows, rows // 50)] = vectors[0]
    if unit:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    counted = rng.random(rows) < share
    half = rows // 2
    parts = [part(vectors[:half], counted[:half]), part(vectors[half:], counted[half:])]
    queries = np.stack([vectors[0], rng.standard_normal(24).astype(np.float32), np.zeros(24, np.float32)])

    for query, near in zip(queries, nearest_rows(parts, queries, limit), strict=True):
        similarities = vectors.astype(np.float64) @ query.astype(np.float64)
        similarities /= np.linalg.norm(vectors.astype(np.float64), axis=1) * (np.linalg.norm(query) or 1.0)
        similarities[~counted] = -np.inf
        expected = np.sort(similarities)[::-1][: min(limit, int(counted.sum()))] if query.any() else np.zeros(0)
        assert np.sort(near.similarities)[::-1][:limit] == pytest.approx(expected, abs=1e-7)
        assert near.similarities == pytest.approx(similarities[near.rows], abs=1e-7)


def test_equal_vectors_are_equally_near_wherever_they_stand() -> None:
    """In whichever block or part, beside whatever rows, and asked with however many queries."""
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((2 * nearest._BLOCK_ROWS, 64)).astype(np.float32)
    places = [0, 1, 7, 4_001, nearest._BLOCK_ROWS, nearest._BLOCK_ROWS + 5_005, len(vectors) - 1]
    vectors[places] = rng.standard_normal(64).astype(np.float32)
    query = vectors[0] + rng.standard_normal(64).astype(np.float32)
    parts = [part(vectors[:5_000]), part(vectors[5_000:])]

    alone = nearest_rows(parts, query[None], 3)[0]
    among_others = nearest_rows(parts, np.vstack([query, rng.standard_normal((9, 64)).astype(np.float32)]), 3)[0]

    assert sorted(alone.rows) == sorted(among_others.rows) == places
    assert len({*alone.similarities, *among_others.similarities}) == 1
