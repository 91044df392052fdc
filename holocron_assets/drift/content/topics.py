"""Which clusters grew and which shrank, and which texts show what they are about."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.streaming import Streamed
from holocron_assets.drift.content.windows import Windows

_MOST_CLUSTERS, _EXEMPLARS = 5, 3
_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster's shares of the rows of each window, and the rows nearest to its centroid, of different documents.

    Those are of the window in which the cluster is larger, as far as that has any.
    """

    number: int
    reference_share: float
    current_share: float
    exemplars: Sequence[int]


def changed_clusters(
    windows: Windows, streamed: Streamed, reference: NDArray[np.float64], current: NDArray[np.float64]
) -> tuple[Sequence[Cluster], Sequence[Cluster]]:
    """The clusters that grew most and those that shrank most, largest change first; shares of shape (clusters,)."""
    change = current - reference
    order = np.argsort(-np.round(np.abs(change), _DIGITS), kind="stable")

    def some(numbers: NDArray[np.intp]) -> list[Cluster]:
        return [
            Cluster(
                number=int(one),
                reference_share=float(reference[one]),
                current_share=float(current[one]),
                exemplars=_exemplars(windows, streamed, int(one), is_current=bool(change[one] > 0)),
            )
            for one in numbers[:_MOST_CLUSTERS]
        ]

    return some(order[change[order] > 0]), some(order[change[order] < 0])


def _exemplars(windows: Windows, streamed: Streamed, cluster: int, *, is_current: bool) -> list[int]:
    rows = np.flatnonzero(streamed.clusters == cluster)
    documents = windows.document_of_row[rows]
    is_other = windows.is_current[documents] != is_current
    distances = streamed.distances[rows]
    # Rounding is in no position to say which of two equal texts is nearer.
    rounded = np.round(distances / (distances.max(initial=0.0) or 1.0), _DIGITS)
    found: dict[int, int] = {}
    for at in np.lexsort((rows, rounded, is_other)):
        found.setdefault(int(documents[at]), int(rows[at]))
        if len(found) == _EXEMPLARS:
            break
    return list(found.values())
