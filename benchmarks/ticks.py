"""What one look of each sensor costs over many records, against the same look over none."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import dagster as dg
import duckdb

from benchmarks.project import Project
from holocron_assets.clock import utc_now
from holocron_assets.composition import sensor_store, step_store
from holocron_assets.definitions import build_defs
from holocron_assets.settings import Settings
from holocron_assets.spaces import space_of
from holocron_assets.tables import spaces
from holocron_assets.transactions import write
from resources.providers.hashing import ByteNgrams

_LOOKS = 20
_RUNS = 50
_RECORDS = """
insert into ingest.IngestRecords by name
select
    uuid() as ingest_id, 'mediawiki' as source_system, 'wiki' as source_name, 'page' as resource_type,
    'Page ' || i as resource_id, 'https://wiki.example/' || i as request_uri, 'GET' as request_method,
    200 as status_code, repeat('some words ', 200) as payload,
    timestamp '2026-01-01' + to_seconds(i) as fetched_at_utc
from range(?) as t(i)
"""
#: The first space has them all but the last, the others have none.
_CHUNKS = """
insert into vector.chunk by name
select
    'chunk ' || i as chunk_id, 'source ' || i // 10 as source_id, 'page' as source_type, '{}' as source_ref_json,
    '{}' as offsets_json, 'some words' as content, sha256('chunk ' || i) as content_sha256, 10 as byte_count,
    '{}' as policy_json, timestamp '2026-01-01' as created_utc
from range(?) as t(i);
insert into vector.embedding by name
select
    uuid() as embedding_id, c.chunk_id, p.embedding_space_id, c.content_sha256 as input_content_sha256,
    uuid() as run_id, [1.0]::float[] as vector, '' as vector_sha256, timestamp '2026-01-01' as created_utc
from vector.chunk c, (select * from vector.embedding_space order by created_utc limit 1) p
where c.rowid > 0;
"""
_SPACES = 3
#: Every tenth as many as records: most are done, and some wait, of each kind that needs no space.
_JOBS = """
insert into vector.job by name
select
    uuid() as job_id, timestamp '2026-01-01' + to_seconds(i) as created_utc,
    case when i % 5 < 3 then 'SUCCEEDED' else 'NEW' end as status,
    case when i % 2 = 0 then 'EMBED_CHUNKS' else 'CHUNK_SOURCE' end as job_type,
    '{"dedupe_key":"' || i || '"}' as input_json, timestamp '2026-01-01' as available_utc
from range(? // 10) as t(i)
"""
#: What is claimed waits again.
_RELEASE = """
update vector.job set status = 'NEW', locked_by = null, locked_utc = null, attempt_count = 0 where status = 'RUNNING'
"""
#: Until a store that nobody uses any more is closed.
_PAUSE_SECONDS = 0.1


def ticks(folder: Path, documents: int, _kind: str) -> Iterator[str]:
    """CPU of a look, store and run history included."""
    floor = _costs(folder / "empty", 0)
    for name, seconds in _costs(folder / "full", documents).items():
        yield (
            f"{name}: {seconds * 1000:.0f} ms CPU a look over {documents:,} records, {_RUNS} runs, as many chunks "
            f"pending in spaces, and {documents // 10:,} jobs; {floor[name] * 1000:.0f} ms over none"
        )


def _costs(folder: Path, records: int) -> dict[str, float]:
    """CPU seconds of each sensor's look, the median of some.

    The first two are left out: they give the dispatcher its name, and import what it needs.
    """
    project = Project.create(folder, records=None, workers=1)
    settings = Settings(base_dir=project.folder, store_url="duckdb:///store.duckdb", ingest=())
    store = step_store(settings)
    store.migrate()
    registered = [space_of(ByteNgrams("ngram", {"dimensions": 16 * n}).describe()) for n in range(1, _SPACES + 1)]
    for space in registered if records else ():
        write(store, spaces.insert_space, space, utc_now())
    with duckdb.connect(store.name) as connection:
        connection.execute(_RECORDS, [records])
        connection.execute(_JOBS, [records])
        for statement in filter(str.strip, _CHUNKS.split(";")):
            connection.execute(statement, [records] if "?" in statement else None)
    defs = build_defs(settings)
    os.environ["DAGSTER_HOME"] = str(project.folder)
    # Its dagster.yaml keeps everything below the folder that it is used in.
    with contextlib.chdir(project.folder), dg.DagsterInstance.get() as instance:
        for _ in range(_RUNS):
            instance.create_run_for_job(defs.resolve_job_def("bring_up_to_date"), status=dg.DagsterRunStatus.SUCCESS)
        names = ("new_records", "space_registry", "queued_jobs")
        found = {name: _looks(defs, name, instance, settings) for name in names}
        found["queued_jobs, claiming all that wait"] = _looks(defs, "queued_jobs", instance, settings, before=_RELEASE)
        found["search_indexes"] = _conditions(defs, instance)
    return {name: median(seconds[2:]) for name, seconds in found.items()}


def _looks(
    defs: dg.Definitions, name: str, instance: dg.DagsterInstance, settings: Settings, *, before: str = ""
) -> list[float]:
    """CPU seconds of each look, from opening the store to closing it; `before` is done to it before each of them."""
    sensor = defs.get_repository_def().get_sensor_def(name)
    store = sensor_store(settings)
    cursor = None
    seconds = []
    for _ in range(_LOOKS + 2):
        if before:
            with duckdb.connect(str(settings.base_dir / "store.duckdb")) as connection:
                connection.execute(before)
        with dg.build_sensor_context(
            instance, cursor, resources={"sensor_store": store}, repository_def=defs.get_repository_def()
        ) as context:
            started = time.process_time()
            told = sensor(context)
            time.sleep(_PAUSE_SECONDS)
            seconds.append(time.process_time() - started)
            cursor = getattr(told, "cursor", None) or context.cursor
    return seconds


def _conditions(defs: dg.Definitions, instance: dg.DagsterInstance) -> list[float]:
    """What the daemon does for a sensor that is made of an asset's condition; it asks no store."""
    cursor = None
    seconds = []
    for _ in range(_LOOKS + 2):
        started = time.process_time()
        selection = dg.AssetSelection.assets("search_index")
        cursor = dg.evaluate_automation_conditions(defs, instance, selection, cursor=cursor).cursor
        seconds.append(time.process_time() - started)
    return seconds
