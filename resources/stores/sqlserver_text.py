"""Reading text as it is stored: SQL Server keeps any code units, also those that are no UTF-16."""

from typing import Any

#: ODBC's numbers of `nchar`, `nvarchar` and `ntext`; pyodbc knows them by name only once it is loaded.
_NATIONAL_TEXTS = (-8, -9, -10)


def read_every_text(connection: Any, driver: Any) -> None:
    """Have a connection of pyodbc read what is no UTF-16, and `varchar` whatever code page the client has.

    A codec of one's own would not do: for those pyodbc asks the driver for bytes of the client's code page.
    """
    for kind in _NATIONAL_TEXTS:
        connection.add_output_converter(kind, _text)
    connection.setdecoding(driver.SQL_CHAR, encoding="utf-16-le", ctype=driver.SQL_WCHAR)


def _text(units: bytes | None) -> str | None:
    """Half a surrogate pair becomes U+FFFD, where pyodbc would fail for the whole batch of rows because of one."""
    return None if units is None else units.decode("utf-16-le", "replace")
