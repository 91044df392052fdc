"""A database of its own for each test, on the SQL Server that the environment names."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url

from resources.stores.sqlserver_target import target_of


@contextmanager
def scratch_database(server_url: str) -> Iterator[str]:
    """The URL of a new database, dropped afterwards. Its user must be allowed to create databases."""
    import pyodbc  # noqa: PLC0415 - needs the operating system's driver manager, which not every machine has

    name = f"holocron_test_{uuid.uuid4().hex}"
    server = make_url(server_url).set(database="master")
    target = target_of(server.render_as_string(hide_password=False), os.environ, pyodbc.drivers())
    with pyodbc.connect(target.connection_string(), autocommit=True) as master:
        master.execute(f"create database {name}")
        try:
            yield server.set(database=name).render_as_string(hide_password=False)
        finally:
            master.execute(f"alter database {name} set single_user with rollback immediate")
            master.execute(f"drop database {name}")
