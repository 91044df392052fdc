"""The graphs of an index as it is brought up to date: which segments get one, and what is said of them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from holocron_assets.ports import Progress
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval import nearest
from holocron_assets.retrieval.graph import (
    GRAPH,
    LEAST_RECALL,
    LEAST_ROWS,
    is_available,
    open_graph,
    write_graph,
    write_recall,
)
from holocron_assets.retrieval.recall import graph_recall
from holocron_assets.retrieval.segment import Segment, open_segment
from holocron_assets.stages.index_segments import Part


def kind_of(approximate_above: int, rows: int, segments: Sequence[Segment] = ()) -> tuple[bool, str | None]:
    """Whether an index of so many rows is approximate, and what to say where it should be and is not, or in part."""
    if rows <= approximate_above:
        return False, None
    if not is_available():
        return False, (
            f"All of {rows:,} vectors are compared, which may take long. With usearch installed (the extra "
            f"`approximate`) more than {approximate_above:,} (`search.approximate_above`) are looked up."
        )
    if misled := [one for one in segments if _is_misled(one)]:
        least = min(one.graph_recall or 0.0 for one in misled)
        return True, (
            f"Of {sum(one.row_count for one in misled):,} vectors all are compared, which may take long: graphs over "
            f"them lead to {least:.1%} of what is nearest, and at least {LEAST_RECALL:.0%} are wanted."
        )
    return True, None


def with_graphs(folder: Path, space: EmbeddingSpace, parts: Sequence[Part], progress: Progress | None) -> list[Part]:
    """The same parts, each of which that is large enough with a graph of its vectors.

    But for those whose graph leads to less than `LEAST_RECALL` of what is nearest: all of their vectors are compared.
    A graph is measured once, when it is made; the vectors of a segment never change.
    """
    lacking = [
        part
        for part in parts
        if part.segment.row_count >= LEAST_ROWS and part.segment.graph is None and not _is_misled(part.segment)
    ]
    for number, part in enumerate(lacking, start=1):
        _write_measured(folder / part.segment.name, part.segment)
        if progress is not None:
            progress(number, len(lacking))
    return [
        Part(open_segment(folder / part.segment.name, space.dimensions, approximate=True), part.live)
        if part in lacking
        else part
        for part in parts
    ]


def _is_misled(segment: Segment) -> bool:
    """Whether a graph of the segment was made and found not to lead to what is nearest."""
    return segment.graph_recall is not None and segment.graph_recall < LEAST_RECALL


def _write_measured(folder: Path, segment: Segment) -> None:
    write_graph(folder, segment.vectors, segment.norms)
    graph = open_graph(folder, segment.vectors.shape[1])
    every = np.ones(segment.row_count, bool)
    share = graph_recall([nearest.Part(vectors=segment.vectors, norms=segment.norms, counted=every, graph=graph)])
    write_recall(folder, share)
    if share < LEAST_RECALL:
        del graph
        with suppress(OSError):
            (folder / GRAPH).unlink()


def without_graphs(parts: Sequence[Part]) -> list[Part]:
    """The same parts, every vector of which is compared."""
    return [Part(replace(part.segment, graph=None), part.live) if part.segment.graph else part for part in parts]
