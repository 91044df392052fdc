"""What is measured, each against its floor: cold runs, memory and no-ops at scale, a small change, a kill, a server."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import duckdb

from benchmarks.corpus import write_records
from benchmarks.drift import drift
from benchmarks.drift_laws import drift_laws
from benchmarks.measure import Cost, cost_of, environment, peak_of
from benchmarks.project import EVERYTHING, FROM_RECORDS, LONG_AGO, Project
from benchmarks.search import search
from benchmarks.ticks import ticks
from holocron_assets.composition import installed_providers, step_store
from holocron_assets.model_servers import OllamaSettings
from holocron_assets.ports import Store
from holocron_assets.runs import Origin
from holocron_assets.sections import SpaceDeclaration
from holocron_assets.settings import Settings
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.embed import embed_space
from holocron_assets.stages.register import register_spaces

_NOOPS = 5
_TEXTS_A_REQUEST, _SECONDS_A_REQUEST = 32, 0.02
_ORIGIN = Origin(kind="cli", reference="benchmark")
_CHUNKS = """
insert into vector.chunk by name
select
    sha256(i::varchar) as chunk_id, 'document' as source_type, '{}' as source_ref_json, '{}' as offsets_json,
    repeat('some words of chunk ' || i || ' ', 60) as content, sha256(content) as content_sha256,
    1200 as byte_count, '{}' as policy_json, now()::timestamp as created_utc, 's' as source_id, 't' as text_sha256
from range(?) as t(i)
"""


def cold(folder: Path, documents: int, kind: str) -> Iterator[str]:
    """Everything new, against the floor; with one worker and with two."""
    records = folder / "records.ndjson"
    write_records(records, documents, kind)
    yield f"{documents:,} {kind} documents, {records.stat().st_size / 1e6:,.0f} MB of NDJSON"

    start_up = _empty_run(folder / "empty", FROM_RECORDS)
    yield f"start-up, subtracted below: {start_up.wall:.1f} s wall, {start_up.cpu:.1f} s CPU"
    before = _floor(folder, records, "before")
    yield _line("floor: one plain loop", documents, before, None)
    loaded = Project.create(folder / "loaded", records=records, workers=1)
    ingest = loaded.materialize("ingest_records").minus(_empty_run(folder / "empty2", "ingest_records"))
    yield _line("ingest_records (the floor only reads the file)", documents, ingest, None)
    costs = {}
    for workers in (1, 2):
        project = loaded.copy(folder / f"workers{workers}", workers=workers)
        costs[workers] = project.materialize(FROM_RECORDS).minus(start_up)
    after = _floor(folder, records, "after")
    yield _line("the same loop again, since a machine's pace varies", documents, after, None)
    floor = Cost(wall=(before.wall + after.wall) / 2, cpu=(before.cpu + after.cpu) / 2, peak_mb=0)
    for workers, cost in costs.items():
        yield _line(f"from records to vectors, {workers} worker{'s'[: workers - 1]}", documents, cost, floor)
    whole = Cost(wall=costs[1].wall + ingest.wall, cpu=costs[1].cpu + ingest.cpu, peak_mb=0)
    yield _line("from file to vectors, 1 worker", documents, whole, floor)
    gain = costs[1].wall / costs[2].wall
    ceiling = 2 * floor.wall / _two_floors(folder, records)
    yield f"two workers are {gain:.2f} times as fast as one; two plain loops at once, {ceiling:.2f} times"


def scale(folder: Path, documents: int, kind: str) -> Iterator[str]:
    """A fiftieth of the documents, then all of them: a cold run's peak memory, and the cost of a run without work."""
    empty = Project.create(folder / "empty", records=None, workers=1)
    empty.materialize()
    for amount in (documents // 50, documents):
        records = folder / f"records{amount}.ndjson"
        write_records(records, amount, kind)
        project = Project.create(folder / f"project{amount}", records=records, workers=2)
        cold = project.materialize()
        # By turns, because the same run costs more or less from one minute to the next.
        pairs = [(empty.materialize().cpu, project.materialize().cpu) for _ in range(_NOOPS)]
        beyond = median(noop for _, noop in pairs) - median(empty for empty, _ in pairs)
        yield f"{amount:,} sources, {_count(project.store, 'vector.chunk'):,} chunks in {cold.wall:.0f} s"
        yield f"  peak memory of all processes together, 2 workers: {cold.peak_mb:,.0f} MB"
        yield f"  nothing to do: {beyond:.2f} s CPU beyond an empty run, medians of {_NOOPS} pairs: {_list(pairs)}"
        records.unlink()


def change(folder: Path, documents: int, kind: str) -> Iterator[str]:
    """One per cent of the documents fetched again with another text, against its share of the cold run."""
    crawls = folder / "crawls"
    crawls.mkdir()
    write_records(crawls / "first.ndjson", documents, kind)
    os.utime(crawls / "first.ndjson", LONG_AGO)
    start_up = _empty_run(folder / "empty", EVERYTHING)
    project = Project.create(folder / "project", records=crawls, workers=1)
    full = project.materialize().minus(start_up)
    nothing = project.materialize().minus(start_up)
    changed = documents // 100
    write_records(crawls / "second.ndjson", changed, kind, changed=range(changed))
    os.utime(crawls / "second.ndjson", LONG_AGO)
    partial = project.materialize().minus(start_up)
    share = full.cpu / 100
    yield f"cold: {full.cpu:.1f} s CPU; its hundredth: {share:.2f} s; no-op: {nothing.cpu:.2f} s"
    yield f"1 % changed: {partial.cpu:.2f} s CPU = no-op + {(partial.cpu - nothing.cpu) / share:.2f} times its share"


def crash(folder: Path, documents: int, kind: str) -> Iterator[str]:
    """Killed at half of a cold run: how much the next run does again, and whether the store ends the same."""
    records = folder / "records.ndjson"
    write_records(records, documents, kind)
    start_up = _empty_run(folder / "empty", EVERYTHING)
    undisturbed = Project.create(folder / "undisturbed", records=records, workers=1)
    whole = undisturbed.materialize()
    disturbed = Project.create(folder / "disturbed", records=records, workers=1)
    _kill_after(disturbed, start_up.wall + (whole.wall - start_up.wall) / 2)
    rest = disturbed.materialize()
    redone = (rest.wall - start_up.wall) / (whole.wall - start_up.wall)
    same = _contents(disturbed.store) == _contents(undisturbed.store)
    yield f"undisturbed {whole.wall:.1f} s; after a kill at half of it the next run took {rest.wall:.1f} s"
    yield f"redone: {redone:.0%} of the work, start-up aside; the stores are {'identical' if same else 'DIFFERENT'}"


def provider(folder: Path, chunks: int, _kind: str) -> Iterator[str]:
    """Chunks embedded by a server that takes 20 ms for 32 of them, one request at a time, against bare requests."""
    settings, store = _store_of_chunks(folder, chunks)
    requests = -(-chunks // _TEXTS_A_REQUEST)
    with _served() as url:
        settings = settings.model_copy(update={"ollama": OllamaSettings(base_url=url, batch_size=_TEXTS_A_REQUEST)})
        floor = _bare_requests(url, requests)
        providers = installed_providers(settings)
        (space,) = register_spaces(store, providers, settings).registered
        started = time.monotonic()
        with store.kept_open():
            report = embed_space(
                store,
                lambda: providers.reopen(space),
                space,
                CanaryPolicy.of(settings),
                _ORIGIN,
                lambda _done, _total: None,
            )
        seconds = time.monotonic() - started
    allowed = requests * _SECONDS_A_REQUEST
    yield f"{report.embedded:,} chunks in {seconds:.2f} s, {report.embedded / seconds:,.0f} a second"
    yield f"that is {allowed / seconds:.2f} of what the server allows, and {floor / seconds:.2f} of bare requests"


def _store_of_chunks(folder: Path, chunks: int) -> tuple[Settings, Store]:
    settings = Settings(
        base_dir=folder,
        store_url="duckdb:///store.duckdb",
        spaces=(SpaceDeclaration(provider="ollama", model="all-minilm"),),
    )
    store = step_store(settings)
    store.migrate()
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        connection.execute(_CHUNKS, [chunks])
    return settings, store


@contextmanager
def _served() -> Iterator[str]:
    """A server in a process of its own, which prints where it is."""
    command = [sys.executable, "-m", "tests.ollama_double", str(_SECONDS_A_REQUEST)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield (process.stdout or sys.stdin).readline().strip()
        finally:
            process.kill()


def _bare_requests(url: str, count: int) -> float:
    texts = ["some words of a chunk " * 55] * _TEXTS_A_REQUEST
    body = json.dumps({"model": "all-minilm", "input": texts, "truncate": True})
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    started = time.monotonic()
    for _ in range(count):
        connection.request("POST", "/api/embed", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
    return time.monotonic() - started


def _empty_run(folder: Path, selection: str) -> Cost:
    """The same job over an empty store whose schema is there: what Dagster and the imports cost."""
    project = Project.create(folder, records=None, workers=1)
    project.materialize(selection)
    return min((project.materialize(selection) for _ in range(2)), key=lambda cost: cost.cpu)


def _floor(folder: Path, records: Path, name: str) -> Cost:
    place = folder / name
    place.mkdir()
    (place / "none.ndjson").touch()
    start_up = cost_of(_plain_loop(place / "none.ndjson", place / "none.duckdb"), place, environment())
    return cost_of(_plain_loop(records, place / "floor.duckdb"), place, environment()).minus(start_up)


def _two_floors(folder: Path, records: Path) -> float:
    """Seconds until two plain loops that were started together are both done, start-up subtracted."""
    with ThreadPoolExecutor(2) as executor:
        return max(cost.wall for cost in executor.map(lambda name: _floor(folder, records, name), ("left", "right")))


def _plain_loop(records: Path, store: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.floor", str(records), str(store)]


def _kill_after(project: Project, seconds: float) -> None:
    with (
        subprocess.Popen(
            project.command(),
            cwd=project.folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
        peak_of(process.pid),
    ):
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)


def _contents(store: Path) -> list[object]:
    """Keys, texts, hashes and vectors: what makes two stores identical."""
    with duckdb.connect(str(store), read_only=True) as connection:
        return [
            connection.execute(query).fetchall()
            for query in (
                "select source_id, content_sha256, chunk_count, presence from vector.source_registry order by all",
                "select chunk_id, content_sha256, offsets_json from vector.chunk order by all",
                "select embedding_id, input_content_sha256, vector_sha256 from vector.embedding order by all",
            )
        ]


def _count(store: Path, table: str) -> int:
    with duckdb.connect(str(store), read_only=True) as connection:
        row = connection.execute(f"select count(*) from {table}").fetchone()
        return int(row[0]) if row else 0


def _line(what: str, documents: int, cost: Cost, floor: Cost | None) -> str:
    text = f"{what}: {cost.wall:.1f} s wall, {cost.cpu:.1f} s CPU, {documents / cost.wall:,.0f} documents/s"
    if floor is not None:
        text += f" = {floor.wall / cost.wall:.2f} of the floor's throughput ({floor.cpu / cost.cpu:.2f} per CPU second)"
    return text + (f", peak {cost.peak_mb:,.0f} MB" if cost.peak_mb else "")


def _list(pairs: Sequence[tuple[float, float]]) -> str:
    return ", ".join(f"{empty:.2f} and {noop:.2f}" for empty, noop in pairs)


SCENARIOS = {
    "cold": (cold, 10_000),
    "scale": (scale, 50_000),
    "change": (change, 10_000),
    "crash": (crash, 5_000),
    "provider": (provider, 10_000),
    "ticks": (ticks, 100_000),
    "search": (search, 100_000),
    "drift": (drift, 100_000),
    "drift-laws": (drift_laws, 200),
}
