"""How much of what is nearest graphs lead to, compared with comparing everything. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from holocron_assets.retrieval.index import FUSED
from holocron_assets.retrieval.nearest import Near, Part, nearest_rows

TOP_K = 10
#: How many hits a search by vectors usually wants, and how many a hybrid one fuses.
_DEPTHS = (TOP_K, FUSED)
_QUERIES = 100


def graph_recall(parts: Sequence[Part]) -> float:
    """Of the rows nearest to some queries, the share that is found with the graphs of the parts.

    The queries lie between two rows each, for rows spread evenly over the parts. Measured at each depth that searches
    ask for; the least counts. 1 where no row has a direction.
    """
    queries = _between(_sampled(parts))
    exact = nearest_rows([replace(one, graph=None) for one in parts], queries, max(_DEPTHS))
    return min(_share(exact, nearest_rows(parts, queries, depth), depth) for depth in _DEPTHS)


def _share(exact: Sequence[Near], found: Sequence[Near], depth: int) -> float:
    shares = []
    for all_near, some in zip(exact, found, strict=True):
        wanted = min(depth, all_near.similarities.size)
        if wanted:
            least = np.partition(all_near.similarities, -wanted)[-wanted]
            shares.append(min(1.0, np.count_nonzero(some.similarities >= least) / wanted))
    return float(np.mean(shares)) if shares else 1.0


def _sampled(parts: Sequence[Part]) -> NDArray[np.float32]:
    """Vectors of rows that count, of shape (n, dimensions), in the order of their rows."""
    counted = [np.flatnonzero(one.counted & (one.norms > 0)) for one in parts]
    ends = np.cumsum([rows.size for rows in counted])
    total = int(ends[-1]) if parts else 0
    chosen = np.unique(np.linspace(0, total - 1, min(_QUERIES, total)).astype(np.int64))
    owners = np.searchsorted(ends, chosen, side="right")
    vectors = [
        np.asarray(one.vectors[rows[chosen[owners == number] - (end - rows.size)]])
        for number, (one, rows, end) in enumerate(zip(parts, counted, ends, strict=True))
    ]
    return np.concatenate(vectors) if vectors else np.zeros((0, 0), np.float32)


def _between(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each beside the one before it: neither is itself a row, which a graph finds too easily."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = vectors / lengths
    return np.asarray(directions + np.roll(directions, 1, axis=0), np.float32)
