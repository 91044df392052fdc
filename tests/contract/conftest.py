"""What the contract is tested on: every store, and the T-SQL where there is no server for it."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tds.drivers import DRIVERS
from tests.tds.line import Line, connected

_EVERYWHERE = ("duckdb", "translated", "sqlserver")
#: Which tests are run through which of the real drivers as well: most of what a store does with a connection, in about
#: half a minute.
_ON_THE_WIRE = {
    "test_dispatch": ("freetds",),
    "test_lost_connections": ("microsoft",),
    "test_pipeline": ("microsoft",),
    "test_queue": DRIVERS,
    "test_store": DRIVERS,
}


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """The database that a test is run on."""
    return str(request.param)


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    """The real ODBC drivers."""
    return str(request.param)


@pytest.fixture
def line(driver: str, tmp_path: Path, wire_tls: ssl.SSLContext | None) -> Iterator[Line]:
    """A connection to a server that knows nothing yet."""
    with connected(driver, tmp_path, wire_tls) as found:
        yield found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The embedded database, the T-SQL translated for it, a server where the environment names one, and the wire."""
    if "backend" in metafunc.fixturenames and not _chooses(metafunc):
        module = metafunc.module.__name__.rpartition(".")[2]
        metafunc.parametrize("backend", [*_EVERYWHERE, *_ON_THE_WIRE.get(module, ())], indirect=True)


def _chooses(metafunc: pytest.Metafunc) -> bool:
    """Whether a test, or its module, says itself what it runs on."""
    chosen = any("backend" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    return chosen or hasattr(metafunc.module, "backend")
