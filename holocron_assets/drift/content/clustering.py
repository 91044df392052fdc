"""k-means: Lloyd's rounds from the start of Arthur and Vassilvitskii, "k-means++", SODA 2007. In float64."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_MOST_ROUNDS = 30
#: Squared distances that differ by less, in units of the points' mean squared length, are equal: rounding decides
#: nothing, and points that are as good as equal get no centroids of their own.
_TIE = 1e-9


def k_means(points: Matrix, clusters: int, random: np.random.Generator) -> Matrix:
    """Centroids of points of shape (n, dimensions): `clusters` of them, or as many as there are distinct points."""
    scale = float(np.square(points).sum(axis=1).mean())
    centroids = _spread(points, clusters, scale, random)
    labels = np.zeros(0, np.intp)
    for _ in range(_MOST_ROUNDS):
        found, _ = nearest_centroids(points, centroids, scale)
        if np.array_equal(found, labels):
            break
        labels = found
        members = (labels == np.arange(len(centroids))[:, None]).astype(np.float64)
        sizes = members.sum(axis=1, keepdims=True)
        centroids = np.where(sizes > 0, members @ points / np.maximum(sizes, 1), centroids)
    return centroids


def nearest_centroids(
    points: Matrix, centroids: Matrix, scale: float, *, products: Matrix | None = None
) -> tuple[NDArray[np.intp], Matrix]:
    """The number of each point's nearest centroid, the lowest among equally near ones, and the squared distance.

    `scale` is the mean squared length of the points that the centroids are of; `products`, where the caller has them
    already, are those of points and centroids.
    """
    products = points @ centroids.T if products is None else products
    # The square of the point is left out: it is the same for every centroid.
    nearness = np.square(centroids).sum(axis=1) - 2 * products
    least = nearness.min(axis=1, keepdims=True)
    labels = (nearness <= least + _TIE * scale).argmax(axis=1)
    distances = np.maximum(least[:, 0] + np.square(points).sum(axis=1), 0)
    return labels, np.where(distances <= _TIE * scale, 0.0, distances)


def _spread(points: Matrix, clusters: int, scale: float, random: np.random.Generator) -> Matrix:
    """Points far from each other: each is drawn in proportion to its squared distance from those before."""
    chosen = [points[random.integers(len(points))]]
    _, distances = nearest_centroids(points, chosen[0][None], scale)
    while len(chosen) < clusters and distances.any():
        reached = np.cumsum(distances)
        # The last point may have no share of it.
        at = min(int(np.searchsorted(reached, random.random() * reached[-1], side="right")), len(points) - 1)
        chosen.append(points[at])
        distances = np.minimum(distances, nearest_centroids(points, chosen[-1][None], scale)[1])
    return np.array(chosen)
