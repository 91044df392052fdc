"""What is said between a login and its end: requests are read, run, and answered."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.tds import catalog, tokens
from tests.tds.packets import ATTENTION, BATCH, RPC, Fields, Message, Stream, UnknownRequestError
from tests.tds.replies import InterruptedWait, Replies
from tests.tds.requests import Call, read_call, read_headers
from tests.tds.tokens import Answer, Said
from tests.tds.values import Parameter

_MAKES_TEMPORARY_TABLE = re.compile(r"\s*create table #", re.IGNORECASE)
#: As a database says whose collation ends in `_UTF8` or `_SC`.
_NTEXT_REFUSED = Said(number=4189, text="Cannot convert to text/ntext or collate to 'Latin1_General_100_CI_AS_SC_UTF8'")


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
    """A statement that came, and the types that its parameters were declared with: none of a plain batch."""

    statement: str
    declared: str


class Conversation:
    """One login's requests, with what was prepared."""

    def __init__(
        self, stream: Stream, session: Session, requests: list[Request], failures: list[BaseException]
    ) -> None:
        self._replies = Replies(stream)
        self._session = session
        self._requests = requests
        #: Drivers keep some refusals to themselves, and then behave as with no other server.
        self._failures = failures
        self._prepared: dict[int, Request] = {}
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
            self._failures.append(unknown)
            refused = tokens.said(Said(number=50000, text=f"not known to the test server: {unknown}"))
            self._replies.finish(refused + tokens.done(tokens.DONE, tokens.ERROR))
        except InterruptedWait:
            pass  # by the next message, which is answered as every other

    def _batch(self, statement: str) -> None:
        if (number := catalog.type_asked_for_in_text(statement)) is not None:
            answers: Iterable[Answer] = [catalog.types(number)]
        else:
            answers = self._run(statement)
        self._replies.statements(answers, tokens.DONE)
        self._replies.finish()

    def _call(self, call: Call) -> None:
        values = [one.value for one in call.parameters]
        outputs = b""
        match call.procedure.removeprefix("[sys].").lower():
            case "sp_executesql":
                answers = self._run(values[0], values[1], call.parameters[2:])
            case "sp_prepexec":
                outputs = self._prepare(call)
                answers = self._run(values[2], values[1], call.parameters[3:])
            case "sp_prepare":
                outputs = self._prepare(call)
                answers = ()
            case "sp_execute":
                prepared = self._statement(values[0])
                answers = self._run(prepared.statement, prepared.declared, call.parameters[1:])
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
        _, declared, statement, *_ = (one.value for one in call.parameters)
        self._prepared[self._handles] = Request(statement=statement, declared=declared)
        return tokens.output(0, call.parameters[0].name, self._handles)

    def _statement(self, handle: int) -> Request:
        if handle not in self._prepared:
            raise UnknownRequestError(f"the handle {handle} of a prepared statement")
        return self._prepared[handle]

    def _run(self, statement: str, declared: str = "", given: Sequence[Parameter] = ()) -> Iterable[Answer]:
        request = Request(statement=statement, declared=declared.lower())
        self._requests.append(request)
        if "ntext" in request.declared:
            return [_NTEXT_REFUSED]
        if given and _MAKES_TEMPORARY_TABLE.match(statement):
            raise UnknownRequestError("a temporary table that is gone with the call that makes it")
        named = {one.name or f"@P{number}": one.value for number, one in enumerate(given, start=1)}
        return self._session.execute(statement, named)
