"""Collections of judged queries: what their files may look like, and what is said of those that are malformed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from holocron_assets.errors import InputError
from holocron_assets.evaluation.collections import Query, read_collection, read_documents

CORPUS = [
    {"_id": "d1", "title": "Tides", "text": "The sea leaves."},
    {"_id": "d2", "title": "", "text": ""},
]
QUERIES = [{"_id": "q1", "text": "when does the sea leave?"}, {"_id": "q2", "text": "who mended the clock?"}]
JUDGEMENTS = "q1\td1\t2\nq1\td2\t0\n"


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def folder(
    tmp_path: Path, corpus: str | None = lines(*CORPUS), queries: str = lines(*QUERIES), judged: str = JUDGEMENTS
) -> Path:
    path = tmp_path / "Sea Tests"
    path.mkdir(exist_ok=True)
    files = {"corpus.jsonl": corpus, "queries.jsonl": queries, "qrels.tsv": judged}
    for name, content in files.items():
        if content is not None:
            (path / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as refused:
        read_collection(path)
    return str(refused.value)


def test_a_folder_is_a_collection(tmp_path: Path) -> None:
    """Queries, judgements and documents are read, and the collection is called as its folder."""
    found = read_collection(folder(tmp_path))

    assert (found.name, found.judgements) == ("sea-tests", {"q1": {"d1": 2.0, "d2": 0.0}})
    assert found.queries[0] == Query(query_id="q1", text="when does the sea leave?")
    assert found.corpus
    assert [one.title for one in read_documents(found.corpus)] == ["Tides", ""]


def test_queries_that_nothing_is_relevant_for_are_not_judged(tmp_path: Path) -> None:
    """BEIR keeps the queries of all its splits in one file; only those count whose answer is known."""
    assert [one.query_id for one in read_collection(folder(tmp_path)).judged] == ["q1"]


@pytest.mark.parametrize("header", ["", "query-id\tcorpus-id\tscore\n", "\ufeffquery-id\tcorpus-id\tscore\r\n"])
@pytest.mark.parametrize("place", ["qrels.tsv", "qrels/test.tsv"])
def test_judgements_lie_in_both_usual_places(tmp_path: Path, header: str, place: str) -> None:
    """With a header line or without, beside the queries or in a folder of their own."""
    path = folder(tmp_path)
    (path / "qrels.tsv").unlink()
    (path / place).parent.mkdir(exist_ok=True)
    (path / place).write_bytes((header + JUDGEMENTS).encode())

    assert read_collection(path).judgements == {"q1": {"d1": 2.0, "d2": 0.0}}


def test_without_documents_judgements_name_what_a_store_holds(tmp_path: Path) -> None:
    """A folder without a corpus is read, whatever its judgements name."""
    found = read_collection(folder(tmp_path, corpus=None, judged="q1\tmediawiki:wiki:page/1\t1\n"))

    assert found.corpus is None
    assert found.judgements == {"q1": {"mediawiki:wiki:page/1": 1.0}}


@pytest.mark.parametrize("changed", ["corpus.jsonl", "queries.jsonl", "qrels.tsv"])
def test_the_hash_is_of_every_file(tmp_path: Path, changed: str) -> None:
    """Collections of one name are told apart by whatever differs, and are the same while nothing does."""
    path = folder(tmp_path)
    before = read_collection(path).sha256

    assert read_collection(path).sha256 == before
    (path / changed).write_text((path / changed).read_text() + "\n")
    assert read_collection(path).sha256 != before


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"corpus": lines(CORPUS[0]) + "{oops\n"}, "corpus.jsonl:2: not JSON: Expecting property name"),
        ({"corpus": lines(CORPUS[0], ["d2"])}, "corpus.jsonl:2: not a JSON object"),
        ({"corpus": "[" * 100_000 + "\n"}, "corpus.jsonl:1: not JSON that can be read"),
        ({"corpus": lines({"title": "no id", "text": ""})}, "corpus.jsonl:1: `_id` is missing"),
        ({"corpus": lines({"_id": 7, "text": ""})}, "corpus.jsonl:1: `_id` is missing or no text"),
        ({"corpus": lines({"_id": "d1", "title": "no text"})}, "corpus.jsonl:1: `text` is missing"),
        ({"corpus": lines({"_id": "d1", "title": 1, "text": ""})}, "corpus.jsonl:1: `title` is missing or no text"),
        ({"corpus": lines(CORPUS[0], CORPUS[1], CORPUS[0])}, "corpus.jsonl:3: `_id` 'd1' is that of an earlier line"),
        ({"corpus": lines({"_id": "d1", "text": "a\0b"})}, "corpus.jsonl:1: `text` holds U+0000"),
        ({"corpus": lines({"_id": "d1", "text": "\ud800"})}, "corpus.jsonl:1: `text` holds U+D800"),
        ({"corpus": '{"_id": "d1", "text": "\ud800"}\n'}, "corpus.jsonl:1: not UTF-8 at byte"),
        ({"corpus": lines({"_id": "d\0", "text": ""})}, "corpus.jsonl:1: `_id` holds a character"),
        ({"corpus": lines({"_id": "d" * 501, "text": ""})}, "corpus.jsonl:1: `_id` holds a character"),
        ({"queries": lines(QUERIES[0], {"_id": "q2"})}, "queries.jsonl:2: `text` is missing"),
        ({"queries": lines({"_id": "q1", "text": " "})}, "queries.jsonl:1: the query asks for nothing"),
        ({"queries": lines(QUERIES[0], QUERIES[0])}, "queries.jsonl:2: `_id` 'q1' is that of an earlier line"),
        ({"judged": "q1\td1\t1\nq1\td2\tvery\n"}, "qrels.tsv:2: the score 'very' is no number"),
        ({"judged": "q1\td1\t1\nq1\td2\tnan\n"}, "qrels.tsv:2: the score 'nan' is no number"),
        ({"judged": "q1\td1\t1\nq1\td2\t1e308\n"}, "qrels.tsv:2: the score '1e308' is beyond 1,000,000"),
        ({"judged": "q1\td1\tx\nq1\td2\t1\n"}, "qrels.tsv:1: the score 'x' is no number"),
        ({"judged": "q1\td1\tnan\nq1\td2\t1\n"}, "qrels.tsv:1: the score 'nan' is no number"),
        ({"judged": "q1\td1\t-2e6\n"}, "qrels.tsv:1: the score '-2e6' is beyond 1,000,000"),
        ({"judged": "q1\td1\t1\nq1 d2 1\n"}, "qrels.tsv:2: 1 columns"),
        ({"judged": "q1\t0\td1\t1\n"}, "qrels.tsv:1: 4 columns"),
        ({"judged": "q1\td1\t1\nq1\td1\t2\n"}, "qrels.tsv:2: document 'd1' is judged twice for query 'q1'"),
        ({"judged": "q1\td1\t1\n\td1\t2\n"}, "qrels.tsv:2: the query is empty"),
        ({"judged": "q1\td1\t1\nq1\td8\t1\nq1\td9\t1\n"}, "2 judgements are of documents that are not there"),
        ({"judged": "q1\td1\t1\nq8\td1\t1\n"}, "1 judgements are of queries that are not there, the first 'q8' at"),
        ({"judged": "q1\td1\t0\n"}, "judges no document relevant to any query"),
        ({"judged": ""}, "judges no document relevant to any query"),
    ],
)
def test_what_is_malformed_is_named_by_its_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    """A collection that is wrong anywhere is refused, and the message says in which file and line."""
    assert message in refusal(folder(tmp_path, **files))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """A folder that is no collection is told from one that is malformed."""
    assert "is no collection: it has neither qrels.tsv nor" in refusal(tmp_path)
    (tmp_path / "qrels.tsv").write_text(JUDGEMENTS)
    assert "cannot read" in refusal(tmp_path)


def test_two_places_for_judgements_are_one_too_many(tmp_path: Path) -> None:
    """Where both usual files are there, nobody can tell which of them counts."""
    path = folder(tmp_path)
    (path / "qrels").mkdir()
    (path / "qrels" / "test.tsv").write_text(JUDGEMENTS)

    assert "has both" in refusal(path)


@given(content=some.binary(max_size=200), name=some.sampled_from(["corpus.jsonl", "queries.jsonl", "qrels.tsv"]))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    """Whatever a file holds, it is a collection or an error that names the file."""
    path = folder(tmp_path_factory.mktemp("any"))
    (path / name).write_bytes(content)
    said = str(path)
    try:
        read_collection(path)
    except InputError as error:
        said = str(error)

    assert str(path) in said
