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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.runs import stage_of
from tests.graph.test_interruptions import ROOT, count, environment, held, store_of
from tests.world import page_row, prose

#: No schedules, so that the hour at which this runs does not count.
SETTINGS = """
ingest: []
extraction: {workers: 1}
spaces: [{provider: hashing, model: ngram, options: {dimensions: 32}}]
schedules: {nightly: null, verification: null}
sensors: {interval_seconds: 1}
"""
HOLOCRON = "from holocron_assets.cli import main; main()"
MODULE = "holocron_assets.definitions"
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
    commands = (
        ["dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-m", MODULE],
        ["dagster._daemon", "run", "-m", MODULE],
    )
    log = (folder / "service.log").open("a")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment(DAGSTER_HOME=str(folder)),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        for command in commands
    ]
    try:
        started = Service(folder, port)
        until(started.is_ready, "webserver and daemon are ready")
        yield started
    finally:
        log.close()
        for process in processes:
            os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            try:
                process.wait(timeout=30)
            finally:
                with_group_gone(process.pid)


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
    process held the store: each once, by one run each time."""

    def succeeded(times: int) -> Callable[[], bool]:
        def holds() -> bool:
            runs = running.runs()
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
