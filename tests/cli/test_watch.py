"""`holocron status --watch` as a person sees it: in a terminal, and in a file."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.test_commands import filled, folder  # noqa: F401 - fixtures
from tests.graph.test_interruptions import held
from tests.world import World, page_row, prose

pty = pytest.importorskip("pty", reason="this system has no such terminals")
ROOT = Path(__file__).parents[2]
#: A process that was itself started in the background ignores Ctrl-C, and so would what it starts.
WATCH = """
import signal
from holocron_assets.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


def read_until(file: int, wanted: bytes) -> None:
    """Read what a process shows until it says this."""
    said, deadline = b"", time.monotonic() + 60
    while wanted not in said:
        assert time.monotonic() < deadline, said[-2000:]
        said += os.read(file, 1 << 16)


@contextmanager
def killed_at_last(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever happens: one that nobody reads from would wait for ever."""
    try:
        yield
    finally:
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("is_terminal", [False, True])
def test_status_is_watched_until_it_is_interrupted(filled: World, *, is_terminal: bool) -> None:  # noqa: F811
    """The store is shown again and again, also after it was busy, which is said; Ctrl-C ends it well."""
    ours, theirs = pty.openpty() if is_terminal else os.pipe()
    command = [sys.executable, "-c", WATCH, "status", "--watch", "0.2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "160", "LINES": "50", "TERM": "xterm"}
    with (
        subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=environment) as watching,
        killed_at_last(watching),
    ):
        os.close(theirs)
        read_until(ours, b"everything is up to date")
        with held(Path(filled.store.name)):
            read_until(ours, b"is in use by process")
        filled.add(page_row("Eels", 3, prose("eels")))
        read_until(ours, b"1 records to extract")
        watching.send_signal(signal.SIGINT)
        os.set_blocking(ours, False)
        deadline = time.monotonic() + 20
        while watching.poll() is None and time.monotonic() < deadline:
            with suppress(OSError):
                os.read(ours, 1 << 16)
            time.sleep(0.05)

        assert watching.poll() == 0
        assert watching.stderr is not None
        assert watching.stderr.read() == b""
    os.close(ours)
