"""The real webserver and daemon over a folder like a user's: records land, and nobody does anything else."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import dagster as dg
import numpy as np
import pytest
from numpy.typing import NDArray

from holocron_assets.composition import InstalledProviders
from holocron_assets.queueing import Wanted, enqueue_job
from holocron_assets.runs import stage_of
from holocron_assets.settings import load_settings
from tests.graph.test_interruptions import ROOT, count, environment, held, store_of
from tests.http_double import hashed
from tests.ollama_double import Model, OllamaDouble
from tests.world import World, page_row, prose

#: No schedules, so that the hour at which this runs does not count.
SETTINGS = """
ingest: []
extraction: {workers: 1}
spaces: [{provider: hashing, model: ngram, options: {dimensions: 32}}]
schedules: {nightly: null, verification: null, evaluation: null, drift: null}
sensors: {interval_seconds: 1}
"""
HOLOCRON = "from holocron_assets.cli import main; main()"
MODULE = "holocron_assets.definitions"
DAEMON = ("dagster._daemon", "run")
PATIENCE_SECONDS = 120.0


@dataclass
class Service:
    """Webserver and daemon on a folder, asked by GraphQL."""

    folder: Path
    port: int

    def ask(self, query: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["data"]

    def is_ready(self) -> bool:
        """Whether the daemon that evaluates sensors says that it lives."""
        try:
            answer = self.ask('{ instance { daemonHealth { daemonStatus(daemonType: "SENSOR") { healthy } } } }')
        except (urllib.error.URLError, ConnectionError):
            return False
        return bool(answer["instance"]["daemonHealth"]["daemonStatus"]["healthy"])

    def ticks(self, sensor: str) -> list[dict[str, Any]]:
        """The ticks of a sensor that ended, the newest first."""
        selector = f'repositoryName: "__repository__", repositoryLocationName: "{MODULE}", sensorName: "{sensor}"'
        answer = self.ask(
            f"{{ sensorOrError(sensorSelector: {{ {selector} }}) {{ ... on Sensor {{ sensorState {{ "
            "ticks(limit: 500) { status skipReason } } } } }"
        )
        return [tick for tick in answer["sensorOrError"]["sensorState"]["ticks"] if tick["status"] != "STARTED"]

    def reasons(self) -> list[str]:
        """Why the sensor asked for nothing each time, the newest first; empty where it did ask."""
        return [tick["skipReason"] or "" for tick in self.ticks("new_records")]

    def runs(self) -> list[tuple[str, str]]:
        """Job and status of every run there ever was."""
        answer = self.ask("{ runsOrError { ... on Runs { results { jobName status } } } }")
        return [(run["jobName"], run["status"]) for run in answer["runsOrError"]["results"]]


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for what is sure to come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with settings and the committed dagster.yaml."""
    (tmp_path / "holocron.yaml").write_text(SETTINGS)
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    return tmp_path


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    """Webserver and daemon, each in a process group of its own; both end with all that they started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    webserver = ("dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-m", MODULE)
    with process(folder, *webserver), process(folder, *DAEMON, "-m", MODULE):
        started = Service(folder, port)
        until(started.is_ready, "webserver and daemon are ready")
        yield started


@contextmanager
def process(folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A part of Dagster, in a process group of its own; it ends with all that it started."""
    with (folder / "service.log").open("a") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment(DAGSTER_HOME=str(folder)),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGTERM)
        try:
            started.wait(timeout=30)
        finally:
            with_group_gone(started.pid)


def with_group_gone(group: int) -> None:
    """Nothing of a process group is left behind."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def land(folder: Path, *titles: str) -> None:
    """New records, as a crawler's export brings them."""
    rows = [page_row(title, sum(title.encode()), prose(title, 2500)) for title in titles]
    path = folder / f"{titles[0]}.ndjson"
    path.write_text("\n".join(map(json.dumps, rows)))
    subprocess.run([sys.executable, "-c", HOLOCRON, "ingest", str(path)], cwd=folder, env=environment(), check=True)


def stages(folder: Path) -> Counter[tuple[str, str]]:
    """How many runs the store recorded of each stage, by how they ended."""
    with store_of(folder).session(write=False) as session:
        return Counter(
            (stage_of(row["input_json"]), row["status"]) for row in session.rows("list_recent_runs", limit=99)
        )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX's")
def test_records_become_vectors_with_no_further_hand(project: Path) -> None:
    """Records that land are embedded, also those that landed while nothing ran, and after a while in which another
    process held the store: each once, by one run each time. The search index follows."""

    def succeeded(times: int) -> Callable[[], bool]:
        def holds() -> bool:
            runs = [run for run in running.runs() if run[0] == "bring_up_to_date"]
            assert len(runs) <= times, runs
            return runs == [("bring_up_to_date", "SUCCESS")] * times

        return holds

    with service(project) as running:
        land(project, "Tides", "Lamps")
        until(succeeded(1), "the first records are embedded")
        first = count(project, "vector.embedding")
    land(project, "Eels")
    with service(project) as running:
        until(succeeded(2), "what landed meanwhile is embedded")
        second = count(project, "vector.embedding")
        with held(project / ".holocron" / "store.duckdb") as holder:
            reason = f"is in use by process {holder} "
            until(lambda: reason in running.reasons()[0], "the sensor says who holds the store")
        land(project, "Posts")
        until(succeeded(3), "what landed after it was held is embedded")
        looks = len(running.reasons())
        until(lambda: len(running.reasons()) > looks + 1, "the sensor looked twice more")
        assert "nothing new among 4 ingest records" in running.reasons()[0]
        assert succeeded(3)()
        until(lambda: indexed(project) == count(project, "vector.chunk"), "the index has every chunk")
        assert "FAILURE" not in {
            tick["status"] for tick in running.ticks("new_records") + running.ticks("space_registry")
        }

    assert 0 < first < second < count(project, "vector.embedding") == count(project, "vector.chunk")
    assert stages(project) == {
        ("ingest", "SUCCEEDED"): 3,
        ("extract", "SUCCEEDED"): 3,
        ("chunk", "SUCCEEDED"): 3,
        ("embed", "SUCCEEDED"): 3,
    }


def indexed(folder: Path) -> int:
    """How many chunks the published index of the only space has."""
    found = list((folder / ".holocron" / "search").glob("*/*/index.json"))
    return sum(segment["live_count"] for path in found for segment in json.loads(path.read_text())["segments"])


def runs_of(home: Path) -> list[dg.DagsterRun]:
    """Every run of an instance that nobody serves any more."""
    with chdir(home), dg.DagsterInstance.from_config(str(home)) as instance:
        return list(instance.get_runs())


#: The code location without the sensors that would do the work before the queue does.
QUEUE_ALONE = """
from holocron_assets import definitions
from holocron_assets.sensors.queued_jobs import queued_jobs
definitions.SENSORS[:] = [queued_jobs]
defs = definitions.build_defs()
"""
QUEUE_SETTINGS = """
spaces: [{{provider: ollama, model: all-minilm}}]
ollama: {{base_url: {url}}}
queue: {{backoff_seconds: 0}}
sensors: {{interval_seconds: 1}}
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX's")
def test_a_killed_daemon_loses_no_job(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed with all that it started, in the middle of a run for queued jobs, while the daemon of another instance
    works on the same store: that one leaves its jobs alone, the next daemon ends the run, another run does what was
    not stored yet, and every job succeeds once."""
    asked: list[str] = []
    model_is_asked, goes_on = Event(), Event()

    def stalling(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        if len(asked) > 1300 and not goes_on.is_set():  # more than a run embeds before it stores
            model_is_asked.set()
            goes_on.wait()
        return hashed()(texts)

    def enqueue(first: int, last: int) -> None:
        for number in range(first, last + 1):
            enqueue_job(world.store, world.settings, Wanted(job_type="EMBED_CHUNKS", key=f"{number}"))

    def jobs() -> Counter[tuple[str, int]]:
        with world.store.session(write=False) as session:
            found = session.rows("list_jobs", status=None, limit=99)
        return Counter((job["status"], job["attempt_count"]) for job in found)

    with OllamaDouble(models={"all-minilm:latest": Model(encoder=stalling)}) as server:
        (project / "queue_alone.py").write_text(QUEUE_ALONE)
        (project / "holocron.yaml").write_text(QUEUE_SETTINGS.format(url=server.url))
        monkeypatch.setenv("HOLOCRON_CONFIG", str(project / "holocron.yaml"))
        other = project / "other"
        other.mkdir()
        shutil.copy(ROOT / "dagster.yaml", other)
        settings = load_settings()
        world = World(store_of(project), settings, InstalledProviders(settings))
        world.store.migrate()
        world.add(*(page_row(f"Page {n}", n, prose(f"topic {n}", 60_000)) for n in range(1, 51)))
        world.extract()
        world.chunk()
        enqueue(1, 40)
        daemon = (*DAEMON, "-f", str(project / "queue_alone.py"))
        with process(project, *daemon) as doomed:
            until(model_is_asked.is_set, "a run embeds")
            until(lambda: count(project, "vector.embedding") > 0, "its first batch is stored")
            enqueue(41, 50)
            with process(other, *daemon):
                looked = "jobs: 10 waiting, 0 under way"
                until(lambda: looked in (other / "service.log").read_text(), "the other one looked, and waits")
                os.killpg(doomed.pid, signal.SIGKILL)
                assert jobs() == {("RUNNING", 1): 40, ("NEW", 0): 10}
                stored = {
                    text
                    for (text,) in world.rows("select content from vector.chunk join vector.embedding using (chunk_id)")
                }
                asked.clear()
                goes_on.set()
                with process(project, *daemon):
                    until(lambda: {status for status, _ in jobs()} == {"SUCCEEDED"}, "every job succeeds")

    assert jobs() == {("SUCCEEDED", 2): 40, ("SUCCEEDED", 1): 10}
    assert stored
    assert stored.isdisjoint(asked)
    assert count(project, "vector.embedding") == len(world.current_chunks()) > len(stored)
    assert stages(project) == {
        ("extract", "SUCCEEDED"): 1,
        ("chunk", "SUCCEEDED"): 1,
        ("embed", "FAILED"): 1,
        ("embed", "SUCCEEDED"): 1,
    }
    ended = [run.status for home in (project, other) for run in runs_of(home)]
    assert ended.count(dg.DagsterRunStatus.FAILURE) == 1
    assert set(ended) == {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS}
