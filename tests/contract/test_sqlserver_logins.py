"""How a store logs in through the real ODBC drivers, and what it says where that fails."""

import socket
import ssl
import threading
from pathlib import Path

import pytest

from holocron_assets.errors import StoreError, StoreUnavailableError, TransientError
from tests.tds.line import Line, connected, failure, store_at
from tests.tds.scripted import Scripted
from tests.tds.serving import PASSWORD, serving, url_of
from tests.tds.tokens import Said


def test_a_login_says_who_and_where(line: Line) -> None:
    """User, password, database and application arrive as they are, encrypted unless it is switched off."""
    assert line.store.exists()
    login = line.server.logins[-1]

    assert (login.user, login.password, login.database) == ("tester", PASSWORD, "Holocron")
    assert login.application == "Holocron Assets"


@pytest.mark.parametrize("encrypt", ["yes", "no"])
def test_everything_is_encrypted_unless_told_not_to(
    driver: str, encrypt: str, tmp_path: Path, wire_tls: ssl.SSLContext | None
) -> None:
    """A certificate is made here; where that is not possible, this is not tested."""
    if wire_tls is None:
        pytest.skip("there is no `openssl` to make a certificate with")
    with connected(driver, tmp_path, wire_tls, encrypt=encrypt) as line:
        assert line.store.exists()
        assert line.server.logins[-1].is_encrypted == (encrypt == "yes")


@pytest.mark.parametrize(
    ("number", "text", "kind", "hint"),
    [
        (18456, "Login failed for user 'tester'.", StoreError, "in the URL or in INGEST_SQLSERVER_PASSWORD"),
        (18486, "Login failed for user 'tester' because the account is currently locked out.", StoreError, "locked"),
        (18488, "Login failed for user 'tester'. The password must be changed.", StoreError, "must be changed before"),
        (18401, "Login failed for user 'tester'. Only administrator.", StoreUnavailableError, "still starting"),
        (40613, "Database 'Holocron' is not currently available.", StoreUnavailableError, "Run again"),
    ],
)
def test_a_refused_login_names_what_to_do(line: Line, number: int, text: str, kind: type, hint: str) -> None:
    """And never the password."""
    line.database.refusal = [Said(number=number, text=text, severity=14)]

    error = failure(line.store)
    assert type(error) is kind
    assert hint in str(error)
    assert text in str(error)


def test_a_missing_database_is_named(line: Line) -> None:
    """FreeTDS passes on only what the server says after it: that the login failed."""
    said = 'Cannot open database "Holocron" requested by the login. The login failed.'
    line.database.refusal = [
        Said(number=4060, text=said, severity=11),
        Said(number=18456, text="Login failed for user 'tester'.", severity=14),
    ]

    assert "database" in str(failure(line.store)).partition("(")[0].partition(":")[2]


def test_who_waits_says_so_and_waits_in_vain_once(
    driver: str,
    tmp_path: Path,
    wire_tls: ssl.SSLContext | None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that never answered gets less time than one that was lost, and one that was waited for gets none."""
    monkeypatch.setattr("resources.stores.sqlserver._FIRST_WAIT_SECONDS", 1.5)
    starting = [Said(number=18401, text="Login failed for user 'tester'. Only administrator.", severity=14)]
    with connected(driver, tmp_path, wire_tls, wait_seconds=60) as line:
        line.database.refusal = starting
        failure(line.store)
        asked = len(line.server.logins)
        failure(line.store)

        assert asked > 1
        assert len(line.server.logins) == asked + 1
        assert [one.getMessage().rpartition("; ")[2] for one in caplog.records] == ["trying again for 1.5 s"]
        assert PASSWORD not in caplog.text

        line.database.refusal = []
        assert line.store.exists()


def test_a_server_that_says_nothing_is_given_up(driver: str, tmp_path: Path) -> None:
    """It took the connection, and that was all."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = failure(store_at(_url(driver, silent), tmp_path))

    assert isinstance(error, TransientError)
    assert "are host and port right" in str(error)


def test_another_kind_of_server_is_given_up(driver: str, tmp_path: Path) -> None:
    """The port is that of something else."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        store = store_at(_url(driver, other), tmp_path)

        def answer() -> None:
            client, _ = other.accept()
            with client:
                client.recv(100)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        error = failure(store)
        thread.join()

    assert "are host" in str(error)


def test_nobody_there_is_told(driver: str, tmp_path: Path) -> None:
    """Nobody listens at the port."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = _url(driver, closed)
    error = failure(store_at(url, tmp_path))

    assert isinstance(error, TransientError)
    assert "are host and port right" in str(error)


def _url(driver: str, listener: socket.socket) -> str:
    return url_of(listener.getsockname()[1], driver)


def test_a_certificate_that_nobody_trusts_is_refused(tmp_path: Path, wire_tls: ssl.SSLContext | None) -> None:
    """By Microsoft's driver; FreeTDS asks no authority unless it is told one."""
    if wire_tls is None:
        pytest.skip("there is no `openssl` to make a certificate with")
    with connected("microsoft", tmp_path, wire_tls, TrustServerCertificate="no") as line:
        assert "TrustServerCertificate=yes" in str(failure(line.store))


def test_a_server_that_cannot_encrypt_is_refused(tmp_path: Path) -> None:
    """Microsoft's driver says why; FreeTDS, that it could not connect."""
    with serving(Scripted()) as server:
        store = store_at(url_of(server.port, "microsoft", Encrypt="yes"), tmp_path)
        assert "Encrypt=no" in str(failure(store))
