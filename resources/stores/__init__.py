"""Stores, one module per database, and the table that names them by the scheme of their URL.

Adding a store is one new module with a class like `DuckDBStore`, one line in `STORES`, and its own
`sql/<dialect>/`.
"""

import pkgutil
from collections.abc import Callable

from holocron_assets.errors import ConfigurationError
from holocron_assets.settings import Settings
from resources.stores.base import SqlStore

#: What a store's URL may begin with, and the function behind it, called with the settings and how long to wait.
STORES: dict[str, str] = {
    "duckdb": "resources.stores.duckdb:open_duckdb",
    "mssql": "resources.stores.sqlserver:open_sqlserver",
}


def open_store(settings: Settings, *, wait_seconds: float) -> SqlStore:
    """The store that the settings name; nothing is connected before the first session.

    A session waits up to `wait_seconds` for a store that another process holds.
    """
    scheme, mark, _ = settings.store_url.partition("://")
    if not mark:
        raise ConfigurationError(  # what it is may hold a password
            "store_url is no URL. Write duckdb:///store.duckdb, or mssql+pyodbc://user@host:1433/database; a whole "
            "ODBC connection string belongs in INGEST_SQLSERVER_CONN_STR."
        )
    scheme = scheme.partition("+")[0]
    if scheme not in STORES:
        raise ConfigurationError(
            f"there is no store for URLs that begin with {scheme!r}. Known: {', '.join(STORES)}. "
            "Correct store_url in holocron.yaml, or HOLOCRON_STORE_URL."
        )
    opened: Callable[[Settings, float], SqlStore] = pkgutil.resolve_name(STORES[scheme])
    return opened(settings, wait_seconds)
