"""What the contract is tested on: every store, and the T-SQL where there is no server for it."""

import pytest


@pytest.fixture(params=["duckdb", "translated", "sqlserver"])
def backend(request: pytest.FixtureRequest) -> str:
    """The embedded database, the T-SQL translated for it, and a server where the environment names one."""
    return str(request.param)
