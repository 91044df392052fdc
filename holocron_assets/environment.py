"""What the variables of other programs say, such as Ollama's, where the settings say nothing; and where secrets are."""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, unquote_plus

#: The existing database's own programs name it by variables that begin like this, the first that is set counting.
SQLSERVER_VARIABLES = ("INGEST_SQLSERVER_", "LLM_SQLSERVER_")
#: Where their Ollama is, the first that is set counting.
OLLAMA_VARIABLES = ("OLLAMA_BASE_URL", "OLLAMA_HOST_BASE_URL")
#: The key of OpenAI, or of the server that speaks as it does; nothing else holds it.
OPENAI_KEY = "OPENAI_API_KEY"
#: Where alerts are posted to. Such a URL is often the secret itself, so it is no setting.
WEBHOOK_URL = "HOLOCRON_WEBHOOK_URL"
NO_SECRETS = f"secrets come from the environment alone ({OPENAI_KEY}): files are copied and committed"

_SECRET = re.compile(r"api[_-]?key|password|secret|authorization", re.IGNORECASE)
_SECRET_VARIABLE = re.compile(rf"{_SECRET.pattern}|_TOKEN$|_PWD$|{WEBHOOK_URL}", re.IGNORECASE)
_PASSWORD = re.compile(
    r"(?<=://)[^/@:\s]*:(?P<in_url>[^@\s]+)(?=@)"
    r"|\b(?:pwd|password)\s*=\s*(?:\{(?P<in_braces>(?:[^}]|\}\})*)\}|(?P<in_odbc>[^;&\s]+))",
    re.IGNORECASE,
)
#: Striking out every `yes` would hide more than a secret.
_SHORTEST_SECRET = 4
_SQLSERVER_PASSWORD = "MSSQL_SA_PASSWORD"  # noqa: S105 - the name of a variable
_EMBEDDED_STORE = "duckdb:///.holocron/store.duckdb"
_SQLSERVER_BY_VARIABLES = "mssql+pyodbc://"
_OLLAMA_PORT = 11434
_OPENAI_URL = "https://api.openai.com/v1"


def default_store_url(environment: Mapping[str, str]) -> str:
    """SQL Server where the variables of its own programs name one, else the embedded store."""
    names = (*SQLSERVER_VARIABLES, _SQLSERVER_PASSWORD)
    named = any(value and name.startswith(names) for name, value in environment.items())
    return _SQLSERVER_BY_VARIABLES if named else _EMBEDDED_STORE


def named_ollama_url(environment: Mapping[str, str]) -> str | None:
    """The Ollama that the variables of other programs name; None where they name none."""
    return next((environment[name] for name in OLLAMA_VARIABLES if environment.get(name)), None)


def local_ollama_url(environment: Mapping[str, str]) -> str:
    """Where Ollama listens on this machine; its own `OLLAMA_HOST` may say it as `0.0.0.0`, `host:port` or a URL."""
    host = environment.get("OLLAMA_HOST", "").strip() or "localhost"
    scheme, mark, rest = host.rpartition("://")
    rest = rest.replace("0.0.0.0", "127.0.0.1", 1)  # noqa: S104 - what a server listens on is nowhere to connect to
    if not mark and ":" not in rest:
        rest = f"{rest}:{_OLLAMA_PORT}"
    return f"{scheme or 'http'}://{rest}"


def openai_url(environment: Mapping[str, str]) -> str:
    """OpenAI, or the server that its programs are told to ask instead."""
    return environment.get("OPENAI_BASE_URL", "").strip() or _OPENAI_URL


def openai_key(environment: Mapping[str, str]) -> str | None:
    """The key that is sent there; None for servers that want none."""
    return environment.get(OPENAI_KEY, "").strip() or None


def named_secret(names: Iterable[object]) -> str | None:
    """The first of some names of settings that promises a secret."""
    return next((str(name) for name in names if _SECRET.search(str(name))), None)


def struck(text: str, environment: Mapping[str, str]) -> str:
    """A text without the secrets that the environment holds, nor the passwords of URLs and connection strings."""
    for secret in sorted(_secrets(environment), key=len, reverse=True):
        text = text.replace(secret, "***")
    return _PASSWORD.sub("***", text)


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        found = [_password(one) for form in {value, unquote_plus(value)} for one in _PASSWORD.finditer(form)]
        if _SECRET_VARIABLE.search(name):
            found.append(value)
        yield from (one for secret in found for one in {secret, unquote(secret)} if len(one) >= _SHORTEST_SECRET)


def _password(found: re.Match[str]) -> str:
    return found["in_url"] or found["in_odbc"] or (found["in_braces"] or "").replace("}}", "}")
