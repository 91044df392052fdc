"""What SQL Server and its drivers report, as our errors with the next step. Known by number, because texts are
translated."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from holocron_assets.errors import SchemaError, StoreBusyError, StoreError, StoreUnavailableError

#: Drivers end a message with the number of the error, pyodbc the last one with its function. A text may hold others.
_NUMBER = re.compile(r"\((-?\d+)\)(?= \(\w+\)|; \[|$)")
#: The function that pyodbc names where there is no connection yet.
_CONNECTING = "(SQLDriverConnect)"
_PREFIXES = re.compile(r"^(\[[^\]]*\]\s*)+")

_UNREACHABLE = "the server cannot be reached. Is it running, and are host and port right?"
_NO_CONNECTION = (StoreError, "no connection came about. Is this a SQL Server, and are host, port and user right?")
_UNTRUSTED = (
    StoreError,
    "no encrypted connection came about. Where the server's certificate is its own, and you trust it, say so with "
    "TrustServerCertificate=yes in the URL",
)
_LOST = "the connection was lost. Run again: it continues with what was not written"
_AGAIN = "nothing of this batch was written. Run again: it continues where it was"
#: Not asked again at once: what took too long would take as long.
_SLOW = (StoreBusyError, "no answer in time. Try again, or raise the time-outs of `sqlserver:`")
_FULL = "nothing of this batch was written. Make room, and run again"

#: By SQL Server's error number: which error it is for us, and what to do.
_NUMBERS: dict[int, tuple[type[StoreError], str]] = {
    # All that FreeTDS says where the database is missing.
    18456: (
        StoreError,
        "the login was refused. Correct the user or the password, in the URL or in INGEST_SQLSERVER_PASSWORD or what "
        "stands for it; with FreeTDS perhaps the name of the database",
    ),
    18452: (StoreError, "the login was refused. Correct the user, or give one: this one is not trusted there"),
    18470: (StoreError, "the account is disabled. Ask the database's administrator"),
    18486: (StoreError, "the account is locked. Ask the database's administrator"),
    18487: (StoreError, "the password has expired. Have it changed"),
    18488: (StoreError, "the password must be changed before it is used. Change it"),
    4060: (StoreError, "the database does not exist, or this user may not open it. Correct its name, or create it"),
    911: (StoreError, "the database does not exist. Correct its name, or create it"),
    229: (StoreError, "a permission is missing. Grant it to this user: docs/sql-server.md lists what is needed"),
    230: (StoreError, "a permission is missing. Grant it to this user: docs/sql-server.md lists what is needed"),
    262: (StoreError, "a permission is missing. Grant it to this user: docs/sql-server.md lists what is needed"),
    297: (StoreError, "a permission is missing. Grant it to this user: docs/sql-server.md lists what is needed"),
    2760: (StoreError, "a permission is missing: this user may not create objects in the schema"),
    208: (SchemaError, "a table is missing. If it is one that this project makes, run `holocron ensure`"),
    2812: (SchemaError, "procedures are missing. If this is your store, run `holocron ensure`"),
    207: (SchemaError, "a column is missing. If this project's tables lack one, `holocron preflight` says which"),
    1205: (StoreUnavailableError, f"another transaction was in the way (a deadlock); {_AGAIN}"),
    547: (StoreError, "a constraint of the table forbids this value. Correct it"),
    1222: (StoreBusyError, "another transaction holds rows that are needed, and did not let go in time. Try again"),
    51222: (StoreBusyError, "another transaction is enqueueing the same job, and did not let go in time. Try again"),
    3960: (StoreUnavailableError, f"rows changed meanwhile; {_AGAIN}"),
    2601: (StoreUnavailableError, f"another writer inserted the same rows; {_AGAIN}"),
    2627: (StoreUnavailableError, f"another writer inserted the same rows; {_AGAIN}"),
    9002: (StoreError, f"the transaction log is full; {_FULL}"),
    1105: (StoreError, f"the database has no room left; {_FULL}"),
    1101: (StoreError, f"the database has no room left; {_FULL}"),
    3906: (StoreError, "the database can only be read. Use another, or have it opened for writing"),
    468: (SchemaError, "columns that are compared have different collations. `holocron preflight` lists them"),
    1934: (SchemaError, "the session's settings forbid writing to a table with a filtered index"),
    596: (StoreUnavailableError, _LOST),
    3971: (StoreUnavailableError, _LOST),
    6005: (StoreUnavailableError, _LOST),
    17142: (StoreUnavailableError, _LOST),
    18401: (StoreUnavailableError, "the server is still starting. Try again"),
    921: (StoreUnavailableError, "the database is still being recovered. Try again"),
    922: (StoreUnavailableError, "the database is still being recovered. Try again"),
    701: (StoreUnavailableError, f"the server has no memory for this just now; {_AGAIN}"),
    8645: (StoreUnavailableError, f"the server has no memory for this just now; {_AGAIN}"),
    # FreeTDS's own numbers.
    20002: (StoreUnavailableError, _UNREACHABLE),
    20004: (StoreUnavailableError, _LOST),
    20006: (StoreUnavailableError, _LOST),
    20009: (StoreUnavailableError, _UNREACHABLE),
    20017: (StoreUnavailableError, _LOST),
    20047: (StoreUnavailableError, _LOST),
    20003: _SLOW,
    # Azure's.
    40613: (StoreUnavailableError, _LOST),
    40197: (StoreUnavailableError, _LOST),
    40501: (StoreUnavailableError, "the server is busy. Try again later"),
}
#: By SQLSTATE, where the server gave no number that is known.
_STATES: dict[str, tuple[type[StoreError], str]] = {
    "28000": _NUMBERS[18456],
    "08001": (StoreUnavailableError, _UNREACHABLE),
    "HYT00": _SLOW,
    "HYT01": _SLOW,
    "08S01": (StoreUnavailableError, _LOST),
    "08003": (StoreUnavailableError, _LOST),
    "08007": (StoreUnavailableError, _LOST),
    # Microsoft's driver, of a connection that was lost and could not be restored.
    **{f"IMC0{number}": (StoreUnavailableError, _LOST) for number in range(1, 7)},
    "40001": _NUMBERS[1205],
    "IM002": (StoreError, "the ODBC driver was not found. docs/sql-server.md says how to install it"),
    "01000": (StoreError, "the ODBC driver cannot be loaded. docs/sql-server.md says how to install it"),
}
#: While there is no connection yet. Microsoft's driver calls it a time-out when nobody listens, or the host has no
#: address; its errors of encryption have one number on Linux and macOS, and others on Windows.
_CONNECTING_NUMBERS: dict[int, tuple[type[StoreError], str]] = {
    20: (StoreError, "the server does not encrypt. Have that mended there, or say Encrypt=no in the URL"),
    -1: _UNTRUSTED,
    -2146893019: _UNTRUSTED,
    -2146893022: _UNTRUSTED,
}
_CONNECTING_STATES: dict[str, tuple[type[StoreError], str]] = {
    "HYT00": (StoreBusyError, f"no answer in time: {_UNREACHABLE}"),
    "HY000": _NO_CONNECTION,
}
#: Of what the driver says, and not the server, whose errors have numbers: as of a connection that was cut in the middle
#: of an answer.
_UNNUMBERED_STATES: dict[str, tuple[type[StoreError], str]] = {"HY000": (StoreUnavailableError, _LOST)}


@contextmanager
def named_errors(name: str, driver_error: type[Exception], secrets: Sequence[str]) -> Iterator[None]:
    """Turn the driver's errors into ours; whatever is secret is struck out of their texts."""
    try:
        yield
    except driver_error as error:
        raise store_error(name, error.args, secrets) from _without_secrets(error, secrets)


def store_error(name: str, report: Sequence[object], secrets: Sequence[str]) -> StoreError:
    """The error for what a driver reports: its SQLSTATE and its message."""
    state, message = str(report[0]) if report else "", " ".join(str(part) for part in report[1:])
    numbers = [int(number) for number in _NUMBER.findall(message)]
    by_number, by_state = _NUMBERS, _STATES
    if _CONNECTING in message:
        by_number, by_state = _NUMBERS | _CONNECTING_NUMBERS, _STATES | _CONNECTING_STATES
    elif not any(numbers):
        by_state = _STATES | _UNNUMBERED_STATES
    known = next((by_number[number] for number in numbers if number in by_number), None) or by_state.get(state)
    said = _struck(_PREFIXES.sub("", message.strip()) or state, secrets)
    if known is None:
        return StoreError(f"{name}: {said}")
    kind, hint = known
    return kind(f"{name}: {hint} ({said})")


def _struck(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _without_secrets(error: Exception, secrets: Sequence[str]) -> Exception | None:
    """The driver's own error as the cause, unless a traceback would show a secret with it."""
    return None if any(secret in str(error) for secret in secrets) else error
