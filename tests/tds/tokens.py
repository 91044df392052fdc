"""What a server answers, and the tokens that say it."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.tds.values import COLLATION, INT, Kind, short_text

TDS_7_4 = bytes([0x74, 0, 0, 4])
#: SQL Server 2019.
_SERVER_VERSION = bytes([15, 0, 0x11, 0x4E])
SERVER_NAME = "LOOPBACK"
DONE, DONE_PROCEDURE, DONE_IN_PROCEDURE = 0xFD, 0xFE, 0xFF
MORE, ERROR, COUNT, INTERRUPTED = 0x01, 0x02, 0x10, 0x20
_ERROR_TOKEN, _INFO_TOKEN, _ENVCHANGE, _LOGINACK = 0xAA, 0xAB, 0xE3, 0xAD
_COLUMNS, _ROW, _RETURN_STATUS, _RETURN_VALUE = 0x81, 0xD1, 0x79, 0xAC
_DATABASE, _PACKET_BYTES, _COLLATION, _BEGIN, _COMMIT, _ROLLBACK = 1, 4, 7, 8, 9, 10
_IS_NULLABLE = 0x0001
_SEVERITY_OF_ERRORS = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a result."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A result with columns, which may end with an error."""

    columns: tuple[Column, ...]
    rows: Iterable[Sequence[Any]]
    error: "Said | None" = None


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a statement without a result: how many rows it changed, where it counts them."""

    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message: an error from severity 11 on, else information."""

    number: int
    text: str
    severity: int = 16
    state: int = 1

    @property
    def is_error(self) -> bool:
        return self.severity >= _SEVERITY_OF_ERRORS


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that began, or ended: `begin`, `commit`, `rollback`."""

    what: str


@dataclass(frozen=True, slots=True)
class Wait:
    """No answer for so long, unless the client gives up waiting."""

    seconds: float


@dataclass(frozen=True, slots=True)
class HangUp:
    """The connection is lost here: properly closed, or as by a server that died."""

    is_abrupt: bool = True


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that may mean nothing."""

    data: bytes


Answer = Rows | Done | Said | Transaction | Wait | HangUp | Raw


class RefusalError(Exception):
    """What a server says when it lets nobody in."""

    def __init__(self, *said: Said) -> None:
        self.said = said
        super().__init__(said)


def said(message: Said) -> bytes:
    """An ERROR or an INFO token."""
    body = struct.pack("<iBB", message.number, message.state, message.severity)
    body += short_text(message.text, 2) + short_text(SERVER_NAME) + short_text("") + struct.pack("<I", 1)
    return _token(_ERROR_TOKEN if message.is_error else _INFO_TOKEN, body)


def logged_in(database: str, packet_bytes: int) -> bytes:
    """Everything that a server says to a client that it lets in."""
    return b"".join(
        [
            _changed(_DATABASE, short_text(database) + short_text("master")),
            said(Said(number=5701, text=f"Changed database context to '{database}'.", severity=0, state=2)),
            _changed(_COLLATION, bytes([len(COLLATION)]) + COLLATION + b"\0"),
            _token(_LOGINACK, b"\1" + TDS_7_4 + short_text("Microsoft SQL Server") + _SERVER_VERSION),
            _changed(_PACKET_BYTES, short_text(str(packet_bytes)) + short_text("4096")),
            done(DONE),
        ]
    )


def transaction(what: str, descriptor: bytes) -> bytes:
    """An ENVCHANGE token with the transaction that began, or the one that ended."""
    if what == "begin":
        return _changed(_BEGIN, bytes([8]) + descriptor + b"\0")
    return _changed({"commit": _COMMIT, "rollback": _ROLLBACK}[what], b"\0" + bytes([8]) + descriptor)


def columns(described: Sequence[Column]) -> bytes:
    """A COLMETADATA token."""
    parts = [bytes([_COLUMNS]), struct.pack("<H", len(described))]
    for one in described:
        parts.append(struct.pack("<IH", 0, _IS_NULLABLE) + one.kind.metadata + short_text(one.name))
    return b"".join(parts)


def row(described: Sequence[Column], values: Sequence[Any]) -> bytes:
    """A ROW token."""
    written = [one.kind.write(value) for one, value in zip(described, values, strict=True)]
    return b"".join([bytes([_ROW]), *written])


def done(kind: int, status: int = 0, count: int | None = None) -> bytes:
    """The end of a statement, of one inside a procedure, or of a procedure."""
    return struct.pack("<BHHQ", kind, status | (0 if count is None else COUNT), 0, count or 0)


def returned(status: int) -> bytes:
    """What a procedure returns."""
    return struct.pack("<Bi", _RETURN_STATUS, status)


def output(ordinal: int, name: str, value: int | None) -> bytes:
    """An output parameter that is a number."""
    return (
        struct.pack("<BH", _RETURN_VALUE, ordinal)
        + short_text(name)
        + struct.pack("<BIH", 1, 0, _IS_NULLABLE)
        + INT.metadata
        + INT.write(value)
    )


def _changed(kind: int, values: bytes) -> bytes:
    return _token(_ENVCHANGE, bytes([kind]) + values)


def _token(kind: int, body: bytes) -> bytes:
    return struct.pack("<BH", kind, len(body)) + body
