"""Values on their way to a server and back, through the real ODBC drivers."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from holocron_assets.transactions import read
from tests.tds.line import CHANGED, Line, listed
from tests.tds.tokens import Column, Done, Rows
from tests.tds.values import BIGINT, BIT, DATETIME2, FLOAT, GUID, INT, LONG_BYTES, LONG_TEXT, nvarchar, varchar


def test_values_of_every_type_arrive(line: Line) -> None:
    """Nulls of each too. Of a time's seven digits six are kept: Python has no more."""
    kinds = {
        "text": nvarchar(10),
        "long_text": LONG_TEXT,
        "old_text": varchar(20),
        "count": INT,
        "size": BIGINT,
        "is_it": BIT,
        "score": FLOAT,
        "at": DATETIME2,
        "id": GUID,
        "vector": LONG_BYTES,
    }
    midday = timedelta(days=738000, hours=12) // timedelta(microseconds=1) * 10 + 1234567
    values = ("", "é\U0001f600\0z" * 2000, "naïve café", -1, 2**40, True, 0.1, midday, uuid.UUID(int=7), b"\0\0\x80?")
    columns = tuple(Column(name=name, kind=kind) for name, kind in kinds.items())
    line.says(Rows(columns=columns, rows=[values, (None,) * len(kinds)]))
    with line.store.session(write=False) as session:
        first, second = session.rows("list_spaces")
        streamed, nothing = listed(session)

    at = datetime(1, 1, 1) + timedelta(days=738000, hours=12, microseconds=123456)  # noqa: DTZ001 - as above
    assert tuple(first.values()) == (*values[:7], at, *values[8:])
    assert set(second.values()) == {None}
    assert streamed == first | {"id": str(values[8]), "vector": [1.0]}
    assert set(nothing) == set(kinds)


def test_half_a_surrogate_pair_spoils_no_batch(line: Line) -> None:
    """Whatever code units somebody stored are read, with a mark where they are no character."""
    units = "a\U0001f600".encode("utf-16-le") + b"\x00\xd8" + "b".encode("utf-16-le")
    columns = (Column(name="short", kind=nvarchar(10)), Column(name="long", kind=LONG_TEXT))
    line.says(Rows(columns=columns, rows=[(units, units)]))

    assert read(line.store, listed) == [{"short": "a\U0001f600\ufffdb", "long": "a\U0001f600\ufffdb"}]


@pytest.mark.parametrize(
    "text",
    ["", "a\0b", "\U0001f600" * 1000, "\U0001f600" * 1001, "é" * 2000, "é" * 2001, "x" * 8001, "[1.5]" * 10**6],
    ids=["empty", "nul", "1000 emoji", "1001 emoji", "2000", "2001", "8001", "5 MB"],
)
def test_texts_of_every_length_arrive(line: Line, text: str) -> None:
    """As they are; and none is announced as NTEXT, which a database in a UTF-8 collation refuses."""
    arrived: list[dict[str, Any]] = []
    line.database.scripts[CHANGED] = lambda parameters: [arrived.append(parameters) or Done(1)]
    with line.store.session() as session:
        assert session.execute("update_run_options", options_json=text, run_id="r") == 1

    assert list(arrived[0].values()) == [text, "r"]
