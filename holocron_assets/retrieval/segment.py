"""A segment: a folder that holds some thousand rows of a search index. Its rows are written once and never changed.

One row is one chunk: its vector, its words, and what a reader is shown of it. A graph may be laid beside them later.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from holocron_assets.errors import IndexDamagedError
from holocron_assets.retrieval.graph import LEAST_RECALL, Graph, open_graph, read_recall
from holocron_assets.retrieval.manifest import UNREADABLE
from holocron_assets.retrieval.postings import Postings, merged, open_postings, postings_of
from holocron_assets.retrieval.words import Analyzer

#: What is kept of a chunk beside its vector and its words, in this order. `row_version` changes with any of it.
ROW = pa.schema(
    [
        pa.field("chunk_id", pa.string(), nullable=False),
        pa.field("row_version", pa.string(), nullable=False),
        pa.field("content_sha256", pa.string(), nullable=False),
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("source_type", pa.string(), nullable=False),
        pa.field("source_system", pa.string()),
        pa.field("source_name", pa.string()),
        pa.field("resource_type", pa.string()),
        pa.field("page_type", pa.string()),
        pa.field("title", pa.string()),
        pa.field("tags", pa.list_(pa.string()), nullable=False),
        pa.field("url", pa.string()),
        pa.field("source_ref_json", pa.string(), nullable=False),
        pa.field("start_offset", pa.int64(), nullable=False),
        pa.field("end_offset", pa.int64(), nullable=False),
        pa.field("fetched_utc", pa.timestamp("us")),
        pa.field("content", pa.string(), nullable=False),
    ]
)
#: So many rows at most are one segment: what is merged is in memory.
MOST_ROWS = 65_536
_ROWS, _VECTORS, _NORMS = "rows.arrow", "vectors.f32", "norms.npy"
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """An open segment of n rows; `vectors` has shape (n, dimensions), `norms` (n,) their lengths.

    `graph_recall`: how much of what is nearest its graph leads to, where one was made, whether or not it is used.
    """

    name: str
    rows: pa.Table
    vectors: NDArray[np.float32]
    norms: NDArray[np.float64]
    postings: Postings
    graph: Graph | None = None
    graph_recall: float | None = None

    @property
    def row_count(self) -> int:
        """How many rows there are, whether or not they still count."""
        return int(self.norms.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows on their way into a segment: columns as `ROW` names them, vectors of shape (len(columns), dimensions).

    A vector of zeros stands for one that cannot be compared: the row is found by its words only.
    """

    columns: pa.Table
    vectors: NDArray[np.float32]


def write_segment(folder: Path, batches: Iterator[Rows], analyzer: Analyzer) -> int:
    """Write a segment of at most `MOST_ROWS` rows; returns how many there were."""
    words: list[list[str]] = []
    norms: list[NDArray[np.float64]] = []
    with _files(folder) as (rows, vectors):
        for batch in batches:
            rows.write_table(batch.columns.cast(ROW))
            vectors.write(np.ascontiguousarray(batch.vectors, "<f4").tobytes())
            norms.append(_lengths(batch.vectors))
            titles, contents = batch.columns.column("title"), batch.columns.column("content")
            words += [
                analyzer.terms(f"{title.as_py() or ''} {content.as_py()}")
                for title, content in zip(titles, contents, strict=True)
            ]
    np.save(folder / _NORMS, np.concatenate(norms) if norms else np.zeros(0))
    postings_of(words).save(folder)
    return len(words)


def merge_segments(folder: Path, parts: Sequence[tuple[Segment, NDArray[np.bool_]]]) -> int:
    """Write the rows that are kept of some segments, a mask for each, as one; returns how many."""
    with _files(folder) as (rows, vectors):
        for segment, kept in parts:
            rows.write_table(segment.rows.filter(pa.array(kept)))
            numbers = np.flatnonzero(kept)
            for first in range(0, numbers.size, _AT_ONCE):
                vectors.write(np.asarray(segment.vectors[numbers[first : first + _AT_ONCE]]).tobytes())
    norms = np.concatenate([segment.norms[kept] for segment, kept in parts])
    np.save(folder / _NORMS, norms)
    merged([(segment.postings, kept) for segment, kept in parts]).save(folder)
    return int(norms.size)


def open_segment(folder: Path, dimensions: int, *, approximate: bool = False) -> Segment:
    """What was written there; raises `IndexDamagedError` where it is not whole.

    If `approximate` with its graph, where that is known to lead to nearly all that is nearest.
    """
    try:
        with pa.memory_map(str(folder / _ROWS)) as file:
            rows = pa.ipc.open_file(file).read_all()
        norms = np.load(folder / _NORMS)
        postings = open_postings(folder)
        shape = (norms.size, dimensions)
        vectors = np.memmap(folder / _VECTORS, "<f4", "r", shape=shape) if norms.size else np.zeros(shape, np.float32)
        _require_sound(rows)
    except UNREADABLE as error:
        raise IndexDamagedError(f"{folder} cannot be read as a segment of a search index: {error}") from error
    if (norms.dtype, norms.shape) != (np.float64, (rows.num_rows,)) or postings.lengths.size != norms.size:
        raise IndexDamagedError(f"{folder}: its files do not belong together")
    recall = read_recall(folder)
    is_fit = approximate and recall is not None and recall >= LEAST_RECALL
    return Segment(
        name=folder.name,
        rows=rows,
        vectors=vectors,
        norms=norms,
        postings=postings,
        graph=open_graph(folder, dimensions) if is_fit else None,
        graph_recall=recall,
    )


@contextmanager
def _files(folder: Path) -> Iterator[tuple[pa.RecordBatchFileWriter, BinaryIO]]:
    """The two files that are written row by row."""
    folder.mkdir(parents=True)
    with (
        pa.OSFile(str(folder / _ROWS), "wb") as file,
        pa.ipc.new_file(file, ROW) as rows,
        (folder / _VECTORS).open("wb") as vectors,
    ):
        yield rows, vectors


def _require_sound(rows: pa.Table) -> None:
    """Raise `ValueError` unless every value lies within its column: reading one that does not may end the process.

    Texts are not read for that, only where each begins; whether one is what was written is seen when it is.
    """
    if not rows.schema.equals(ROW):
        raise ValueError("the columns of its rows are not those of an index")
    for field in ROW:
        for chunk in rows.column(field.name).chunks:
            # Of bytes that are not said to be text, only where each begins is looked at.
            (chunk.view(pa.binary()) if field.type == pa.string() else chunk).validate(full=True)
            if chunk.null_count and not field.nullable:
                raise ValueError(f"{field.name} is missing in {chunk.null_count} of its rows")


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(vectors.astype(np.float64), axis=1))
