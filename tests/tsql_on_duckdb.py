"""The statements of `sql/tsql/`, run by DuckDB after translation: for machines without a SQL Server.

Stands where the ODBC driver stands, so that the store above it is the real one. What it proves is that the statements
mean what their DuckDB counterparts mean; what only a server can prove (locks, collations, types, plans) it does not.
"""

import re
import shutil
import threading
import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from resources.stores.sqlserver_script import batches
from tests.tsql_procedures import (
    APPLICATION_LOCK,
    ASSIGNMENT,
    DECLARATION,
    REFUSAL,
    SETTING,
    Procedure,
    procedure_of,
)

_TYPES = {"BIGINT": int, "INTEGER": int, "HUGEINT": int, "BOOLEAN": bool, "BLOB": bytes, "TIMESTAMP": datetime}
_TYPES |= {"DOUBLE": float, "UUID": uuid.UUID}
#: What a kind is called where the same word means less.
_KINDS = {exp.DType.BIT: exp.DType.BOOLEAN, exp.DType.FLOAT: exp.DType.DOUBLE}
_SKIPPED = re.compile(r"\s*(set |if @@trancount|declare )", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(\w+)")
_LOCKS: dict[str, threading.Lock] = defaultdict(threading.Lock)
_PROCEDURES: dict[str, dict[str, Procedure]] = defaultdict(dict)
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": "256MB"}
_MACROS = """
create or replace temp macro datalength(x) as length(x) * 2;
create or replace temp macro isjson(x) as cast(json_valid(x) as int);
create or replace temp macro checksum(x, y) as cast(hash(x, y) % 4294967296 as bigint) - 2147483648;
"""


class Error(Exception):
    """As pyodbc raises it: an SQLSTATE and a message with the server's error number."""


class Driver:
    """What is used of the module `pyodbc`, over a database in a folder."""

    Error = Error
    SQL_CHAR, SQL_WCHAR = 1, -8

    def __init__(self, folder: Path, *, has_vectors: bool = True) -> None:
        self._folder = folder
        self._has_vectors = has_vectors

    @property
    def path(self) -> Path:
        """The file that stands for the server."""
        return self._folder / "emulated.duckdb"

    def save(self, template: Path) -> None:
        """Keep what the server holds now for tests that begin with it."""
        with duckdb.connect(str(self.path), config=_CONFIG) as connection:
            connection.execute("checkpoint")
        shutil.copy(self.path, template)
        _PROCEDURES[str(template)] = dict(_PROCEDURES[str(self.path)])

    def load(self, template: Path) -> None:
        """Begin with what was kept; nobody is connected yet."""
        shutil.copy(template, self.path)
        _PROCEDURES[str(self.path)] = dict(_PROCEDURES[str(template)])

    def drivers(self) -> list[str]:
        return ["ODBC Driver 18 for SQL Server"]

    def connect(self, connection_string: str, **_options: object) -> "Connection":
        return Connection(self.path, has_vectors=self._has_vectors)


class Connection:
    """A connection in autocommit mode, with explicit transactions."""

    timeout = 0

    def __init__(self, path: Path, *, has_vectors: bool) -> None:
        self.has_vectors = has_vectors
        self._connection = duckdb.connect(str(path), config=_CONFIG)
        self._connection.execute(_MACROS)
        self._lock = _LOCKS[str(path)]
        self._holds = False
        self.procedures = _PROCEDURES[str(path)]

    def cursor(self) -> "Cursor":
        return Cursor(self._connection, self)

    def execute(self, statement: str) -> "Cursor":
        return self.cursor().execute(statement)

    def take_lock(self, milliseconds: int) -> int:
        self._holds = self._lock.acquire(timeout=milliseconds / 1000)
        return 0 if self._holds else -1

    def let_go(self) -> None:
        if self._holds:
            self._holds = False
            self._lock.release()

    def setdecoding(self, kind: int, *, encoding: str, ctype: int) -> None:
        """Nothing: DuckDB stores UTF-8 and nothing else."""

    def add_output_converter(self, kind: int, converter: object) -> None:
        """Nothing either."""

    def rollback(self) -> None:
        """Nothing: transactions are explicit."""

    def close(self) -> None:
        self._connection.close()
        self.let_go()


class Cursor:
    """Runs one statement, or a batch of definitions."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, owner: Connection) -> None:
        self._connection = connection
        self._owner = owner
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[str, type]] | None = None
        self.rowcount = -1

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> "Cursor":
        for one in parameters:
            assert isinstance(one, str | int | float | bytes), f"pyodbc takes no {type(one)}: {statement}"
        try:
            self._execute(statement, list(parameters))
        except duckdb.CatalogException as error:
            raise Error("42S02", f"[42S02] [Emulated] {error} (208) (SQLExecDirectW)") from error
        except duckdb.ConstraintException as error:
            if "CHECK" in str(error):
                raise Error("23000", f"[23000] [Emulated] {error} (547) (SQLExecDirectW)") from error
            raise Error("23000", f"[23000] [Emulated] {error} (2627) (SQLExecDirectW)") from error
        except duckdb.Error as error:
            raise Error("42000", f"[42000] [Emulated] {error}\n{statement}") from error
        return self

    def setinputsizes(self, sizes: object) -> None:
        """Nothing: DuckDB has one type of string."""

    def nextset(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def _execute(self, statement: str, parameters: list[Any]) -> None:
        if created := procedure_of(statement):
            self._owner.procedures[created.name] = created
            return
        if "sp_getapplock" in statement:
            self.description, self._rows = [("result", int)], [(self._owner.take_lock(*parameters),)]
            return
        if "from sys.types" in statement:
            tables = "select count(*) from duckdb_tables() where schema_name = 'vector' and table_name = ?"
            (found,) = self._connection.execute(tables, parameters).fetchone() or (0,)
            self.description = [("types", int), ("tables", int), ("may_create", int)]
            self._rows = [(int(self._owner.has_vectors), found, 1)]
            return
        if _SKIPPED.match(statement):
            return
        if statement.startswith("exec "):
            self._call(statement, parameters)
            return
        for translated in translated_batch(statement):
            result = self._connection.execute(translated, parameters)
            self._take(translated, result)
        if statement.startswith(("commit", "rollback")):
            self._owner.let_go()

    def _call(self, statement: str, parameters: list[Any]) -> None:
        """`exec procedure @name = value, …`: its statements one after the other, each on its own."""
        call = sqlglot.parse_one(statement, read="tsql")
        name = call.this.sql("tsql")
        if name not in self._owner.procedures:
            raise Error(
                "42000", f"[42000] [Emulated] Could not find stored procedure '{name}'. (2812) (SQLExecDirectW)"
            )
        procedure = self._owner.procedures[name]
        values = iter(parameters)
        given = {
            one.this.this.name: next(values)
            if isinstance(one.expression, exp.Placeholder)
            else self._value(one.expression.sql("tsql"), "nvarchar(max)", {})
            for one in call.expressions
        }
        variables: dict[str, Any] = {}
        types = {one.name: one.type for one in procedure.parameters}
        for one in procedure.parameters:
            value = given.pop(one.name) if one.name in given else self._value(str(one.default), one.type, {})
            variables[one.name] = self._value("@value", one.type, {"value": value})
        assert not given, f"{name} has no parameter {', '.join(given)}"
        for one in procedure.statements:
            self._step(one, variables, types)

    def _step(self, statement: str, variables: dict[str, Any], types: dict[str, str]) -> None:
        if declared := DECLARATION.fullmatch(statement):
            types[declared["name"]] = declared["type"]
            variables[declared["name"]] = self._value(declared["value"] or "null", declared["type"], variables)
        elif set_to := SETTING.fullmatch(statement):
            name = set_to["name"]
            variables[name] = self._value(set_to["value"], types[name], variables)
        elif refusal := REFUSAL.fullmatch(statement):
            if self._value(f"case when {refusal['condition']} then 1 end", "int", variables):
                raise Error("42000", f"[42000] [Emulated] {refusal['message']} ({refusal['number']}) (SQLExecDirectW)")
        elif locked := APPLICATION_LOCK.fullmatch(statement):
            variables[locked["result"]] = 0  # one session writes at a time
        elif ASSIGNMENT.match(statement):
            names, query = _assigned(statement)
            if row := self._run(query, variables).fetchone():
                variables |= zip(names, row, strict=True)
        else:
            (translated,) = translated_batch(statement)
            self._take(translated, self._run(translated, variables))

    def _value(self, expression: str, kind: str, variables: dict[str, Any]) -> Any:
        (translated,) = translated_batch(f"select cast({expression} as {kind}) as value")
        (value,) = self._run(translated, variables).fetchone() or (None,)
        return value

    def _run(self, translated: str, variables: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(translated, {name: variables[name] for name in _VARIABLE.findall(translated)})

    def _take(self, statement: str, result: duckdb.DuckDBPyConnection) -> None:
        if statement.startswith(("SELECT", "WITH", "(")) or "RETURNING" in statement:
            self.description = [(name, _TYPES.get(str(kind), str)) for name, kind, *_ in result.description or ()]
            self._rows = result.fetchall()
        elif statement.startswith(("INSERT", "UPDATE", "DELETE", "MERGE")):
            (self.rowcount,) = result.fetchone() or (0,)


@cache
def translated_batch(statement: str) -> tuple[str, ...]:
    """The DuckDB statements that do what a T-SQL statement, or a batch of a migration, does."""
    if re.search(
        r"(?im)^\s*(if|create table|alter table|create index|create schema|create or alter view)\b", statement
    ):
        return tuple(_definitions(statement))
    return (_translated(statement),)


@cache
def _assigned(statement: str) -> tuple[list[str], str]:
    """`select @a = x, @b = y from …`: the variables, and the query for their values."""
    tree = sqlglot.parse_one(statement, read="tsql")
    names = [one.this.this.name for one in tree.expressions]
    tree.set("expressions", [one.expression for one in tree.expressions])
    return names, _translated(tree.sql("tsql"))


def _definitions(batch: str) -> list[str]:
    """Schemas, tables and columns where they are missing. No index, and no foreign key: DuckDB's forbid updates."""
    text = re.sub(r"--[^\n]*", "", batch)
    if view := re.match(r"\s*create or alter view ([\w.]+) as\s(.*)", text, re.DOTALL):
        return [f"create or replace view {view[1]} as {_translated(view[2])}"]
    found = [f"create schema if not exists {name}" for name in re.findall(r"create schema (\w+)", text)]
    for table in re.findall(r"create table .*?\n *\)(?:;|\s*$)|create table #\w+ \([^\n]*\);?", text, re.DOTALL):
        bare = re.sub(r"references [\w.]+ \(\w+\)|collate \w+", "", table.rstrip(";"))
        created = _translated(bare).replace(" NULLS FIRST", "")
        found.append(re.sub("^CREATE (TEMPORARY )?TABLE ", r"CREATE \1TABLE IF NOT EXISTS ", created))
    for name, column in re.findall(r"alter table ([\w.]+) add (.*?);", text, re.DOTALL):
        bare = re.sub(r"check \(.*\)|not null|\bnull\b", "", column, flags=re.DOTALL)
        created = _translated(f"create table x ({bare})")
        found.append(f"alter table {name} add column if not exists {created.partition('(')[2][:-1]}")
    return found


def _translated(statement: str) -> str:
    text = re.sub(
        r"convert\(\s*varchar\(64\),\s*hashbytes\(\s*'SHA2_256',\s*(.*?)\s*\),\s*2\s*\)",
        r"upper(sha256(\1))",
        statement,
        flags=re.S,
    )
    text = re.sub(r"convert\(varbinary\(max\), (\w+|\?|'\w*'), 2\)", r"unhex(\1)", text)
    text = re.sub(r"option \((recompile|loop join)\)|collate \w+_BIN2", "", text)
    tree = sqlglot.parse_one(text, read="tsql")
    for number, placeholder in enumerate(_in_order(tree), start=1):
        placeholder.replace(exp.Parameter(this=exp.Literal.number(number)))
    tree = tree.transform(_node)
    if isinstance(tree, exp.Update):
        tree = _update(tree)
    return re.sub(r"\b(newid|sysutcdatetime)\(\)", _now, tree.sql("duckdb"), flags=re.IGNORECASE)


def _in_order(tree: exp.Expr) -> list[exp.Expr]:
    """Placeholders as they stand in the text: their order decides which value each gets."""
    marked = tree.sql("tsql")
    nodes = list(tree.find_all(exp.Placeholder))
    names = [f"p{number}" for number in range(len(nodes))]
    for node, name in zip(nodes, names, strict=True):
        node.set("this", name)
    written = re.findall(r":(p\d+)\b|\?(p\d+)\b", tree.sql("tsql"))
    assert len(written) == marked.count("?") == len(nodes), marked
    by_name = dict(zip(names, nodes, strict=True))
    return [by_name[first or second] for first, second in written]


def _now(found: re.Match[str]) -> str:
    return "uuid()" if found[1].lower() == "newid" else "cast(now() as timestamp)"


def _node(node: exp.Expr) -> exp.Expr:  # noqa: PLR0911 - a table of translations
    match node:
        case exp.Table(this=exp.OpenJSON()):
            return _json_table(node)
        case exp.Div():
            return exp.IntDiv(this=node.this.transform(_node), expression=node.expression.transform(_node))
        case exp.Collate():
            return node.this.transform(_node)
        case exp.National():
            return exp.Literal.string(node.this)
        case exp.DataType(this=exp.DType.VECTOR):
            return exp.DataType.build(f"FLOAT[{node.expressions[0].name}]", dialect="duckdb")
        case exp.Anonymous() if node.name.lower() == "vector_distance":
            _, *vectors = (one.transform(_node) for one in node.expressions)
            return exp.Anonymous(this="array_cosine_distance", expressions=vectors)
        case exp.DataType():
            return exp.DataType(this=_KINDS.get(node.this, node.this))
        case exp.Cast() if str(node.to.this.value).endswith("BINARY"):
            return exp.Anonymous(this="encode", expressions=[node.this.transform(_node)])
    return node


def _json_table(node: exp.Table) -> exp.Expr:
    """`openjson(x) with (…)` as a query over the elements of a JSON array."""
    source = node.this.this.sql("duckdb")
    columns = []
    for column in node.this.expressions:
        path = column.args.get("path")
        value = f"json_extract_string(element, '{path.name if path else '$.' + column.name}')"
        columns.append(f"cast({value} as {_node(column.args['kind']).sql('duckdb')}) as {column.name}")
    elements = f"select unnest(from_json({source}, '[\"json\"]')) as element"
    query = sqlglot.parse_one(f"select {', '.join(columns)} from ({elements})", read="duckdb")
    return exp.Subquery(this=query, alias=node.args.get("alias") or exp.TableAlias(this=exp.to_identifier("json_rows")))


def _update(tree: exp.Update) -> exp.Expr:
    tree = _update_of_target(tree)
    for column in tree.find_all(exp.Column):
        if column.table == "inserted":
            column.set("table", None)
    return tree


def _update_of_target(tree: exp.Update) -> exp.Update:
    """`update x set … from t as x join y …`: DuckDB names the table itself, and joins it in the condition."""
    if tree.args.get("with_") is not None:
        return _update_of_rows(tree)
    source = tree.args.get("from_")
    if source is None:
        return tree
    target, joins = source.this.copy(), list(source.this.args.get("joins") or ())
    target.set("joins", None)
    condition = tree.args["where"].this if tree.args.get("where") else exp.true()
    tree.set("this", target)
    if not joins:
        tree.set("from_", None)
        return tree
    first, *others = joins
    table = first.this.copy()
    table.set("joins", [other.copy() for other in others])
    tree.set("from_", exp.From(this=table))
    tree.set("where", exp.Where(this=exp.and_(first.args["on"].copy(), condition.copy())))
    return tree


def _update_of_rows(tree: exp.Update) -> exp.Update:
    """`with x as (select … from t …) update x set …`: an update of those rows of `t`."""
    (rows,) = [one.this for one in tree.args["with_"].expressions if one.alias == tree.this.name]
    table = rows.args["from_"].this.copy()
    chosen = rows.copy()
    chosen.set("expressions", [exp.column("rowid", table=table.alias)])
    table.set("alias", None)
    tree.set("with_", None)
    tree.set("this", table)
    tree.set("where", exp.Where(this=exp.In(this=exp.column("rowid"), query=exp.Subquery(this=chosen))))
    return tree


def defined(script: str) -> list[str]:
    """What a migration defines, translated."""
    return [statement for batch in batches(script) for statement in _definitions(batch)]
