"""What the real ODBC drivers report of statements and connections that fail."""

import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.errors import SchemaError, StoreBusyError, StoreError, StoreUnavailableError
from holocron_assets.transactions import read, write
from tests.tds.line import CHANGED, LISTED, NUMBER, Line, changed, connected, failure, listed
from tests.tds.scripted import once
from tests.tds.serving import PASSWORD
from tests.tds.tokens import Done, HangUp, Raw, Rows, Said, Wait


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts are not what is tested."""
    monkeypatch.setattr("holocron_assets.transactions._PAUSES_SECONDS", (0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("number", "kind", "hint"),
    [
        (229, StoreError, "Grant it"),
        (262, StoreError, "Grant it"),
        (208, SchemaError, "holocron ensure"),
        (547, StoreError, "constraint"),
        (9002, StoreError, "Make room"),
        (1105, StoreError, "Make room"),
        (1222, StoreBusyError, "did not let go"),
        (51222, StoreBusyError, "enqueueing"),
        (1205, StoreUnavailableError, "deadlock"),
        (2601, StoreUnavailableError, "another writer"),
        (2627, StoreUnavailableError, "another writer"),
        (3960, StoreUnavailableError, "rows changed"),
    ],
)
def test_the_servers_errors_are_known_by_number(line: Line, number: int, kind: type, hint: str) -> None:
    """Wherever they come: instead of a result, at the end of its rows, or after a statement that went well."""
    error = Said(number=number, text=f"Etwas ist mit (229) schiefgegangen, Nutzer {PASSWORD}.", severity=14)
    rows = Rows(columns=NUMBER, rows=[(one,) for one in range(3000)], error=error)
    for answers in ([error], [rows], [Rows(columns=NUMBER, rows=[(1,)]), error]):
        line.says(*answers)
        for ask in (listed, lambda session: session.rows("list_spaces")):
            found = failure(line.store, ask)
            assert type(found) is kind
            assert hint in str(found)
    line.says(Done(1), error)
    with pytest.raises(StoreError) as caught, line.store.session() as session:
        session.run_script("update vector.run set options_json = null")
    assert type(caught.value) is kind


@pytest.mark.parametrize("severity", [0, 10])
def test_messages_between_results_are_no_results(line: Line, severity: int) -> None:
    """Whatever a trigger prints."""
    said = Said(number=0, text="hello", severity=severity)
    line.says(said, Done(), said, Rows(columns=NUMBER, rows=[(1,), (2,)]), said, Done(3), said)
    with line.store.session() as session:
        assert session.rows("list_spaces") == [{"n": 1}, {"n": 2}]
        line.says(Done(3), said)
        assert changed(session) == 3


def test_a_deadlock_victim_is_run_again(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    """The whole transaction, because what it did before is gone; and it is told, because it should be rare."""
    line.database.scripts[CHANGED] = once([Said(number=1205, text="deadlocked", severity=13)], [Done(5)])

    assert write(line.store, changed) == 5
    assert [one.statement for one in line.server.requests].count("begin transaction") == 2
    (told,) = [one.getMessage() for one in caplog.records]
    assert "deadlocked" in told
    assert told.endswith("the transaction is run again")


@pytest.mark.parametrize("abrupt", [True, False])
@pytest.mark.parametrize(
    ("part", "before"),
    [
        (LISTED, ()),
        (LISTED, (Rows(columns=NUMBER, rows=[(one,) for one in range(20000)]),)),
        ("begin transaction", ()),
        ("commit transaction", ()),
    ],
    ids=["in a batch", "in a result", "while it lay in the pool", "before the answer to a commit"],
)
def test_a_lost_connection_is_made_again(
    driver: str,
    part: str,
    before: tuple[Rows, ...],
    abrupt: bool,
    tmp_path: Path,
    wire_tls: ssl.SSLContext | None,
) -> None:
    """What ran on it runs again, whatever the driver calls it; nothing of a result is taken for the whole."""
    rows = Rows(columns=NUMBER, rows=[(7,)])
    with connected(driver, tmp_path, wire_tls, wait_seconds=5) as line:
        line.says(rows)
        assert write(line.store, listed) == [{"n": 7}]

        def lose(_parameters: dict[str, Any]) -> list[Any]:
            del line.database.scripts[part]
            line.says(rows)
            return [*before, HangUp(is_abrupt=abrupt)]

        line.database.scripts[part] = lose

        assert write(line.store, listed) == [{"n": 7}]
        assert len(line.server.logins) == 2


def test_a_server_that_was_restarted_costs_no_look(line: Line) -> None:
    """All that lay in the pool was lost with the first of it: who does not wait at all finds the new server at once."""
    line.says(Rows(columns=NUMBER, rows=[(7,)]))
    with ExitStack() as sessions:
        for _ in range(3):
            sessions.enter_context(line.store.session(write=False))
    line.database.scripts["select 1"] = once([HangUp()], [Done()])

    with line.store.session(write=False) as session:
        assert listed(session) == [{"n": 7}]
    assert len(line.server.logins) == 4


def test_a_statement_that_takes_too_long_is_given_up(line: Line) -> None:
    """Not asked again: it would take as long. The server is told to stop, and the next statement finds it well."""
    line.says(Wait(20), Rows(columns=NUMBER, rows=[(1,)]))
    with pytest.raises(StoreBusyError, match="raise the time-outs"):
        read(line.store, listed)
    line.says(Rows(columns=NUMBER, rows=[(1,)]))

    assert read(line.store, listed) == [{"n": 1}]


def test_what_is_no_answer_ends_the_connection(line: Line) -> None:
    """Garbage in the middle of a conversation is a lost connection, and retried as one."""
    garbage = Raw(b"\x04\x01\x00\x20\0\0\1\0" + b"\x99garbage, garbage, garba")
    line.database.scripts[LISTED] = once([garbage], [Rows(columns=NUMBER, rows=[(1,)])])

    assert read(line.store, listed) == [{"n": 1}]
