"""What the variables of other programs say where the settings say nothing: the existing database's, Ollama's."""

from collections.abc import Mapping

#: The existing database's own programs name it by variables that begin like this, the first that is set counting.
SQLSERVER_VARIABLES = ("INGEST_SQLSERVER_", "LLM_SQLSERVER_")
#: Where their Ollama is, the first that is set counting.
OLLAMA_VARIABLES = ("OLLAMA_BASE_URL", "OLLAMA_HOST_BASE_URL")

_SQLSERVER_PASSWORD = "MSSQL_SA_PASSWORD"  # noqa: S105 - the name of a variable
_EMBEDDED_STORE = "duckdb:///.holocron/store.duckdb"
_SQLSERVER_BY_VARIABLES = "mssql+pyodbc://"
_OLLAMA_PORT = 11434


def default_store_url(environment: Mapping[str, str]) -> str:
    """SQL Server where the variables of its own programs name one, else the embedded store."""
    names = (*SQLSERVER_VARIABLES, _SQLSERVER_PASSWORD)
    named = any(value and name.startswith(names) for name, value in environment.items())
    return _SQLSERVER_BY_VARIABLES if named else _EMBEDDED_STORE


def named_ollama_url(environment: Mapping[str, str]) -> str | None:
    """The Ollama that the variables of other programs name; None where they name none."""
    return next((environment[name] for name in OLLAMA_VARIABLES if environment.get(name)), None)


def local_ollama_url(environment: Mapping[str, str]) -> str:
    """Where Ollama listens on this machine; its own `OLLAMA_HOST` may say it as `0.0.0.0`, `host:port` or a URL."""
    host = environment.get("OLLAMA_HOST", "").strip() or "localhost"
    scheme, mark, rest = host.rpartition("://")
    rest = rest.replace("0.0.0.0", "127.0.0.1", 1)  # noqa: S104 - what a server listens on is nowhere to connect to
    if not mark and ":" not in rest:
        rest = f"{rest}:{_OLLAMA_PORT}"
    return f"{scheme or 'http'}://{rest}"
