"""Named queries and migrations: finding the SQL files and reading them. No connection is opened here.

`sql/<dialect>/<subject>.sql` holds blocks that start with `-- name: <verb>_<object>`; parameters are
written `:name`. Placeholders differ between drivers, so each asks for its own rendering.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine.default import DefaultDialect

_NAME = re.compile(r"^-- name: (?P<name>[a-z_]+)$", re.MULTILINE)
_POSITIONAL = DefaultDialect(paramstyle="qmark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One named statement, or several separated by semicolons; `parameters` are in placeholder order."""

    name: str
    statements: tuple[str, ...]
    parameters: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered step of the schema; `sha256` is of the file's text with LF line ends."""

    version: int
    name: str
    sha256: str
    text: str


def sql_folder() -> Traversable:
    """The SQL beside the packages in a checkout, inside `resources` in an installed wheel."""
    packaged = files("resources") / "sql"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "sql"


@cache
def load_queries(dialect: str) -> dict[str, Query]:
    """Every named query of a dialect, rendered with `?` placeholders."""
    queries: dict[str, Query] = {}
    for file in sorted((sql_folder() / dialect).iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        _, *blocks = _NAME.split(file.read_text(encoding="utf-8"))
        for name, body in zip(blocks[::2], blocks[1::2], strict=True):
            if name in queries:
                raise ValueError(f"query {name} is defined twice in sql/{dialect}")
            queries[name] = _render(name, body)
    return queries


def load_migrations(dialect: str) -> list[Migration]:
    """The migrations of a dialect in the order of their numbers."""
    folder = sql_folder() / dialect / "migrations"
    migrations = []
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        number, _, name = file.name.removesuffix(".sql").partition("_")
        content = file.read_text(encoding="utf-8").replace("\r\n", "\n")
        digest = hashlib.sha256(content.encode()).hexdigest()
        migrations.append(Migration(version=int(number), name=name, sha256=digest, text=content))
    return migrations


def _render(name: str, body: str) -> Query:
    statements, parameters = [], []
    for statement in _without_comments(body).split(";"):
        if statement.strip():
            compiled = text(statement.strip()).compile(dialect=_POSITIONAL)
            statements.append(str(compiled))
            parameters.append(tuple(compiled.positiontup or ()))
    return Query(name=name, statements=tuple(statements), parameters=tuple(parameters))


def _without_comments(body: str) -> str:
    return "\n".join(line.split("--", 1)[0].rstrip() for line in body.splitlines())
