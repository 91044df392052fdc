"""A content report on a million vectors of a store, against a floor: reading them, and one matrix product."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.measure import cost_of, environment
from holocron_assets.clock import utc_now
from holocron_assets.comparisons.content import Choice, compare_content
from holocron_assets.composition import installed_providers, step_store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.runs import Origin
from holocron_assets.sections import SpaceDeclaration
from holocron_assets.settings import Settings
from holocron_assets.stages.register import register_spaces
from holocron_assets.tables import drift_windows, spaces
from holocron_assets.transactions import read
from holocron_assets.vectors import rows_of

_DIMENSIONS, _CHUNKS, _TOPICS = 256, 10, 100
_ROWS = 50_000
_CPU_LIMIT, _MB_LIMIT = 60, 3 * 1024
_NEW = 0.01

#: Documents of two months, half of them each, and their chunks, whose contents are as long as real ones.
_FILL = """
create temp table document as
select i, md5('record ' || i)::uuid as ingest_id, 'files:notes:' || i as source_id, sha256('text ' || i) as text_sha256,
    case when i < ? // 2 then timestamp '2026-01-01' else timestamp '2026-03-01' end as fetched
from range(?) as t(i);
insert into ingest.IngestRecords by name
select ingest_id, 'files' as source_system, 'notes' as source_name, 'file' as resource_type,
    i::varchar as resource_id, 'file:///' || i as request_uri, 'GET' as request_method, 200 as status_code,
    '{}' as payload, fetched as fetched_at_utc, sha256('{}') as hash_sha256, 1 as attempt
from document;
insert into vector.extracted_text by name
select md5('text ' || i)::uuid as text_id, source_id, text_sha256, 'Note ' || i as title, 'text' as content,
    4 as character_count, 4 as byte_count, 'plain_text' as extractor, '1' as extractor_version, ingest_id,
    md5('run')::uuid as run_id, fetched as created_utc, fetched as current_since_utc
from document;
insert into vector.source_registry by name
select source_id, 'file' as source_type, '{}' as source_ref_json, text_sha256 as content_sha256, text_sha256,
    'Note ' || i as title, ingest_id, fetched as created_utc, fetched as updated_utc
from document;
create temp table part as
select d.*, sha256(source_id || ':' || j) as chunk_id, repeat('words ', 300) || i || ':' || j as content,
    sha256(content) as content_sha256
from document d, range(?) as t(j);
insert into vector.chunk by name
select chunk_id, source_id, 'file' as source_type, '{"language":"en"}' as source_ref_json, '{}' as offsets_json,
    content, content_sha256, strlen(content) as byte_count, '{}' as policy_json, fetched as created_utc, text_sha256
from part;
insert into vector.chunk_version by name
select chunk_id, fetched as valid_from_utc, source_id, content_sha256, text_sha256, 'plain_text' as extractor,
    '1' as extractor_version, '2.0' as policy_version, md5('run')::uuid as run_id
from part;
"""
_EMBED = """
insert into vector.embedding by name
select md5(chunk_id)::uuid as embedding_id, chunk_id, ?::uuid as embedding_space_id,
    content_sha256 as input_content_sha256, md5('run')::uuid as run_id, vector, content_sha256 as vector_sha256,
    timestamp '2026-03-02' as created_utc
from batch
"""


def drift(folder: Path, documents: int, _kind: str) -> Iterator[str]:
    """Two windows of as many documents each, without drift and with 1 % of documents on a new topic."""
    for name, share in (("no drift", 0.0), (f"{_NEW:.0%} of documents on a new topic", _NEW)):
        place = folder / name.split()[0].rstrip("%")
        place.mkdir()
        _write(place, documents, share)
        floor = cost_of([sys.executable, "-m", "benchmarks.drift", "floor", str(place)], place, environment())
        cost = cost_of([sys.executable, "-m", "benchmarks.drift", "report", str(place)], place, environment())
        yield f"{documents * _CHUNKS:,} x {_DIMENSIONS} of {documents:,} documents, {name}:"
        yield f"  reading and a product with {_DIMENSIONS} columns: {floor.cpu:.1f} s CPU, {floor.wall:.1f} s"
        yield (
            f"  the whole report: {cost.cpu:.1f} s CPU of {_CPU_LIMIT}, {cost.wall:.1f} s: "
            f"{cost.cpu / floor.cpu:.1f} times the floor; peak {cost.peak_mb:,.0f} MB of {_MB_LIMIT:,}"
        )
        yield f"  {(place / 'command.log').read_text().strip()}"


def _settings(folder: Path) -> Settings:
    declared = SpaceDeclaration(provider="hashing", model="ngram", options={"dimensions": _DIMENSIONS})
    return Settings(base_dir=folder, store_url="duckdb:///store.duckdb", ingest=(), spaces=(declared,))


def _space(settings: Settings) -> EmbeddingSpace:
    (space,) = read(step_store(settings), spaces.list_spaces)
    return space


def _write(folder: Path, documents: int, share: float) -> None:
    """Vectors of unit length about topics that documents have; the first documents of the second month on a new one."""
    settings = _settings(folder)
    store = step_store(settings)
    store.migrate()
    register_spaces(store, installed_providers(settings), settings)
    space = _space(settings)
    random = np.random.default_rng(1)
    topics = random.standard_normal((_TOPICS + 1, _DIMENSIONS))
    topic_of = random.integers(0, _TOPICS, documents)
    current = np.arange(documents // 2, documents)
    topic_of[current[: int(share * current.size)]] = _TOPICS
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        for statement in _FILL.split(";")[:-1]:
            given = [documents] * 2 if "create temp table document" in statement else []
            connection.execute(statement, [_CHUNKS] if "create temp table part" in statement else given)
        keys = connection.sql("select chunk_id, content_sha256, i from part").to_arrow_table()
        of_row = np.asarray(keys.column("i"))
        for first in range(0, len(of_row), _ROWS):
            some = topics[topic_of[of_row[first : first + _ROWS]]] / 2
            some += random.standard_normal(some.shape)
            some /= np.linalg.norm(some, axis=1, keepdims=True)
            vectors = pa.FixedSizeListArray.from_arrays(some.astype(np.float32).ravel(), _DIMENSIONS)
            connection.register("batch", keys.slice(first, _ROWS).append_column("vector", vectors))
            connection.execute(_EMBED, [str(space.embedding_space_id)])


def _floor(folder: Path) -> None:
    columns = np.random.default_rng(1).standard_normal((_DIMENSIONS, _DIMENSIONS))
    settings = _settings(folder)
    with step_store(settings).session(write=False) as session:
        for batch in drift_windows.list_space_vectors(session, _space(settings).embedding_space_id, utc_now()):
            rows_of(batch.column("vector"), _DIMENSIONS).astype(np.float64) @ columns


def _report(folder: Path) -> str:
    settings = _settings(folder)
    started = time.process_time()
    origin = Origin(kind="cli", reference="benchmark")
    report = compare_content(step_store(settings), settings, _space(settings), Choice(), origin)
    spent = time.process_time() - started
    figures = ", ".join(
        f"{one.name} {one.effect:.2g}" + ("" if one.p is None else f" (p {one.p:.3f}, {one.verdict})")
        for one in report.metrics
        if one.p is not None or one.name.startswith("detectable")
    )
    return f"without start-up {spent:.1f} s CPU; {report.verdict}: {figures}"


if __name__ == "__main__":
    if sys.argv[1] == "floor":
        _floor(Path(sys.argv[2]))
    else:
        sys.stdout.write(_report(Path(sys.argv[2])))
