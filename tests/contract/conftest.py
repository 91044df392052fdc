"""What the contract is tested on: every store, and the T-SQL where there is no server for it."""

import pytest

from tests.tds.drivers import DRIVERS

_EVERYWHERE = ("duckdb", "translated", "sqlserver")
#: Tests of what a store does with a connection, which are run through the real drivers as well.
_ON_THE_WIRE = frozenset({"test_dispatch", "test_lost_connections", "test_pipeline", "test_queue", "test_store"})


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """The database that a test is run on."""
    return str(request.param)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The embedded database, the T-SQL translated for it, a server where the environment names one, and the wire."""
    if "backend" in metafunc.fixturenames and not _chooses(metafunc):
        module = metafunc.module.__name__.rpartition(".")[2]
        metafunc.parametrize("backend", [*_EVERYWHERE, *(DRIVERS if module in _ON_THE_WIRE else ())], indirect=True)


def _chooses(metafunc: pytest.Metafunc) -> bool:
    """Whether a test, or its module, says itself what it runs on."""
    chosen = any("backend" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    return chosen or hasattr(metafunc.module, "backend")
