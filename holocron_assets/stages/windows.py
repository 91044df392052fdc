"""Reading windows of a space out of the store: which chunks, of which documents, and their vectors in a file.

The vectors of all windows are read in one session and put aside, so that nobody waits for the store while they are
compared, and so that they can be looked at more than once without being in memory.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from holocron_assets.drift.content.windows import MIN_DOCUMENTS
from holocron_assets.errors import ConfigurationError
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.stages.chunk_keys import places_of
from holocron_assets.stages.model_guard import HeldTo
from holocron_assets.stages.vector_files import working_folder, write_vectors
from holocron_assets.tables import drift_windows
from holocron_assets.tables.drift_windows import EARLIEST, LATEST, Snapshot
from holocron_assets.transactions import read

_KEYS = pa.schema(
    {
        **dict.fromkeys(("chunk_id", "content_sha256", "source_id"), pa.large_string()),
        "byte_count": pa.int64(),
        **dict.fromkeys(("language", "origin"), pa.large_string()),
        "fetched_utc": pa.timestamp("us"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which chunks: what a snapshot holds, or what was current `as_of` of texts fetched from `since` to `until`.

    Of either, only what had a vector by then.
    `besides` names the snapshot in the window before, which this one is compared with: see `listed`.
    """

    label: str
    as_of: datetime
    snapshot: Snapshot | None = None
    since: datetime = EARLIEST
    until: datetime = LATEST
    besides: Snapshot | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listed:
    """The chunks of a window by chunk id, as a table of keys.

    `found` is how many chunks there were before documents were put on one side each, and `drawn` how many documents
    were put there by lot.
    """

    window: Window
    keys: pa.Table
    found: int
    drawn: int = 0

    @property
    def label(self) -> str:
        """That of the window, and whether documents of the snapshot were put on one side by lot."""
        if not self.drawn:
            return self.window.label
        return f"{self.window.label}, {'half of it by lot' if self.window.snapshot else 'without that half'}"

    @property
    def documents(self) -> NDArray[np.int32]:
        """The number of each chunk's document within the window, from 0; shape (chunks,)."""
        return codes_of(self.keys.column("source_id"))[0]

    @property
    def document_count(self) -> int:
        return int(self.documents.max(initial=-1)) + 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Members(Listed):
    """The same with the vector of each, one after the other in `file`.

    `lost` is how many chunks are left out, whose vectors were gone when they were read.
    """

    file: Path
    dimensions: int
    lost: int

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Of shape (chunks, dimensions), mapped from the file: what is looked at is read."""
        shape = (self.keys.num_rows, self.dimensions)
        return np.memmap(self.file, np.float32, "r", shape=shape) if shape[0] else np.empty(shape, np.float32)

    def blocks(self, rows: int) -> Iterator[NDArray[np.float32]]:
        """All vectors in their order, so many at once; none of them stays in memory, as what is mapped may."""
        with self.file.open("rb") as source:
            for first in range(0, self.keys.num_rows, rows):
                content = source.read(4 * self.dimensions * min(rows, self.keys.num_rows - first))
                yield np.frombuffer(content, np.float32).reshape(-1, self.dimensions)


def by_time(session: Session, space: EmbeddingSpace, days: int, as_of: datetime) -> tuple[Window, Window]:
    """What came in the last `days` until the newest text, beside everything before it."""
    newest = drift_windows.get_newest_fetch(session, space.embedding_space_id, as_of)
    # Some programs write the first day of all for a time that they do not know.
    split = as_of if newest is None else newest - min(timedelta(days=days), newest - EARLIEST)
    return since(split, as_of)


def since(split: datetime, as_of: datetime) -> tuple[Window, Window]:
    """What was fetched before a time, and from then on."""
    at = f"{split:%Y-%m-%d %H:%M}"
    return (
        Window(label=f"fetched before {at}", as_of=as_of, until=split),
        Window(label=f"fetched since {at}", as_of=as_of, since=split),
    )


def find_snapshot(session: Session, space: EmbeddingSpace, name: str) -> Snapshot | None:
    """The snapshot of a space that has this name, in capitals or small letters."""
    return next((one for one in _snapshots(session, space) if one.name.casefold() == name.casefold()), None)


def since_snapshot(session: Session, space: EmbeddingSpace, name: str, as_of: datetime) -> tuple[Window, Window]:
    """What a snapshot holds, and what came since; raises `ConfigurationError` for a name that the space has not."""
    one = find_snapshot(session, space, name)
    if one is None:
        known = ", ".join(one.name for one in _snapshots(session, space))
        raise ConfigurationError(
            f"space {space.slug} has no snapshot {name!r}; there are: "
            f"{known or 'none yet; `holocron drift snapshot NAME` takes one'}"
        )
    return (
        Window(label=f"snapshot {one.name}", as_of=as_of, snapshot=one),
        Window(label=f"not in snapshot {one.name}", as_of=as_of, besides=one),
    )


def _snapshots(session: Session, space: EmbeddingSpace) -> list[Snapshot]:
    known = drift_windows.list_snapshots(session)
    return [one for one in known if one.embedding_space_id == space.embedding_space_id]


def listed(session: Session, space: EmbeddingSpace, windows: Sequence[Window]) -> list[Listed]:
    """The chunks of each window that have a vector.

    Beside a snapshot, a document is on one side with all its chunks: on the current one if any chunk of it is not in
    the snapshot. Where that leaves too few documents to the reference, half of those that are in both go back, with
    what they were: which ones is drawn by a hash, so that neither side is of other texts than the other.
    """
    found = [keys_of(_chunks(session, space, window)) for window in windows]
    keys, drawn = _apart(*found) if windows[-1].besides else (found, 0)
    return [
        Listed(window=window, keys=apart, found=whole.num_rows, drawn=drawn)
        for window, apart, whole in zip(windows, keys, found, strict=True)
    ]


@contextmanager
def filled(
    store: Store, space: EmbeddingSpace, chosen: Sequence[Listed], folder: Path, held_to: HeldTo
) -> Iterator[list[Members]]:
    """The same chunks with their vectors; the files with them go when this ends.

    Chunks of which the vector is gone by now are left out: between two sessions, or on a server between two queries of
    one, others may take vectors away. Where they put those of another model there, it raises as `HeldTo.require`.
    Raises `VectorError` that names the first chunk whose vector has not the space's dimensions, is not finite,
    or not as long as those of the space are.
    """
    with working_folder(folder) as temporary:
        yield read(store, _fill, space, chosen, temporary, held_to)


@contextmanager
def gathered(
    store: Store, space: EmbeddingSpace, windows: Sequence[Window], folder: Path, held_to: HeldTo
) -> Iterator[list[Members]]:
    """The members of each window; see `listed` and `filled`."""
    with filled(store, space, read(store, listed, space, windows), folder, held_to) as members:
        yield members


def keys_of(chunks: Iterator[pa.RecordBatch]) -> pa.Table:
    """What a store lists of a window, by chunk id as bytes, whatever order that store sorts in."""
    return pa.Table.from_batches((one.cast(_KEYS) for one in chunks), _KEYS).combine_chunks().sort_by("chunk_id")


def codes_of(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], pa.Array]:
    """Values of a column of text as numbers, counted in their order of appearance, and the values; null is ''."""
    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices).astype(np.int32), encoded.dictionary


def _fill(
    session: Session, space: EmbeddingSpace, chosen: Sequence[Listed], folder: Path, held_to: HeldTo
) -> list[Members]:
    files = [folder / f"{number}.float32" for number in range(len(chosen))]
    as_of = max(one.window.as_of for one in chosen)
    snapshot = next((one.window.snapshot.snapshot_id for one in chosen if one.window.snapshot), None)
    batches = drift_windows.list_space_vectors(session, space.embedding_space_id, as_of, snapshot)
    has_vector = write_vectors(space, batches, [one.keys for one in chosen], files)
    held_to.require(session)  # afterwards: on a server every statement sees its own moment
    return [
        Members(
            window=one.window,
            keys=one.keys if has.all() else one.keys.filter(pa.array(has)).combine_chunks(),
            found=one.found,
            drawn=one.drawn,
            file=file,
            dimensions=space.dimensions,
            lost=int(np.count_nonzero(~has)),
        )
        for one, file, has in zip(chosen, files, has_vector, strict=True)
    ]


def _chunks(session: Session, space: EmbeddingSpace, window: Window) -> Iterator[pa.RecordBatch]:
    if window.snapshot is not None:
        return drift_windows.list_snapshot_window(session, window.snapshot, window.as_of)
    return drift_windows.list_window_chunks(
        session, space.embedding_space_id, window.as_of, since=window.since, until=window.until
    )


def _apart(reference: pa.Table, current: pa.Table) -> tuple[list[pa.Table], int]:
    """The keys of a snapshot and of what is current with each document on one side, and how many were drawn."""
    sources = [pc.fill_null(one.column("source_id"), "").combine_chunks() for one in (reference, current)]
    changed = pc.unique(sources[1].filter(pa.array(places_of(current, reference) < 0)))
    kept = sources[0].filter(pc.invert(pc.is_in(sources[0], changed)))
    drawn: list[str] = []
    if pc.count_distinct(kept).as_py() < MIN_DOCUMENTS:
        both = pc.unique(changed.filter(pc.is_in(changed, sources[0]))).to_pylist()
        drawn = sorted(both, key=lambda one: hashlib.sha256(one.encode()).digest())
    back = pa.array(drawn[: len(drawn) // 2], pa.large_string())
    of_current = pc.and_(pc.is_in(sources[1], changed), pc.invert(pc.is_in(sources[1], back)))
    of_reference = pc.or_(pc.invert(pc.is_in(sources[0], changed)), pc.is_in(sources[0], back))
    return [reference.filter(of_reference).combine_chunks(), current.filter(of_current).combine_chunks()], len(drawn)
