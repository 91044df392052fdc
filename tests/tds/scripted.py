"""A server that answers what a test says, for what no database does when it is asked to; all else is just done."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.tds.requests import Login
from tests.tds.tokens import Answer, Column, Done, RefusalError, Rows, Said, Transaction
from tests.tds.values import INT

_TRANSACTION = re.compile(r"(?:if @@trancount > 0 )?(begin|commit|rollback) transaction")
Script = Callable[[dict[str, Any]], Iterable[Answer]]


@dataclass
class Scripted:
    """Lets everybody in who is not refused; transactions and the application lock are as everywhere."""

    #: what a login is refused with
    refusal: Sequence[Said] = ()
    #: by what a statement contains: the answers to it, from its parameters
    scripts: dict[str, Script] = field(default_factory=dict)

    def open(self, _login: Login) -> "_Session":
        """See `tests.tds.server.Database`."""
        if self.refusal:
            raise RefusalError(*self.refusal)
        return _Session(self.scripts)


class _Session:
    def __init__(self, scripts: dict[str, Script]) -> None:
        self._scripts = scripts
        self._in_transaction = False

    def execute(self, statement: str, parameters: dict[str, Any]) -> Iterator[Answer]:
        """See `tests.tds.server.Session`."""
        for part, script in self._scripts.items():
            if part in statement:
                yield from script(parameters)
                return
        if changed := _TRANSACTION.match(statement):
            if self._in_transaction or changed[1] == "begin":
                self._in_transaction = changed[1] == "begin"
                yield Transaction(changed[1])
            yield Done()
        elif "sp_getapplock" in statement:
            yield Rows(columns=(Column(name="result", kind=INT),), rows=[(0,)])
        else:
            yield Done(0 if statement.startswith(("insert", "update", "delete", "merge")) else None)

    def close(self) -> None:
        """See `tests.tds.server.Session`."""


def once(first: Iterable[Answer], then: Iterable[Answer]) -> Script:
    """One answer, and another one from then on."""
    answers = iter([list(first)])
    later = list(then)
    return lambda _parameters: next(answers, later)
