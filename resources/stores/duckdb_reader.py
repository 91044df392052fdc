"""The store's file while it is open, and keeping it open from one session that only reads to the next."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

#: The rows that a query answered with, by its name and parameters.
Answers = dict[str, list[dict[str, Any]]]

#: A run that has not written asks one question after the other, with Dagster's own work between them. One that has
#: may embed between two readings, and others wait for the file meanwhile.
_IDLE_SECONDS, _IDLE_SECONDS_AFTER_A_WRITE = 1.0, 0.2


class StoreFile:
    """A store's file, open or not: while it is open, other processes have to wait for it.

    It is attached to an instance of DuckDB that outlasts its being open: making one takes 30 ms, attaching a fifth of
    that.
    """

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        self._path = path
        self._config = dict(config)
        self._instance: duckdb.DuckDBPyConnection | None = None
        self.is_open = False

    def open(self, *, read_only: bool) -> None:
        """Attach it; raises DuckDB's own errors."""
        if self._instance is None:
            self._instance = duckdb.connect(":memory:", config=self._config)
        place = str(self._path).replace("'", "''")
        self._instance.execute(f"attach '{place}' as store" + (" (read_only)" if read_only else ""))
        self.is_open = True

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
        self.is_open = False
        try:
            self._instance.execute("detach store")
        except duckdb.Error:
            self._instance.close()
            self._instance = None


class KeptReader:
    """Keeps the file open for the reading sessions of a run that follow close upon each other.

    While it is kept no process can write, so figures that were computed stay right, in `answers`. For the same reason
    it is let go when nobody has used it for a moment: the run may be computing, or waiting for its turn behind the very
    run that wants to write. `lock` is held by whoever has a session; everything but `kept` is called by that one.
    """

    def __init__(self, file: StoreFile, lock: threading.Lock) -> None:
        self.answers: Answers | None = None
        self._file = file
        self._lock = lock
        self._is_wanted = False
        self._idle_seconds = _IDLE_SECONDS
        self._timer: threading.Timer | None = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep what is opened for reading inside."""
        self._is_wanted, self._idle_seconds = True, _IDLE_SECONDS
        try:
            yield
        finally:
            with self._lock:
                self._is_wanted = False
                self.let_go()

    def take(self, open_file: Callable[[], None]) -> None:
        """Have the file open for one session, which puts it down again."""
        self._cancel_timer()
        if not self._file.is_open:
            open_file()
            self.answers = {} if self._is_wanted else None

    def put_down(self) -> None:
        """The session is over."""
        if not self._is_wanted:
            self.let_go()
            return
        self._timer = threading.Timer(self._idle_seconds, self._let_go_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def make_way(self) -> None:
        """The run writes: close the file, and from now on keep it open for a moment only."""
        self._idle_seconds = _IDLE_SECONDS_AFTER_A_WRITE
        self.let_go()

    def let_go(self) -> None:
        """Close the file, whoever wanted to keep it; the next session opens it again."""
        self._cancel_timer()
        self.answers = None
        self._file.close()

    def _let_go_if_idle(self) -> None:
        # Whoever holds the lock is using the file, and will put it down again.
        if self._lock.acquire(blocking=False):
            try:
                self.let_go()
            finally:
                self._lock.release()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
