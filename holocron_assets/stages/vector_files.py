"""Vectors put aside in files, in the order of the chunks that they are of."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from holocron_assets.errors import ConfigurationError, VectorError
from holocron_assets.records import EmbeddingSpace
from holocron_assets.runs import is_dead, this_process
from holocron_assets.stages.chunk_keys import ChunkRows
from holocron_assets.vectors import NORM_TOLERANCE, faults, rows_of

#: They wait in memory.
_PLACED_AT_ONCE = 65_536
_PREFIX = "vectors-"
_KEYS = pa.schema(dict.fromkeys(("chunk_id", "content_sha256"), pa.large_string()))


@contextmanager
def working_folder(folder: Path) -> Iterator[Path]:
    """A new folder in `folder`, which goes when this ends; those of processes that were killed go now."""
    _require_writable(folder)
    for left in folder.glob(f"{_PREFIX}*.*.*.*"):
        host, pid, created, _ = left.name.removeprefix(_PREFIX).rsplit(".", 3)
        if is_dead(f"{host}/{pid}/{created}"):
            shutil.rmtree(left, ignore_errors=True)  # another process may be at it too
    owner = this_process().replace("/", ".")
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{owner}.", dir=folder) as temporary:
        yield Path(temporary)


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to {folder} ({error.strerror}), where vectors are put aside while a report is made. Name "
            "another folder as drift.folder in holocron.yaml."
        ) from error


def write_vectors(
    space: EmbeddingSpace, batches: Iterator[pa.RecordBatch], keys: Sequence[pa.Table], files: Sequence[Path]
) -> list[NDArray[np.bool_]]:
    """Write to each file the vectors of its keys, in their order, out of batches in any order.

    Batches have chunk_id, content_sha256 and vector. Returns for each file which keys had a vector, shape (keys,): it
    holds those of no others. Raises `VectorError` as `filled` says.
    """
    targets = [_Target(one, file, space.dimensions) for one, file in zip(keys, files, strict=True)]
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= _PLACED_AT_ONCE:
            _place(targets, pa.Table.from_batches(waiting), space)
            waiting.clear()
    if waiting:
        _place(targets, pa.Table.from_batches(waiting), space)
    for one in targets:
        one.close_up()
    return [one.has_vector for one in targets]


class _Target:
    """A file that vectors are written to, of shape (keys, dimensions), and which of them were."""

    def __init__(self, keys: pa.Table, file: Path, dimensions: int) -> None:
        shape = (keys.num_rows, dimensions)
        _reserve(file, 4 * keys.num_rows * dimensions)
        self.rows = ChunkRows(keys)
        self.vectors = np.memmap(file, np.float32, "r+", shape=shape) if shape[0] else np.empty(shape, np.float32)
        self.has_vector = np.zeros(keys.num_rows, np.bool_)

    def close_up(self) -> None:
        """Let each vector follow the one before, where keys between them have none."""
        if self.has_vector.all():
            return
        kept = np.flatnonzero(self.has_vector)
        for first in range(0, kept.size, _PLACED_AT_ONCE):
            some = kept[first : first + _PLACED_AT_ONCE]
            self.vectors[first : first + some.size] = self.vectors[some]


def _reserve(file: Path, size: int) -> None:
    """Make a file of so many bytes: a map of one for which the disk has no room ends the process where it is full."""
    file.touch()
    if not size:
        return
    with file.open("r+b") as reserved:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(reserved.fileno(), 0, size)
            else:
                reserved.truncate(size)
        except OSError as error:
            raise ConfigurationError(
                f"{file.parent.parent} has no room for {size:,} bytes of vectors ({error.strerror}). Free some space, "
                "or name another folder as drift.folder in holocron.yaml."
            ) from error


def _place(targets: Sequence[_Target], found: pa.Table, space: EmbeddingSpace) -> None:
    """Write vectors to where their chunks are, in those files that want them with this content."""
    keys = found.select(_KEYS.names).cast(_KEYS)
    for target in targets:
        places = target.rows.of(keys)
        rows = np.flatnonzero(places >= 0)
        if rows.size:
            target.vectors[places[rows]] = _usable(found.take(pa.array(rows)).combine_chunks(), space)
            target.has_vector[places[rows]] = True


def _usable(found: pa.Table, space: EmbeddingSpace) -> NDArray[np.float32]:
    vectors, ids = found.column("vector").combine_chunks(), found.column("chunk_id")
    lengths = pc.fill_null(pc.list_value_length(vectors), 0)
    wrong = np.flatnonzero(np.asarray(lengths) != space.dimensions)
    if wrong.size:
        raise VectorError(
            f"space {space.slug}: the vector of chunk {ids[int(wrong[0])].as_py()} has "
            f"{lengths[int(wrong[0])].as_py()} dimensions instead of {space.dimensions}. `holocron verify --repair` "
            "takes it out."
        )
    usable = rows_of(vectors, space.dimensions)
    # What is of unit length may be in any space; only others are worth a closer look.
    others = np.flatnonzero(~(np.abs(np.einsum("ij,ij->i", usable, usable) - 1) < NORM_TOLERANCE))
    for fault, rows in faults(usable[others], normalized=space.normalize).items():
        if rows.size:
            raise VectorError(
                f"space {space.slug}: the vector of chunk {ids[int(others[rows[0]])].as_py()} {fault}. "
                "`holocron verify --repair` takes it out."
            )
    return usable
