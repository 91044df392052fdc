"""The SQL files: each parses in its dialect, each query has its function, and nothing in them can be misread."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot

import holocron_assets.tables
from resources.queries import load_migrations, load_queries, sql_folder

DIALECTS = sorted(folder.name for folder in sql_folder().iterdir() if folder.is_dir())


def files(dialect: str) -> Iterator[Path]:
    yield from sorted(Path(str(sql_folder() / dialect)).rglob("*.sql"))


def table_functions() -> dict[str, str]:
    """Every public function of the table modules that takes a session, with its source."""
    found = {}
    for module_info in pkgutil.iter_modules(holocron_assets.tables.__path__, "holocron_assets.tables."):
        module = importlib.import_module(module_info.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and "session" in inspect.signature(function).parameters:
                found[name] = inspect.getsource(function)
    return found


def test_there_is_a_dialect() -> None:
    """The embedded store's SQL is found."""
    assert "duckdb" in DIALECTS


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_parses_in_its_dialect(dialect: str) -> None:
    """Every query and migration is grammatical in the dialect that its folder is named after."""
    for query in load_queries(dialect).values():
        for statement in query.statements:
            sqlglot.parse_one(statement, read=dialect)
    for migration in load_migrations(dialect):
        # sqlglot does not know DuckDB's column compression.
        sqlglot.parse(migration.text.replace("using compression uncompressed", ""), read=dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects_agree(dialect: str) -> None:
    """A query has the same parameters and result columns in every dialect that has it."""
    reference = load_queries("duckdb")
    for name, query in load_queries(dialect).items():
        assert {p for part in query.parameters for p in part} == {
            p for part in reference[name].parameters for p in part
        }, name
        parsed, expected = (
            sqlglot.parse_one(one.statements[-1], read=read)
            for one, read in ((query, dialect), (reference[name], "duckdb"))
        )
        assert getattr(parsed, "named_selects", []) == getattr(expected, "named_selects", []), name


def test_every_query_has_its_function() -> None:
    """A query's name is the name of the one function that runs it."""
    functions = table_functions()
    names = {name for name in load_queries("duckdb") if not re.search("migration", name)}

    assert names <= set(functions)
    for name in names:
        assert f'"{name}"' in functions[name], name


def test_every_query_function_has_its_query() -> None:
    """A table function either runs the query of its name, or only stages rows for others."""
    queries = load_queries("duckdb")

    assert {name for name in table_functions() if not name.startswith(("stage_", "_"))} <= set(queries)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_in_the_files_can_be_misread(dialect: str) -> None:
    """Strings hold no semicolon, comment mark or colon, which the reader of these files would stumble over."""
    for file in files(dialect):
        for literal in re.findall(r"'[^'\n]*'", re.sub(r"--[^\n]*", "", file.read_text(encoding="utf-8"))):
            assert not re.search(r"[;]|--|/\*|:\w", literal), f"{file.name}: {literal}"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_names_say_what_a_query_does(dialect: str) -> None:
    """Names begin with a verb that tells the shape of the result."""
    verbs = (
        "count create delete end establish finish get insert list mark nearest",
        "release request retire close update upsert",
    )

    for name in load_queries(dialect):
        assert name.split("_")[0] in " ".join(verbs).split(), name


def test_migrations_are_numbered_without_gaps() -> None:
    """Migrations are numbered from 1, and none is skipped."""
    numbers = [migration.version for migration in load_migrations("duckdb")]

    assert numbers == list(range(1, len(numbers) + 1))
