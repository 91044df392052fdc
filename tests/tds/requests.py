"""What a client asks for: a login, a batch, a call of one of the server's own procedures."""

import struct
from dataclasses import dataclass

from tests.tds.packets import Fields, UnknownRequestError
from tests.tds.values import Parameter, read_parameter

ENCRYPTION_OFF, ENCRYPTION_ON, NO_ENCRYPTION = 0, 1, 2
_VERSION, _ENCRYPTION, _MARS, _END = 0, 1, 4, 0xFF
_PROCEDURES = {10: "sp_executesql", 11: "sp_prepare", 12: "sp_execute", 13: "sp_prepexec", 15: "sp_unprepare"}
_NUMBERED = 0xFFFF
_TRANSACTION_HEADER = 2
#: The descriptor of a request outside any transaction.
NO_TRANSACTION = bytes(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who wants to work on what."""

    user: str
    password: str
    application: str
    database: str
    packet_bytes: int
    is_encrypted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a procedure."""

    procedure: str
    parameters: tuple[Parameter, ...]


def wanted_encryption(data: bytes) -> int:
    """What a PRELOGIN message says about it."""
    fields = Fields(data)
    while (option := fields.number(1)) != _END:
        at, length = struct.unpack(">HH", fields.take(4))
        if option == _ENCRYPTION:
            return data[at : at + length][0]
    raise UnknownRequestError("a client that does not say whether it encrypts")


def prelogin_answer(encryption: int) -> bytes:
    """The version, the encryption, and that a connection does one thing at a time."""
    options = {_VERSION: bytes([15, 0, 0x11, 0x4E, 0, 0]), _ENCRYPTION: bytes([encryption]), _MARS: b"\0"}
    at = 5 * len(options) + 1
    heads, contents = b"", b""
    for option, content in options.items():
        heads += struct.pack(">BHH", option, at + len(contents), len(content))
        contents += content
    return heads + bytes([_END]) + contents


def read_login(data: bytes, *, is_encrypted: bool) -> Login:
    """A LOGIN7 message."""

    def field(at: int) -> bytes:
        start, length = struct.unpack_from("<HH", data, at)
        return data[start : start + 2 * length]

    (version,) = struct.unpack_from(">I", data, 4)
    if version != 0x04000074:
        raise UnknownRequestError(f"version {version:08x} of TDS")
    # Each byte of the password has its halves swapped and some bits turned: nobody is meant to read it in passing.
    password = bytes(((one ^ 0xA5) >> 4 | (one ^ 0xA5) << 4) & 0xFF for one in field(44))
    return Login(
        user=field(40).decode("utf-16-le"),
        password=password.decode("utf-16-le"),
        application=field(48).decode("utf-16-le"),
        database=field(68).decode("utf-16-le"),
        packet_bytes=struct.unpack_from("<I", data, 8)[0],
        is_encrypted=is_encrypted,
    )


def read_headers(fields: Fields) -> bytes:
    """The transaction that a request says it belongs to; eight zeros are none."""
    left = fields.number(4) - 4
    transaction = NO_TRANSACTION
    while left:
        length = fields.number(4)
        kind, content = fields.number(2), fields.take(length - 6)
        if kind != _TRANSACTION_HEADER:
            raise UnknownRequestError(f"a header of type {kind}")
        transaction = content[:8]
        left -= length
    return transaction


def read_call(fields: Fields) -> Call:
    """A remote procedure call, known by number or by name."""
    length = fields.number(2)
    if length == _NUMBERED:
        number = fields.number(2)
        if number not in _PROCEDURES:
            raise UnknownRequestError(f"procedure number {number}")
        name = _PROCEDURES[number]
    else:
        name = fields.text(length)
    if options := fields.number(2):
        raise UnknownRequestError(f"a call with the options {options:#x}")
    parameters = []
    while fields:
        parameters.append(read_parameter(fields))
    return Call(procedure=name, parameters=tuple(parameters))
