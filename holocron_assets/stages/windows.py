"""Reading windows of a space out of the store: which chunks, of which documents, and their vectors in a file.

The vectors of all windows are read in one session and put aside, so that nobody waits for the store while they are
compared, and so that they can be looked at more than once without being in memory.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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

_KEYS = pa.schema(
    {
        **dict.fromkeys(("chunk_id", "content_sha256", "source_id"), pa.large_string()),
        "byte_count": pa.int64(),
        **dict.fromkeys(("language", "origin"), pa.large_string()),
    }
)
#: What is looked up in is made ready each time.
_PLACED_AT_ONCE = 65_536


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
    """The chunks of a window by chunk id: a table of keys, and each one's vector in `file`, one after the other."""

    window: Window
    keys: pa.Table
    file: Path
    dimensions: int

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Of shape (chunks, dimensions), mapped from the file: what is looked at is read."""
        shape = (self.keys.num_rows, self.dimensions)
        return np.memmap(self.file, np.float32, "r", shape=shape) if shape[0] else np.empty(shape, np.float32)

    def blocks(self, rows: int) -> Iterator[NDArray[np.float32]]:
        """All vectors in their order, so many at once; none of them stays in memory, as what is mapped may."""
        with self.file.open("rb") as source:
            while content := source.read(4 * self.dimensions * rows):
                yield np.frombuffer(content, np.float32).reshape(-1, self.dimensions)

    @property
    def documents(self) -> NDArray[np.int32]:
        """The number of each chunk's document within the window, from 0; shape (chunks,)."""
        return codes_of(self.keys.column("source_id"))[0]


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
        yield read(store, _read_all, space, windows, Path(temporary))


def codes_of(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """Values of a column of text as numbers, counted in their order of appearance, and the values; null is ''."""
    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices).astype(np.int32), encoded.dictionary.to_pylist()


def _read_all(session: Session, space: EmbeddingSpace, windows: Sequence[Window], folder: Path) -> list[Members]:
    members = []
    for number, window in enumerate(windows):
        keys = pa.Table.from_batches(_chunks(session, space, window), _KEYS).combine_chunks()
        file = folder / f"{number}.float32"
        members.append(Members(window=window, keys=keys, file=file, dimensions=space.dimensions))
    targets = [_target(one) for one in members]
    waiting: list[pa.RecordBatch] = []
    for batch in drift_windows.list_space_vectors(session, space.embedding_space_id):
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= _PLACED_AT_ONCE:
            _place(members, targets, pa.Table.from_batches(waiting), space)
            waiting.clear()
    if waiting:
        _place(members, targets, pa.Table.from_batches(waiting), space)
    return members


def _chunks(session: Session, space: EmbeddingSpace, window: Window) -> list[pa.RecordBatch]:
    if window.snapshot is not None:
        batches = drift_windows.list_snapshot_window(session, window.snapshot)
    else:
        batches = drift_windows.list_window_chunks(
            session,
            space.embedding_space_id,
            window.as_of,
            since=window.since,
            until=window.until,
            without=window.without.snapshot_id if window.without else None,
        )
    return [batch.cast(_KEYS) for batch in batches]


def _target(members: Members) -> NDArray[np.float32]:
    """Where vectors are written to, of shape (chunks, dimensions)."""
    shape = (members.keys.num_rows, members.dimensions)
    members.file.touch()
    return np.memmap(members.file, np.float32, "w+", shape=shape) if shape[0] else np.empty(shape, np.float32)


def _place(
    members: Sequence[Members], targets: Sequence[NDArray[np.float32]], found: pa.Table, space: EmbeddingSpace
) -> None:
    """Write vectors to where their chunks are, in those windows that hold them with this content."""
    ids, contents = (
        found.column(name).cast(pa.large_string()).combine_chunks() for name in ("chunk_id", "content_sha256")
    )
    for one, target in zip(members, targets, strict=True):
        known = one.keys.column("chunk_id").combine_chunks()
        places = pc.index_in(ids, value_set=known)
        rows = np.flatnonzero(np.asarray(pc.is_valid(places)))
        at = np.asarray(pc.drop_null(places)).astype(np.int64)
        wanted = one.keys.column("content_sha256").take(pa.array(at))
        same = np.asarray(pc.equal(wanted.combine_chunks(), contents.take(pa.array(rows)))).astype(bool)
        if same.any():
            target[at[same]] = _usable(found.take(pa.array(rows[same])).combine_chunks(), space)


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
    broken = np.flatnonzero(~np.isfinite(usable).all(axis=1))
    if broken.size:
        raise VectorError(
            f"space {space.slug}: the vector of chunk {ids[int(broken[0])].as_py()} is not finite. "
            "`holocron verify --repair` takes it out."
        )
    return usable
