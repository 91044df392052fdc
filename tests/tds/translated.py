"""The T-SQL translated for DuckDB, behind the server: what the real drivers send is run for them."""

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from tests import tsql_on_duckdb
from tests.tds.requests import Login
from tests.tds.tokens import Answer, Column, Done, Rows, Said, Transaction
from tests.tds.values import BIGINT, BIT, DATETIME2, FLOAT, GUID, LONG_BYTES, LONG_TEXT, Kind, nvarchar

_KINDS: dict[type, Kind] = {
    int: BIGINT,
    bool: BIT,
    float: FLOAT,
    bytes: LONG_BYTES,
    datetime: DATETIME2,
    uuid.UUID: GUID,
}
_SHORT_TEXT = 4000
_PARAMETER = re.compile(r"@P\d+\b")
_NUMBER = re.compile(r"\((\d+)\) \(SQL\w+\)")
_PREFIXES = re.compile(r"^(\[[^\]]*\]\s*)+")


class Translated:
    """Lets everybody in, to the database that stands for the server's."""

    def __init__(self, driver: tsql_on_duckdb.Driver) -> None:
        self.driver = driver

    def open(self, _login: Login) -> "TranslatedSession":
        """See `tests.tds.server.Database`."""
        return TranslatedSession(self.driver.connect(""))


class TranslatedSession:
    """One login's connection to DuckDB."""

    def __init__(self, connection: tsql_on_duckdb.Connection) -> None:
        self._connection = connection
        self._in_transaction = False

    def execute(self, statement: str, parameters: dict[str, Any]) -> Iterator[Answer]:
        """See `tests.tds.server.Session`."""
        if re.match(r"if @@trancount > 0 rollback", statement):
            if self._in_transaction:
                yield from self._rolled_back()
            yield Done()
            return
        cursor = self._connection.cursor()
        try:
            cursor.execute(_PARAMETER.sub("?", statement), [parameters[one] for one in _PARAMETER.findall(statement)])
        except tsql_on_duckdb.Error as error:
            number = _NUMBER.search(str(error.args[1]))
            text = _NUMBER.sub("", _PREFIXES.sub("", str(error.args[1])))
            yield Said(number=int(number[1]) if number else 50000, text=text[:2000])
            if self._in_transaction:
                yield from self._rolled_back()  # as `xact_abort` has it
            return
        begun = re.match(r"\s*(begin|commit) transaction", statement)
        if begun:
            self._in_transaction = begun[1] == "begin"
            yield Transaction(begun[1])
        if cursor.description is None:
            yield Done(None if cursor.rowcount < 0 else cursor.rowcount)
        else:
            yield _rows(cursor.description, cursor.fetchall())

    def close(self) -> None:
        """See `tests.tds.server.Session`."""
        self._connection.close()

    def _rolled_back(self) -> Iterator[Answer]:
        self._in_transaction = False
        self._connection.execute("rollback transaction")
        yield Transaction("rollback")


def _rows(description: Sequence[tuple[str, type]], rows: list[tuple[Any, ...]]) -> Rows:
    kinds = [_KINDS.get(kind) for _, kind in description]
    # DuckDB has types that T-SQL has not; what is of one is sent as text.
    rows = [tuple(_written(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in rows]
    columns = [
        Column(name=name, kind=kind or _text_kind(row[at] for row in rows))
        for at, ((name, _), kind) in enumerate(zip(description, kinds, strict=True))
    ]
    return Rows(columns=tuple(columns), rows=rows)


def _written(value: Any, kind: Kind | None) -> Any:
    return value if value is None or kind is not None else str(value)


def _text_kind(values: Iterable[str | None]) -> Kind:
    """DuckDB knows one type of text: what fits is sent as the short one of T-SQL."""
    fits = all(value is None or len(value) <= _SHORT_TEXT // 2 for value in values)
    return nvarchar(_SHORT_TEXT) if fits else LONG_TEXT
