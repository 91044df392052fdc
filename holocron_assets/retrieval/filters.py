"""What a search leaves out before it compares: hits are counted after that, so that none is missed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from holocron_assets.errors import QuestionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a chunk must be: each that is given must hold, by any one of its values.

    Systems, names, types and tags are compared whole, as the database spells them but for case; `title` is a part of
    the source's title. `since` and `until` bound, half-open and in UTC, when the record was fetched that speaks for
    the source. `page_type` is what `sem.PageClassification` calls the primary type. One text stands for a tuple of it;
    raises `QuestionError` for what is neither.
    """

    source_system: tuple[str, ...] = ()
    source_name: tuple[str, ...] = ()
    resource_type: tuple[str, ...] = ()
    source_type: tuple[str, ...] = ()
    page_type: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    title: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    source_id: tuple[str, ...] = ()
    chunk_id: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            value: object = getattr(self, field.name)
            if field.default == ():
                object.__setattr__(self, field.name, _texts(field.name, value))
            elif value is not None and not isinstance(value, str if field.name == "title" else datetime):
                kind = "a text" if field.name == "title" else "a time"
                raise QuestionError(f"the filter {field.name} is {kind}, and {value!r:.50} is something else")

    def given(self) -> dict[str, Any]:
        """Those that are set, by name, as JSON can hold them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat()
            if isinstance(value, datetime)
            else list(value)
            if value.__class__ is tuple
            else value
            for name, value in values.items()
            if value not in {None, ()} and value != ""
        }

    def mask(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Which of a segment's rows may be found, of shape (n,)."""
        allowed = np.ones(rows.num_rows, bool)
        for name in ("source_system", "source_name", "resource_type", "source_type", "page_type"):
            if values := getattr(self, name):
                allowed &= _is_one_of(pc.utf8_lower(rows.column(name)), _lower(values))
        for name in ("source_id", "chunk_id"):
            if values := getattr(self, name):
                allowed &= _is_one_of(rows.column(name), pa.array(values, pa.string()))
        if self.title:
            found = pc.match_substring(rows.column("title"), self.title, ignore_case=True)
            allowed &= _booleans(found)
        if self.tag:
            allowed &= _has_one_of(rows.column("tags"), _lower(self.tag))
        if self.since is not None:
            allowed &= _booleans(
                pc.greater_equal(rows.column("fetched_utc"), pa.scalar(self.since, pa.timestamp("us")))
            )
        if self.until is not None:
            allowed &= _booleans(pc.less(rows.column("fetched_utc"), pa.scalar(self.until, pa.timestamp("us"))))
        return allowed


def _texts(name: str, value: object) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (value,)
    if not all(isinstance(text, str) for text in texts):
        raise QuestionError(f"the filter {name} is texts, and {value!r:.50} is something else")
    return texts


def _lower(values: Sequence[str]) -> pa.StringArray:
    # By the same function as the rows: languages of programs differ in what the small letter of some is.
    return pc.utf8_lower(pa.array(values, pa.string()))


def _is_one_of(column: pa.ChunkedArray, values: pa.StringArray) -> NDArray[np.bool_]:
    return _booleans(pc.is_in(column, values))


def _has_one_of(column: pa.ChunkedArray, values: pa.StringArray) -> NDArray[np.bool_]:
    """Of a column of lists, which rows have one of the values in theirs."""
    tags = column.combine_chunks()
    owners = pc.list_parent_indices(tags)
    found = _is_one_of(pa.chunked_array([pc.utf8_lower(pc.list_flatten(tags))]), values)
    mask = np.zeros(len(tags), bool)
    mask[np.asarray(owners)[found]] = True
    return mask


def _booleans(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(column, False))
