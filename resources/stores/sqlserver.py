"""The SQL Server store: connections, transactions and errors; statements are in `sql/tsql/`.

Runs against an existing database, in which it only adds (docs/sql-server.md says where), or an empty one.
"""

import importlib
import logging
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy.pool import QueuePool

from holocron_assets.errors import ConfigurationError, StoreBusyError, TransientError
from holocron_assets.sections import SqlServerSettings
from holocron_assets.settings import Settings
from resources.stores.base import SqlStore
from resources.stores.sqlserver_errors import named_errors
from resources.stores.sqlserver_session import SqlServerSession
from resources.stores.sqlserver_target import Target, target_of
from resources.stores.sqlserver_text import read_every_text

_LOGGER = logging.getLogger(__name__)
_POOLED = 4
_CONNECT_PAUSE_SECONDS = (0.2, 1.0)
_FIRST_WAIT_SECONDS = 15.0
#: A sensor waits for no turn to write, but for rows that another transaction is writing: without row versions it would
#: otherwise see nothing while anybody writes.
_LEAST_ROW_WAIT_SECONDS = 2.0
#: A byte may become six characters of JSON, of two bytes each, and NVARCHAR(MAX) ends at two gigabytes.
_LARGEST_RECORD_BYTES = 160 * 1024 * 1024
#: What filtered indexes demand of every session that writes; no text is cut; an error ends the transaction.
_SESSION = """
set ansi_nulls on; set ansi_padding on; set ansi_warnings on; set arithabort on; set concat_null_yields_null on;
set quoted_identifier on; set numeric_roundabort off; set xact_abort on; set nocount off; set textsize 2147483647;
"""


class SqlServerStore(SqlStore):
    """A database on SQL Server 2019 or later."""

    dialect = "tsql"

    def __init__(self, target: Target, settings: SqlServerSettings, *, wait_seconds: float) -> None:
        self._target = target
        self._settings = settings
        self._wait_seconds = wait_seconds
        self._driver = _load_driver()
        self._made_count = 0
        self._patience_seconds = min(_FIRST_WAIT_SECONDS, wait_seconds)
        self._pool = QueuePool(self._connect, pool_size=_POOLED, max_overflow=-1, reset_on_return=None)

    @property
    def name(self) -> str:
        """See `holocron_assets.ports.Store`."""
        return self._target.name

    @property
    def largest_record_bytes(self) -> int:
        """What is sure to fit into one parameter, whatever characters it is of."""
        return _LARGEST_RECORD_BYTES

    def exists(self) -> bool:
        """Always: a database is made by its owner, and one that cannot be reached is an error."""
        with self.session(write=False):
            return True

    @contextmanager
    def session(self, *, write: bool = True) -> Iterator[SqlServerSession]:
        """See `holocron_assets.ports.Store`."""
        with self._checked_out(reads_only=not write) as session:
            if write:
                self._take_turn(session)
            yield session

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Connections are pooled anyway."""
        yield

    @contextmanager
    def _checked_out(self, *, reads_only: bool) -> Iterator[SqlServerSession]:
        with named_errors(self.name, self._driver.Error, self._target.secrets):
            connection = self._connection("select 1" if reads_only else "begin transaction")
            try:
                session = SqlServerSession(
                    connection,
                    reads_only=reads_only,
                    announces_long_text=not self._target.is_freetds,
                    keeps_json=self._settings.vector_json,
                )
                yield session
                session.unstage()
                if session.ran_user_query:
                    connection.invalidate()  # closing it rolls back, and ends whatever the text may have set
                if not reads_only:
                    connection.execute("commit transaction")
            except BaseException:
                # Whatever the connection was in the middle of, closing it ends it; the server need not wait for that.
                with suppress(self._driver.Error):
                    connection.execute("if @@trancount > 0 rollback transaction")
                connection.invalidate()
                raise
            finally:
                connection.close()

    def _connection(self, begin: str) -> Any:
        """A connection from the pool on which `begin` was run, which finds those that were lost while they lay there.

        A server that does not answer is waited for as long as a held store would be; less where it never answered,
        because then it may not be there at all, and not again where that was in vain.
        """
        began = time.monotonic()
        is_told = False
        while True:
            made = self._made_count
            try:
                with named_errors(self.name, self._driver.Error, self._target.secrets):
                    connection = self._pool.connect()
                    try:
                        connection.execute(begin)
                    except BaseException:
                        connection.invalidate()
                        raise
                self._patience_seconds = self._wait_seconds
                return connection
            except TransientError as error:
                if made == self._made_count:
                    self._pool.dispose()  # it lay there, and what lies there with it was lost too
                    continue
                if time.monotonic() - began >= self._patience_seconds:
                    self._patience_seconds = 0.0
                    raise
                if not is_told:
                    _LOGGER.warning("%s; trying again for %g s", error, self._patience_seconds)
                    is_told = True
                time.sleep(random.uniform(*_CONNECT_PAUSE_SECONDS))  # noqa: S311 - no secret depends on it

    def _take_turn(self, session: SqlServerSession) -> None:
        (answer,) = session.rows("get_write_lock", wait_ms=max(1, round(self._wait_seconds * 1000)))
        if answer["result"] < 0:
            raise StoreBusyError(
                f"{self.name} is being written to by another process, and was still after {self._wait_seconds:g} s. "
                "Try again when that one is done."
            )

    def _connect(self) -> Any:
        self._made_count += 1
        connection = self._driver.connect(
            self._target.connection_string(), timeout=self._settings.login_timeout_seconds, autocommit=True
        )
        connection.timeout = self._settings.statement_timeout_seconds
        read_every_text(connection, self._driver)
        connection.execute(_SESSION)
        connection.execute(f"set lock_timeout {round(max(_LEAST_ROW_WAIT_SECONDS, self._wait_seconds) * 1000)}")
        return connection


def open_sqlserver(settings: Settings, wait_seconds: float) -> SqlServerStore:
    """The database that a URL like `mssql+pyodbc://user@host/database` names, or the environment."""
    driver = _load_driver()
    target = target_of(settings.store_url, os.environ, driver.drivers())
    return SqlServerStore(target, settings.sqlserver, wait_seconds=wait_seconds)


def _load_driver() -> Any:
    """The `pyodbc` module; importing it needs the ODBC driver manager of the operating system."""
    try:
        pyodbc = importlib.import_module("pyodbc")
    except ImportError as error:
        raise ConfigurationError(
            f"pyodbc cannot be loaded ({error}). SQL Server needs an ODBC driver manager: on Debian "
            "`apt-get install unixodbc tdsodbc`, on macOS `brew install unixodbc`. docs/sql-server.md says more."
        ) from error
    # Keys come as UUIDs. Connections are pooled above: a second pool below would hide lost ones.
    vars(pyodbc).update(native_uuid=True, pooling=False)
    return pyodbc
