"""The procedures of the T-SQL migrations, taken apart into their statements.

All have one frame, and inside it a straight line: no branch but one that throws. So whoever runs the statements one
after the other does what the server does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from resources.queries import load_migrations
from resources.stores.sqlserver_script import batches

_FRAME = re.compile(
    r"create or alter procedure (?P<name>vector\.usp_\w+)\s+(?P<parameters>.*?)\s+"
    r"as begin set nocount on; set xact_abort on; begin try begin transaction; (?P<body>.*) commit transaction; "
    r"end try begin catch if @@trancount > 0 rollback transaction; throw; end catch end;".replace(" ", r"\s+"),
    re.DOTALL,
)
_PARAMETER = re.compile(r"@(?P<name>\w+) (?P<type>\w+(?:\(\w+\))?)(?: = (?P<default>\w+))?")
#: `if condition throw number, message, 1`
REFUSAL = re.compile(r"if (?P<condition>.*?)\s+throw (?P<number>\d+), N'(?P<message>[^']*)', 1", re.DOTALL)
APPLICATION_LOCK = re.compile(
    r"exec @(?P<result>\w+) = sp_getapplock\s+@Resource = @\w+, @LockMode = N'Exclusive', @LockOwner = N'Transaction'"
)
DECLARATION = re.compile(r"declare @(?P<name>\w+) (?P<type>\w+(?:\(\w+\))?)(?: = (?P<value>.*))?", re.DOTALL)
SETTING = re.compile(r"set @(?P<name>\w+) = (?P<value>.*)", re.DOTALL)
#: `select @a = x, @b = y from ...`
ASSIGNMENT = re.compile(r"select (?:top \(1\) )?@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a procedure; without a default it must be given."""

    name: str
    type: str
    default: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """A procedure and the statements inside its transaction."""

    name: str
    parameters: tuple[Parameter, ...]
    statements: tuple[str, ...]


def procedure_of(batch: str) -> Procedure | None:
    """What a batch of a migration creates, if it is a procedure. One outside the frame is an error."""
    text = re.sub(r"--[^\n]*", "", batch).strip()
    if "procedure" not in text:
        return None
    framed = _FRAME.fullmatch(text)
    assert framed, f"not in the frame of a procedure: {text[:200]}"
    parameters = []
    for one in re.split(r",\s+", framed["parameters"]):
        declared = _PARAMETER.fullmatch(one.strip())
        assert declared, one
        parameters.append(Parameter(name=declared["name"], type=declared["type"], default=declared["default"]))
    statements = [one.strip() for one in framed["body"].split(";") if one.strip()]
    return Procedure(name=framed["name"], parameters=tuple(parameters), statements=tuple(statements))


def procedures() -> Iterator[Procedure]:
    """Every procedure as the last of the migrations leaves it."""
    made = {}
    for migration in load_migrations("tsql"):
        for batch in batches(migration.text):
            if found := procedure_of(batch):
                made[found.name] = found
    yield from made.values()
