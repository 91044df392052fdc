"""Saying that one process writes to a folder, so that a second one does not."""

import os
import platform
from contextlib import suppress
from pathlib import Path

import psutil

from holocron_assets.errors import ExportError


class Claim:
    """A file that names this process, in the folder that it writes to. One that a dead process left is removed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / f".export-{platform.node()}-{os.getpid()}.lock"
        self.is_taken = False

    def take(self) -> None:
        """Raises `ExportError` where another process writes to the folder. Of two at once, perhaps both are refused."""
        self._file.touch()
        self.is_taken = True
        others = [path for path in self._folder.glob(".export-*.lock") if path != self._file]
        if alive := next((path for path in others if _is_alive(path)), None):
            self.let_go()
            raise ExportError(
                f"another export writes to {self._folder}: let one do so at a time, and try again when it is done. "
                f"If none does, delete {alive}."
            )
        for leftover in others:
            leftover.unlink(missing_ok=True)

    def let_go(self) -> None:
        """Does nothing where it was never taken."""
        if self.is_taken:
            self.is_taken = False
            with suppress(OSError):
                self._file.unlink(missing_ok=True)


def _is_alive(file: Path) -> bool:
    """Whether the process that a file names still runs; of another machine's nobody can tell, so it does."""
    host, _, pid = file.name.removeprefix(".export-").removesuffix(".lock").rpartition("-")
    return host != platform.node() or not pid.isdigit() or psutil.pid_exists(int(pid))
