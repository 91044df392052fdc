"""One open transaction on SQL Server: named queries, staging through temporary tables, results as Arrow."""

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from holocron_assets.errors import StoreError
from resources.queries import Query, load_queries
from resources.stores.sqlserver_script import batches
from resources.stores.sqlserver_search import MAX_DIMENSIONS, SearchTable, candidates

_FETCHED_AT_ONCE = 2048
#: Of texts whose length nobody knows.
_TEXTS_FETCHED_AT_ONCE = 256
#: Beyond 4000 bytes, of which a character may take four, pyodbc would announce a string as NTEXT, which not every
#: collation accepts, nor every function.
_LONG_TEXT = 1000
_SQL_WVARCHAR = -9
_NVARCHAR_MAX = (_SQL_WVARCHAR, 0, 0)
_JSON_UNSET = "[]"


class SqlServerSession:
    """A session on a connection that is in a transaction, or that only reads.

    Values travel in the plainest form that every driver carries unharmed: keys and times as text, lists and staged rows
    as one JSON text in ASCII.
    """

    def __init__(self, connection: Any, *, reads_only: bool, announces_long_text: bool, keeps_json: bool) -> None:
        self._connection = connection
        self._reads_only = reads_only
        self._announces_long_text = announces_long_text
        self._keeps_json = keeps_json
        self._queries = load_queries("tsql")
        self._staged: set[str] = set()
        #: whether a user's text was run, which may have left anything: the connection must be closed after it
        self.ran_user_query = False

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """See `holocron_assets.ports.Session`."""
        if self._queries[query].statements[-1].startswith("exec "):
            self._refuse_to_read_only(query)
        cursor = self._run(self._queries[query], parameters)
        # Statements before the one that answers have results without columns.
        while cursor.description is None and cursor.nextset():
            pass
        columns = [column[0] for column in cursor.description or ()]
        found = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        _exhausted(cursor)
        return found

    def stream(self, query: str, **parameters: Any) -> Iterator[pa.RecordBatch]:
        """See `holocron_assets.ports.Session`."""
        return self._streamed(self._run(self._queries[query], parameters))

    def _streamed(self, cursor: Any) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([(name, _ARROW.get(kind, pa.large_string())) for name, kind, *_ in cursor.description])
        while rows := cursor.fetchmany(_FETCHED_AT_ONCE):
            columns = list(zip(*rows, strict=True))
            yield pa.RecordBatch.from_arrays(
                [_column(values, kind) for values, kind in zip(columns, schema.types, strict=True)], schema=schema
            )
        _exhausted(cursor)

    def stream_user_query(self, text: str) -> Iterator[pa.RecordBatch]:
        """See `holocron_assets.ports.Session`."""
        if not self._reads_only:
            raise StoreError("a user's query is run in a session that was opened to read, and this one writes")
        if not self.ran_user_query:
            self._connection.execute("begin transaction")
            self.ran_user_query = True
        cursor = self._connection.cursor()
        cursor.execute(text)
        if cursor.description is None:
            raise StoreError("this is not one query: write a single select")
        schema = pa.schema([(name, pa.large_string()) for name, *_ in cursor.description])
        yield pa.RecordBatch.from_pylist([], schema=schema)
        while rows := cursor.fetchmany(_TEXTS_FETCHED_AT_ONCE):
            columns = [pa.array(map(_as_text, values), pa.large_string()) for values in zip(*rows, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def execute(self, query: str, **parameters: Any) -> int:
        """See `holocron_assets.ports.Session`."""
        self._refuse_to_read_only(query)
        return max(0, int(self._run(self._queries[query], parameters).rowcount))

    def count_vectors_to_index(self, space_id: uuid.UUID, dimensions: int) -> int:
        """See `holocron_assets.ports.Session`."""
        table = self._search_table(space_id, dimensions)
        if table is None:
            return 0
        if not table.exists:
            return 1  # the table itself
        counting = table.of_space(self._queries["count_search_differences"])
        ((lacking, left_over),) = self._run(counting, {"embedding_space_id": space_id}).fetchall()
        return int(lacking + left_over)

    def index_vectors(self, space_id: uuid.UUID, dimensions: int, limit: int) -> int:
        """See `holocron_assets.ports.Session`. Made of the vectors' JSON, so there is none where that is not kept."""
        self._refuse_to_read_only("index_vectors")
        table = self._search_table(space_id, dimensions)
        if table is None:
            return 0
        if not table.exists:
            self._run(table.of_space(self._queries["create_search_table"]), {})
        wanted = {"embedding_space_id": space_id, "limit": limit}
        changed = int(self._run(table.of_space(self._queries["insert_search_vectors"]), wanted).rowcount)
        if changed < limit:
            changed += int(self._run(table.of_space(self._queries["delete_search_vectors"]), {}).rowcount)
        return max(0, changed)

    def near_vectors(
        self, space_id: uuid.UUID, query: NDArray[np.float32], limit: int
    ) -> Iterator[pa.RecordBatch] | None:
        """See `holocron_assets.ports.Session`."""
        table = self._search_table(space_id, query.size)
        return self._near(table, query, limit) if table is not None and table.exists else None

    def _near(self, table: SearchTable, query: NDArray[np.float32], limit: int) -> Iterator[pa.RecordBatch]:
        space = {"embedding_space_id": table.space_id}
        seen: list[pa.Array] = []
        for batch in self._streamed(self._run(table.of_space(self._queries["list_vectors_without_search"]), space)):
            seen.append(batch.column("chunk_id"))
            yield batch
        wanted = {"query": query.tolist(), "limit": candidates(limit)}
        twice = pa.chunked_array(seen, pa.large_string())
        for batch in self._streamed(self._run(table.of_space(self._queries["nearest_search_vectors"]), wanted)):
            yield batch.filter(pc.invert(pc.is_in(batch.column("chunk_id"), value_set=twice.combine_chunks())))

    def _search_table(self, space_id: uuid.UUID, dimensions: int) -> SearchTable | None:
        """The table of a space, there or to be made; None where the server, the user or the settings allow none."""
        if dimensions > MAX_DIMENSIONS:
            return None
        (support,) = self.rows("get_vector_support", table_name=SearchTable.name_of(space_id))
        if not support["tables"] and not (support["types"] and support["may_create"] and self._keeps_json):
            return None
        return SearchTable(space_id=space_id, dimensions=dimensions, exists=bool(support["tables"]))

    def stage(self, relation: str, rows: pa.Table) -> None:
        """See `holocron_assets.ports.Session`."""
        self._unstage(relation)
        self._staged.add(relation)
        self._run(self._queries[f"create_{relation}"], {})
        if rows.num_rows:
            self._run(self._queries[f"insert_{relation}"], {"rows": _json_rows(rows, keeps_json=self._keeps_json)})

    def run_script(self, text: str) -> None:
        """See `resources.stores.base.ScriptSession`."""
        for batch in batches(text):
            _exhausted(self._connection.execute(batch))

    def unstage(self) -> None:
        """Drop what was staged: the connection goes back to the pool."""
        for relation in sorted(self._staged):
            self._unstage(relation)
        self._staged.clear()

    def _refuse_to_read_only(self, query: str) -> None:
        if self._reads_only:
            raise StoreError(f"{query} writes, and this session was opened to read")

    def _unstage(self, relation: str) -> None:
        self._connection.execute(f"drop table if exists #{relation}")

    def _run(self, query: Query, parameters: dict[str, Any]) -> Any:
        for text, names in zip(query.statements, query.parameters, strict=True):
            cursor = self._connection.cursor()
            # The server refuses a merge that no semicolon ends.
            statement, values = _without_nulls(f"{text};", [_plain(parameters[name]) for name in names])
            sizes = [_NVARCHAR_MAX if isinstance(one, str) and len(one) > _LONG_TEXT else None for one in values]
            if self._announces_long_text and any(sizes):
                cursor.setinputsizes(sizes)
            # Without parameters the driver sends a plain batch: a temporary table that it makes outlives it.
            cursor.execute(statement, values) if values else cursor.execute(statement)
        return cursor


def _without_nulls(statement: str, values: list[Any]) -> tuple[str, list[Any]]:
    """The statement with its nulls written out. No literal in a named query holds a question mark.

    Asked to bind a null, pyodbc has the server analyse the statement for its type; where that fails, the error ends
    the transaction around it.
    """
    first, *others = statement.split("?")
    parts = [("null" if value is None else "?") + part for value, part in zip(values, others, strict=True)]
    return "".join([first, *parts]), [value for value in values if value is not None]


def _exhausted(cursor: Any) -> None:
    """Read all results of a batch: an error of a later statement is reported with them, none is cut off, and the
    connection is free for the next one."""
    while cursor.nextset():
        pass


def _plain(value: Any) -> Any:
    """A parameter as text or number."""
    if isinstance(value, list | tuple):
        return json.dumps([_plain(one) for one in value])
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, uuid.UUID):
        return str(value)
    return int(value) if isinstance(value, bool) else value


def _json_rows(rows: pa.Table, *, keeps_json: bool) -> str:
    """Staged rows as a JSON array of objects; vectors as hexadecimal digits, and as JSON text beside that."""
    columns: dict[str, Sequence[Any]] = {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if pa.types.is_list(column.type):
            vectors = _split(column.combine_chunks())
            columns[name] = [vector.tobytes().hex() for vector in vectors]
            columns[f"{name}_json"] = [
                json.dumps(vector.tolist(), allow_nan=False) if keeps_json else _JSON_UNSET for vector in vectors
            ]
        else:
            columns[name] = [_plain(value) for value in column.to_pylist()]
    names = list(columns)
    return json.dumps([dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def _split(lists: pa.ListArray) -> list[NDArray[np.float32]]:
    numbers = np.from_dlpack(lists.flatten()).astype("<f4", copy=False)
    return np.split(numbers, np.from_dlpack(lists.offsets)[1:-1]) if len(lists) else []


#: What a driver says a result column holds, as Arrow keeps it. Everything else comes as text.
_ARROW: dict[type, pa.DataType] = {
    int: pa.int64(),
    bool: pa.bool_(),
    float: pa.float64(),
    datetime: pa.timestamp("us"),
    bytearray: pa.list_(pa.float32()),
    bytes: pa.list_(pa.float32()),
}


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_list(kind):
        return _vectors(values, kind)
    return pa.array(map(_as_text, values) if kind == pa.large_string() else values, kind)


def _as_text(value: Any) -> str | None:
    if isinstance(value, bytes | bytearray):
        return value.hex()
    return None if value is None else str(value)


def _vectors(values: Sequence[bytes | None], kind: pa.DataType) -> pa.Array:
    """Little-endian float32 bytes as lists of numbers. What is no whole number becomes NaN at the end, so it shows."""
    numbers = [_numbers(value or b"") for value in values]
    ends = np.cumsum([0, *map(len, numbers)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(np.concatenate(numbers)), type=kind)


def _numbers(value: bytes) -> NDArray[np.float32]:
    whole, rest = divmod(len(value), 4)
    numbers = np.frombuffer(value, "<f4", count=whole).astype(np.float32)
    return np.append(numbers, np.float32("nan")) if rest else numbers
