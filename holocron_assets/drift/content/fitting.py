"""What vectors are compared by: directions, frequencies and centroids, fitted on a sample of both windows together.

Centroids of the reference alone would make the test of occupancy invalid and blind to new topics, since what was fitted
on is nearer than what was not. So nothing here knows which window a row is in.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from holocron_assets.drift.content.clustering import k_means, nearest_centroids

Matrix = NDArray[np.float64]

#: Rows whose distances give the bandwidth.
_BANDWIDTH_ROWS = 1000
#: A centroid of its own for so many documents; with fewer, shares of clusters are mostly chance.
_DOCUMENTS_A_CLUSTER = 8
#: Which part of rows is far, into how many clusters these go at most, and rows that are looked at at once.
_FAR, _MOST_FAR_CLUSTERS, _BLOCK_ROWS = 0.02, 8, 4096
_DIGITS = 9
#: Squared distances below this share of the mean squared length are those of equal vectors: float32 tells no more.
_EQUAL = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """All in coordinates about `centre`, the mean of the sample, of shape (dimensions,).

    `bandwidth` is the median distance of two vectors. `frequencies`, of shape (dimensions, features), are those of
    random features cos(wx), sin(wx), whose inner product is about exp(-|x - y|^2 / bandwidth^2): Rahimi and Recht,
    "Random Features for Large-Scale Kernel Machines", NIPS 2007. `centroids` are of shape (clusters, dimensions), and
    `scale` is the mean squared length of what they were fitted on. The first `usual` of them are of the whole sample,
    the others of what is far from all of those. `directions`, of shape (dimensions, 2), are the two
    in which the sample varies most, and `explained` are their shares of all variance.
    """

    centre: NDArray[np.float64]
    bandwidth: float
    frequencies: Matrix
    centroids: Matrix
    usual: int
    scale: float
    directions: Matrix
    explained: tuple[float, float]


def fit(
    vectors: NDArray[np.float32], documents: int, *, clusters: int, features: int, random: np.random.Generator
) -> Fit:
    """Fit on a sample of shape (rows, dimensions) that has rows of so many documents."""
    wide = vectors.astype(np.float64)
    centre = wide.mean(axis=0)
    points = wide - centre
    scale = float(np.square(points).sum(axis=1).mean())
    length = float(np.square(wide).sum(axis=1).mean())
    if scale <= _EQUAL * length:
        # Nothing but rounding is left of vectors that are all equal.
        points, scale = np.zeros_like(points), 0.0
    bandwidth = _bandwidth(points, _EQUAL * length, random)
    directions, explained = _principal(points)
    frequencies = random.standard_normal((centre.size, features)) * (np.sqrt(2) / bandwidth)
    centroids = k_means(points, min(clusters, max(documents // _DOCUMENTS_A_CLUSTER, 2)), random)
    return Fit(
        centre=centre,
        bandwidth=bandwidth,
        frequencies=frequencies,
        centroids=centroids,
        usual=len(centroids),
        scale=scale,
        directions=directions,
        explained=explained,
    )


def with_far_centroids(
    fitted: Fit, vectors: NDArray[np.float32], documents: NDArray[np.integer], random: np.random.Generator
) -> Fit:
    """The same with a few centroids more, of those rows that are farthest from all centroids.

    Vectors are of shape (rows, dimensions), `documents` of shape (rows,). What a small window has on a new topic is too
    little of all texts to get a centroid of the sample, but it is much of what is far from them; which window a row is
    in is not looked at.
    """
    blocks = np.array_split(vectors, max(len(vectors) // _BLOCK_ROWS, 1))
    distances = np.concatenate(
        [nearest_centroids(block - fitted.centre, fitted.centroids, fitted.scale)[1] for block in blocks]
    )
    # Rounding is in no position to say which of two equal texts is farther.
    rounded = np.round(distances / (fitted.scale or 1.0), _DIGITS)
    far = np.argsort(-rounded, kind="stable")[: int(len(vectors) * _FAR)]
    far = far[rounded[far] > 0]
    clusters = min(np.unique(documents[far]).size // _DOCUMENTS_A_CLUSTER, _MOST_FAR_CLUSTERS)
    if not clusters:
        return fitted
    centroids = k_means(vectors[far].astype(np.float64) - fitted.centre, clusters, random)
    return replace(fitted, centroids=np.concatenate([fitted.centroids, centroids]))


def _bandwidth(points: Matrix, least: float, random: np.random.Generator) -> float:
    """The median distance of two rows; of two rows that differ, where most are equal; 1 where all are."""
    some = points[random.permutation(len(points))[:_BANDWIDTH_ROWS]]
    squares = np.square(some).sum(axis=1)
    distances = (squares[:, None] + squares - 2 * some @ some.T)[np.triu_indices(len(some), 1)]
    median = float(np.median(distances))
    if median <= least:
        differing = distances[distances > least]
        median = float(np.median(differing)) if differing.size else 1.0
    return float(np.sqrt(median))


def _principal(points: Matrix) -> tuple[Matrix, tuple[float, float]]:
    """Two directions, the largest number of each positive, and their shares; of one dimension the second is 0."""
    dimensions = points.shape[1]
    covariance = points.T @ points
    least = max(dimensions - 2, 0)
    values, vectors = scipy.linalg.eigh(covariance, subset_by_index=[least, dimensions - 1])
    directions = np.zeros((dimensions, 2))
    shares = np.zeros(2)
    for axis, (value, vector) in enumerate(zip(values[::-1], vectors.T[::-1], strict=True)):
        directions[:, axis] = vector * np.sign(vector[np.argmax(np.abs(vector))])
        shares[axis] = max(value, 0.0) / max(np.trace(covariance), np.finfo(np.float64).tiny)
    return directions, (float(shares[0]), float(shares[1]))
