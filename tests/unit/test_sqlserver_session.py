"""How values travel to SQL Server and back, seen from the driver."""

import json
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from holocron_assets.errors import StoreError
from holocron_assets.tables.staging import BOOLEAN, INTEGER, TEXT, TIME, table_of, vector_column
from resources.stores.sqlserver_script import batches
from resources.stores.sqlserver_session import SqlServerSession
from resources.stores.sqlserver_text import read_every_text

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456)  # noqa: DTZ001 - times are naive UTC throughout


Columns = list[tuple[str, type]]


class Wire:
    """Stands where the driver stands: keeps what it is sent, and answers with what it is given."""

    SQL_CHAR, SQL_WCHAR = 1, -8

    def __init__(
        self, description: list[tuple[str, type]] | None = None, rows: list[tuple[Any, ...]] | None = None
    ) -> None:
        self.sent: list[tuple[str, list[Any]]] = []
        self.sizes: list[Any] = []
        self.description = description
        self.rowcount = -1
        self._rows = rows or []
        self.converters: dict[int, Callable[[bytes | None], str | None]] = {}

    def setdecoding(self, kind: int, *, encoding: str, ctype: int) -> None:
        assert (kind, encoding, ctype) == (self.SQL_CHAR, "utf-16-le", self.SQL_WCHAR)

    def add_output_converter(self, kind: int, converter: Callable[[bytes | None], str | None]) -> None:
        self.converters[kind] = converter

    def cursor(self) -> "Wire":
        return self

    def execute(self, statement: str, values: list[Any] | None = None) -> "Wire":
        self.sent.append((statement, values or []))
        return self

    def setinputsizes(self, sizes: list[Any]) -> None:
        self.sizes.append(sizes)

    def nextset(self) -> bool:
        return False

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    def fetchmany(self, _size: int) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows


def session_on(
    wire: Wire, *, reads_only: bool = False, microsoft: bool = True, keeps_json: bool = True
) -> SqlServerSession:
    return SqlServerSession(wire, reads_only=reads_only, announces_long_text=microsoft, keeps_json=keeps_json)


def test_parameters_are_text_and_numbers() -> None:
    """Keys, times and lists travel as text that every driver carries unharmed; truth is a number."""
    wire = Wire([("n", int)])
    key = uuid.UUID(int=5)
    session_on(wire).rows("list_written_embeddings", embedding_space_id=key, every_run=True, run_ids=[str(key)])
    session_on(wire).execute("release_quarantined_lines", now=NOON, read_at=NOON, paths=["\u00e9"])

    assert wire.sent[0][1] == [str(key), 1, json.dumps([str(key)])]
    assert wire.sent[1][1] == ["2026-03-01T12:00:00.123456", "2026-03-01T12:00:00.123456", '["\\u00e9"]']


def test_statements_end_with_a_semicolon() -> None:
    """The server demands it of a merge (error 10713)."""
    wire = Wire()
    session = session_on(wire)
    session.stage("staged_resolutions", pa.table({"source_id": pa.array([], pa.string())}))
    session.execute("upsert_source_aliases", now=NOON)

    assert [text for text, _ in wire.sent if not text.endswith(";")] == ["drop table if exists #staged_resolutions"]
    assert wire.sent[-1][0].startswith("merge ")


def test_long_texts_are_announced_to_microsofts_driver_alone() -> None:
    """pyodbc would call them NTEXT; FreeTDS knows no other way."""
    for microsoft, text in ((True, "x" * 5000), (True, "\U0001f600" * 1001), (False, "x" * 5000)):
        wire = Wire()
        session_on(wire, microsoft=microsoft).execute("update_run_options", options_json=text, run_id="y")
        assert wire.sizes == ([[(-9, 0, 0), None]] if microsoft else [])


def test_staged_rows_are_one_ascii_text() -> None:
    """A batch is one parameter, whatever is in it; the temporary table is made without any, so that it stays."""
    wire = Wire()
    kinds = {"item_type": TEXT, "size": INTEGER, "at": TIME, "is_it": BOOLEAN}
    rows = table_of(kinds, [("\U0001f600 \u05e9", 2**40, NOON, True), (None, None, None, None)])
    session_on(wire).stage("staged_quarantined", rows)

    dropped, created, filled = wire.sent
    assert dropped == ("drop table if exists #staged_quarantined", [])
    assert created[0].startswith("create table #staged_quarantined")
    assert created[1] == []
    (sent,) = filled[1]
    assert sent.isascii()
    assert json.loads(sent) == [
        {"item_type": "\U0001f600 \u05e9", "size": 2**40, "at": "2026-03-01T12:00:00.123456", "is_it": 1},
        dict.fromkeys(kinds),
    ]


@pytest.mark.parametrize("keeps_json", [True, False])
def test_vectors_travel_as_digits_and_as_json(keeps_json: bool) -> None:
    """The float32 bytes come back from the digits; the JSON says the same numbers, or nothing if it is not wanted."""
    wire = Wire()
    vectors = np.array([[0.1, -1.5, 3e-8], [1, 2, 3]], np.float32)
    session_on(wire, keeps_json=keeps_json).stage("staged_embeddings", pa.table({"vector": vector_column(vectors)}))

    for row, vector in zip(json.loads(wire.sent[-1][1][0]), vectors, strict=True):
        assert bytes.fromhex(row["vector"]) == vector.tobytes()
        assert row["vector_json"] == (json.dumps(vector.tolist()) if keeps_json else "[]")


def test_results_stream_as_arrow() -> None:
    """Keys become text, bytes become vectors; a vector of broken bytes shows as one that is not finite."""
    key = uuid.UUID(int=9)
    vector = np.array([1, 2], np.float32)
    columns: Columns = [("embedding_id", uuid.UUID), ("vector", bytearray), ("n", int), ("at", datetime)]
    wire = Wire(
        columns, [(key, vector.tobytes(), 1, NOON), (key, vector.tobytes()[:5], None, None), (key, None, 2, NOON)]
    )
    (batch,) = session_on(wire).stream("list_written_texts", every_run=True, run_ids=[])

    assert batch.column("embedding_id").to_pylist() == [str(key)] * 3
    first, second, third = batch.column("vector").to_pylist()
    assert (first, third) == ([1.0, 2.0], [])
    assert np.isnan(second[-1])
    assert batch.column("n").to_pylist() == [1, None, 2]
    assert batch.column("at").to_pylist() == [NOON, None, NOON]


def test_a_reading_session_refuses_to_write() -> None:
    """Before anything is sent."""
    wire = Wire()
    with pytest.raises(StoreError, match="was opened to read"):
        session_on(wire, reads_only=True).execute("finish_job")

    assert wire.sent == []


def test_half_a_surrogate_pair_spoils_no_batch() -> None:
    """Whatever code units somebody stored are read, with a mark where they are no character."""
    units = "a\U0001f600".encode("utf-16-le") + b"\x00\xd8" + "b".encode("utf-16-le")
    wire = Wire()
    read_every_text(wire, wire)

    assert [read(units) for read in wire.converters.values()] == ["a\U0001f600\ufffdb"] * 3
    assert [read(None) for read in wire.converters.values()] == [None] * 3


def test_nulls_are_written_out() -> None:
    """A null among the parameters is part of the statement: to bind one, the driver would have it analysed."""
    wire = Wire()
    session_on(wire).execute(
        "insert_run",
        **dict.fromkeys(("embedding_space_id", "model_name", "model_tag"))
        | {"run_id": "r", "job_id": "j", "now": NOON, "worker_id": "w", "model_digest": None, "options_json": "{}"},
    )
    ((statement, values),) = wire.sent

    assert values == ["r", "j", "2026-03-01T12:00:00.123456", "w", "{}", "r"]
    assert statement.count("?") == 6
    assert "null, left(cast(null as nvarchar(200)), 100), null" in statement


def test_what_was_staged_is_dropped() -> None:
    """The connection goes back to the pool without it."""
    wire = Wire()
    session = session_on(wire)
    session.stage("staged_planned_sources", table_of({"source_id": TEXT}, []))
    session.unstage()

    assert wire.sent[-1] == ("drop table if exists #staged_planned_sources", [])


def test_scripts_are_cut_at_go() -> None:
    """GO stands alone on its line, in any case; a word that begins with it does not cut."""
    assert batches("a\nGO\n\nb\n  go ;\nGOLD\nGO\n") == ["a", "b", "GOLD"]
