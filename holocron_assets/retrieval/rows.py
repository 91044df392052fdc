"""The rows of an index as they are read: what a reader is shown of one, and what is said where one is damaged."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holocron_assets.errors import IndexDamagedError
from holocron_assets.identity import text_sha256
from holocron_assets.retrieval.hits import Hit, Scores
from holocron_assets.retrieval.manifest import UNREADABLE, SegmentEntry
from holocron_assets.retrieval.segment import Segment


@contextmanager
def readable(place: Path) -> Iterator[None]:
    """Raise `IndexDamagedError` where what is read inside turns out to be no text, no number, or beyond its file."""
    try:
        yield
    except UNREADABLE as error:
        raise IndexDamagedError(
            f"{place} holds what was never written there: {error}. Materialise search_index, which builds it anew."
        ) from error


def hit_of(row: Mapping[str, Any], rank: int, scores: Scores) -> Hit:
    """What there is to show of a row, its columns as `ROW` names them.

    Raises `ValueError` where its text is not the one that was embedded.
    """
    if text_sha256(row["content"]) != row["content_sha256"]:
        raise ValueError(f"the text of chunk {row['chunk_id']} is not what its content_sha256 says")
    return Hit(
        rank=rank,
        chunk_id=row["chunk_id"],
        source_id=row["source_id"],
        title=row["title"],
        scores=scores,
        text=row["content"],
        url=row["url"],
        start_offset=row["start_offset"],
        end_offset=row["end_offset"],
        content_sha256=row["content_sha256"],
        source_type=row["source_type"],
        source_ref=json.loads(row["source_ref_json"]),
    )


def live_rows(folder: Path, entry: SegmentEntry, segment: Segment) -> NDArray[np.bool_]:
    """Which rows of a segment count, of shape (n,); raises `IndexDamagedError` where not as many as was published."""
    mask = np.zeros(segment.row_count, bool)
    if entry.retired is not None:
        with readable(folder / entry.retired):
            mask = np.load(folder / entry.retired)
    counts = np.count_nonzero(~mask) if mask.dtype == bool and mask.shape == (segment.row_count,) else -1
    if (entry.row_count, entry.live_count) != (segment.row_count, counts):
        raise IndexDamagedError(f"{folder}: what is said of {entry.name} is not what is there")
    return np.asarray(~mask)
