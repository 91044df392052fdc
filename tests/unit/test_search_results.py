"""Results of searches that were written as JSON and are read again."""

import json
from typing import Any

import pytest

from holocron_assets.cli.output import print_json
from holocron_assets.errors import InputError
from holocron_assets.retrieval.hits import SearchResult
from holocron_assets.retrieval.results import parse_result
from tests.searching import a_result


def printed(result: SearchResult, capsys: pytest.CaptureFixture[str]) -> Any:
    print_json(result)
    return json.loads(capsys.readouterr().out)


def test_what_was_printed_is_read_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON of a search is the result again, with every type."""
    result = a_result(["one", "zwei ü"], filters={"title": "x"}, notes=("a note",))

    assert parse_result(json.dumps(printed(result, capsys)), "x") == result


def nested(depth: int) -> Any:
    return json.loads('{"a":[' * (depth // 2) + "]}" * (depth // 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("hits"), r"^found.json is no result of a search: hits: Field required"),
        (lambda content: content["hits"][0].pop("chunk_id"), r"hits.0.chunk_id: Field required"),
        (
            lambda content: content["hits"][0].update(text="two"),
            r"hit 1 \(1993a3c633cf\): its text is not what its content",
        ),
        (lambda content: content["hits"][0].update(rank=2), r"hit 1 .*: its rank is 2"),
        (lambda content: content["hits"][0].update(start_offset=-1), r"hit 1 .*: no text stands from -1 to"),
        (lambda content: content["hits"][0]["scores"].update(bm25="inf"), r"hit 1 .*: a score is no finite number"),
        (lambda content: content["hits"][0].update(source_ref=nested(70)), r"nested deeper than 64 levels"),
        (lambda content: content["hits"][0]["scores"].update(rrf=None), r"hit 1 .* has no score 'rrf'"),
        (lambda content: content.update(ranked_by="__class__"), r"no score '__class__'"),
        (lambda content: content.update(embedding_space_id="x"), r"embedding_space_id: "),
        (lambda content: content["method"].update(mode="guess"), r"method.mode: Input should be 'vector'"),
    ],
)
def test_a_damaged_result_is_refused(change: Any, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing, or does not belong together, is named."""
    content = printed(a_result(["one"]), capsys)
    change(content)

    with pytest.raises(InputError, match=message):
        parse_result(json.dumps(content), "found.json")


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"query": NaN}', '{"query": "\\ud800"}', b"\xff\xfe"])
def test_garbage_is_refused(text: str | bytes) -> None:
    """What is no JSON, or JSON of something else, is refused with the command that writes what is wanted."""
    with pytest.raises(InputError, match="holocron search QUERY --json"):
        parse_result(text, "found.json")
