"""`holocron serve`, as a user starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import pytest

from holocron_assets.cli import MISUSED
from holocron_assets.stages.indexing import IndexPlace
from holocron_assets.tables import spaces
from holocron_assets.transactions import read
from tests.cli.test_commands import filled, folder, holocron
from tests.graph.test_interruptions import held
from tests.world import World

__all__ = ["filled", "folder"]

ROOT = Path(__file__).parents[2]


@contextmanager
def served(cwd: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The page's address, and the process that serves it."""
    command = [sys.executable, "-c", "from holocron_assets.cli import main; main()", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[0], process.communicate()[1]
        yield json.loads("".join(lines))["url"], process
    finally:
        process.kill()
        process.communicate()


def test_it_answers_until_it_is_interrupted(filled: World, folder: Path) -> None:
    """It listens where it says, on this machine alone, logs no query, and ends well with Ctrl-C."""
    with served(folder) as (url, process):
        with urllib.request.urlopen(f"{url}api/search?q=miners") as answer:
            hits = json.load(answer)["hits"]
        try:
            urllib.request.urlopen(f"{url}?q={'t' * 300_000}")
            status = 200
        except urllib.error.HTTPError as error:
            status = error.code
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)

    assert hits[0]["title"] == "Lamps"
    assert url.startswith("http://127.0.0.1:")
    assert status in (400, 414), "uvicorn refuses it, or we do"
    assert process.returncode == 0
    assert "GET /api/search 200 " in errors
    assert "miners" not in errors
    assert "Traceback" not in errors


def test_it_starts_while_the_store_is_held(filled: World, folder: Path) -> None:
    """It says who holds the store, and listens; the page says the same."""
    with held(filled.closed_file()) as pid, served(folder, "--host", "0.0.0.0") as (url, process):
        try:
            urllib.request.urlopen(f"{url}?q=miners")
            status, page = 200, ""
        except urllib.error.HTTPError as error:
            status, page = error.code, error.read().decode()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)

    assert (status, f"process {pid}" in page) == (503, True)
    assert f"warning: {filled.store.name} is in use by process {pid}" in errors
    assert "warning: whoever reaches 0.0.0.0 can read every text" in errors


@pytest.mark.slow
def test_it_ends_while_an_index_is_built(filled: World, folder: Path) -> None:
    """It listens although the index is not ready, says so, and Ctrl-C waits for nothing."""
    (space,) = read(filled.store, spaces.list_spaces)
    index = IndexPlace.of(filled.settings).folder(filled.store, space)
    index.mkdir(parents=True)

    with filelock.FileLock(index / "building.lock"), served(folder) as (_, process):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 0
    assert "is not ready yet" in errors


def test_where_it_cannot_listen_it_says_so(filled: World) -> None:
    """A port that is taken and a host that is none are wrong usage."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = holocron("serve", "--port", str(taken.getsockname()[1]))
    unknown = holocron("serve", "--host", "no such host")

    for result in (busy, unknown):
        assert result.exit_code == MISUSED
        assert "nothing can listen at" in result.output
