"""The segments of an index as it is brought up to date: which rows still count, what is new, and what is merged."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from holocron_assets.errors import IndexDamagedError
from holocron_assets.identity import canonical_json
from holocron_assets.json_documents import is_deep
from holocron_assets.ports import Progress, Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.index import SearchIndex
from holocron_assets.retrieval.manifest import FileEntry, SegmentEntry, changed_files, described
from holocron_assets.retrieval.segment import MOST_ROWS, ROW, Rows, Segment, merge_segments, open_segment, write_segment
from holocron_assets.retrieval.words import Analyzer
from holocron_assets.stages.index_wanted import PageTypes, versions
from holocron_assets.tables import index_rows
from holocron_assets.transactions import read
from holocron_assets.vectors import rows_of

#: In an embedded store each page costs a look at the keys of everything: rows, and megabytes of their vectors, at most.
_PAGE_ROWS, _PAGE_BYTES = 16_384, 64_000_000
_LARGEST = np.iinfo(np.int64).max
#: A segment is merged with the smaller ones once these together are so many times smaller at most.
_GROWTH = 2


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A segment, and which of its rows count."""

    segment: Segment
    live: NDArray[np.bool_]

    @property
    def live_count(self) -> int:
        """How many of its rows count."""
        return int(self.live.sum())

    @property
    def is_worn(self) -> bool:
        """Whether most of its rows count no more."""
        return self.live_count * 2 < self.live.size


def compared(published: SearchIndex | None, keys: pa.Table) -> tuple[list[Part], pa.Table]:
    """The segments with what of them still counts, and by id the chunks that none of them has as they are now."""
    present = np.zeros(keys.num_rows, bool)
    parts = []
    segments = published.segments if published else ()
    ids, versions = keys.column("chunk_id").combine_chunks(), keys.column("row_version").combine_chunks()
    known = [chunk for segment in segments for chunk in segment.rows.column("chunk_id").chunks]
    # All at once, because what is looked up in is made ready each time.
    places = pc.fill_null(pc.index_in(pa.chunked_array(known, pa.string()), value_set=ids), -1).combine_chunks()
    first = 0
    for segment in segments:
        at = np.asarray(places.slice(first, segment.row_count)).astype(np.int64)
        first += segment.row_count
        live = at >= 0
        same = pc.equal(versions.take(pa.array(at[live])), segment.rows.column("row_version").filter(pa.array(live)))
        live[live] = np.asarray(same)
        live[live] = ~present[at[live]]
        present[at[live]] = True
        parts.append(Part(segment, live))
    return parts, keys.filter(pa.array(~present)).sort_by("chunk_id")


def added(
    store: Store,
    space: EmbeddingSpace,
    folder: Path,
    missing: pa.Table,
    page_types: PageTypes | None,
    analyzer: Analyzer,
    progress: Progress | None,
) -> Iterator[Part]:
    """What is new, in segments of their own; read page by page, so that nobody waits for the store meanwhile."""

    size = max(1, min(_PAGE_ROWS, _PAGE_BYTES // (4 * space.dimensions)))

    def pages(first: int, end: int) -> Iterator[Rows]:
        for at in range(first, end, size):
            if progress is not None:
                progress(at, len(missing))
            yield from _page(store, space, missing.slice(at, min(size, end - at)), page_types)
        if progress is not None:
            progress(end, len(missing))

    for first in range(0, len(missing), MOST_ROWS):
        name = _new_name("segment")
        count = write_segment(folder / name, pages(first, min(first + MOST_ROWS, len(missing))), analyzer)
        yield Part(open_segment(folder / name, space.dimensions), np.ones(count, bool))


def is_as_listed(parts: Sequence[Part], keys: pa.Table) -> bool:
    """Whether the rows that were read for some keys have the versions that the keys say."""
    chunks = [chunk for part in parts for chunk in part.segment.rows.column("row_version").chunks]
    found = pa.chunked_array(chunks, pa.string())
    return bool(found.equals(keys.column("row_version")))


def _page(store: Store, space: EmbeddingSpace, keys: pa.Table, page_types: PageTypes | None) -> Iterator[Rows]:
    """Those of some chunks that are still current."""
    batches = read(store, _rows, space, keys.column("chunk_id").to_pylist())
    if not batches:
        return
    table = pa.Table.from_batches(batches)
    references = [_object(one) for one in table.column("source_ref_json").to_pylist()]
    offsets = [_object(one) for one in table.column("offsets_json").to_pylist()]
    contents = table.column("content").to_pylist()
    spans = [_span(one, len(text)) for one, text in zip(offsets, contents, strict=True)]
    found = table.column("row_version").cast(pa.string()).combine_chunks()
    source_ids = table.column("source_id").cast(pa.string()).combine_chunks()
    derived: dict[str, list[Any]] = {
        # As they are now: what changed since the keys were read is not what the keys say.
        "row_version": versions(found, source_ids, page_types).to_pylist(),
        "source_system": [_text(one.get("source_system")) for one in references],
        "source_name": [_text(one.get("source_name")) for one in references],
        "resource_type": [_text(one.get("resource_type")) for one in references],
        "page_type": [_text(one.get("primary_type")) for one in references]
        if page_types is None
        else page_types.of(source_ids).to_pylist(),
        "tags": [_texts(one) for one in table.column("tags_json").to_pylist()],
        "url": [_text(one.get("url")) for one in references],
        "source_ref_json": [canonical_json(one) for one in references],
        "start_offset": [start for start, _ in spans],
        "end_offset": [end for _, end in spans],
    }
    titles = table.column("title").to_pylist()
    derived["title"] = [
        title or _text(reference.get("resource_id")) for title, reference in zip(titles, references, strict=True)
    ]
    columns = [
        pa.array(derived[field.name], field.type)
        if field.name in derived
        else table.column("fetched_at_utc" if field.name == "fetched_utc" else field.name).cast(field.type)
        for field in ROW
    ]
    vectors = _comparable(table.column("vector").combine_chunks(), space.dimensions)
    yield Rows(columns=pa.Table.from_arrays(columns, schema=ROW), vectors=vectors)


def _rows(session: Session, space: EmbeddingSpace, chunk_ids: Sequence[str]) -> list[pa.RecordBatch]:
    return [
        batch for batch in index_rows.list_index_rows(session, space.embedding_space_id, chunk_ids) if batch.num_rows
    ]


def _comparable(lists: pa.ListArray, dimensions: int) -> NDArray[np.float32]:
    """The vectors, of shape (n, dimensions); zeros where one is of another length, or not all of it is a number."""
    fits = np.asarray(pc.fill_null(pc.list_value_length(lists), 0)) == dimensions
    vectors = np.zeros((len(lists), dimensions), np.float32)
    vectors[fits] = rows_of(lists.filter(pa.array(fits)), dimensions)
    vectors[~np.isfinite(vectors).all(axis=1)] = 0
    return vectors


def _object(text: str | None) -> dict[str, Any]:
    """What programs write as an object; another one may have written something else."""
    found = _json(text)
    return found if isinstance(found, dict) and not is_deep(found) else {}


def _span(offsets: dict[str, Any], length: int) -> tuple[int, int]:
    """Where a chunk of `length` characters stands in its text; at its beginning where that is not said, or no range."""
    start, end = offsets.get("start_offset"), offsets.get("end_offset")
    if isinstance(start, int) and isinstance(end, int) and 0 <= start <= end <= _LARGEST:
        return int(start), int(end)
    return 0, length


def _texts(text: str | None) -> list[str]:
    found = _json(text)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _json(text: str | None) -> Any:
    try:
        return orjson.loads(text or "null")
    except ValueError:
        return None


def merged(
    folder: Path, space: EmbeddingSpace, parts: Sequence[Part], published: SearchIndex | None
) -> tuple[list[Part], int]:
    """Few segments instead of many: each at least twice as large as the smaller ones together, or as large as may be.

    Returns how many rows that took, too: over time a row is merged as often as the index doubles. Raises
    `IndexDamagedError` where what is merged is no longer what was published: nothing would ever tell afterwards.
    """
    ordered = sorted((part for part in parts if part.live_count), key=lambda part: part.live_count)
    together: list[Part] = []
    total = 0
    for part in ordered:
        is_due = not together or part.is_worn or part.live_count <= total * _GROWTH
        if is_due and total + part.live_count <= MOST_ROWS:
            together.append(part)
            total += part.live_count
    if len(together) < 2 and not any(part.is_worn for part in together):
        return ordered, 0
    for part in together:
        if changed := changed_files(folder, _known(published, part.segment)):
            raise IndexDamagedError(f"{folder / changed[0]} is not what was written")
    name = _new_name("segment")
    count = merge_segments(folder / name, [(part.segment, part.live) for part in together])
    fresh = Part(open_segment(folder / name, space.dimensions), np.ones(count, bool))
    return [part for part in ordered if part not in together] + [fresh], count


def entry_of(folder: Path, part: Part, published: SearchIndex | None) -> SegmentEntry:
    """What the manifest says of a part; the rows of it that count no more are written beside its segment.

    Files of a segment that was published already are described as they were then.
    """
    paths = [folder / part.segment.name]
    retired: str | None = None
    if not part.live.all():
        retired = f"{_new_name('retired')}.npy"
        np.save(folder / retired, ~part.live)
        paths.append(folder / retired)
    return SegmentEntry(
        name=part.segment.name,
        row_count=part.segment.row_count,
        live_count=part.live_count,
        retired=retired,
        files=described(folder, *paths, known=_known(published, part.segment)),
    )


def _known(published: SearchIndex | None, segment: Segment) -> Mapping[str, FileEntry]:
    """What was published of a segment's files; nothing where it is new, or has a graph that is."""
    if published is None:
        return {}
    entries = zip(published.manifest.segments, published.segments, strict=True)
    return next((entry.files for entry, one in entries if one is segment), {})


def _new_name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:12]}"
