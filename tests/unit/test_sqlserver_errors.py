"""What SQL Server and its drivers report, and what a person reads instead."""

import pytest

from holocron_assets.errors import SchemaError, StoreBusyError, StoreError, StoreUnavailableError, TransientError
from resources.stores.sqlserver_errors import named_errors, store_error

_MS = "[Microsoft][ODBC Driver 18 for SQL Server]"


@pytest.mark.parametrize(
    ("state", "message", "kind", "hint"),
    [
        (
            "28000",
            f"[28000] {_MS}[SQL Server]Login failed for user 'u'. (18456) (SQLDriverConnect)",
            StoreError,
            "login",
        ),
        ("28000", "[28000] [FreeTDS][SQL Server]Anmeldung gescheitert (18456) (SQLDriverConnect)", StoreError, "login"),
        (
            "42000",
            f"[42000] {_MS}[SQL Server]Cannot open database 'd' (4060) (SQLDriverConnect)",
            StoreError,
            "database",
        ),
        ("42000", f"[42000] {_MS}[SQL Server]The INSERT permission was denied (229) (x)", StoreError, "permission"),
        (
            "08001",
            f"[08001] {_MS}TCP Provider: Error code 0x2749 (10061) (SQLDriverConnect)",
            StoreUnavailableError,
            "host",
        ),
        (
            "08S01",
            "[08S01] [FreeTDS][SQL Server]Unable to connect (20009) (x)",
            StoreUnavailableError,
            "are host and port",
        ),
        (
            "HYT00",
            f"[HYT00] {_MS}Login timeout expired (0) (SQLDriverConnect)",
            StoreBusyError,
            "are host and port right",
        ),
        ("HYT00", f"[HYT00] {_MS}Query timeout expired (0) (SQLExecDirectW)", StoreBusyError, "raise the time-outs"),
        (
            "HY000",
            f"[HY000] {_MS}Protocol error in TDS stream (0) (SQLDriverConnect)",
            StoreError,
            "Is this a SQL Server",
        ),
        (
            "HY000",
            f"[HY000] {_MS}SSPI Provider: No Kerberos credentials (458752) (SQLDriverConnect)",
            StoreError,
            "user",
        ),
        (
            "08001",
            f"[08001] {_MS}Encryption not supported on SQL Server. (20) (SQLDriverConnect)",
            StoreError,
            "Encrypt=no",
        ),
        (
            "08001",
            f"[08001] {_MS}SSL Provider: certificate verify failed (-1) (SQLDriverConnect)",
            StoreError,
            "TrustServerCertificate",
        ),
        (
            "28000",
            f"[28000] {_MS}[SQL Server]Login failed. (18488); [28000] {_MS}Again (0) (SQLDriverConnect)",
            StoreError,
            "must be changed",
        ),
        (
            "42000",
            f"[42000] {_MS}[SQL Server]No room in t (208) of n(229). (50000) (SQLExecDirectW)",
            StoreError,
            "S: No room",
        ),
        ("08S01", f"[08S01] {_MS}Communication link failure (0) (x)", StoreUnavailableError, "continues"),
        (
            "IMC06",
            f"[IMC06] {_MS}The connection is broken and recovery is not possible (0) (x)",
            StoreUnavailableError,
            "lost",
        ),
        (
            "HY000",
            f"[HY000] {_MS}[SQL Server]Cannot continue, the session is in the kill state (596) (x)",
            StoreUnavailableError,
            "lost",
        ),
        (
            "HY000",
            f"[HY000] {_MS}Unspecified error. Connection may have been terminated by the server. (0) (SQLFetch)",
            StoreUnavailableError,
            "lost",
        ),
        ("HY000", f"[HY000] {_MS}[SQL Server]Something of its own (8180) (x)", StoreError, "of its own"),
        ("40001", f"[40001] {_MS}[SQL Server]Transaction was deadlocked (1205) (x)", StoreUnavailableError, "deadlock"),
        (
            "42000",
            f"[42000] {_MS}[SQL Server]Lock request time out period exceeded. (1222) (x)",
            StoreBusyError,
            "holds",
        ),
        (
            "23000",
            f"[23000] {_MS}[SQL Server]Violation of PRIMARY KEY (2627) (x)",
            StoreUnavailableError,
            "another writer",
        ),
        (
            "23000",
            f"[23000] {_MS}[SQL Server]The INSERT statement conflicted with the CHECK constraint (547) (x)",
            StoreError,
            "forbids",
        ),
        (
            "42000",
            f"[42000] {_MS}[SQL Server]Could not find stored procedure 'vector.usp_x'. (2812) (x)",
            SchemaError,
            "ensure",
        ),
        ("42000", f"[42000] {_MS}[SQL Server]another transaction (51222) (x)", StoreBusyError, "enqueueing"),
        ("42000", f"[42000] {_MS}[SQL Server]The transaction log is full (9002) (x)", StoreError, "log is full"),
        ("42S02", f"[42S02] {_MS}[SQL Server]Invalid object name 'vector.chunk'. (208) (x)", SchemaError, "ensure"),
        ("42S22", f"[42S22] {_MS}[SQL Server]Invalid column name 'x'. (207) (x)", SchemaError, "preflight"),
        ("IM002", "[IM002] [unixODBC][Driver Manager]Data source name not found (0) (x)", StoreError, "driver"),
        ("42000", f"[42000] {_MS}[SQL Server]Something else (50000) (x)", StoreError, "Something else"),
        ("", "", StoreError, "S: "),
    ],
)
def test_each_report_becomes_an_error_with_a_next_step(
    state: str, message: str, kind: type[StoreError], hint: str
) -> None:
    """Known by number and state, whatever language the server speaks; what may pass is transient."""
    error = store_error("S", (state, message), ())

    assert type(error) is kind
    assert hint in str(error)
    assert isinstance(error, TransientError) == issubclass(kind, TransientError)


def test_no_password_is_ever_shown() -> None:
    """A driver that repeats the connection string shows stars, and is not chained: tracebacks are logged."""

    def fail() -> None:
        with named_errors("S", ValueError, ("hunter2",)):
            raise ValueError("08001", "[08001] cannot open UID=sa;PWD=hunter2")

    with pytest.raises(StoreUnavailableError) as caught:
        fail()

    assert "PWD=***" in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_other_errors_pass() -> None:
    """Only the driver's errors are translated."""
    with pytest.raises(KeyError), named_errors("S", ValueError, ()):
        raise KeyError
