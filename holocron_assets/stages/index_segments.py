"""The segments of an index as it is brought up to date: which rows still count, what is new, and what is merged."""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from holocron_assets.ports import Progress, Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.index import SearchIndex
from holocron_assets.retrieval.manifest import SegmentEntry, sizes
from holocron_assets.retrieval.segment import MOST_ROWS, ROW, Rows, Segment, merge_segments, open_segment, write_segment
from holocron_assets.retrieval.words import Analyzer
from holocron_assets.tables import index_rows
from holocron_assets.transactions import read
from holocron_assets.vectors import rows_of

_PAGE_ROWS = 1024
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
    """The segments with what of them still counts, and the chunks that none of them has as they are now."""
    present = np.zeros(keys.num_rows, bool)
    parts = []
    ids, versions = keys.column("chunk_id").combine_chunks(), keys.column("row_version").combine_chunks()
    for segment in published.segments if published else ():
        place = pc.index_in(segment.rows.column("chunk_id"), value_set=ids).combine_chunks()
        is_known = np.asarray(place.is_valid())
        at = np.asarray(place.fill_null(0)).astype(np.int64)
        if not len(ids):
            live = np.zeros(segment.row_count, bool)
        else:
            same = pc.equal(versions.take(pa.array(at)), segment.rows.column("row_version"))
            live = is_known & np.asarray(same) & ~present[at]
        present[at[live]] = True
        parts.append(Part(segment, live))
    return parts, keys.filter(pa.array(~present))


def added(
    store: Store,
    space: EmbeddingSpace,
    folder: Path,
    missing: pa.Table,
    analyzer: Analyzer,
    progress: Progress | None,
) -> Iterator[Part]:
    """What is new, in segments of their own; read page by page, so that nobody waits for the store meanwhile."""
    for first in range(0, len(missing), MOST_ROWS):
        name = _new_name("segment")
        wanted = missing.slice(first, MOST_ROWS)
        pages = _pages(wanted, first, len(missing), progress)
        count = write_segment(folder / name, map(partial(_page, store, space), pages), analyzer)
        segment = open_segment(folder / name, space.dimensions)
        yield Part(segment, np.ones(count, bool))


def _pages(wanted: pa.Table, done: int, total: int, progress: Progress | None) -> Iterator[pa.Table]:
    for at in range(0, len(wanted), _PAGE_ROWS):
        if progress is not None:
            progress(done + at, total)
        yield wanted.slice(at, _PAGE_ROWS)
    if progress is not None:
        progress(done + len(wanted), total)


def _page(store: Store, space: EmbeddingSpace, keys: pa.Table) -> Rows:
    versions = dict(zip(keys.column("chunk_id").to_pylist(), keys.column("row_version").to_pylist(), strict=True))
    table = read(store, _rows, space, list(versions))
    references = [json.loads(one) for one in table.column("source_ref_json").to_pylist()]
    offsets = [json.loads(one) for one in table.column("offsets_json").to_pylist()]
    tags = [json.loads(one) if one else [] for one in table.column("tags_json").to_pylist()]
    derived: dict[str, list[Any]] = {
        "row_version": [versions[chunk_id] for chunk_id in table.column("chunk_id").to_pylist()],
        "source_system": [one.get("source_system") for one in references],
        "source_name": [one.get("source_name") for one in references],
        "resource_type": [one.get("resource_type") for one in references],
        "page_type": [one.get("primary_type") for one in references],
        "tags": tags,
        "url": [one.get("url") for one in references],
        "start_offset": [one["start_offset"] for one in offsets],
        "end_offset": [one["end_offset"] for one in offsets],
    }
    titles = table.column("title").to_pylist()
    derived["title"] = [
        title or reference.get("resource_id") for title, reference in zip(titles, references, strict=True)
    ]
    columns = [
        pa.array(derived[field.name], field.type)
        if field.name in derived
        else table.column("fetched_at_utc" if field.name == "fetched_utc" else field.name).cast(field.type)
        for field in ROW
    ]
    vectors = rows_of(table.column("vector").combine_chunks(), space.dimensions)
    return Rows(columns=pa.Table.from_arrays(columns, schema=ROW), vectors=vectors)


def _rows(session: Session, space: EmbeddingSpace, chunk_ids: Sequence[str]) -> pa.Table:
    return pa.Table.from_batches(index_rows.list_index_rows(session, space.embedding_space_id, chunk_ids))


def merged(folder: Path, space: EmbeddingSpace, parts: Sequence[Part]) -> tuple[list[Part], int]:
    """Few segments instead of many: each at least twice as large as the smaller ones together, or as large as may be.

    Returns how many rows that took, too: over time a row is merged as often as the index doubles.
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
    name = _new_name("segment")
    count = merge_segments(folder / name, [(part.segment, part.live) for part in together])
    fresh = Part(open_segment(folder / name, space.dimensions), np.ones(count, bool))
    return [part for part in ordered if part not in together] + [fresh], count


def entry_of(folder: Path, part: Part) -> SegmentEntry:
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
        files=sizes(folder, *paths),
    )


def _new_name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:12]}"
