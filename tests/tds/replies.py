"""Sending answers: what statements give, each with its end, and the transaction that a connection is in."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from tests.tds import tokens
from tests.tds.packets import Stream, UnknownRequestError
from tests.tds.requests import NO_TRANSACTION
from tests.tds.tokens import Answer, Done, HangUp, Raw, Rows, Said, Transaction, Wait


class InterruptedWait(Exception):  # noqa: N818 - no error: the client asked for it
    """The client said something while it was kept waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    status: int = 0
    count: int | None = None


class Replies:
    """What goes back over one connection."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._unsent = b""
        self._transaction = NO_TRANSACTION
        self._transactions = 0

    def check_transaction(self, named: bytes) -> None:
        """Refuse a request that belongs to another transaction than the one that is open."""
        if named != self._transaction:
            raise UnknownRequestError(f"transaction {named.hex()} while {self._transaction.hex()} is open")

    def statements(self, answers: Iterable[Answer], kind: int) -> None:
        """Send answers; `kind` is how each statement ends. The last one of a batch says that nothing follows."""
        end = None
        for one in answers:
            if end is not None and not isinstance(one, HangUp | Raw):
                self._send(tokens.done(kind, end.status | tokens.MORE, end.count))
                end = None
            end = self._say(one) or end
        end = end or _End()
        more = 0 if kind == tokens.DONE else tokens.MORE
        self._send(tokens.done(kind, end.status | more, end.count))

    def finish(self, data: bytes = b"") -> None:
        """The end of an answer."""
        self._stream.write(self._unsent + data)
        self._unsent = b""

    def _say(self, answer: Answer) -> _End | None:
        """Send one; what it was the end of."""
        match answer:
            case Rows():
                return self._rows(answer)
            case Done():
                return _End(count=answer.count)
            case Said():
                self._send(tokens.said(answer))
                return _End(status=tokens.ERROR) if answer.is_error else None
            case Transaction():
                self._transact(answer.what)
            case _:
                self._disturb(answer)
        return None

    def _disturb(self, answer: Wait | Raw | HangUp) -> None:
        """Do what no well-behaved server does, once everything before it was sent."""
        self._stream.flush(self._unsent)
        self._unsent = b""
        match answer:
            case Wait():
                if self._stream.is_asked_for(answer.seconds):
                    raise InterruptedWait
            case Raw():
                self._stream.send(answer.data)
            case HangUp():
                self._stream.hang_up(is_abrupt=answer.is_abrupt)
                raise ConnectionError("the server hung up")

    def _rows(self, result: Rows) -> _End:
        self._send(tokens.columns(result.columns))
        count = 0
        for values in result.rows:
            self._send(tokens.row(result.columns, values))
            count += 1
        if result.error is None:
            return _End(count=count)
        self._send(tokens.said(result.error))
        return _End(status=tokens.ERROR)

    def _transact(self, what: str) -> None:
        if what == "begin":
            self._transactions += 1
            self._transaction = struct.pack("<Q", self._transactions)
        self._send(tokens.transaction(what, self._transaction))
        if what != "begin":
            self._transaction = NO_TRANSACTION

    def _send(self, data: bytes) -> None:
        self._unsent += data
        if len(self._unsent) > self._stream.packet_bytes:
            self._unsent = self._stream.write(self._unsent, is_last=False)
