"""Errors of the embedded store's driver, as ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from holocron_assets.errors import StoreError


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Turn the driver's errors into ours, with the next step."""
    try:
        yield
    except duckdb.Error as error:
        text = str(error).strip()
        for sign, hint in _HINTS.items():
            if sign in text:
                raise StoreError(f"{name}: {hint} ({text.splitlines()[0]})") from error
        raise StoreError(f"{name}: {text}") from error


_HINTS = {
    "Catalog Error: Table with name": "a table is missing. If it is one that this project makes, run `holocron ensure`",
    "not a valid DuckDB database file": "this is not a DuckDB file. Restore it from a backup, or move it away and "
    "run again: everything in it but the ingest records can be made anew",
    "Corrupt": "the file is damaged. Restore it from a backup",
    "checksum": "the file is damaged. Restore it from a backup",
    "No space left": "the disk is full; nothing of this batch was written. Free some space and run again",
    "Permission denied": "no permission to write there. Mend the permissions, or set HOLOCRON_STORE_URL",
    "Read-only file system": "the file system is read-only. Set HOLOCRON_STORE_URL to a place that can be written",
    "read-only mode": "the file can only be read. Mend its permissions",
    "Out of Memory": "DuckDB needs more memory than `duckdb.memory_limit` in holocron.yaml allows. Raise it",
    "memory_limit": "DuckDB needs more memory than `duckdb.memory_limit` in holocron.yaml allows. Raise it",
    "could not allocate block": "DuckDB needs more memory than `duckdb.memory_limit` allows. Raise it",
    "newer version": "it was written by a newer DuckDB. Upgrade the duckdb package",
}
