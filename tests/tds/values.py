"""Types and values as TDS writes them: of parameters that arrive, and of columns that are sent."""

import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.tds.packets import Fields, UnknownRequestError

#: Latin1_General_100_CI_AS_KS_WS_SC as the server names it: an LCID, flags, a sort order.
COLLATION = bytes([0x09, 0x04, 0xD0, 0x00, 0x34])
_MAX = 0xFFFF
_NULL_LENGTH, _NULL_PLP = 0xFFFF, (1 << 64) - 1
_CHUNK_BYTES = 8000
_START = datetime(1, 1, 1)  # noqa: DTZ001 - times are naive UTC throughout
_FIXED = {0x30: 1, 0x32: 1, 0x34: 2, 0x38: 4, 0x7F: 8}
_INTEGER, _BIT, _FLOAT, _GUID, _DATETIME2 = 0x26, 0x68, 0x6D, 0x24, 0x2A
_VARBINARY, _VARCHAR, _BINARY, _CHAR, _NVARCHAR, _NCHAR = 0xA5, 0xA7, 0xAD, 0xAF, 0xE7, 0xEF
_TEXTS, _BYTES, _LATIN = {_NVARCHAR, _NCHAR}, {_VARBINARY, _BINARY}, {_VARCHAR, _CHAR}
_NTEXT = 0x63


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a call: its name, its type as T-SQL calls it, its value."""

    name: str
    type: str
    value: Any
    is_output: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a column is of: how its metadata is written, and each of its values."""

    name: str
    metadata: bytes
    write: Callable[[Any], bytes]


def read_parameter(fields: Fields) -> Parameter:
    """One parameter of a remote procedure call."""
    name = fields.text(fields.number(1))
    status = fields.number(1)
    if status & ~1:
        raise UnknownRequestError(f"parameter {name!r} has status {status:#x}")
    kind, value = _read_value(fields)
    return Parameter(name=name, type=kind, value=value, is_output=bool(status & 1))


def _read_value(fields: Fields) -> tuple[str, Any]:
    kind = fields.number(1)
    if kind in _FIXED:
        return "int", int.from_bytes(fields.take(_FIXED[kind]), "little", signed=kind != 0x30)
    if kind in (_INTEGER, _BIT, _FLOAT, _GUID):
        size = fields.number(1)
        data = fields.take(fields.number(1))
        return {_INTEGER: f"int{size}", _BIT: "bit", _FLOAT: f"float{size}", _GUID: "uniqueidentifier"}[kind], (
            _small_value(kind, data) if data else None
        )
    if kind == _DATETIME2:
        scale = fields.number(1)
        data = fields.take(fields.number(1))
        return f"datetime2({scale})", _time(data, scale) if data else None
    if kind in _TEXTS | _BYTES | _LATIN:
        size = fields.number(2)
        if kind not in _BYTES:
            fields.take(len(COLLATION))
        data = _read_plp(fields) if size == _MAX else _read_short(fields)
        return _long_name(kind, size), None if data is None else _long_value(kind, data)
    if kind == _NTEXT:
        fields.take(4 + len(COLLATION))
        length = fields.number(4)
        return "ntext", None if length == 0xFFFFFFFF else _long_value(_NVARCHAR, fields.take(length))
    raise UnknownRequestError(f"a parameter of the type {kind:#x}")


def _small_value(kind: int, data: bytes) -> Any:
    if kind == _GUID:
        return uuid.UUID(bytes_le=data)
    if kind == _FLOAT:
        return struct.unpack("<d" if len(data) == 8 else "<f", data)[0]
    number = int.from_bytes(data, "little", signed=len(data) > 1)
    return bool(number) if kind == _BIT else number


def _time(data: bytes, scale: int) -> datetime:
    ticks = int.from_bytes(data[:-3], "little") * 10 ** (7 - scale)
    return _START + timedelta(days=int.from_bytes(data[-3:], "little"), microseconds=ticks // 10)


def _long_name(kind: int, size: int) -> str:
    if kind in _BYTES:
        return "varbinary(max)" if size == _MAX else f"varbinary({size})"
    name, width = ("nvarchar", 2) if kind in _TEXTS else ("varchar", 1)
    return f"{name}(max)" if size == _MAX else f"{name}({size // width})"


def _long_value(kind: int, data: bytes) -> Any:
    if kind in _BYTES:
        return data
    return data.decode("cp1252") if kind in _LATIN else data.decode("utf-16-le", "surrogatepass")


def _read_short(fields: Fields) -> bytes | None:
    length = fields.number(2)
    return None if length == _NULL_LENGTH else fields.take(length)


def _read_plp(fields: Fields) -> bytes | None:
    if fields.number(8) == _NULL_PLP:
        return None
    data = bytearray()
    while length := fields.number(4):
        data += fields.take(length)
    return bytes(data)


def short_text(text: str, length_bytes: int = 1) -> bytes:
    """A text with its length in characters before it."""
    data = text.encode("utf-16-le")
    return (len(data) // 2).to_bytes(length_bytes, "little") + data


def _sized(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _plp(data: bytes) -> bytes:
    chunks = [data[at : at + _CHUNK_BYTES] for at in range(0, len(data), _CHUNK_BYTES)]
    return b"".join(
        [struct.pack("<Q", len(data)), *(struct.pack("<I", len(one)) + one for one in chunks), struct.pack("<I", 0)]
    )


def _code_units(value: str | bytes) -> bytes:
    """UTF-16; bytes are code units that need not be any."""
    return value if isinstance(value, bytes) else value.encode("utf-16-le", "surrogatepass")


def _ticks(value: datetime | int) -> bytes:
    """A time, or how many tenths of a microsecond it is after the year 1 began."""
    ticks = value if isinstance(value, int) else (value - _START) // timedelta(microseconds=1) * 10
    days, rest = divmod(ticks, 24 * 60 * 60 * 10**7)
    return rest.to_bytes(5, "little") + days.to_bytes(3, "little")


def _kind(name: str, metadata: bytes, write: Callable[[Any], bytes], null: bytes) -> Kind:
    return Kind(name=name, metadata=metadata, write=lambda value: null if value is None else write(value))


def nvarchar(characters: int) -> Kind:
    """`nvarchar(n)`."""

    def write(value: str | bytes) -> bytes:
        data = _code_units(value)
        assert len(data) <= 2 * characters, f"{len(data) // 2} characters in nvarchar({characters})"
        return struct.pack("<H", len(data)) + data

    metadata = bytes([_NVARCHAR]) + struct.pack("<H", 2 * characters) + COLLATION
    return _kind(f"nvarchar({characters})", metadata, write, struct.pack("<H", _NULL_LENGTH))


def varchar(characters: int) -> Kind:
    """`varchar(n)`, in the code page of Western Europe."""

    def write(value: str) -> bytes:
        data = value.encode("cp1252")
        return struct.pack("<H", len(data)) + data

    metadata = bytes([_VARCHAR]) + struct.pack("<H", characters) + COLLATION
    return _kind(f"varchar({characters})", metadata, write, struct.pack("<H", _NULL_LENGTH))


_NULL, _LONG_NULL = b"\0", struct.pack("<Q", _NULL_PLP)
INT = _kind("int", bytes([_INTEGER, 4]), lambda value: _sized(struct.pack("<i", value)), _NULL)
SMALLINT = _kind("smallint", bytes([_INTEGER, 2]), lambda value: _sized(struct.pack("<h", value)), _NULL)
BIGINT = _kind("bigint", bytes([_INTEGER, 8]), lambda value: _sized(struct.pack("<q", value)), _NULL)
BIT = _kind("bit", bytes([_BIT, 1]), lambda value: _sized(bytes([value])), _NULL)
FLOAT = _kind("float", bytes([_FLOAT, 8]), lambda value: _sized(struct.pack("<d", value)), _NULL)
GUID = _kind("uniqueidentifier", bytes([_GUID, 16]), lambda value: _sized(value.bytes_le), _NULL)
DATETIME2 = _kind("datetime2(7)", bytes([_DATETIME2, 7]), lambda value: _sized(_ticks(value)), _NULL)
LONG_TEXT = _kind(
    "nvarchar(max)",
    bytes([_NVARCHAR]) + struct.pack("<H", _MAX) + COLLATION,
    lambda value: _plp(_code_units(value)),
    _LONG_NULL,
)
LONG_BYTES = _kind("varbinary(max)", bytes([_VARBINARY]) + struct.pack("<H", _MAX), _plp, _LONG_NULL)
