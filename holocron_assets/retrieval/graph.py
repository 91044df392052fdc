"""A graph over the vectors of a segment that leads to the nearest rows without comparing all: HNSW, by usearch.

What it finds is nearly always what is nearest, and never more than candidates: they are compared exactly. It needs the
extra `approximate`; where usearch is missing there are no graphs.
"""

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holocron_assets.errors import IndexDamagedError, SearchIndexError
from holocron_assets.retrieval.manifest import UNREADABLE

GRAPH = "near.usearch"
#: Fewer rows are compared as fast as they are looked up.
LEAST_ROWS = 4096
_HALF_FINISHED = "near.new"
#: How much of what is nearest the graph leads to.
_RECALL = "recall.npy"
#: Neighbours of a row, and how many rows are kept in sight while the graph is built and searched.
_NEIGHBOURS, _SEEN_BUILDING, _SEEN_SEARCHING = 16, 128, 512
#: Candidates for each row that is wanted.
_CANDIDATES = 4
#: What a graph's own similarities may be wrong by: its vectors have half precision, of which a number has 11 bits.
_ROUGHNESS = 2.0**-10
#: Below this share of what is nearest a graph is not used, and an index is not fit to be searched.
LEAST_RECALL = 0.98
#: Where fewer of the rows count, or more of them are wanted, comparing all is no slower, and exact.
_LEAST_SHARE, _LARGEST_SHARE = 0.5, 0.1


class Graph:
    """An open graph. May be used by several threads at once."""

    def __init__(self, index: Any) -> None:
        self._index = index
        # Its search keeps state by the number of its own thread, not by the caller's.
        self._lock = threading.Lock()

    def candidates(
        self, queries: NDArray[np.float32], counted: NDArray[np.bool_], limit: int
    ) -> list[NDArray[np.int64] | None] | None:
        """For each query, of shape (q, dimensions), at least `limit` rows that count, among them the nearest.

        None where comparing all rows serves better. For a single query it does where there are fewer, or where the last
        candidate may be as near as the last row that is wanted: rows that are as near may have been left out then.
        """
        count = int(np.count_nonzero(counted))
        wanted = int(np.ceil(_CANDIDATES * limit * counted.size / max(count, 1)))
        if count < _LEAST_SHARE * counted.size or wanted > _LARGEST_SHARE * counted.size:
            return None
        with self._lock:
            found = self._index.search(queries, wanted)
        keys = np.asarray(found.keys).reshape(len(queries), -1)
        counts = np.broadcast_to(np.asarray(getattr(found, "counts", keys.shape[1])), len(queries))
        distances = np.asarray(found.distances).reshape(len(queries), -1)
        rows: list[NDArray[np.int64] | None] = []
        for query, many in enumerate(counts):
            near, far = keys[query, :many].astype(np.int64), distances[query, :many]
            counts_here = counted[near]
            reached = far[counts_here][limit - 1 : limit]
            is_clear = reached.size > 0 and far[-1] - reached[0] >= _ROUGHNESS
            rows.append(near[counts_here] if is_clear else None)
        return rows


def is_available() -> bool:
    """Whether usearch is installed, and can be loaded."""
    try:
        import usearch.index  # noqa: F401, PLC0415 - an extra that most do without
    except ImportError:
        return False
    return True


def write_graph(folder: Path, vectors: NDArray[np.float32], norms: NDArray[np.float64]) -> None:
    """Write the graph of a segment's vectors beside them, whole or not at all; rows without direction are left out."""
    from usearch.index import Index  # noqa: PLC0415 - as above

    graph = Index(
        ndim=vectors.shape[1],
        metric="cos",
        dtype="f16",
        connectivity=_NEIGHBOURS,
        expansion_add=_SEEN_BUILDING,
        expansion_search=_SEEN_SEARCHING,
    )
    rows = np.flatnonzero(norms > 0)
    graph.add(rows.astype(np.uint64), np.ascontiguousarray(vectors[rows]))
    try:
        graph.save(str(folder / _HALF_FINISHED))
    except RuntimeError as error:
        raise SearchIndexError(f"{folder / _HALF_FINISHED} cannot be written: {error}") from error
    (folder / _HALF_FINISHED).replace(folder / GRAPH)


def write_recall(folder: Path, share: float) -> None:
    """Say beside a graph how much of what is nearest it leads to."""
    np.save(folder / _RECALL, np.float64(share))


def read_recall(folder: Path) -> float | None:
    """What was said of a segment's graph; None where it has none; raises `IndexDamagedError`."""
    if not (folder / _RECALL).exists():
        return None
    try:
        return float(np.load(folder / _RECALL))
    except UNREADABLE as error:
        raise IndexDamagedError(f"{folder / _RECALL} cannot be read: {error}") from error


def open_graph(folder: Path, dimensions: int) -> Graph | None:
    """The graph of a segment, if it has one and it can be used here; raises `IndexDamagedError`."""
    if not (folder / GRAPH).exists() or not is_available():
        return None
    from usearch.index import Index  # noqa: PLC0415 - as above

    try:
        graph = Index.restore(str(folder / GRAPH), view=True, expansion_search=_SEEN_SEARCHING)
    except (RuntimeError, ValueError, OSError) as error:
        raise IndexDamagedError(f"{folder / GRAPH} cannot be read: {error}") from error
    if graph is None or graph.ndim != dimensions:
        raise IndexDamagedError(f"{folder / GRAPH} is no graph of vectors of {dimensions} dimensions")
    return Graph(graph)
