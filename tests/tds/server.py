"""A server on loopback: a thread for each connection, over anything that answers statements."""

import contextlib
import socket
import ssl
import threading
from typing import Protocol

from tests.tds import tokens
from tests.tds.conversation import Conversation, Request, Session
from tests.tds.packets import LOGIN, PRELOGIN, Message, Stream, UnknownRequestError
from tests.tds.requests import (
    ENCRYPTION_OFF,
    ENCRYPTION_ON,
    NO_ENCRYPTION,
    Login,
    prelogin_answer,
    read_login,
    wanted_encryption,
)
from tests.tds.tokens import RefusalError

_LARGEST_PACKET = 32767


class Database(Protocol):
    """What answers."""

    def open(self, login: Login) -> Session:
        """Begin a session, or raise `RefusalError`."""
        ...


class Server:
    """Listens on a port of its own until it is closed."""

    def __init__(self, database: Database, tls: ssl.SSLContext | None = None) -> None:
        self._database = database
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._streams: set[Stream] = set()
        #: Who came, and what was asked for, in order.
        self.logins: list[Login] = []
        self.requests: list[Request] = []
        #: What went wrong here, which is this server's own affair.
        self.failures: list[BaseException] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Hang up on everybody, and wait until their sessions are closed."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for stream in list(self._streams):
            stream.hang_up()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(Stream(connection),), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, stream: Stream) -> None:
        self._streams.add(stream)
        try:
            login = self._greet(stream)
            if login is not None:
                self.logins.append(login)
                self._work(stream, login)
        except OSError:
            pass  # the client has gone
        except BaseException as error:  # noqa: BLE001 - shown by the test that asks
            self.failures.append(error)
        finally:
            self._streams.discard(stream)
            stream.hang_up()

    def _greet(self, stream: Stream) -> Login | None:
        message = stream.read()
        if message is None:
            return None
        wanted = wanted_encryption(_of_kind(message, PRELOGIN))
        answer = wanted if self._tls is not None else NO_ENCRYPTION
        stream.write(prelogin_answer(answer))
        if self._tls is not None and answer in (ENCRYPTION_OFF, ENCRYPTION_ON):
            stream.begin_tls(self._tls)
        message = stream.read()
        if message is None:
            return None
        login = read_login(_of_kind(message, LOGIN), is_encrypted=answer == ENCRYPTION_ON)
        if answer == ENCRYPTION_OFF:
            stream.end_tls()
        return login

    def _work(self, stream: Stream, login: Login) -> None:
        try:
            session = self._database.open(login)
        except RefusalError as refusal:
            said = b"".join(map(tokens.said, refusal.said))
            stream.write(said + tokens.done(tokens.DONE, tokens.ERROR))
            return
        try:
            packet_bytes = min(login.packet_bytes or 4096, _LARGEST_PACKET)
            stream.write(tokens.logged_in(login.database, packet_bytes))
            stream.packet_bytes = packet_bytes
            conversation = Conversation(stream, session, self.requests, self.failures)
            while message := stream.read():
                conversation.answer(message)
        finally:
            session.close()


def _of_kind(message: Message, kind: int) -> bytes:
    if message.kind != kind:
        raise UnknownRequestError(f"a message of type {message.kind} where {kind} was expected")
    return message.data
