"""Which SQL Server a URL and the environment name, and what the driver is told."""

import sys
from pathlib import Path

import pytest

from holocron_assets.errors import ConfigurationError
from holocron_assets.settings import Settings, load_settings
from resources.stores import open_store
from resources.stores.sqlserver_target import target_of
from tests.tsql_on_duckdb import Driver

MICROSOFT = "ODBC Driver 18 for SQL Server"
BOTH = ["FreeTDS", "ODBC Driver 17 for SQL Server", MICROSOFT]
PASSWORD = {"INGEST_SQLSERVER_PASSWORD": "p;w}d= {x"}


def test_a_url_names_everything() -> None:
    """Host, port, database, user and password come from the URL; encryption is on, the certificate is checked."""
    target = target_of("mssql+pyodbc://me:s%40cret@db.example:1444/Wiki", {}, BOTH)

    assert target.name == "SQL Server db.example:1444/Wiki"
    assert target.odbc == {
        "DRIVER": MICROSOFT,
        "SERVER": "db.example,1444",
        "DATABASE": "Wiki",
        "UID": "me",
        "PWD": "s@cret",
        "APP": "Holocron Assets",
        "Encrypt": "yes",
        "TrustServerCertificate": "no",
    }


@pytest.mark.parametrize(
    ("environment", "name", "user"),
    [
        ({"MSSQL_SA_PASSWORD": "x"}, "SQL Server localhost:1433/Holocron", "sa"),
        ({"MSSQL_SA_PASSWORD": "x", "MSSQL_DATABASE": "Other"}, "SQL Server localhost:1433/Other", "sa"),
        (
            {"INGEST_SQLSERVER_HOST": "h", "INGEST_SQLSERVER_PORT": "99", "INGEST_SQLSERVER_USER": "u"} | PASSWORD,
            "SQL Server h:99/Holocron",
            "u",
        ),
        ({"LLM_SQLSERVER_HOST": "l", "LLM_SQLSERVER_PASSWORD": "x"}, "SQL Server l:1433/Holocron", "sa"),
        ({"LLM_SQLSERVER_HOST": "l", "INGEST_SQLSERVER_HOST": "i"} | PASSWORD, "SQL Server i:1433/Holocron", "sa"),
    ],
)
def test_the_existing_variables_name_a_server(environment: dict[str, str], name: str, user: str) -> None:
    """Without a URL the variables of the existing programs decide, those of the ingest first."""
    target = target_of("mssql+pyodbc://", environment, BOTH)

    assert (target.name, target.odbc["UID"]) == (name, user)


def test_an_existing_connection_string_is_taken_as_it_is() -> None:
    """INGEST_SQLSERVER_CONN_STR beats the single variables; only what it leaves out is added."""
    given = "Driver={FreeTDS};Server=tcp:h,99;Database=D;UID=u;PWD={a;}}b};Encrypt=no;MultiSubnetFailover=Yes"
    target = target_of("mssql://", {"INGEST_SQLSERVER_CONN_STR": given, "INGEST_SQLSERVER_HOST": "other"}, BOTH)

    assert target.name == "SQL Server h:99/D"
    assert (target.odbc["DRIVER"], target.odbc["PWD"]) == ("FreeTDS", "a;}b")
    assert (target.odbc["ENCRYPTION"], target.odbc["MULTISUBNETFAILOVER"]) == ("off", "Yes")
    assert target.secrets == ("a;}b", "a;}}b")
    assert "a;" not in repr(target)


def test_the_connection_string_of_the_state_store_does_as_well() -> None:
    """The existing programs read a connection string of their own for their state, which is in the same database."""
    state = {"INGEST_SQLSERVER_STATE_CONN_STR": "Driver={FreeTDS};Server=s;Database=D;UID=u;PWD=x"}

    assert target_of("mssql://", state, BOTH).name == "SQL Server s:1433/D"
    whole = state | {"INGEST_SQLSERVER_CONN_STR": "Server=h;UID=u;PWD=x"}
    assert target_of("mssql://", whole, BOTH).name == "SQL Server h:1433/Holocron"


def test_a_password_survives_quoting() -> None:
    """What ends or strips a value in ODBC's own syntax is kept in braces."""
    target = target_of("mssql://u@h/d", PASSWORD, BOTH)

    assert "PWD={p;w}}d= {x}" in target.connection_string()
    assert target_of(f"mssql:///?odbc_connect={target.connection_string()}", {}, BOTH).odbc["PWD"] == "p;w}d= {x"


@pytest.mark.parametrize("driver", ["FreeTDS", "/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so"])
@pytest.mark.parametrize(
    ("password", "written"),
    [("a}b", "PWD=a}b"), ("a;b", "PWD={a;b}"), ("{ab", "PWD={{ab}"), ("a};b", "PWD={a}};b}"), (" a}", "PWD={ a}}}")],
)
def test_freetds_gets_a_closing_brace_as_it_is(driver: str, password: str, written: str) -> None:
    """Before version 1.4 it knows no way to write one in braces; what needs those is written as for every driver."""
    target = target_of(f"mssql://u@h/d?driver={driver}", {"INGEST_SQLSERVER_PASSWORD": password}, BOTH)

    assert f";{written};" in target.connection_string() + ";"
    assert ";ENCRYPTION=require" in target.connection_string()


def test_microsofts_driver_is_preferred_and_the_newest() -> None:
    """FreeTDS stands in where Microsoft's driver is missing, with the protocol and encryption it needs to be told."""
    freetds = target_of("mssql://u:x@localhost/d", {}, ["FreeTDS"])

    assert target_of("mssql://u:x@h/d", {}, BOTH).odbc["DRIVER"] == MICROSOFT
    assert not target_of("mssql://u:x@h/d", {}, BOTH).is_freetds
    assert freetds.is_freetds
    assert {"TDS_VERSION": "7.4", "ENCRYPTION": "require", "PORT": "1433"}.items() <= freetds.odbc.items()


def test_freetds_is_known_by_its_file_as_well() -> None:
    """A driver may be given as a path: what FreeTDS has to be told does not depend on how it is named."""
    target = target_of("mssql://u:x@h/d?driver=/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so", {}, BOTH)

    assert target.is_freetds
    assert (target.odbc["ENCRYPTION"], target.odbc["PORT"]) == ("require", "1433")


def test_a_local_certificate_is_trusted() -> None:
    """A server on this machine has a certificate of its own making; others must show a real one, unless one says so."""
    trust = "TrustServerCertificate"

    assert target_of("mssql://u:x@localhost/d", {}, BOTH).odbc[trust] == "yes"
    assert target_of("mssql://u:x@h/d", {}, BOTH).odbc[trust] == "no"
    assert target_of(f"mssql://u:x@h/d?{trust}=yes", {}, BOTH).odbc[trust] == "yes"
    assert (
        target_of("mssql://u:x@h/d", {"INGEST_SQLSERVER_TRUST_SERVER_CERTIFICATE": "true"}, BOTH).odbc[trust] == "yes"
    )


def test_windows_accounts_need_no_password() -> None:
    """With neither user nor password the operating system's account is used."""
    target = target_of("mssql://h/d", {}, BOTH)

    assert target.odbc["TRUSTED_CONNECTION"] == "yes"
    assert "UID" not in target.odbc


@pytest.mark.parametrize(
    ("url", "environment", "drivers", "message"),
    [
        ("mssql://u@h/d", {}, BOTH, "no password for user u"),
        ("mssql://", {"INGEST_SQLSERVER_HOST": "h"}, BOTH, "no password for user sa"),
        ("mssql://u:x@h/d", {"INGEST_SQLSERVER_SCHEMA": "other"}, BOTH, "from the schema ingest alone"),
        ("mssql://", {"LLM_SQLSERVER_CONN_STR": "DSN=Wiki;PWD=cret"}, BOTH, "says DSN"),
        ("mssql://h/d", {}, ["FreeTDS"], "no user is named"),
        ("mssql://u:x@h/d", {}, [], "no ODBC driver for SQL Server is installed"),
        ("mssql://u:x@h/d?driver=Nope", {}, BOTH, "ODBC driver 'Nope' is not installed"),
        ("mssql://u:x@h/d?Encrypt=perhaps", {}, BOTH, "Encrypt must be yes or no"),
        ("mssql://", {"INGEST_SQLSERVER_PORT": "x"} | PASSWORD, BOTH, "port of SQL Server must be a number"),
        ("mssql://u:se:cret@h:port/d", {}, BOTH, "store_url is no URL"),
    ],
)
def test_what_is_missing_is_named(url: str, environment: dict[str, str], drivers: list[str], message: str) -> None:
    """A URL that cannot work is an error that says what to change, and never shows a password."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        target_of(url, environment, drivers)

    assert "cret" not in str(caught.value)


def test_the_existing_variables_switch_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They turn the default from the embedded file to their server; whoever names a store is obeyed."""
    monkeypatch.chdir(tmp_path)
    assert load_settings().store_url == "duckdb:///.holocron/store.duckdb"
    monkeypatch.setenv("MSSQL_SA_PASSWORD", "x")
    assert load_settings().store_url == "mssql+pyodbc://"
    monkeypatch.setenv("HOLOCRON_STORE_URL", "duckdb:///mine.duckdb")
    assert load_settings().store_url == "duckdb:///mine.duckdb"
    assert Settings(base_dir=tmp_path, store_url="duckdb:///x").store_url == "duckdb:///mine.duckdb"


@pytest.mark.parametrize(
    "url",
    [
        "mssql://u:secret@h/d",
        "mssql://u:a/secret@h/d",
        "mssql:///?odbc_connect=DRIVER=x;PWD=secret",
        "mssql:///?odbc_connect=DRIVER=x;PWD = {secret}",
        "mssql:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dsecret",
    ],
)
def test_a_password_in_the_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    """Settings files are copied and committed, so secrets come from the environment alone."""
    (tmp_path / "holocron.yaml").write_text(f"store_url: {url}")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigurationError, match="store_url holds a password") as caught:
        load_settings()

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "sa:A-SECRET@127.0.0.1:1/db",
        "Server=127.0.0.1;UID=sa;PWD=A-SECRET",
        "mssql+pyodbc://sa:begin@A-SECRET@127.0.0.1:1/db",
        "mssql+pyodbc://sa:begin@A-SECRET/1#x@127.0.0.1:1/db",
        "duckdb://sa:A-SECRET@host/db",
    ],
)
def test_a_url_that_is_none_is_not_repeated(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was meant to be a password stays out of the error, wherever it stands."""
    monkeypatch.setitem(sys.modules, "pyodbc", Driver(tmp_path))

    with pytest.raises(ConfigurationError) as caught:
        open_store(Settings(base_dir=tmp_path, store_url=url), wait_seconds=1)

    assert "A-SECRET" not in str(caught.value)
