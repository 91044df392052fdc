"""What is said between a login and its end: requests are read, run, and answered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.tds import catalog, tokens
from tests.tds.packets import ATTENTION, BATCH, RPC, Fields, Message, Stream, UnknownRequestError
from tests.tds.replies import InterruptedWait, Replies
from tests.tds.requests import Call, read_call, read_headers
from tests.tds.tokens import Answer, Said
from tests.tds.values import Parameter


class Session(Protocol):
    """One login's work."""

    def execute(self, statement: str, parameters: dict[str, Any]) -> Iterable[Answer]:
        """The answers to a statement or a batch, whose parameters are in it by name."""
        ...

    def close(self) -> None:
        """The client has gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A statement that came, and the types of its parameters. Without any it came as a plain batch."""

    statement: str
    types: dict[str, str]


class Conversation:
    """One login's requests, with what was prepared."""

    def __init__(self, stream: Stream, session: Session, requests: list[Request]) -> None:
        self._replies = Replies(stream)
        self._session = session
        self._requests = requests
        self._prepared: dict[int, str] = {}
        self._handles = 0

    def answer(self, message: Message) -> None:
        """Answer one message."""
        try:
            if message.kind == ATTENTION:
                self._replies.finish(tokens.done(tokens.DONE, tokens.INTERRUPTED))
            elif message.kind in (BATCH, RPC):
                fields = Fields(message.data)
                self._replies.check_transaction(read_headers(fields))
                if message.kind == BATCH:
                    self._batch(fields.rest().decode("utf-16-le", "surrogatepass"))
                else:
                    self._call(read_call(fields))
            else:
                raise UnknownRequestError(f"a message of type {message.kind}")
        except UnknownRequestError as unknown:
            refused = tokens.said(Said(number=50000, text=f"not known to the test server: {unknown}"))
            self._replies.finish(refused + tokens.done(tokens.DONE, tokens.ERROR))
        except InterruptedWait:
            pass  # by the next message, which is answered as every other

    def _batch(self, statement: str) -> None:
        if (number := catalog.type_asked_for_in_text(statement)) is not None:
            answers: Iterable[Answer] = [catalog.types(number)]
        else:
            answers = self._run(statement, ())
        self._replies.statements(answers, tokens.DONE)
        self._replies.finish()

    def _call(self, call: Call) -> None:
        values = [one.value for one in call.parameters]
        outputs = b""
        match call.procedure.removeprefix("sys.").lower():
            case "sp_executesql":
                answers = self._run(values[0], call.parameters[2:])
            case "sp_prepexec":
                outputs = self._prepare(call)
                answers = self._run(values[2], call.parameters[3:])
            case "sp_prepare":
                outputs = self._prepare(call)
                answers = ()
            case "sp_execute":
                answers = self._run(self._statement(values[0]), call.parameters[1:])
            case "sp_unprepare":
                self._statement(values[0])
                del self._prepared[values[0]]
                answers = ()
            case name:
                answers = [catalog.types(catalog.type_asked_for(name, call.parameters))]
        self._replies.statements(answers, tokens.DONE_IN_PROCEDURE)
        self._replies.finish(tokens.returned(0) + outputs + tokens.done(tokens.DONE_PROCEDURE))

    def _prepare(self, call: Call) -> bytes:
        self._handles += 1
        self._prepared[self._handles] = call.parameters[2].value
        return tokens.output(0, call.parameters[0].name, self._handles)

    def _statement(self, handle: int) -> str:
        if handle not in self._prepared:
            raise UnknownRequestError(f"the handle {handle} of a prepared statement")
        return self._prepared[handle]

    def _run(self, statement: str, given: Sequence[Parameter]) -> Iterable[Answer]:
        named = {one.name or f"@P{number}": one for number, one in enumerate(given, start=1)}
        self._requests.append(Request(statement=statement, types={name: one.type for name, one in named.items()}))
        return self._session.execute(statement, {name: one.value for name, one in named.items()})
