"""What an address of the search page asks. Read strictly: nobody would notice that a misspelt filter was dropped."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl

from holocron_assets.errors import InputError
from holocron_assets.promotion import DEFAULT
from holocron_assets.retrieval.filters import Filters
from holocron_assets.retrieval.hits import Fusion, Method, Mode
from holocron_assets.search import Question

#: The parameters that may be given several times; the others once.
REPEATED = (
    "source_system",
    "source_name",
    "resource_type",
    "source_type",
    "page_type",
    "tag",
    "source_id",
    "chunk_id",
)
FILTERS = (*REPEATED, "title", "since", "until")
RANKING = ("space", "alias", "mode", "fusion", "vector_weight")
#: How the other side of a comparison ranks, where it differs.
OTHER = tuple(f"other_{name}" for name in RANKING)
_SEARCH = ("q", *RANKING, "top_k", "min_score", *FILTERS)
#: The parameters of each address.
PARAMETERS = {
    "/": _SEARCH,
    "/compare": (*_SEARCH, *OTHER),
    "/context": ("space", "source", "chunk", "q"),
    "/lineage": ("chunk",),
    "/api/search": _SEARCH,
}
MOST_HITS = 1000
_TOP_K = 10

#: The parameters of an address that say something, by name.
Given = Mapping[str, Sequence[str]]
Value = TypeVar("Value")
Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, and the space that it is asked of, by its name or else by an alias."""

    question: Question
    space: str | None
    alias: str


def given_of(items: Iterable[tuple[str, str]]) -> Given:
    """The parameters with a value: a form sends its empty fields too."""
    given: dict[str, list[str]] = {}
    for name, value in items:
        if value.strip():
            given.setdefault(name, []).append(value)
    return given


def read_query(query: bytes, known: Sequence[str]) -> Given:
    """What stands after an address's question mark; raises `InputError` where that is no UTF-8, or not `known`."""
    try:
        items = parse_qsl(query.decode(), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise InputError("the address is no valid UTF-8; was it written in another encoding?") from error
    if unknown := sorted({name for name, _ in items} - set(known)):
        raise InputError(f"nothing is called {unknown[0][:80]!r} here; there are: {', '.join(known)}")
    return given_of(items)


def asked(given: Given) -> Asked:
    """What is to be searched; raises `InputError` for anything that is not understood."""
    return _asked(given, given)


def compared(given: Given) -> tuple[Asked, Asked]:
    """The same question, ranked in two ways; raises as `asked`."""
    ranked = {name: given[f"other_{name}"] for name in RANKING if f"other_{name}" in given}
    # A space that is named counts more than an alias: the one side's name must not hide the other's alias.
    left = {"space"} if "alias" in ranked else set()
    if ranked.get("mode") in ([Mode.VECTOR], [Mode.LEXICAL]):
        # Nor is how the one side fuses meant for another that does not.
        left |= {"fusion", "vector_weight"}
    kept = {name: values for name, values in given.items() if name not in left}
    return _asked(given, given), _asked(given, kept | ranked)


def the_one(given: Given, name: str) -> str:
    """The value of a parameter that must be there; raises `InputError`."""
    value = _one(given, name, str, "")
    if not value:
        raise InputError(f"{name} is missing: follow a link of a search")
    return value


def _asked(given: Given, ranking: Given) -> Asked:
    top_k = _one(given, "top_k", int, _TOP_K)
    if not 1 <= top_k <= MOST_HITS:
        raise InputError(f"top_k: {top_k} hits cannot be shown; ask for 1 to {MOST_HITS:,}")
    repeated = {name: tuple(given.get(name, ())) for name in REPEATED}
    return Asked(
        question=Question(
            query=_one(given, "q", str, ""),
            method=Method.asked(
                _one(ranking, "mode", _choice(Mode), None),
                _one(ranking, "fusion", _choice(Fusion), None),
                _one(ranking, "vector_weight", _number, None),
            ),
            top_k=top_k,
            min_score=_one(given, "min_score", _number, None),
            filters=Filters(
                **repeated,
                title=_one(given, "title", str, None),
                since=_one(given, "since", _time, None),
                until=_one(given, "until", _time, None),
            ),
        ),
        space=_one(ranking, "space", str, None),
        alias=_one(ranking, "alias", str, DEFAULT),
    )


def _one(given: Given, name: str, read: Callable[[str], Value], otherwise: Value) -> Value:
    values = given.get(name, ())
    if not values:
        return otherwise
    if len(values) > 1:
        raise InputError(f"{name} is given {len(values)} times; once is enough")
    try:
        return read(values[0])
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name} cannot be {values[0][:80]!r}: {_EXPECTED.get(name, error)}") from error


def _choice(kind: type[Choice]) -> Callable[[str], Choice]:
    def read(text: str) -> Choice:
        try:
            return kind(text)
        except ValueError as error:
            raise ValueError(f"it is one of {', '.join(kind)}") from error

    return read


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _time(text: str) -> datetime:
    """A time as it is written everywhere; without a zone it is UTC."""
    time = datetime.fromisoformat(text.strip())
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)


_EXPECTED = {
    "top_k": "it is a whole number",
    "vector_weight": "it is a number from 0 to 1",
    "min_score": "it is a number",
    "since": "it is a time such as 2026-01-31T12:00",
    "until": "it is a time such as 2026-01-31T12:00",
}
