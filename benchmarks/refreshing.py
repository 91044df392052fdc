"""An index of a real store: built, looked at when nothing or one chunk changed, and asked in every mode."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from holocron_assets.composition import installed_providers, step_store
from holocron_assets.ports import Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.hits import Fusion, Method, Mode
from holocron_assets.retrieval.index import SearchIndex
from holocron_assets.sections import SpaceDeclaration
from holocron_assets.settings import Settings
from holocron_assets.stages.index_wanted import index_state, list_keys
from holocron_assets.stages.indexing import IndexPlace, current_index
from holocron_assets.stages.register import register_spaces
from holocron_assets.tables import spaces
from holocron_assets.transactions import read

T = TypeVar("T")

_ROWS = 10_000
_REPEATS = 7
_TOP_K = 10
_METHODS = (
    Method(mode=Mode.VECTOR),
    Method(mode=Mode.LEXICAL),
    Method(fusion=Fusion.RRF),
    Method(fusion=Fusion.WEIGHTED),
)
_SOURCES = """
insert into vector.source_registry by name
select 's' || i as source_id, 'document' as source_type, '{}' as source_ref_json, 'Title ' || i as title,
    uuid() as ingest_id, now()::timestamp as created_utc, now()::timestamp as updated_utc
from range(?) as t(i)
"""
_CHUNKS = """
insert into vector.chunk by name
select sha256(row::varchar) as chunk_id, 's' || (row // 10) as source_id, 'document' as source_type,
    '{"resource_id": "page ' || (row // 10) || '", "source_system": "files", "url": "https://example.org/"}'
    as source_ref_json,
    '{"chunk_index": ' || (row % 10) || ', "end_offset": 2000, "start_offset": 0}' as offsets_json,
    text as content, sha256(text) as content_sha256, strlen(text) as byte_count, '{}' as policy_json,
    now()::timestamp as created_utc, uuid() as run_id
from batch
"""
_EMBEDDINGS = """
insert into vector.embedding by name
select uuid() as embedding_id, sha256(row::varchar) as chunk_id, ?::uuid as embedding_space_id,
    sha256(text) as input_content_sha256, uuid() as run_id, vector, sha256(row::varchar) as vector_sha256,
    now()::timestamp as created_utc
from batch
"""
#: As a run leaves a chunk whose text changed: another content, and a vector of it.
_CHANGE = """
update vector.chunk set content = content || ' moved', content_sha256 = sha256(content || ' moved'), run_id = uuid()
where chunk_id = sha256('7');
update vector.embedding set input_content_sha256 = c.content_sha256, run_id = uuid()
from vector.chunk c where c.chunk_id = sha256('7') and vector.embedding.chunk_id = c.chunk_id;
"""


def refreshing(
    folder: Path, texts: Sequence[str], vectors: NDArray[np.float32], queries: Sequence[str]
) -> Iterator[str]:
    """Seconds of a build from a store, of a search's look at it, and of queries; vectors have shape (texts, d)."""
    folder.mkdir()
    declared = SpaceDeclaration(provider="hashing", model="ngram", options={"dimensions": vectors.shape[1]})
    settings = Settings(base_dir=folder, store_url="duckdb:///store.duckdb", ingest=(), spaces=(declared,))
    store = step_store(settings)
    store.migrate()
    register_spaces(store, installed_providers(settings), settings)
    (space,) = read(store, spaces.list_spaces)
    file = folder / "store.duckdb"
    _fill(file, space, texts, vectors)
    place = IndexPlace.of(settings)
    index, seconds = _timed(lambda: current_index(store, space, place))
    yield f"{len(texts):,} chunks of a store, vectors and words, built in {seconds:.1f} s"
    yield from _looks(store, space, place, file)
    for method in _METHODS:
        yield f"  a query by {method}: {_asked(index, vectors, queries, method) * 1e3:.1f} ms"


def _looks(store: Store, space: EmbeddingSpace, place: IndexPlace, file: Path) -> Iterator[str]:
    state = median(_timed(lambda: read(store, index_state, space))[1] for _ in range(_REPEATS))
    keys = median(_timed(lambda: read(store, list_keys, space))[1] for _ in range(_REPEATS))
    taken = []
    for _ in range(_REPEATS):
        with duckdb.connect(str(file)) as connection:
            connection.execute(_CHANGE)
        taken.append(_timed(lambda: current_index(store, space, place))[1])
    yield (
        f"  one chunk changed: current again in {median(taken):.2f} s, of which the state takes {state:.2f} s and the "
        f"keys of everything {keys:.2f} s"
    )


def _asked(index: SearchIndex, vectors: NDArray[np.float32], queries: Sequence[str], method: Method) -> float:
    taken = []
    for row, text in enumerate(queries):
        started = time.perf_counter()
        index.rank([text], vectors[row : row + 1], method, _TOP_K)
        taken.append(time.perf_counter() - started)
    return median(taken)


def _fill(file: Path, space: EmbeddingSpace, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute(_SOURCES, [len(texts) // 10 + 1])
        for first in range(0, len(texts), _ROWS):
            some = vectors[first : first + _ROWS]
            batch = pa.table(
                {
                    "row": np.arange(first, first + len(some)),
                    "text": list(texts[first : first + _ROWS]),
                    "vector": pa.FixedSizeListArray.from_arrays(some.ravel(), vectors.shape[1]),
                }
            )
            connection.register("batch", batch)
            connection.execute(_CHUNKS)
            connection.execute(_EMBEDDINGS, [str(space.embedding_space_id)])
        connection.execute("checkpoint")


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    done = work()
    return done, time.perf_counter() - started
