"""Search indexes in tests: what one answers, whole, to be compared with another's."""

from pathlib import Path
from typing import Any

import numpy as np

from holocron_assets.ports import Purpose
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.filters import Filters
from holocron_assets.retrieval.hits import Fusion, Method, Mode
from holocron_assets.retrieval.index import SearchIndex
from holocron_assets.stages.indexing import IndexPlace, current_index, refresh_index
from holocron_assets.tables import spaces
from holocron_assets.transactions import read
from tests.world import START, World

QUERIES = ["in year 302 the topic 2 moved 14 steps", "another matter", "moved", "nothing of the kind", "the"]
METHODS = [
    Method(mode=Mode.VECTOR),
    Method(mode=Mode.LEXICAL),
    Method(mode=Mode.HYBRID),
    Method(mode=Mode.HYBRID, fusion=Fusion.WEIGHTED, vector_weight=0.3),
]
FILTERS = [None, Filters(title="Page 2"), Filters(since=START.replace(day=2))]


def only_space(world: World) -> EmbeddingSpace:
    return read(world.store, spaces.list_spaces)[0]


def current(world: World, space: EmbeddingSpace | None = None, known: SearchIndex | None = None) -> SearchIndex:
    """What a search would use."""
    place = IndexPlace.of(world.settings)
    return current_index(world.store, space or only_space(world), place, known=known)


def anew(world: World, folder: Path, space: EmbeddingSpace | None = None) -> SearchIndex:
    """An index that was built at once, in a folder of its own."""
    place = IndexPlace.of(world.settings.model_copy(update={"base_dir": folder}))
    return refresh_index(world.store, space or only_space(world), place).index


def answers(world: World, index: SearchIndex, space: EmbeddingSpace | None = None) -> list[Any]:
    """Everything that it finds, with every score and all there is to show, for each query, method and filter."""
    space = space or only_space(world)
    if space.transform_ref is None:
        vectors = world.providers.reopen(space).embed(QUERIES, Purpose.QUERY).values
    else:
        vectors = np.random.default_rng(1).standard_normal((len(QUERIES), space.dimensions)).astype(np.float32)
    found: list[Any] = [index.manifest.live_count, index.manifest.chunks_not_embedded]
    for method in METHODS:
        for filters in FILTERS:
            for candidates in index.rank(QUERIES, vectors, method, 7, filters):
                found.append(index.hits(candidates))
    return found


def require_current(world: World, folder: Path, space: EmbeddingSpace | None = None) -> SearchIndex:
    """The index that a search would use answers as one that is built now; returns it."""
    index = current(world, space)
    fresh = anew(world, folder, space)
    assert answers(world, index, space) == answers(world, fresh, space)
    return index
