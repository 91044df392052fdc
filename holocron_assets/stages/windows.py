"""Reading windows of a space out of the store: which chunks, of which documents, and their vectors in a file.

The vectors of all windows are read in one session and put aside, so that nobody waits for the store while they are
compared, and so that they can be looked at more than once without being in memory.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from holocron_assets.errors import ConfigurationError, VectorError
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.tables import drift_windows
from holocron_assets.tables.drift_windows import EARLIEST, LATEST, Snapshot
from holocron_assets.transactions import read
from holocron_assets.vectors import rows_of

_KEYS = ("chunk_id", "content_sha256", "source_id", "byte_count", "language", "origin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which chunks: what a snapshot holds, or what was current `as_of` of texts fetched from `since` to `until`.

    `without` leaves out what a snapshot holds.
    """

    label: str
    as_of: datetime
    snapshot: Snapshot | None = None
    since: datetime = EARLIEST
    until: datetime = LATEST
    without: Snapshot | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Members:
    """The chunks of a window by chunk id: a table of keys, and each one's vector of shape (chunks, dimensions)."""

    window: Window
    keys: pa.Table
    vectors: NDArray[np.float32]

    @property
    def documents(self) -> NDArray[np.int32]:
        """The number of each chunk's document within the window, from 0; shape (chunks,)."""
        return codes_of(self.keys.column("source_id"))[0]


@dataclass(slots=True)
class _Gathering:
    vectors_at: Path
    dimensions: int
    batches: list[pa.RecordBatch] = field(default_factory=list)
    rows: int = 0


def by_time(session: Session, space: EmbeddingSpace, days: int, as_of: datetime) -> tuple[Window, Window]:
    """What came in the last `days` until the newest fetch, beside everything before it."""
    newest = drift_windows.get_newest_fetch(session, space.embedding_space_id)
    split = as_of if newest is None else newest - timedelta(days=days)
    return since(split, as_of)


def since(split: datetime, as_of: datetime) -> tuple[Window, Window]:
    """What was fetched before a time, and from then on."""
    at = f"{split:%Y-%m-%d %H:%M}"
    return (
        Window(label=f"fetched before {at}", as_of=as_of, until=split),
        Window(label=f"fetched since {at}", as_of=as_of, since=split),
    )


def since_snapshot(session: Session, space: EmbeddingSpace, name: str, as_of: datetime) -> tuple[Window, Window]:
    """What a snapshot holds, and what came since; raises `ConfigurationError` for a name that the space has not."""
    of_space = [
        one for one in drift_windows.list_snapshots(session) if one.embedding_space_id == space.embedding_space_id
    ]
    for one in of_space:
        if one.name == name:
            return (
                Window(label=f"snapshot {name}", as_of=as_of, snapshot=one),
                Window(label=f"not in snapshot {name}", as_of=as_of, without=one),
            )
    known = ", ".join(one.name for one in of_space) or "none yet; `holocron drift snapshot NAME` takes one"
    raise ConfigurationError(f"space {space.slug} has no snapshot {name!r}; there are: {known}")


@contextmanager
def gathered(store: Store, space: EmbeddingSpace, windows: Sequence[Window], folder: Path) -> Iterator[list[Members]]:
    """The members of each window, read at one moment; the files with their vectors go when this ends.

    Raises `VectorError` that names the first chunk whose vector has not the space's dimensions, or is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vectors-", dir=folder) as temporary:
        parts = read(store, _read_all, space, windows, Path(temporary))
        yield [
            Members(window=window, keys=_table(part), vectors=_mapped(part))
            for window, part in zip(windows, parts, strict=True)
        ]


def codes_of(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """Values of a column of text as numbers, counted in their order of appearance, and the values; null is ''."""
    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices).astype(np.int32), encoded.dictionary.to_pylist()


def _read_all(session: Session, space: EmbeddingSpace, windows: Sequence[Window], folder: Path) -> list[_Gathering]:
    return [_read(session, space, window, folder / f"{number}.float32") for number, window in enumerate(windows)]


def _read(session: Session, space: EmbeddingSpace, window: Window, file: Path) -> _Gathering:
    if window.snapshot is not None:
        batches = drift_windows.list_snapshot_vectors(session, window.snapshot)
    else:
        batches = drift_windows.list_window_vectors(
            session,
            space.embedding_space_id,
            window.as_of,
            since=window.since,
            until=window.until,
            without=window.without.snapshot_id if window.without else None,
        )
    gathering = _Gathering(file, space.dimensions)
    with file.open("wb") as target:
        for batch in batches:
            target.write(_usable(batch, space).astype("<f4", copy=False).tobytes())
            gathering.batches.append(batch.select(_KEYS))
            gathering.rows += batch.num_rows
    return gathering


def _usable(batch: pa.RecordBatch, space: EmbeddingSpace) -> NDArray[np.float32]:
    lengths = pc.fill_null(pc.list_value_length(batch.column("vector")), 0)
    wrong = np.flatnonzero(np.asarray(lengths) != space.dimensions)
    if wrong.size:
        chunk_id, length = batch.column("chunk_id")[int(wrong[0])].as_py(), lengths[int(wrong[0])].as_py()
        raise VectorError(
            f"space {space.slug}: the vector of chunk {chunk_id} has {length} dimensions instead of "
            f"{space.dimensions}. `holocron verify --repair` takes out what is wrong."
        )
    vectors = rows_of(batch.column("vector"), space.dimensions)
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if broken.size:
        raise VectorError(
            f"space {space.slug}: the vector of chunk {batch.column('chunk_id')[int(broken[0])].as_py()} is not "
            "finite. `holocron verify --repair` takes out what is wrong."
        )
    return vectors


def _table(part: _Gathering) -> pa.Table:
    if not part.batches:
        return pa.table({name: pa.array([], pa.int64() if name == "byte_count" else pa.string()) for name in _KEYS})
    return pa.Table.from_batches(part.batches)


def _mapped(part: _Gathering) -> NDArray[np.float32]:
    if not part.rows:
        return np.empty((0, part.dimensions), np.float32)
    return np.memmap(part.vectors_at, "<f4", "r", shape=(part.rows, part.dimensions))
