"""Messages in packets over a socket, plain or inside TLS, and the fields inside a message."""

import contextlib
import select
import socket
import ssl
import struct
from dataclasses import dataclass

BATCH, RPC, RESPONSE, ATTENTION, LOGIN, PRELOGIN = 1, 3, 4, 6, 16, 18
_HEADER = struct.Struct(">BBHHBB")
_END_OF_MESSAGE, _IGNORED = 0x01, 0x02
_READ_AT_ONCE = 65536


class UnknownRequestError(Exception):
    """What came is not known here. A real server might know it: teach it to this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a client sent: the type of its packets, and their contents together."""

    kind: int
    data: bytes


class Fields:
    """The bytes of a message, read one field after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise UnknownRequestError(f"{count} bytes wanted, {len(self._data) - self._at} left")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def text(self, characters: int) -> str:
        return self.take(2 * characters).decode("utf-16-le", "surrogatepass")

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)


class Stream:
    """One connection as messages."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.packet_bytes = 4096

    def read(self) -> Message | None:
        """The next message; None when the client has gone."""
        data = bytearray()
        while True:
            header = self._receive(_HEADER.size)
            if header is None:
                return None
            kind, status, length, *_ = _HEADER.unpack(header)
            if status & ~(_END_OF_MESSAGE | _IGNORED):
                raise UnknownRequestError(f"a packet with status {status:#x}")
            content = self._receive(length - _HEADER.size)
            if content is None:
                return None
            data += content
            if status & _END_OF_MESSAGE:
                if not status & _IGNORED:
                    return Message(kind=kind, data=bytes(data))
                data.clear()

    def write(self, data: bytes, *, kind: int = RESPONSE, is_last: bool = True) -> bytes:
        """Send `data` in packets; what fills none is returned, unless it is the end of the message."""
        room = self.packet_bytes - _HEADER.size
        ends = range(room, len(data), room)
        packets = [_packet(kind, 0, data[end - room : end]) for end in ends]
        rest = data[ends[-1] :] if ends else data
        if is_last:
            packets.append(_packet(kind, _END_OF_MESSAGE, rest))
            rest = b""
        self.send(b"".join(packets))
        return rest

    def flush(self, data: bytes) -> None:
        """Send `data` now, though it may fill no packet, and is not the end."""
        if rest := self.write(data, is_last=False):
            self.send(_packet(RESPONSE, 0, rest))

    def send(self, raw: bytes) -> None:
        """Bytes as they are."""
        if self._tls is not None:
            self._tls.write(raw)
            raw = self._outgoing.read()
        self._socket.sendall(raw)

    def is_asked_for(self, seconds: float) -> bool:
        """Whether the client sent something, or went, within a time."""
        readable, _, _ = select.select([self._socket], [], [], seconds)
        return bool(readable)

    def begin_tls(self, context: ssl.SSLContext) -> None:
        """The handshake is carried in packets; what follows it is not."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            wants_more = False
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                wants_more = True
            if answer := self._outgoing.read():
                self.write(answer, kind=PRELOGIN)
            if not wants_more:
                self._tls = tls
                return
            message = self.read()
            if message is None:
                raise ConnectionError("the client left during the handshake")
            self._incoming.write(message.data)

    def end_tls(self) -> None:
        """Plain from here: only the login was to be secret."""
        self._tls = None

    def hang_up(self, *, is_abrupt: bool = False) -> None:
        """End the connection; abruptly, as a server that dies does."""
        if is_abrupt:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _receive(self, count: int) -> bytes | None:
        data = bytearray()
        while len(data) < count:
            part = self._decrypted(count - len(data)) if self._tls else self._socket.recv(count - len(data))
            if not part:
                return None
            data += part
        return bytes(data)

    def _decrypted(self, count: int) -> bytes:
        assert self._tls is not None
        while True:
            try:
                return self._tls.read(count)
            except ssl.SSLWantReadError:
                raw = self._socket.recv(_READ_AT_ONCE)
                if not raw:
                    return b""
                self._incoming.write(raw)
            except ssl.SSLZeroReturnError:
                return b""


def _packet(kind: int, status: int, data: bytes) -> bytes:
    return _HEADER.pack(kind, status, _HEADER.size + len(data), 0, 1, 0) + data
