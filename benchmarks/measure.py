"""What a process and all its children cost: wall, CPU seconds, and peak memory shared pages counted once."""

import contextlib
import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_SHORTEST_PAUSE = 0.1
#: Of one processor. The kernel adds up a large process for milliseconds, and who is measured on all of them notices.
_WATCHING_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one command: seconds of wall clock, seconds of CPU in all its processes, peak megabytes together."""

    wall: float
    cpu: float
    peak_mb: float

    def minus(self, other: "Cost") -> "Cost":
        """What is left when another command's time is taken off; memory stays."""
        return Cost(wall=self.wall - other.wall, cpu=self.cpu - other.cpu, peak_mb=self.peak_mb)


def cost_of(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Cost:
    """Run a command to its end; raises with its last words when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    with (folder / "command.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        with peak_of(process.pid) as peak:
            code = process.wait()
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code != 0:
        raise RuntimeError((folder / "command.log").read_text(errors="replace")[-3000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall=wall, cpu=cpu, peak_mb=peak[0])


@contextlib.contextmanager
def peak_of(pid: int) -> Iterator[list[float]]:
    """Watches a process and its children; the list's one number is the peak so far, in megabytes."""
    peak = [0.0]
    stop = threading.Event()

    def watch() -> None:
        pause = _SHORTEST_PAUSE
        while not stop.wait(pause):
            started = time.thread_time()
            peak[0] = max(peak[0], _proportional_mb(pid))
            pause = max(_SHORTEST_PAUSE, (time.thread_time() - started) / _WATCHING_SHARE)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _proportional_mb(pid: int) -> float:
    """Proportional set size: a page shared by n processes counts 1/n in each."""
    total = 0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total / 1024**2


def environment(**settings: str) -> dict[str, str]:
    """The environment of a user, with the project importable and its bytecode kept."""
    root = str(Path(__file__).parents[1])
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": root} | settings
