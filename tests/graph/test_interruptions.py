"""Breaking it on purpose: killed half-way, run twice at once, held by another, out of space, out of permission."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holocron_assets.errors import StoreBusyError, StoreError
from holocron_assets.settings import Settings
from resources.stores import open_store
from resources.stores.base import SqlStore
from tests.graph.test_checks import contents
from tests.world import World, page_row, prose, raw

ROOT = Path(__file__).parents[2]
PAGES = 60
SETTINGS = """
ingest: [records.ndjson]
extraction: {workers: 1}
spaces: [{provider: hashing, model: ngram, options: {dimensions: 32}}]
"""
DAGSTER = """
storage: {sqlite: {base_dir: .dagster/storage}}
local_artifact_storage: {module: dagster.core.storage.root, class: LocalArtifactStorage, config: {base_dir: .dagster}}
concurrency: {pools: {default_limit: 1, granularity: op}}
telemetry: {enabled: false}
"""


#: What each stage says it counts, in the order in which they run.
STAGES = ("records read", "records examined", "sources chunked", "chunks embedded")

#: Dagster's command line over batches so small that every stage commits several times, and says so each time.
SMALL_BATCHES = """
import runpy
from holocron_assets.assets import steps
from holocron_assets.stages import chunk, embed, examining, extract, ingest
from resources.providers.hashing import ByteNgrams
ingest._BATCH_ITEMS, extract._COMMIT_RECORDS = 20, 20
examining._WORKER_BATCH_BYTES, chunk._BATCH_CHARACTERS, ByteNgrams.batch_size = 100_000, 50_000, 40
embed._COMMIT_CHUNKS = 40
steps._LOG_EVERY_SECONDS = 0.0
runpy.run_module("dagster", run_name="__main__", alter_sys=True)
"""


def new_project(folder: Path) -> Path:
    """A folder like a user's: settings, an instance of its own, records to load."""
    (folder / "holocron.yaml").write_text(SETTINGS)
    (folder / "dagster.yaml").write_text(DAGSTER)
    rows = [page_row(f"Page {n}", n, prose(f"topic {n}", 2500)) for n in range(1, PAGES + 1)]
    (folder / "records.ndjson").write_text("\n".join(json.dumps(row) for row in rows))
    os.utime(folder / "records.ndjson", (1_700_000_000, 1_700_000_000))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in which nothing ran yet."""
    return new_project(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which everything ran once, from beginning to end."""
    folder = new_project(tmp_path_factory.mktemp("undisturbed"))
    assert run(folder).returncode == 0
    return folder


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)} | more


def command(selection: str = "+key:embeddings") -> list[str]:
    return [
        *(sys.executable, "-c", SMALL_BATCHES, "asset", "materialize"),
        *("-m", "holocron_assets.definitions", "--select", selection),
    ]


def run(project: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(), cwd=project, env=environment(**more), capture_output=True, text=True, check=False, timeout=120
    )


def store_of(project: Path) -> SqlStore:
    return open_store(Settings(base_dir=project, store_url="duckdb:///.holocron/store.duckdb"), wait_seconds=10)


def count(project: Path, table: str) -> int:
    with store_of(project).session(write=False) as session:
        return int(raw(session, f"select count(*) from {table}")[0][0])


def run_and_kill(project: Path, marker: str) -> str:
    """Run the main job and kill it, with SIGKILL, when its log says `marker`; returns what it said."""
    said = []
    with subprocess.Popen(
        command(), cwd=project, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if marker in line:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL, "".join(said[-20:])
    return "".join(said)


@pytest.mark.slow
def test_killed_runs_are_continued_to_the_same_store(project: Path, undisturbed: Path) -> None:
    """Killed after the first batch of a stage, in every stage, the next run takes over at once, and in the end the
    store is as if nothing had happened."""
    killed = [run_and_kill(project, f"{what}: ") for what in STAGES]
    after = run(project)

    assert after.returncode == 0, after.stderr[-3000:]
    assert "blocked by limit" not in "".join([*killed, after.stderr])
    assert identical(project) == identical(undisturbed)
    with store_of(project).session(write=False) as session:
        assert session.rows("list_running_runs") == []


def identical(project: Path) -> object:
    class Wrapped:
        world = World(store=store_of(project), settings=Settings(base_dir=project), providers=None)  # type: ignore[arg-type]

    return contents(Wrapped())  # type: ignore[arg-type]


@pytest.mark.slow
def test_two_runs_at_once_give_one_result(project: Path) -> None:
    """Two runs of everything, started together, both succeed and store everything once."""
    # Two first runs would race in creating Dagster's own database, which Dagster does not survive.
    subprocess.run(command("embedding_spaces"), cwd=project, env=environment(), check=True, capture_output=True)
    processes = [
        subprocess.Popen(
            command(), cwd=project, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(2)
    ]

    codes = [process.wait(timeout=180) for process in processes]

    assert codes == [0, 0]
    assert count(project, "vector.embedding") == count(project, "vector.chunk") > PAGES
    assert count(project, "ingest.IngestRecords") == PAGES


HOLDER = """
import sys, time
import duckdb
while True:
    try:
        connection = duckdb.connect(sys.argv[1])
        break
    except duckdb.IOException:
        time.sleep(0.005)
print("ready", flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextmanager
def held(path: Path, seconds: float = 60) -> Iterator[int]:
    """Another process that has the file open for a while, as soon as it can have it."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path), str(seconds)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process.pid
        finally:
            process.kill()


def test_a_held_store_is_told_with_its_holder(store: SqlStore, settings: Settings) -> None:
    """While another process holds the file, whoever cannot wait is told who it is."""
    impatient = open_store(settings, wait_seconds=0.3)

    with held(Path(store.name)) as pid, pytest.raises(StoreBusyError, match=f"is in use by process {pid} "):
        impatient.migrate()


def test_a_held_store_is_waited_for(store: SqlStore, settings: Settings) -> None:
    """Whoever can wait gets the store when the other process is done."""
    with held(Path(store.name), seconds=1):
        started = time.monotonic()
        with open_store(settings, wait_seconds=20).session() as session:
            session.rows("count_migration_logs")

    assert 0.5 < time.monotonic() - started < 15


def test_a_store_that_is_kept_open_is_let_go_at_a_write(store: SqlStore) -> None:
    """When a run has written, other processes may hold the store at once, and soon after it has read again."""
    with store.kept_open():
        with store.session(write=False) as session:
            session.rows("count_migration_logs")
        with store.session() as session:
            session.execute("create_migration_log")
        with held(Path(store.name)):
            pass
        with store.session(write=False) as session:
            session.rows("count_migration_logs")
        time.sleep(0.5)
        with held(Path(store.name)):
            pass


#: Waits until it may write to the store that it is given, and does.
PATIENT_WRITER = """
import sys
from pathlib import Path
from resources.stores.duckdb import DuckDBStore
with DuckDBStore(Path(sys.argv[1]), memory_limit=10**8, threads=1, wait_seconds=30).session() as session:
    session.execute("create_migration_log")
"""


def test_a_store_that_is_kept_open_is_let_go_when_idle(store: SqlStore) -> None:
    """A run that only read and waits for something else keeps no other process from writing."""
    with store.kept_open():
        with store.session(write=False) as session:
            session.rows("count_migration_logs")
        subprocess.run([sys.executable, "-c", PATIENT_WRITER, store.name], env=environment(), check=True)
        with store.session(write=False) as session:
            session.rows("count_migration_logs")


@pytest.mark.parametrize("write", [True, False])
def test_a_run_that_is_busy_all_the_time_lets_others_write(store: SqlStore, *, write: bool) -> None:
    """However short its pauses are, and whether it writes or reads, another process gets its turn between them."""
    until = time.monotonic() + 25
    with (
        store.kept_open(),
        subprocess.Popen([sys.executable, "-c", PATIENT_WRITER, store.name], env=environment()) as other,
    ):
        while other.poll() is None and time.monotonic() < until:
            with store.session(write=write) as session:
                session.rows("count_migration_logs")
            time.sleep(0.002)
    assert other.returncode == 0
    assert time.monotonic() < until


def test_a_store_is_let_go_when_it_is_no_longer_kept_open(store: SqlStore) -> None:
    """A run that only read leaves nothing open."""
    with store.kept_open(), store.session(write=False) as session:
        session.rows("count_migration_logs")
    with held(Path(store.name)):
        pass


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own, which only root can make."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)]
    if os.name == "nt" or os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("needs to mount a small file system")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    """When the disk is full, the error says so, nothing of the batch is stored, and with space it goes on."""
    with small_disk(tmp_path, 8) as disk:
        settings = Settings(base_dir=disk, store_url="duckdb:///store.duckdb", ingest=())
        world = World(store=open_store(settings, wait_seconds=5), settings=settings, providers=None)  # type: ignore[arg-type]
        world.store.migrate()
        row = page_row("Page", 1, prose("topic"))
        world.add(row)
        huge = [page_row(f"Page {n}", n, prose(f"topic {n}", 300_000)) for n in range(2, 60)]
        with pytest.raises(StoreError, match=r"(?i)disk is full|no space"):
            world.add(*huge)

        subprocess.run(["mount", "-o", "remount,size=300m", disk], check=True)
        assert world.rows("select count(*) from ingest.IngestRecords") == [(1,)]
        assert world.add(*huge) == len(huge)


def test_a_read_only_disk_is_told(tmp_path: Path) -> None:
    """A store on a disk that may not be written is an error that names the setting, and it can still be read."""
    with small_disk(tmp_path, 50) as disk:
        settings = Settings(base_dir=disk, store_url="duckdb:///store.duckdb", ingest=())
        store = open_store(settings, wait_seconds=5)
        store.migrate()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)

        with store.session(write=False) as session:
            session.rows("list_applied_migrations")
        with pytest.raises(StoreError, match="HOLOCRON_STORE_URL"), store.session():
            pass


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_a_read_only_store_is_told(store: SqlStore, settings: Settings, tmp_path: Path) -> None:
    """A store that may not be written is an error that names the file and the setting, and it can still be read."""
    if os.geteuid() == 0:
        pytest.skip("root may write anything")
    Path(store.name).chmod(0o444)

    with store.session(write=False) as session:
        session.rows("list_applied_migrations")
    with pytest.raises(StoreError, match=r"HOLOCRON_STORE_URL|permission"), store.session():
        pass
