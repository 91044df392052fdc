"""Content drift of a million vectors, against a floor: reading them, and one matrix product."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import cost_of, environment
from holocron_assets.drift.content.measuring import measure
from holocron_assets.drift.content.windows import Windows

_DIMENSIONS, _CHUNKS, _TOPICS = 256, 10, 100
_BLOCK = 4096
_CPU_LIMIT, _MB_LIMIT = 60, 3 * 1024
_NEW = 0.01
#: A thread of OpenBLAS that waits for another takes as much CPU as one that works.
_ONE = environment(OPENBLAS_NUM_THREADS="1")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mapped:
    vectors: NDArray[np.float32]

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        for first in range(0, len(self.vectors), _BLOCK):
            yield self.vectors[first : first + _BLOCK]

    def rows(self, wanted: NDArray[np.intp]) -> NDArray[np.float32]:
        return np.asarray(self.vectors[wanted])


def drift(folder: Path, documents: int, _kind: str) -> Iterator[str]:
    """Two windows of as many documents each, without drift and with 1 % of documents on a new topic."""
    for name, share, threads in (
        ("no drift", 0.0, _ONE),
        (f"{_NEW:.0%} of documents on a new topic", _NEW, _ONE),
        ("the same with as many threads as there are processors", _NEW, environment()),
    ):
        _write(folder, documents, share)
        floor = cost_of([sys.executable, "-m", "benchmarks.drift", "floor", str(folder)], folder, threads)
        cost = cost_of([sys.executable, "-m", "benchmarks.drift", "measure", str(folder)], folder, threads)
        yield f"{documents * _CHUNKS:,} x {_DIMENSIONS} of {documents:,} documents, {name}:"
        yield f"  reading and a product with {_DIMENSIONS} columns: {floor.cpu:.1f} s CPU, {floor.wall:.1f} s"
        yield (
            f"  all of content drift: {cost.cpu:.1f} s CPU of {_CPU_LIMIT}, {cost.wall:.1f} s: "
            f"{cost.cpu / floor.cpu:.1f} times the floor; peak {cost.peak_mb:,.0f} MB of {_MB_LIMIT:,} with the file"
        )
        yield f"  {(folder / 'command.log').read_text().strip()}"


def _write(folder: Path, documents: int, share: float) -> None:
    """Vectors of unit length in the order of their chunks' hashes, about topics that documents have."""
    random = np.random.default_rng(1)
    rows = documents * _CHUNKS
    of_row = random.permutation(np.arange(rows) % documents)
    np.save(folder / "documents.npy", of_row)
    topics = random.standard_normal((_TOPICS + 1, _DIMENSIONS))
    topic_of = random.integers(0, _TOPICS, documents)
    current = np.arange(documents // 2, documents)
    topic_of[current[: int(share * current.size)]] = _TOPICS
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (rows, _DIMENSIONS))
    for first in range(0, rows, _BLOCK):
        some = topics[topic_of[of_row[first : first + _BLOCK]]] / 2
        some += random.standard_normal(some.shape)
        vectors[first : first + _BLOCK] = some / np.linalg.norm(some, axis=1, keepdims=True)
    vectors.flush()


def _floor(folder: Path) -> None:
    columns = np.random.default_rng(1).standard_normal((_DIMENSIONS, _DIMENSIONS))
    for block in _opened(folder).blocks():
        block.astype(np.float64) @ columns


def _measure(folder: Path) -> str:
    of_row = np.load(folder / "documents.npy")
    documents = int(of_row.max()) + 1
    windows = Windows(document_of_row=of_row, is_current=np.arange(documents) >= documents // 2, attributes={})
    started = time.process_time()
    found = measure(windows, _opened(folder), dimensions=_DIMENSIONS, seed=1)
    spent = time.process_time() - started
    figures = ", ".join(
        f"{name} p {one.p:.3f} effect {one.effect:.2g} floor {one.floor:.2g}" for name, one in found.comparisons.items()
    )
    return (
        f"without start-up {spent:.1f} s CPU; {figures}; detectable: a shift of {found.detectable_shift:.4f}, a new "
        f"topic of {found.detectable_topic:.2%}, one in a cluster of others of {found.detectable_similar_topic:.2%}"
    )


def _opened(folder: Path) -> _Mapped:
    return _Mapped(vectors=np.load(folder / "vectors.npy", mmap_mode="r"))


if __name__ == "__main__":
    if sys.argv[1] == "floor":
        _floor(Path(sys.argv[2]))
    else:
        sys.stdout.write(_measure(Path(sys.argv[2])))
