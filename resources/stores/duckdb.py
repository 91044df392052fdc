"""The embedded store: one DuckDB file. Only connections, transactions and errors; statements are in `sql/duckdb`.

DuckDB lets one process open a file for writing, so a session opens it, runs one transaction and closes it,
and who comes too early waits.
"""

import random
import re
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import numpy as np
import psutil
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import make_url

from holocron_assets.errors import ConfigurationError, StoreBusyError, StoreError
from holocron_assets.next_steps import EVERYTHING
from holocron_assets.processors import usable_processors
from holocron_assets.records import Disk
from holocron_assets.settings import Settings
from resources.queries import Query, load_queries
from resources.stores.base import SqlStore
from resources.stores.duckdb_errors import named_errors
from resources.stores.duckdb_file import Answers, KeptFile, StoreFile

_HOLDER = re.compile(r"\(PID (\d+)\)")
#: What DuckDB says where this process has the file already, through another store.
_HELD_HERE = "Unique file handle conflict"
_LOCKED = ("Could not set lock", "Conflicting lock", "being used by another process", _HELD_HERE)
_RETRY_SECONDS = (0.02, 0.2)
#: Other threads of this process are done in a moment: for them even a sensor waits.
_THREADS_WAIT_SECONDS = 1.0
#: How the names begin of queries whose answer is a few figures: worth keeping, and never much.
_FIGURES = ("count_", "get_")


class DuckDBSession:
    """One open transaction on a DuckDB connection.

    `answers` are those that sessions before it had, for as long as nothing can have changed since.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, answers: Answers | None, *, reads_only: bool) -> None:
        self._connection = connection
        self._answers = answers
        self._reads_only = reads_only
        self._queries = load_queries("duckdb")
        self._streams: list[Generator[pa.RecordBatch]] = []

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """See `holocron_assets.ports.Session`."""
        if self._answers is None or not query.startswith(_FIGURES):
            return self._rows(query, parameters)
        asked = repr((query, sorted(parameters.items())))
        if asked not in self._answers:
            self._answers[asked] = self._rows(query, parameters)
        # A caller may do with its rows what it likes.
        return [dict(row) for row in self._answers[asked]]

    def _rows(self, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        cursor = self._run(self._queries[query], parameters)
        columns = [column[0] for column in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def stream(self, query: str, **parameters: Any) -> Iterator[pa.RecordBatch]:
        """See `holocron_assets.ports.Session`."""
        return self._until_closed(self._stream(self._queries[query], parameters))

    def stream_user_query(self, text: str) -> Iterator[pa.RecordBatch]:
        """See `holocron_assets.ports.Session`."""
        return self._until_closed(self._stream_user_query(text))

    def close(self) -> None:
        """End what was not read to its end: whoever keeps an error that came meanwhile would keep the file open."""
        for one in self._streams:
            one.close()

    def _until_closed(self, stream: Generator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        self._streams.append(stream)
        return stream

    def _stream(self, query: Query, parameters: dict[str, Any]) -> Generator[pa.RecordBatch]:
        # As many rows as DuckDB hands on at once: larger batches gather megabytes of text for nothing.
        yield from self._connection.sql(query.statements[0], params=_bound(query, 0, parameters)).to_arrow_reader(
            batch_size=2048
        )

    def _stream_user_query(self, text: str) -> Generator[pa.RecordBatch]:
        if not self._reads_only:
            raise StoreError("a user's query is run in a session that was opened to read, and this one writes")
        if [statement.type for statement in self._connection.extract_statements(text)] != [duckdb.StatementType.SELECT]:
            raise StoreError("this is not one query: write a single select")
        reader = self._connection.sql(text).project("columns(*)::varchar").to_arrow_reader(batch_size=2048)
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield from reader

    def execute(self, query: str, **parameters: Any) -> int:
        """See `holocron_assets.ports.Session`."""
        affected = self._run(self._queries[query], parameters).fetchone()
        return int(affected[0]) if affected else 0

    def count_vectors_to_index(self, space_id: UUID, dimensions: int) -> int:
        """See `index_vectors`."""
        return 0

    def index_vectors(self, space_id: UUID, dimensions: int, limit: int) -> int:
        """Nothing: they lie in this process's own file, and numpy compares them faster."""
        return 0

    def near_vectors(self, space_id: UUID, query: NDArray[np.float32], limit: int) -> None:
        """See `index_vectors`."""

    def stage(self, relation: str, rows: pa.Table) -> None:
        """See `holocron_assets.ports.Session`."""
        self._answers = None
        self._connection.register(relation, rows)

    def run_script(self, text: str) -> None:
        """See `resources.stores.base.ScriptSession`."""
        self._connection.execute(text)

    def _run(self, query: Query, parameters: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        for index, statement in enumerate(query.statements):
            self._connection.execute(statement, _bound(query, index, parameters))
        return self._connection


class DuckDBStore(SqlStore):
    """A DuckDB file and the limits under which it is opened."""

    dialect = "duckdb"

    def __init__(self, path: Path, *, memory_limit: int, threads: int, wait_seconds: float) -> None:
        self._path = path
        self._wait_seconds = wait_seconds
        self._memory_limit = memory_limit
        config = {
            "memory_limit": f"{memory_limit}B",
            "threads": threads,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # Merging small row groups would pin 2048 payloads at once, whatever the memory limit says, and then fail.
            "max_vacuum_tasks": 0,
            # Up to this many keys asked for by a list are looked up; more than that, and the whole table is read.
            "dynamic_or_filter_threshold": 2048,
            # Beside the file, as if the file itself were opened, and not in the working directory.
            "temp_directory": f"{path}.tmp",
        }
        self._file = StoreFile(path, config)
        # Two sessions of one process would share DuckDB's instance, and conflict on writes instead of waiting.
        self._one_at_a_time = threading.Lock()
        self._kept = KeptFile(self._file, self._one_at_a_time)

    @property
    def name(self) -> str:
        """See `holocron_assets.ports.Store`."""
        return str(self._path)

    @property
    def largest_record_bytes(self) -> int:
        """A quarter of the memory limit: DuckDB holds a text several times while it writes it."""
        return self._memory_limit // 4

    def disk(self) -> Disk | None:
        """See `holocron_assets.ports.Store`."""
        return self._file.disk() if self.exists() else None

    def stamp(self) -> str | None:
        """See `holocron_assets.ports.Store`: a commit lengthens the log, or the file itself was written."""
        return self._file.stamp() if self.exists() else None

    def exists(self) -> bool:
        """See `resources.stores.base.SqlStore`."""
        return self._path.exists()

    @contextmanager
    def session(self, *, write: bool = True) -> Iterator[DuckDBSession]:
        """See `holocron_assets.ports.Store`."""
        if not write and not self.exists():
            raise StoreError(f"there is no store at {self.name} yet. Fill it with `{EVERYTHING}`.")
        deadline = time.monotonic() + self._wait_seconds
        if not self._one_at_a_time.acquire(timeout=max(self._wait_seconds, _THREADS_WAIT_SECONDS)):
            raise StoreBusyError(f"{self.name} is held by another thread of this process")
        try:
            with named_errors(self.name):
                self._kept.take(partial(self._open, deadline, read_only=not write), write=write)
                try:
                    with (
                        _transaction(self._file, write=write) as connection,
                        closing(DuckDBSession(connection, self._kept.answers, reads_only=not write)) as session,
                    ):
                        yield session
                except BaseException:
                    self._kept.let_go()
                    raise
                self._kept.put_down()
        finally:
            self._one_at_a_time.release()

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """See `holocron_assets.ports.Store`."""
        with self._kept.kept():
            yield

    def _open(self, deadline: float, *, read_only: bool) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{self.name}: its folder cannot be made ({error.strerror}). Set HOLOCRON_STORE_URL to another place"
            ) from error
        while True:
            try:
                self._file.open(read_only=read_only)
                return
            except duckdb.Error as error:
                if not any(sign in str(error) for sign in _LOCKED):
                    raise
                if time.monotonic() >= deadline:
                    raise StoreBusyError(
                        f"{self.name} is in use by {_holder(error)}, and was still after {self._wait_seconds:g} s. "
                        "DuckDB lets one process write at a time: try again when that one is done, or close it."
                    ) from error
                # Jitter, so that two who wait do not meet again and again.
                time.sleep(random.uniform(*_RETRY_SECONDS))  # noqa: S311 - no secret depends on it


def open_duckdb(settings: Settings, wait_seconds: float) -> DuckDBStore:
    """The file that a URL like `duckdb:///store.duckdb` names; four slashes make its path absolute."""
    url = make_url(settings.store_url)
    if url.host:
        raise ConfigurationError(
            "store_url names a host, and DuckDB is a file: write duckdb:/// with three slashes, or four "
            "for an absolute path"
        )
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(
            f"{settings.store_url} names no file; write e.g. duckdb:///.holocron/store.duckdb. "
            "A store in memory would be empty again at every step."
        )
    return DuckDBStore(
        settings.path(url.database),
        memory_limit=settings.duckdb.memory_limit,
        threads=settings.duckdb.threads or usable_processors(),
        wait_seconds=wait_seconds,
    )


def _bound(query: Query, index: int, parameters: dict[str, Any]) -> list[Any]:
    return [parameters[name] for name in query.parameters[index]]


@contextmanager
def _transaction(file: StoreFile, *, write: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = file.connection()
    try:
        connection.execute("begin transaction" if write else "begin transaction read only")
        yield connection
        connection.commit()
    except BaseException:
        # A failed commit has ended the transaction already; the error that is under way matters more.
        with suppress(duckdb.Error):
            connection.rollback()
        raise
    finally:
        connection.close()


def _holder(error: duckdb.Error) -> str:
    if _HELD_HERE in str(error):
        return "this very process"
    found = _HOLDER.search(str(error))
    if found is None:
        return "another process"
    pid = int(found[1])
    try:
        return f"process {pid} ({' '.join(psutil.Process(pid).cmdline())[:120]})"
    except psutil.Error:
        return f"process {pid}"
