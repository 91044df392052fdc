"""One pass over all vectors, in blocks of a fixed size whatever the source yields."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.clustering import nearest_centroids
from holocron_assets.drift.content.fitting import Fit
from holocron_assets.drift.content.windows import VectorSource, require_vectors
from holocron_assets.errors import VectorError

Matrix = NDArray[np.float64]

#: Rows at once: a few megabytes, which stay in a processor's cache.
_BLOCK_ROWS = 2048
#: Lengths that differ from 1 by less are 1: float32 holds them no better.
_UNIT_LENGTH = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """What is known of each row after the pass, each of shape (rows,).

    `clusters` are the numbers of the nearest centroids, `distances` the squared distances to them, `norms` the lengths
    of the vectors and `similarities` their cosines to the fit's centre, 0 where one of the two has no direction.
    """

    clusters: NDArray[np.int32]
    distances: NDArray[np.float64]
    norms: NDArray[np.float64]
    similarities: NDArray[np.float64]


def stream(source: VectorSource, fit: Fit, group_of_row: NDArray[np.intp], sums: Matrix) -> Streamed:
    """Add each row's vector and random features to the row of its group in `sums`, of zeros.

    `sums` is of shape (groups, dimensions + 2 * features): vectors about the fit's centre, cosines, sines. Raises
    `VectorError` for a vector that is not finite or has other dimensions, and for too few or too many rows.
    """
    rows, dimensions = group_of_row.size, fit.centre.size
    features = fit.frequencies.shape[1]
    found = Streamed(
        clusters=np.empty(rows, np.int32),
        distances=np.empty(rows),
        norms=np.empty(rows),
        similarities=np.empty(rows),
    )
    # One product for all: half the frequencies, since what follows is by half-angles.
    projection = np.hstack([fit.frequencies / 2, fit.centroids.T, fit.centre[:, None]])
    length = float(np.linalg.norm(fit.centre))
    made = np.empty((_BLOCK_ROWS, dimensions + 2 * features))
    first = 0
    for block in _blocks(source, rows, dimensions):
        last = first + len(block)
        wide = block.astype(np.float64)
        norms = np.sqrt(np.square(wide).sum(axis=1))
        made_here = made[: len(block)]
        points = np.subtract(wide, fit.centre, out=made_here[:, :dimensions])
        products = points @ projection
        _random_features(products[:, :features], made_here[:, dimensions:])
        found.clusters[first:last], found.distances[first:last] = nearest_centroids(
            points, fit.centroids, fit.scale, products=products[:, features:-1]
        )
        found.norms[first:last] = np.where(np.abs(norms - 1) < _UNIT_LENGTH, 1.0, norms)
        lengths = norms * length
        found.similarities[first:last] = np.divide(
            products[:, -1] + length**2, lengths, out=np.zeros(len(block)), where=lengths > 0
        )
        # Faster than any call that adds up many rows at once, and always in the same order.
        for row, group in enumerate(group_of_row[first:last].tolist()):
            sums[group] += made_here[row]
        first = last
    return found


def _random_features(half_angles: Matrix, into: Matrix) -> None:
    """Cosines, then sines, of twice the angles: by the tangent, that takes a tenth of the time of either."""
    features = half_angles.shape[1]
    tangents = np.tan(half_angles)
    squares = np.square(tangents)
    ends = 1 + squares
    np.divide(1 - squares, ends, out=into[:, :features])
    np.divide(2 * tangents, ends, out=into[:, features:])


def _blocks(source: VectorSource, rows: int, dimensions: int) -> Iterator[NDArray[np.float32]]:
    """What the source yields, checked, in blocks of `_BLOCK_ROWS` rows and a last one."""
    waiting = np.empty((_BLOCK_ROWS, dimensions), np.float32)
    held = seen = 0
    for block in source.blocks():
        require_vectors(block, np.arange(seen, seen + len(block)), dimensions)
        seen += len(block)
        if seen > rows:
            break
        start = 0
        while start < len(block):
            taken = min(_BLOCK_ROWS - held, len(block) - start)
            waiting[held : held + taken] = block[start : start + taken]
            held, start = held + taken, start + taken
            if held == _BLOCK_ROWS:
                yield waiting
                held = 0
    if seen != rows:
        raise VectorError(f"vectors of {seen} rows came, and of {rows} were to. Run `holocron verify`.")
    if held:
        yield waiting[:held]
