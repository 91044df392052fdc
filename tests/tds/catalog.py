"""The server's own procedures that drivers ask about its types."""

import re
from collections.abc import Sequence

from tests.tds.packets import UnknownRequestError
from tests.tds.tokens import Column, Rows
from tests.tds.values import INT, SMALLINT, Parameter, nvarchar

_PROCEDURE = re.compile(r"sp_datatype_info(_\d+)?", re.IGNORECASE)
_CALL = re.compile(r"(exec )?sp_datatype_info(_\d+)? (?P<type>-?\d+),\s*3", re.IGNORECASE)
_COLUMNS = tuple(
    Column(name=name, kind=kind)
    for name, kind in {
        "TYPE_NAME": nvarchar(128),
        "DATA_TYPE": SMALLINT,
        "PRECISION": INT,
        "LITERAL_PREFIX": nvarchar(32),
        "LITERAL_SUFFIX": nvarchar(32),
        "CREATE_PARAMS": nvarchar(32),
        "NULLABLE": SMALLINT,
        "CASE_SENSITIVE": SMALLINT,
        "SEARCHABLE": SMALLINT,
        "UNSIGNED_ATTRIBUTE": SMALLINT,
        "MONEY": SMALLINT,
        "AUTO_INCREMENT": SMALLINT,
        "LOCAL_TYPE_NAME": nvarchar(128),
        "MINIMUM_SCALE": SMALLINT,
        "MAXIMUM_SCALE": SMALLINT,
        "SQL_DATA_TYPE": SMALLINT,
        "SQL_DATETIME_SUB": SMALLINT,
        "NUM_PREC_RADIX": INT,
        "INTERVAL_PRECISION": SMALLINT,
        "USERTYPE": SMALLINT,
    }.items()
)
#: By the number that ODBC gives a type: its name, its size, and how a literal begins and ends.
_TYPES = {
    12: ("varchar", 8000, "'", "'"),
    -9: ("nvarchar", 4000, "N'", "'"),
    -3: ("varbinary", 8000, "0x", None),
    -2: ("binary", 8000, "0x", None),
    93: ("datetime2", 27, "'", "'"),
    -1: ("text", 2147483647, "'", "'"),
    -10: ("ntext", 1073741823, "N'", "'"),
    -4: ("image", 2147483647, "0x", None),
}


def type_asked_for(procedure: str, parameters: Sequence[Parameter]) -> int:
    """The type that a call asks about, by ODBC's number."""
    if not _PROCEDURE.fullmatch(procedure):
        raise UnknownRequestError(f"the procedure {procedure}")
    return int(parameters[0].value)


def type_asked_for_in_text(batch: str) -> int | None:
    """The same of a batch, as FreeTDS sends it; None if it asks for something else."""
    found = _CALL.fullmatch(batch)
    return int(found["type"]) if found else None


def types(number: int) -> Rows:
    """What the server says about a type."""
    if number not in _TYPES:
        raise UnknownRequestError(f"the type {number} of ODBC")
    name, size, prefix, suffix = _TYPES[number]
    searchable = 3
    known = (name, number, size, prefix, suffix, "max length", 1, 0, searchable, None, 0, None, name)
    return Rows(columns=_COLUMNS, rows=[(*known, None, None, number, None, None, None, 0)])
