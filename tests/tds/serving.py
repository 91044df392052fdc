"""A store's URL that leads through an ODBC driver to a server of this process."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import URL

from tests.tds.drivers import found
from tests.tds.server import Database, Server

PASSWORD = "a-secret with }odd={characters"


@contextmanager
def serving(database: Database, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server for the time of the context; what went wrong in it fails the test."""
    server = Server(database, tls)
    try:
        yield server
    finally:
        server.close()
    if server.failures:
        raise server.failures[0]


@contextmanager
def served(database: Database, driver: str, tls: ssl.SSLContext | None) -> Iterator[str]:
    """The URL of a database on such a server, encrypted where that is possible; skips where the driver is missing."""
    with serving(database, tls) as server:
        yield url_of(server.port, driver, Encrypt="no" if tls is None else "yes")


def url_of(port: int, driver: str, **options: str) -> str:
    """How a store finds a server through a driver; skips where that is missing."""
    name = found(driver)
    if name is None:
        pytest.skip(f"the ODBC driver of {driver}, or the driver manager, is not installed")
    url = URL.create(
        "mssql+pyodbc", "tester", PASSWORD, "127.0.0.1", port, "Holocron", query={"driver": name, **options}
    )
    return url.render_as_string(hide_password=False)
