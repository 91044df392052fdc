"""The SQL files: each parses in its dialect, each query has its function, and nothing in them can be misread."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

import holocron_assets.tables
from resources.queries import Query, load_migrations, load_queries, sql_folder
from resources.stores.sqlserver_script import batches
from tests.tsql_procedures import APPLICATION_LOCK, ASSIGNMENT, REFUSAL, procedure_of, procedures

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


#: Queries that a store asks on its own behalf: no other dialect has them.
OWN = {
    "duckdb": set[str](),
    "tsql": {"get_write_lock", "get_vector_support", "list_vectors_without_search"}
    | {name for name in load_queries("tsql") if "_staged_" in name or "_search_" in name},
}
#: What T-SQL has around a statement, which sqlglot does not read as part of one.
AROUND = re.compile(
    r"\s*(?:if (?:object_id|col_length|schema_id)\([^\n]*\) is null\b"
    r"|if (?:not )?exists \(\s*select 1 from sys\.indexes where [^\n]*\s*\)|begin\b|end\b)"
)
#: Procedural statements, each by its whole text: running them is all that can be said of them.
PROCEDURAL = re.compile(
    r"exec\(N'create schema (ingest|vector)'\)"
    r"|declare @result int\s+exec @result = sp_getapplock\s+@Resource = N'holocron_assets', @LockMode = N'Exclusive', "
    r"@LockOwner = N'Transaction', @LockTimeout = \?\s+select @result as result"
    r"|exec vector\.usp_\w+\s+(@\w+ = (\?|'[A-Z]+')(,\s+)?)+"
    rf"|{APPLICATION_LOCK.pattern}"
)


def statements(dialect: str) -> Iterator[tuple[str, str]]:
    """Every statement of a dialect, each on its own and without what only surrounds it, and where it is from."""
    texts = [(query.name, one) for query in load_queries(dialect).values() for one in query.statements]
    for migration in load_migrations(dialect):
        for batch in batches(re.sub(r"--[^\n]*", "", migration.text)):
            if dialect == "tsql" and (procedure := procedure_of(batch)):
                texts += [(procedure.name, without_refusal(one)) for one in procedure.statements]
            else:
                texts += [(migration.name, one) for one in batch.split(";")]
    for name, text in texts:
        bare = text
        while dialect == "tsql" and (around := AROUND.match(bare)):
            bare = bare[around.end() :]
        # sqlglot does not know DuckDB's column compression.
        bare = bare.replace("using compression uncompressed", "").strip()
        if bare and not (dialect == "tsql" and PROCEDURAL.fullmatch(bare)):
            yield name, bare


def without_refusal(statement: str) -> str:
    """The condition of `if … throw …` as a query; sqlglot does not know `throw`."""
    refusal = REFUSAL.fullmatch(statement)
    return f"select 1 as refused where {refusal['condition']}" if refusal else statement


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_parses_in_its_dialect(dialect: str) -> None:
    """Every query and migration is grammatical in the dialect that its folder is named after, and understood."""
    count = 0
    for name, statement in statements(dialect):
        parsed = sqlglot.parse_one(statement, read=dialect)
        assert not list(parsed.find_all(exp.Command, exp.Execute)), f"{name}: {statement}"
        count += 1

    assert count > 100


@pytest.mark.parametrize("dialect", [dialect for dialect in DIALECTS if dialect != "duckdb"])
def test_dialects_agree(dialect: str) -> None:
    """Every dialect has the same queries, each with the same parameters and result columns."""
    reference, queries = load_queries("duckdb"), load_queries(dialect)

    assert set(queries) - OWN[dialect] == set(reference) - OWN["duckdb"]
    for name in sorted(set(queries) - OWN[dialect]):
        query, expected = queries[name], reference[name]
        assert parameters(query) == parameters(expected), name
        assert columns(query, dialect) == columns(expected, "duckdb"), name


def parameters(query: Query) -> set[str]:
    return {name for part in query.parameters for name in part}


def columns(query: Query, dialect: str) -> list[str]:
    """The names of the result's columns, in order; of a write that answers nothing none."""
    try:
        parsed = sqlglot.parse_one(query.statements[-1], read=dialect)
    except sqlglot.ParseError:
        return []
    if isinstance(parsed, exp.Execute):
        (called,) = [one for one in procedures() if one.name == parsed.this.sql(dialect)]
        (parsed,) = [one for one in map(parsed_statement, called.statements) if one and answered(one)]
    return answered(parsed)


def parsed_statement(statement: str) -> exp.Expr | None:
    """A statement of a procedure that may answer: not one that only sets variables, throws or locks."""
    silent = ("declare", "set", "if", "exec")
    skipped = statement.startswith(silent) or ASSIGNMENT.match(statement)
    return None if skipped else sqlglot.parse_one(statement, read="tsql")


def answered(parsed: exp.Expr) -> list[str]:
    """The columns that a statement answers."""
    if isinstance(parsed, exp.Query):
        return parsed.named_selects
    returning = parsed.args.get("returning")
    return [one.alias_or_name for one in returning.expressions] if returning else []


def test_procedures_are_called_as_they_are_made() -> None:
    """A query gives a procedure parameters that it has, among them all that have no default."""
    made = {procedure.name: procedure.parameters for procedure in procedures()}
    called = set()
    for query in load_queries("tsql").values():
        for name, given in re.findall(r"^exec (vector\.\w+)(.*)", "\n".join(query.statements), re.DOTALL):
            names = set(re.findall(r"@(\w+) = ", given))
            called.add(name)

            assert {one.name for one in made[name] if one.default is None} <= names <= {one.name for one in made[name]}

    assert called == set(made)


def test_every_staged_relation_has_its_table() -> None:
    """What the table functions stage, SQL Server has a temporary table for, with the columns that are staged."""
    staged = {
        relation
        for source in table_functions().values()
        for relation in re.findall(r'session\.stage\(\s*"(\w+)"', source)
    }
    queries = load_queries("tsql")

    assert {name.removeprefix("create_") for name in queries if name.startswith("create_staged")} == staged
    assert {name.removeprefix("insert_") for name in queries if name.startswith("insert_staged")} == staged


@pytest.mark.parametrize("dialect", DIALECTS)
def test_files_have_the_same_names(dialect: str) -> None:
    """A query is found in the file of the same name in each dialect."""
    shared = {file.name for file in Path(str(sql_folder() / "duckdb")).glob("*.sql")}

    assert {file.name for file in Path(str(sql_folder() / dialect)).glob("*.sql")} - {
        "search.sql",
        "session.sql",
        "staging.sql",
    } == shared


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
        "claim close complete count create delete end enqueue establish fail finish get insert list mark nearest",
        "recover release renew request retire update upsert",
    )

    for name in load_queries(dialect):
        assert name.split("_")[0] in " ".join(verbs).split(), name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_migrations_are_numbered_without_gaps(dialect: str) -> None:
    """Migrations are numbered from 1, and none is skipped."""
    numbers = [migration.version for migration in load_migrations(dialect)]

    assert numbers == list(range(1, len(numbers) + 1))
