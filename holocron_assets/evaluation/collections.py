"""Collections of judged queries, as folders of files in the layout of BEIR. Pure, but for reading these files.

`queries.jsonl` has `_id` and `text`, `qrels.tsv` (or `qrels/test.tsv`) the columns query, document and score, with a
header line or without. A folder with a `corpus.jsonl` (`_id`, `title`, `text`) brings its documents; the judgements of
one without are of what the user's own store holds. https://github.com/beir-cellar/beir/wiki/Load-your-custom-dataset
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holocron_assets.errors import InputError

_CORPUS, _QUERIES, _JUDGEMENTS = "corpus.jsonl", "queries.jsonl", ("qrels.tsv", "qrels/test.tsv")
#: The longest name that the table of records takes for where a record is from.
_LONGEST_NAME = 100
_LONGEST_ID = 500
#: Grades are small numbers. Sums of much larger ones are no numbers any more.
_HIGHEST_SCORE = 1e6
#: A longer line is a mistake, and is not read into memory to find out.
_LONGEST_LINE = 64 * 1024 * 1024
#: What no database's text takes.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked."""

    query_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One of the documents that a collection brings."""

    document_id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Queries, and what is judged right for them: `judgements[query_id][document_id]`, relevant where above 0.

    `sha256` is of its files: collections of one name and another hash are not compared. `corpus` is the file with its
    `document_count` documents; without one the judgements name sources or chunks of a store.
    """

    name: str
    sha256: str
    queries: tuple[Query, ...]
    judgements: Mapping[str, Mapping[str, float]]
    corpus: Path | None
    document_count: int = 0

    @property
    def judged(self) -> list[Query]:
        """The queries for which something is relevant: nothing can be said of how well others are answered."""
        return [one for one in self.queries if any(gain > 0 for gain in self.judgements.get(one.query_id, {}).values())]


def collection_name(folder: Path) -> str:
    """What a collection is called by its folder: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:_LONGEST_NAME] or "collection"


def read_collection(folder: Path, name: str | None = None) -> Collection:
    """The collection in a folder, named as the folder is unless a name is given.

    Raises `InputError` that names file and line where it is malformed, and counts judgements of what is not there.
    """
    name = name or collection_name(folder)
    corpus = folder / _CORPUS
    has_corpus = corpus.is_file()
    judged_in = _judgements_file(folder)
    hashed = hashlib.sha256()
    documents = {one.document_id for one in read_documents(corpus, hashed.update)} if has_corpus else None
    hashed.update(b"\0queries\0")
    queries = tuple(_queries(folder / _QUERIES, hashed.update))
    hashed.update(b"\0judgements\0")
    judgements = _judgements(judged_in, {one.query_id for one in queries}, documents, hashed.update)
    collection = Collection(
        name=name,
        sha256=hashed.hexdigest(),
        queries=queries,
        judgements=judgements,
        corpus=corpus if has_corpus else None,
        document_count=len(documents or ()),
    )
    if not collection.judged:
        raise InputError(f"{judged_in} judges no document relevant to any query: no score is above 0")
    return collection


def read_documents(path: Path, seen_bytes: Callable[[bytes], object] = len) -> Iterator[Document]:
    """The documents of a `corpus.jsonl`, one at a time; `seen_bytes` is given every line."""
    known: set[str] = set()
    for place, row in _objects(path, seen_bytes):
        document_id = _new_id(place, row, known)
        title = _text(place, row, "title") if row.get("title") is not None else ""
        yield Document(document_id=document_id, title=title, text=_text(place, row, "text"))


def _queries(path: Path, seen_bytes: Callable[[bytes], object]) -> Iterator[Query]:
    known: set[str] = set()
    for place, row in _objects(path, seen_bytes):
        query = Query(query_id=_new_id(place, row, known), text=_text(place, row, "text"))
        if not query.text.strip():
            raise InputError(f"{place}: the query asks for nothing: its text is empty")
        yield query


def _judgements_file(folder: Path) -> Path:
    found = [folder / name for name in _JUDGEMENTS if (folder / name).is_file()]
    if len(found) > 1:
        raise InputError(f"{folder} has both {' and '.join(_JUDGEMENTS)}; leave the one that counts")
    if not found:
        raise InputError(f"{folder} is no collection: it has neither {' nor '.join(_JUDGEMENTS)}")
    return found[0]


def _judgements(
    path: Path, queries: set[str], documents: set[str] | None, seen_bytes: Callable[[bytes], object]
) -> dict[str, dict[str, float]]:
    judgements: dict[str, dict[str, float]] = {}
    unknown: dict[str, list[str]] = {"queries": [], "documents": []}
    for place, query_id, document_id, gain in _scores(path, queries, seen_bytes):
        if document_id in judgements.setdefault(query_id, {}):
            raise InputError(f"{place}: document {document_id!r:.100} is judged twice for query {query_id!r:.100}")
        judgements[query_id][document_id] = gain
        if query_id not in queries:
            unknown["queries"].append(f"{query_id!r:.100} at {place}")
        if documents is not None and document_id not in documents:
            unknown["documents"].append(f"{document_id!r:.100} at {place}")
    for what, named in unknown.items():
        if named:
            raise InputError(
                f"{path}: {len(named):,} judgements are of {what} that are not there, the first {named[0]}"
            )
    return judgements


def _scores(
    path: Path, queries: set[str], seen_bytes: Callable[[bytes], object]
) -> Iterator[tuple[str, str, str, float]]:
    """Each line's place, query, document and score. The first line is a header if it is of no query and no score."""
    for number, line in _lines(path, seen_bytes):
        place = f"{path}:{number}"
        fields = [field.strip() for field in line.rstrip("\r\n").split("\t")]
        if len(fields) != 3:
            raise InputError(f"{place}: {len(fields)} columns; query, document and score are needed, with tabs between")
        query_id, document_id, score = fields
        gain = _number(score)
        if gain is None and number == 1 and query_id not in queries:
            continue
        if gain is None:
            raise InputError(f"{place}: the score {score!r:.50} is no number")
        if abs(gain) > _HIGHEST_SCORE:
            raise InputError(
                f"{place}: the score {score!r:.50} is beyond {_HIGHEST_SCORE:,.0f}; grades are small numbers"
            )
        if not query_id or not document_id:
            raise InputError(f"{place}: the {'document' if query_id else 'query'} is empty")
        yield place, query_id, document_id, gain


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _objects(path: Path, seen_bytes: Callable[[bytes], object]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every JSON object of a file with one on each line, and the place of its line."""
    for number, line in _lines(path, seen_bytes):
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{place}: not JSON: {error.msg} at character {error.pos + 1} of the line") from error
        except (RecursionError, ValueError) as error:
            raise InputError(f"{place}: not JSON that can be read: {error}") from error
        if not isinstance(row, dict):
            raise InputError(f"{place}: not a JSON object")
        yield place, row


def _lines(path: Path, seen_bytes: Callable[[bytes], object]) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not empty, each with its number."""
    try:
        with path.open("rb") as lines:
            number = 0
            while line := lines.readline(_LONGEST_LINE):
                number += 1
                seen_bytes(line)
                if len(line) == _LONGEST_LINE:
                    raise InputError(f"{path}:{number}: the line is longer than {_LONGEST_LINE:,} bytes")
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise InputError(f"{path}:{number}: not UTF-8 at byte {error.start} of the line") from error
                if text.strip():
                    yield number, text
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _new_id(place: str, row: Mapping[str, Any], known: set[str]) -> str:
    found = row.get("_id")
    if not isinstance(found, str) or not found.strip():
        raise InputError(f"{place}: `_id` is missing or no text")
    if _UNSTORABLE.search(found) or len(found) > _LONGEST_ID:
        raise InputError(f"{place}: `_id` holds a character that no database stores, or more than {_LONGEST_ID}")
    if found in known:
        raise InputError(f"{place}: `_id` {found!r:.100} is that of an earlier line too")
    known.add(found)
    return found


def _text(place: str, row: Mapping[str, Any], field: str) -> str:
    found = row.get(field)
    if not isinstance(found, str):
        raise InputError(f"{place}: `{field}` is missing or no text")
    if wrong := _UNSTORABLE.search(found):
        raise InputError(f"{place}: `{field}` holds U+{ord(wrong[0]):04X}, which no database stores")
    return found
