"""Keeping DuckDB's instance, with all that it has read, from one session that only reads to the next."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

#: The rows that a query answered with, by its name and parameters.
Answers = dict[str, list[dict[str, Any]]]

#: A run that has not written asks one question after the other, with Dagster's own work between them. One that has
#: may embed between two readings, and others wait for the file meanwhile.
_IDLE_SECONDS, _IDLE_SECONDS_AFTER_A_WRITE = 1.0, 0.2


class KeptReader:
    """The instance that reading sessions of a run share when they follow close upon each other.

    While it is kept no process can write, so figures that were computed stay right, in `answers`. For the same reason
    it is let go when nobody has used it for a moment: the run may be computing, or waiting for its turn behind the very
    run that wants to write. `lock` is held by whoever has a session; everything but `kept` is called by that one.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self.answers: Answers | None = None
        self._lock = lock
        self._is_wanted = False
        self._idle_seconds = _IDLE_SECONDS
        self._instance: duckdb.DuckDBPyConnection | None = None
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

    def take(self, open_file: Callable[[], duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
        """A connection for one session; closing it closes no kept instance."""
        self._cancel_timer()
        if not self._is_wanted:
            return open_file()
        if self._instance is None:
            self._instance, self.answers = open_file(), {}
        return self._instance.cursor()

    def put_down(self) -> None:
        """The session is over."""
        if self._instance is not None:
            self._timer = threading.Timer(self._idle_seconds, self._let_go_if_idle)
            self._timer.daemon = True
            self._timer.start()

    def make_way(self) -> None:
        """The run writes: close the instance, and from now on keep none for long."""
        self._idle_seconds = _IDLE_SECONDS_AFTER_A_WRITE
        self.let_go()

    def let_go(self) -> None:
        """Close the instance; the next session opens another."""
        self._cancel_timer()
        if self._instance is not None:
            self._instance.close()
        self._instance, self.answers = None, None

    def _let_go_if_idle(self) -> None:
        # Whoever holds the lock is using the instance, and will put it down again.
        if self._lock.acquire(blocking=False):
            try:
                self.let_go()
            finally:
                self._lock.release()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
