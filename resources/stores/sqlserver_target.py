"""Which SQL Server database to open, and what to tell the ODBC driver: from a URL and the environment.

Nothing is connected here. A password is in the connection string alone, never in a message.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from holocron_assets.environment import SQLSERVER_VARIABLES
from holocron_assets.errors import ConfigurationError

DEFAULT_DATABASE = "Holocron"
_DEFAULT_PORT = 1433
_DEFAULT_USER = "sa"
_SCHEMA, _SCHEMA_VARIABLE = "ingest", "INGEST_SQLSERVER_SCHEMA"
_FREETDS = "FreeTDS"
#: Its name, or that of its file, which may stand there instead.
_IS_FREETDS = re.compile(r"freetds|tdsodbc", re.IGNORECASE)
_MICROSOFT = re.compile(r"ODBC Driver (\d+) for SQL Server")
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", ".", "(local)"})
_YES, _NO = frozenset({"yes", "true", "1", "mandatory", "strict"}), frozenset({"no", "false", "0", "optional"})
_SECRET_KEYS = frozenset({"pwd", "password"})
#: What a URL may say after its question mark, beside what is passed on to the driver as it is.
_DRIVER, _ENCRYPT, _TRUST, _WHOLE = "driver", "encrypt", "trustservercertificate", "odbc_connect"
_INSTALL = {
    "linux": "On Debian: `apt-get install tdsodbc`, or Microsoft's msodbcsql18 from their package repository",
    "darwin": "With Homebrew: `brew install msodbcsql18`, or `brew install freetds`",
    "win32": "Install 'ODBC Driver 18 for SQL Server' from Microsoft",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A database: how messages call it, what the driver is told, and what must never be shown."""

    name: str
    odbc: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def is_freetds(self) -> bool:
        """Whether the open driver is spoken to instead of Microsoft's; some of what it does differs."""
        return _is_freetds(self.odbc["DRIVER"])

    def connection_string(self) -> str:
        """For `pyodbc.connect`; holds the password."""
        quoted = _quoted_for_freetds if self.is_freetds else _quoted
        return ";".join(f"{key}={quoted(key, value)}" for key, value in self.odbc.items())


def target_of(store_url: str, environment: Mapping[str, str], drivers: Sequence[str]) -> Target:
    """The database that a URL names; what it leaves out comes from the environment, then from defaults.

    `drivers` are the installed ODBC drivers. Raises `ConfigurationError`, naming what is missing.
    """
    url = _url_of(store_url)
    options = {key.lower(): value if isinstance(value, str) else value[-1] for key, value in url.query.items()}
    known = _Variables(environment)
    if (schema := environment.get(_SCHEMA_VARIABLE) or _SCHEMA).lower() != _SCHEMA:
        raise ConfigurationError(
            f"{_SCHEMA_VARIABLE} is {schema!r:.40}, and ingest records are read from the schema {_SCHEMA} alone. "
            "Leave it out, if they are there."
        )
    whole = options.pop(_WHOLE, None) or (None if url.host else known.get("CONN_STR") or known.get("STATE_CONN_STR"))
    if whole:
        return _target(_parsed(whole), drivers)
    host = url.host or known.get("HOST") or "localhost"
    port = url.port or _port(known.get("PORT"))
    user = url.username or known.get("USER") or (_DEFAULT_USER if known.password() or not url.host else None)
    password = str(url.password) if url.password else known.password()
    if user and not password:
        raise ConfigurationError(
            f"there is no password for user {user} of SQL Server at {host}. Set INGEST_SQLSERVER_PASSWORD or "
            "MSSQL_SA_PASSWORD."
        )
    odbc = {
        "DRIVER": options.pop(_DRIVER, None) or known.get("DRIVER") or "",
        "SERVER": host,
        "PORT": str(port),
        "DATABASE": url.database or known.database(),
        "ENCRYPT": options.pop(_ENCRYPT, None) or known.get("ENCRYPT") or "yes",
        "TRUSTSERVERCERTIFICATE": options.pop(_TRUST, None) or known.get("TRUST_SERVER_CERTIFICATE") or "",
    }
    odbc |= {"UID": user, "PWD": password or ""} if user else {"TRUSTED_CONNECTION": "yes"}
    return _target(odbc | {key.upper(): value for key, value in options.items()}, drivers)


def _url_of(store_url: str) -> URL:
    try:
        return make_url(store_url)
    except (ArgumentError, ValueError) as error:
        # The URL may hold a password, and SQLAlchemy's message holds the URL.
        raise ConfigurationError(
            "store_url is no URL. Write mssql+pyodbc://user@host:1433/database; special characters in it are "
            "percent-encoded, and the password is best left to INGEST_SQLSERVER_PASSWORD."
        ) from error


def _target(given: Mapping[str, str], drivers: Sequence[str]) -> Target:
    odbc = {key: value for key, value in given.items() if value}
    if named := {"DSN", "FILEDSN"} & set(odbc):
        raise ConfigurationError(
            f"the connection string says {named.pop()}. Write what it stands for: Driver, Server and Database."
        )
    odbc["DRIVER"] = _driver(odbc.get("DRIVER"), drivers)
    host, _, port = odbc.get("SERVER", "localhost").removeprefix("tcp:").partition(",")
    port = port or odbc.get("PORT") or str(_DEFAULT_PORT)
    encryption = odbc.pop("ENCRYPT", "yes").lower()
    encrypts = _flag("Encrypt", encryption)
    trusts = _flag("TrustServerCertificate", odbc.pop("TRUSTSERVERCERTIFICATE", "yes" if host in _LOCAL else "no"))
    database = odbc.setdefault("DATABASE", DEFAULT_DATABASE)
    if re.search(r"[@#?/]", host) or re.search(r"[@#?]", database) or not port.isdecimal():
        raise ConfigurationError(  # what they hold may be the end of a password
            "the URL of the store names a host, port or database that cannot be one. If its password has special "
            "characters, percent-encode them, or leave it out and set INGEST_SQLSERVER_PASSWORD."
        )
    odbc.setdefault("APP", "Holocron Assets")
    if _is_freetds(odbc["DRIVER"]):
        if not odbc.get("UID"):
            raise ConfigurationError(
                f"no user is named for SQL Server at {host}, and FreeTDS logs in with none. Name one, and set "
                "INGEST_SQLSERVER_PASSWORD, or install Microsoft's driver."
            )
        # A certificate is checked only where freetds.conf names an authority.
        odbc |= {
            "SERVER": host,
            "PORT": port,
            "TDS_VERSION": "7.4",
            "CLIENTCHARSET": "UTF-8",
            "ENCRYPTION": "require" if encrypts else "off",
        }
    else:
        odbc.pop("PORT", None)
        named_instance = "\\" in host and port == str(_DEFAULT_PORT)
        odbc["SERVER"] = host if named_instance else f"{host},{port}"
        how = "strict" if encryption == "strict" else "yes" if encrypts else "no"
        odbc |= {"Encrypt": how, "TrustServerCertificate": "yes" if trusts else "no"}
    secrets = [value for key, value in odbc.items() if key.lower() in _SECRET_KEYS]
    # Whoever repeats the connection string repeats a brace twice.
    shown = {form for secret in secrets for form in (secret, _doubled(secret))}
    return Target(name=f"SQL Server {host}:{port}/{database}", odbc=odbc, secrets=tuple(sorted(shown)))


def _driver(wanted: str | None, drivers: Sequence[str]) -> str:
    if wanted:
        if wanted not in drivers and "/" not in wanted and "\\" not in wanted:
            raise ConfigurationError(
                f"the ODBC driver {wanted!r} is not installed. Installed: {', '.join(drivers) or 'none'}. {_install()}"
            )
        return wanted
    microsoft = sorted((int(found[1]), name) for name in drivers if (found := _MICROSOFT.fullmatch(name)))
    if microsoft:
        return microsoft[-1][1]
    if _FREETDS in drivers:
        return _FREETDS
    raise ConfigurationError(f"no ODBC driver for SQL Server is installed. {_install()}.")


def _is_freetds(driver: str) -> bool:
    return bool(_IS_FREETDS.search(driver))


def _install() -> str:
    return _INSTALL.get(sys.platform, _INSTALL["linux"])


def _flag(name: str, value: str) -> bool:
    if value.lower() not in _YES | _NO:
        raise ConfigurationError(f"{name} must be yes or no, this is {value!r:.20}")
    return value.lower() in _YES


def _port(value: str | None) -> int:
    if value and not value.isdecimal():
        raise ConfigurationError(f"the port of SQL Server must be a number, this is {value!r:.20}")
    return int(value or _DEFAULT_PORT)


_PAIR = re.compile(r"\s*(?P<key>[^=;]+?)\s*=\s*(?:\{(?P<braced>(?:[^}]|\}\})*)\}|(?P<plain>[^;]*))\s*(?:;|$)")
_ALIASES = {
    "ADDRESS": "SERVER",
    "ADDR": "SERVER",
    "DATA SOURCE": "SERVER",
    "INITIAL CATALOG": "DATABASE",
    "USER ID": "UID",
    "USER": "UID",
    "PASSWORD": "PWD",
}


def _parsed(connection_string: str) -> dict[str, str]:
    """The pairs of an ODBC connection string, keys in capitals and by their usual names."""
    pairs = {}
    for pair in _PAIR.finditer(connection_string):
        key = pair["key"].upper()
        value = pair["plain"].strip() if pair["braced"] is None else pair["braced"].replace("}}", "}")
        pairs[_ALIASES.get(key, key)] = value
    return pairs


def _quoted(key: str, value: str) -> str:
    """In braces where ODBC would end the value early, or strip or misread it."""
    if key != "DRIVER" and re.fullmatch(r"[\w.,:/\\()-]*", value):
        return value
    return "{" + _doubled(value) + "}"


def _doubled(value: str) -> str:
    return value.replace("}", "}}")


def _quoted_for_freetds(key: str, value: str) -> str:
    """Before its version 1.4 a closing brace cannot be in braces, but anywhere else."""
    if "}" in value and re.fullmatch(r"[^{;\s]([^;]*[^;\s])?", value):
        return value
    return _quoted(key, value)


class _Variables:
    """The variables that the existing database's own programs read."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def get(self, name: str) -> str | None:
        """`name` under the first prefix that has it."""
        for prefix in SQLSERVER_VARIABLES:
            if value := self._environment.get(prefix + name):
                return value
        return None

    def password(self) -> str | None:
        return self.get("PASSWORD") or self._environment.get("MSSQL_SA_PASSWORD")

    def database(self) -> str:
        return self.get("DATABASE") or self._environment.get("MSSQL_DATABASE") or DEFAULT_DATABASE
