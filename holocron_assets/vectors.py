"""What a vector must be before it is stored, and which of many are nearest to one. Pure."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from holocron_assets.errors import SpaceMismatchError, VectorError
from holocron_assets.records import EmbeddingSpace

#: How far the length of a normalised vector may be from 1: float32 rounding over a few thousand
#: dimensions stays below 1e-4, a vector that was never normalised does not.
NORM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """What a provider returns for n texts: float32 vectors of shape (n, dimensions), in the texts' order."""

    values: NDArray[np.float32]
    #: tokens (or the provider's own unit) of each text that did not fit and were not embedded, shape (n,)
    truncated_tokens: NDArray[np.int32]


def vector_sha256(vector: NDArray[np.float32]) -> str:
    """SHA-256 of the vector's little-endian float32 bytes: a frozen rule, as those of `holocron_assets.identity`."""
    return hashlib.sha256(np.ascontiguousarray(vector, dtype="<f4").tobytes()).hexdigest()


def require_valid(vectors: NDArray[np.float32], space: EmbeddingSpace, count: int) -> None:
    """Raise unless `vectors` are `count` storable vectors of `space`.

    `SpaceMismatchError` for another shape, which no single text can be to blame for; `VectorError`,
    naming the first offender, for values that must not be stored.
    """
    if vectors.shape != (count, space.dimensions):
        raise SpaceMismatchError(
            f"space {space.slug}: provider {space.provider!r} returned an array of shape {vectors.shape} for {count} "
            f"texts; the space has {space.dimensions} dimensions. Nothing of this batch was stored."
        )
    for fault, rows in faults(vectors, normalized=space.normalize).items():
        if rows.size:
            raise VectorError(f"space {space.slug}: the vector of text {int(rows[0])} of the batch {fault}")


def faults(vectors: NDArray[np.float32], *, normalized: bool) -> dict[str, NDArray[np.intp]]:
    """For each way in which a vector may be unusable, the rows of `vectors` (n, dimensions) that are."""
    finite = np.asarray(np.isfinite(vectors).all(axis=1))
    norms = np.linalg.norm(np.where(finite.reshape(-1, 1), vectors, 0.0).astype(np.float64), axis=1)
    wrong_length = np.abs(norms - 1.0) > NORM_TOLERANCE if normalized else norms == 0.0
    return {
        "is not finite": np.flatnonzero(~finite),
        "is not of unit length" if normalized else "is all zeros": np.flatnonzero(finite & wrong_length),
    }


def relative_distances(vectors: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Row by row, the Euclidean distance of `others` from `vectors` in lengths of the latter; both of shape (n, d).

    For two of unit length it is the square root of 2 - 2 cos. NaN where a number is none.
    """
    known = vectors.astype(np.float64)
    lengths = np.linalg.norm(known, axis=1)
    distances = np.linalg.norm(others.astype(np.float64) - known, axis=1)
    return np.asarray(distances / np.where(lengths > 0, lengths, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class NearChunk:
    """A chunk and the cosine of the angle between its vector and the query's: 1 is the same direction."""

    chunk_id: str
    cosine_similarity: float


def rows_of(lists: pa.ListArray, dimensions: int) -> NDArray[np.float32]:
    """A column of vectors of one length, none of them null, as an array of shape (n, dimensions)."""
    numbers = lists.flatten()
    if numbers.null_count:
        numbers = numbers.fill_null(float("nan"))
    # By DLPack, because `to_numpy` loads pandas.
    return np.asarray(np.from_dlpack(numbers), np.float32).reshape(-1, dimensions)


def nearest(batches: Iterable[pa.RecordBatch], query: NDArray[np.float32], limit: int) -> list[NearChunk]:
    """The chunks nearest to `query`, of shape (dimensions,), nearest first, ties by chunk id. Exact.

    `batches` have the columns chunk_id and vector; one is in memory at a time. Similarities are computed in float64 and
    rounded to 9 decimals, so that equal vectors tie wherever they stand. A vector without direction, or of another
    length, is left out.
    """
    best: list[tuple[float, str]] = []
    direction = query.astype(np.float64) / np.linalg.norm(query.astype(np.float64))
    for whole in batches:
        fits = np.diff(np.from_dlpack(whole.column("vector").offsets)) == query.size
        batch = whole if fits.all() else whole.filter(pa.array(fits))
        vectors = rows_of(batch.column("vector"), query.size).astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=1)
        usable = np.flatnonzero(np.isfinite(lengths) & (lengths > 0))
        similarities = np.round((vectors[usable] @ direction) / lengths[usable], 9)
        # Only what reaches the worst of the best so far can be among them.
        least = -best[-1][0] if len(best) == limit else -np.inf
        if similarities.size > limit:
            least = max(least, float(np.partition(similarities, -limit)[-limit]))
        chunk_ids = batch.column("chunk_id")
        best.extend(
            (-float(similarities[at]), chunk_ids[int(usable[at])].as_py())
            for at in np.flatnonzero(similarities >= least)
        )
        best = sorted(best)[:limit]
    return [NearChunk(chunk_id=chunk_id, cosine_similarity=-negative) for negative, chunk_id in best]
