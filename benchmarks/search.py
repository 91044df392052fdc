"""Searching, against floors measured in the same run: a bare matrix product, a full build, other engines for words.

No store and no model: an index of random vectors and of words as rare as in real texts.
"""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import bm25s
import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.corpus import VOCABULARY
from benchmarks.measure import environment
from benchmarks.refreshing import refreshing
from holocron_assets.clock import utc_now
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.bm25 import WordIndex, WordPart
from holocron_assets.retrieval.hits import Method, Mode
from holocron_assets.retrieval.index import SearchIndex, open_index
from holocron_assets.retrieval.manifest import Manifest, publish, read_manifest
from holocron_assets.retrieval.segment import MOST_ROWS, ROW, Rows, open_segment, write_segment
from holocron_assets.retrieval.words import Analyzer
from holocron_assets.spaces import space_of
from holocron_assets.stages.index_segments import Part, entry_of
from holocron_assets.stages.index_segments import merged as merged_parts
from resources.providers import open_provider

_DIMENSIONS, _TOP_K, _QUERIES = 384, 10, 100
_WORDS, _ASKED = 150, 3
_REPEATS = 21
_SIZES = (5_000, 100_000)
_BATCH = 4096
_NEAREST = Method(mode=Mode.VECTOR)
_POSTINGS = """
create table posting (term varchar, row integer, often integer);
create table length (row integer, terms integer);
"""
_ADD = """
insert into length select row, len(terms) from batch;
insert into posting select term, row, count(*) from (select unnest(terms) as term, row from batch) group by all;
"""
_ASK = """
with corpus as (select count(*) as n, avg(terms) as mean from length),
held as (select term, count(*) as n from posting where term in (select unnest(?)) group by term)
select p.row, sum(
    ln(1 + (c.n - h.n + 0.5) / (h.n + 0.5)) * p.often / (p.often + 1.5 * (0.25 + 0.75 * l.terms / c.mean))
) as score
from posting p join held h using (term) join length l using (row) cross join corpus c
group by p.row order by score desc, p.row limit 10
"""


def search(folder: Path, chunks: int, _kind: str) -> Iterator[str]:
    """Vectors, then words, then both: what a query costs, what memory, and what an addition or a change."""
    yield from _by_vectors(folder / "vectors", chunks)
    yield from _by_both(folder / "store", chunks)
    for size in _SIZES:
        yield from _by_words(folder / f"words{size}", size)


def _by_vectors(folder: Path, chunks: int) -> Iterator[str]:
    _write_index(folder, chunks)
    index = _opened(folder)
    block = np.concatenate([one.vectors for one in index.segments])
    queries = np.random.default_rng(1).standard_normal((_QUERIES, _DIMENSIONS)).astype(np.float32)
    yield f"{chunks:,} x {_DIMENSIONS}, {len(index.segments)} segments, {_TOP_K} hits; medians of {_REPEATS} by turns:"
    for count in (1, _QUERIES):
        yield _compared_with_product(index, block, queries[:count])
    del block
    first = subprocess.run(
        [sys.executable, "-m", "benchmarks.search", str(folder)],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    yield f"  {first.stdout.strip()}; the vectors are {chunks * _DIMENSIONS * 4 / 1e6:,.0f} MB"


def _compared_with_product(index: SearchIndex, block: NDArray[np.float32], asked: NDArray[np.float32]) -> str:
    count = len(asked)
    floor, ours = _by_turns(
        (lambda: block @ asked[0]) if count == 1 else (lambda: asked @ block.T),
        lambda: index.rank([""] * count, asked, _NEAREST, _TOP_K),
    )
    return f"  {count} at once: {ours * 1e3:.1f} ms, a bare product {floor * 1e3:.1f} ms: {ours / floor:.2f} times"


def _by_both(folder: Path, chunks: int) -> Iterator[str]:
    size = min(chunks, _SIZES[-1])
    vectors = _unit(np.random.default_rng(0).standard_normal((size, _DIMENSIONS)))
    queries = _texts(50, seed=4, words=_ASKED)
    yield from refreshing(folder, _texts(size, seed=2), vectors, queries)


def _by_words(folder: Path, size: int) -> Iterator[str]:
    folder.mkdir()
    texts, more = _texts(size, seed=2), _texts(size // 100, seed=3)
    analyzer = Analyzer("english")
    terms, more_terms = [analyzer.terms(text) for text in texts], [analyzer.terms(text) for text in more]
    queries = [analyzer.query_terms(text) for text in _texts(50, seed=4, words=_ASKED)]
    yield f"{size:,} chunks of {_WORDS} words, and 1 % more; {_ASKED} words asked:"
    for engine, figures in (
        ("ours, from the texts", _ours(folder, texts, more, queries)),
        ("bm25s, from their terms, built anew", _bm25s(terms, more_terms, queries)),
        ("postings in DuckDB, from their terms", _sql(folder / "postings.duckdb", terms, more_terms, queries)),
    ):
        yield f"  {engine}: {_figures(*figures)}"


def _ours(
    folder: Path, texts: Sequence[str], more: Sequence[str], queries: Sequence[Sequence[str]]
) -> tuple[float, float, float]:
    """Seconds of a full build, of one of ten additions with what they make of segments, and of a query."""
    space = replace(space_of(open_provider("hashing", "ngram", {}).describe()), dimensions=1)
    started = time.perf_counter()
    parts = _segments(folder, space, texts)
    full = time.perf_counter() - started
    started = time.perf_counter()
    for _ in range(10):
        parts, _ = merged_parts(folder, space, [*parts, *_segments(folder, space, more)], None)
    added = (time.perf_counter() - started) / 10
    words = WordIndex([WordPart(postings=part.segment.postings, live=part.live) for part in parts])
    return full, added, _each(lambda query: [one.argmax() for one in words.scores(query)], queries)


def _bm25s(
    terms: Sequence[list[str]], more: Sequence[list[str]], queries: Sequence[Sequence[str]]
) -> tuple[float, float, float]:
    engine = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    started = time.perf_counter()
    engine.index(list(terms), show_progress=False)
    full = time.perf_counter() - started
    started = time.perf_counter()
    engine.index([*terms, *more], show_progress=False)
    added = time.perf_counter() - started
    return full, added, _each(lambda query: engine.get_scores(list(query)).argmax(), queries)


def _sql(
    path: Path, terms: Sequence[list[str]], more: Sequence[list[str]], queries: Sequence[Sequence[str]]
) -> tuple[float, float, float]:
    with duckdb.connect(str(path), config={"threads": 2}) as connection:
        connection.execute(_POSTINGS)

        def add(rows: Sequence[list[str]], first: int) -> float:
            started = time.perf_counter()
            connection.register("batch", pa.table({"row": np.arange(first, first + len(rows)), "terms": list(rows)}))
            connection.execute(_ADD)
            connection.execute("checkpoint")
            return time.perf_counter() - started

        full, added = add(terms, 0), add(more, len(terms))
        return full, added, _each(lambda query: connection.execute(_ASK, [list(query)]).fetchall(), queries)


def _figures(full: float, added: float, query: float) -> str:
    return f"built in {full:.2f} s, 1 % more in {added:.3f} s = {added / full:.1%}, a query {query * 1e3:.2f} ms"


def _segments(folder: Path, space: EmbeddingSpace, texts: Sequence[str]) -> list[Part]:
    parts = []
    for first in range(0, len(texts), MOST_ROWS):
        name = f"segment-{uuid.uuid4().hex[:12]}"
        some = texts[first : first + MOST_ROWS]
        batches = (
            _rows(some[at : at + _BATCH], np.ones((len(some[at : at + _BATCH]), space.dimensions), np.float32))
            for at in range(0, len(some), _BATCH)
        )
        count = write_segment(folder / name, batches, Analyzer("english"))
        parts.append(Part(open_segment(folder / name, space.dimensions), np.ones(count, bool)))
    return parts


def _write_index(folder: Path, chunks: int) -> None:
    """An index without words: what they cost is measured apart."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = []
    for first in range(0, chunks, MOST_ROWS):
        names.append(f"segment-{first}")
        sizes = [min(_BATCH, chunks - at) for at in range(first, min(first + MOST_ROWS, chunks), _BATCH)]
        batches = (_rows([""] * size, _unit(rng.standard_normal((size, _DIMENSIONS)))) for size in sizes)
        write_segment(folder / names[-1], batches, Analyzer("none"))
    segments = [open_segment(folder / name, _DIMENSIONS) for name in names]
    manifest = Manifest(
        version=1,
        embedding_space_id=uuid.uuid4(),
        slug="benchmark",
        dimensions=_DIMENSIONS,
        language="none",
        store="",
        state={},
        stamp=None,
        chunks_not_embedded=0,
        approximate=False,
        note=None,
        built_utc=utc_now(),
        segments=tuple(entry_of(folder, Part(one, np.ones(one.row_count, bool)), None) for one in segments),
    )
    publish(folder, manifest)


def _rows(texts: Sequence[str], vectors: NDArray[np.float32]) -> Rows:
    made: dict[str, Sequence[object]] = {
        "content": texts,
        "chunk_id": [uuid.uuid4().hex for _ in texts],
        "tags": [[]] * len(texts),
        "start_offset": [0] * len(texts),
        "end_offset": [0] * len(texts),
    }
    columns = [
        pa.array(made.get(field.name, [None if field.nullable else ""] * len(texts)), field.type) for field in ROW
    ]
    return Rows(columns=pa.Table.from_arrays(columns, schema=ROW), vectors=vectors)


def _texts(count: int, *, seed: int, words: int = _WORDS) -> list[str]:
    """Texts in which the nth word is n times as rare as the first."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, len(VOCABULARY) + 1)
    chosen = rng.choice(len(VOCABULARY), (count, words), p=share / share.sum())
    return [" ".join(VOCABULARY[word] for word in row) for row in chosen]


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _by_turns(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """The median seconds of both, which a machine's other work disturbs alike."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(_REPEATS):
        for function, taken in zip((one, other), seconds, strict=True):
            started = time.perf_counter()
            function()
            taken.append(time.perf_counter() - started)
    return median(seconds[0]), median(seconds[1])


def _each(ask: Callable[[Sequence[str]], object], queries: Sequence[Sequence[str]]) -> float:
    taken = []
    for query in queries:
        started = time.perf_counter()
        ask(query)
        taken.append(time.perf_counter() - started)
    return median(taken)


def _opened(folder: Path) -> SearchIndex:
    manifest = read_manifest(folder)
    if manifest is None:
        raise RuntimeError(f"no index in {folder}")
    return open_index(folder, manifest)


def _first_query(folder: Path) -> str:
    """In a process of its own: from opening the files to the first hits, and the memory that this process takes."""
    started = time.perf_counter()
    index = _opened(folder)
    query = np.random.default_rng(1).standard_normal((1, _DIMENSIONS)).astype(np.float32)
    index.rank([""], query, _NEAREST, _TOP_K)
    first = time.perf_counter() - started
    kilobytes = {
        line.split()[0]: int(line.split()[1])
        for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
        if line.split()[1].isdigit()
    }
    return (
        f"first query after start {first:.2f} s; memory {kilobytes['Rss:'] / 1024:,.0f} MB in all, of which "
        f"{kilobytes['Anonymous:'] / 1024:,.0f} MB are not files that are mapped"
    )


if __name__ == "__main__":
    sys.stdout.write(_first_query(Path(sys.argv[1])))
