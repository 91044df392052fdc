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


class Instance:
    """DuckDB itself. It outlasts the file that it has open: making one takes 30 ms, opening a file a fifth of that."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = dict(config)
        self._connection: duckdb.DuckDBPyConnection | None = None

    def attach(self, path: Path, *, read_only: bool) -> "OpenFile":
        """Open a store's file; raises DuckDB's own errors."""
        if self._connection is None:
            self._connection = duckdb.connect(":memory:", config=self._config)
        place = str(path).replace("'", "''")
        self._connection.execute(f"attach '{place}' as store" + (" (read_only)" if read_only else ""))
        return OpenFile(self)

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A connection to the file that is open."""
        if self._connection is None:
            raise duckdb.ConnectionException("no file is open")
        connection = self._connection.cursor()
        connection.execute("use store")
        return connection

    def detach(self) -> None:
        """Close the file, whatever state it is in. What was committed and not yet written to it is in its log."""
        if self._connection is None:
            return
        try:
            self._connection.execute("detach store")
        except duckdb.Error:
            self._connection.close()
            self._connection = None


class OpenFile:
    """A store's file: other processes have to wait for it until it is closed."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own for one session, to be closed before the file is."""
        return self._instance.connection()

    def close(self) -> None:
        """Let others have it."""
        self._instance.detach()


class KeptReader:
    """The file that reading sessions of a run share when they follow close upon each other.

    While it is kept no process can write, so figures that were computed stay right, in `answers`. For the same reason
    it is let go when nobody has used it for a moment: the run may be computing, or waiting for its turn behind the very
    run that wants to write. `lock` is held by whoever has a session; everything but `kept` is called by that one.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self.answers: Answers | None = None
        self._lock = lock
        self._is_wanted = False
        self._idle_seconds = _IDLE_SECONDS
        self._file: OpenFile | None = None
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

    def take(self, open_file: Callable[[], OpenFile]) -> OpenFile:
        """The file for one session, which puts it down again."""
        self._cancel_timer()
        if not self._is_wanted:
            return open_file()
        if self._file is None:
            self._file, self.answers = open_file(), {}
        return self._file

    def put_down(self, file: OpenFile) -> None:
        """The session is over."""
        if file is not self._file:
            file.close()
            return
        self._timer = threading.Timer(self._idle_seconds, self._let_go_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def drop(self, file: OpenFile) -> None:
        """The session failed: close the file, whoever wanted to keep it."""
        if file is self._file:
            self.let_go()
        else:
            file.close()

    def make_way(self) -> None:
        """The run writes: close the file, and from now on keep it open for a moment only."""
        self._idle_seconds = _IDLE_SECONDS_AFTER_A_WRITE
        self.let_go()

    def let_go(self) -> None:
        """Close the file; the next session opens it again."""
        self._cancel_timer()
        file, self._file, self.answers = self._file, None, None
        if file is not None:
            file.close()

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
