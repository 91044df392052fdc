"""The store's file while it is open, and keeping it open from one session to the next."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from holocron_assets.records import Disk

#: The rows that a query answered with, by its name and parameters.
Answers = dict[str, list[dict[str, Any]]]

#: A run that has not written asks one question after the other, with Dagster's own work between them. One that has
#: may embed between two sessions, and others wait for the file meanwhile: it is kept for the next moment only.
_IDLE_SECONDS, _IDLE_SECONDS_AFTER_A_WRITE = 1.0, 0.01
#: Far longer than a tick of the clock that file systems take times from (4 to 16 ms).
_COARSE_NS = 100_000_000
#: However close upon each other a run's sessions follow, after so long there is a pause, in which others get the file.
_LONGEST_SECONDS, _PAUSE_SECONDS = 1.0, 0.1


class StoreFile:
    """A store's file, open or not: while it is open, other processes have to wait for it.

    It is attached to an instance of DuckDB that outlasts its being open: making one takes 30 ms, attaching a fifth of
    that.
    """

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        self._path = path
        self._files = (path, path.with_name(path.name + ".wal"))
        self._config = dict(config)
        self._instance: duckdb.DuckDBPyConnection | None = None
        self.is_open = self.is_writable = False

    def open(self, *, read_only: bool) -> None:
        """Attach it; raises DuckDB's own errors."""
        if self._instance is None:
            self._instance = duckdb.connect(":memory:", config=self._config)
        place = str(self._path).replace("'", "''")
        self._instance.execute(f"attach '{place}' as store" + (" (read_only)" if read_only else ""))
        self.is_open, self.is_writable = True, not read_only

    def stamp(self) -> str | None:
        """What identifies the state of the file and its log, open or not.

        None where they were written only just now: times of files are coarse, and another write could look the same.
        """
        parts = []
        for file in self._files:
            with suppress(FileNotFoundError):
                known = file.stat()
                if time.time_ns() - known.st_mtime_ns < _COARSE_NS:
                    return None
                parts.append(f"{known.st_ino}:{known.st_size}:{known.st_mtime_ns}")
        return " ".join(parts)

    def disk(self) -> Disk:
        """How large the file and its log are, open or not."""
        size = sum(file.stat().st_size for file in self._files if file.exists())
        return Disk(store_bytes=size, free_bytes=shutil.disk_usage(self._path.parent).free)

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own for one session, to be closed before the file is."""
        if self._instance is None:
            raise duckdb.ConnectionException("the file is not open")
        connection = self._instance.cursor()
        connection.execute("use store")
        return connection

    def close(self) -> None:
        """Let others have it, whatever state it is in. What was committed and is not written to it is in its log."""
        if self._instance is None or not self.is_open:
            return
        self.is_open = self.is_writable = False
        try:
            self._instance.execute("detach store")
        except duckdb.Error:
            self._instance.close()
            self._instance = None


class KeptFile:
    """Keeps the file open for the sessions of a run that follow close upon each other.

    While it is kept no other process can write, so figures that were computed stay right until this one does, in
    `answers`. For the same reason it is let go when nobody has used it for a moment: the run may be computing, or
    waiting for its turn behind the very run that wants to write. `lock` is held by whoever has a session; everything
    but `kept` is called by that one.
    """

    def __init__(self, file: StoreFile, lock: threading.Lock) -> None:
        self.answers: Answers | None = None
        self._file = file
        self._lock = lock
        self._is_wanted = False
        self._has_written = False
        self._opened_at = 0.0
        self._timer: threading.Timer | None = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep what is opened inside."""
        self._is_wanted, self._has_written = True, False
        try:
            yield
        finally:
            with self._lock:
                self._is_wanted = False
                self.let_go()

    def take(self, open_file: Callable[[], None], *, write: bool) -> None:
        """Have the file open for one session, which puts it down again."""
        self._cancel_timer()
        if self._file.is_open and time.monotonic() - self._opened_at > _LONGEST_SECONDS:
            self._file.close()
            time.sleep(_PAUSE_SECONDS)
        if write and not self._file.is_writable:
            self._file.close()
        if not self._file.is_open:
            open_file()
            self._opened_at = time.monotonic()
            self.answers = None
        if write:
            self._has_written = True
            self.answers = None
        elif self.answers is None and self._is_wanted:
            self.answers = {}

    def put_down(self) -> None:
        """The session is over."""
        if not self._is_wanted:
            self.let_go()
            return
        idle_seconds = _IDLE_SECONDS_AFTER_A_WRITE if self._has_written else _IDLE_SECONDS
        self._timer = threading.Timer(idle_seconds, self._let_go_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def let_go(self) -> None:
        """Close the file, whoever wanted to keep it; the next session opens it again."""
        self._cancel_timer()
        self.answers = None
        self._file.close()

    def _let_go_if_idle(self) -> None:
        # Waits for whoever has the file: the session that started this timer may not have ended, or another has begun.
        with self._lock:
            if self._timer is threading.current_thread():
                self.let_go()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
