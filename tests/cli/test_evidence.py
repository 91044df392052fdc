"""`holocron evidence`, as a user types it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from holocron_assets.cli import FAILED, MISUSED, main
from holocron_assets.identity import text_sha256
from tests.cli.test_commands import filled, folder, holocron, parsed
from tests.llm_tables import RUN_ID, create_llm_tables
from tests.world import World, page_row

__all__ = ["filled", "folder"]

QUERY = "facts about miners' lamps"


def test_a_search_becomes_a_bundle(filled: World) -> None:
    """The passages that a search finds, in its order, and what people are told of them."""
    hits = parsed("search", QUERY, "-k", "3")["hits"]

    bundle = parsed("evidence", QUERY, "-k", "3")

    assert [item["content"] for item in bundle["items"]] == [hit["text"] for hit in hits]
    assert [item["content_sha256"] for item in bundle["items"]] == [hit["content_sha256"] for hit in hits]
    assert bundle["items"][0]["source_ref"]["source_ref"] == hits[0]["source_ref"]
    said = holocron("evidence", QUERY, "-k", "3").output
    assert "1. Lamps  rrf 0." in said
    assert f"Bundle {bundle['bundle_id']}: 3 passages, {bundle['summary']['total_bytes']:,} bytes, about" in said


def test_a_search_that_was_made_is_the_same_bundle(filled: World, folder: Path) -> None:
    """From the JSON of a search, in a file or on standard input, comes what the search itself gives."""
    found = holocron("search", QUERY, "-k", "10", "--json").stdout
    (folder / "found.json").write_text(found)

    expected = parsed("evidence", QUERY)

    assert parsed("evidence", "--from", "found.json") == expected
    piped = CliRunner().invoke(main, ["evidence", "--from", "-", "--json"], input=found)
    assert json.loads(piped.stdout) == expected


def test_a_bundle_says_which_retrieval_it_came_from(filled: World, folder: Path) -> None:
    """Where its search was logged, by an option or by the settings, or where `--from` names one that was."""
    unlogged, logged = parsed("evidence", QUERY), parsed("evidence", QUERY, "--log")
    found = parsed("search", QUERY, "-k", "10", "--log", "--export", "found.json")
    made = parsed("evidence", "--from", "found.json")
    with (folder / "holocron.yaml").open("a") as file:
        file.write("search: {log: true}\n")
    by_settings, quiet = parsed("evidence", QUERY), parsed("evidence", QUERY, "--no-log")

    ids = [retrieval_of(one) for one in (unlogged, logged, made, by_settings, quiet)]
    assert ids[0] is ids[4] is None
    assert ids[2] == found["retrieval_id"]
    rows = filled.rows("select retrieval_id, query_text, top_k from vector.retrieval order by created_utc")
    assert [(str(one), query, top_k) for one, query, top_k in rows] == [(one, QUERY, 10) for one in ids[1:4]]
    hits = filled.rows(f"select chunk_id from vector.retrieval_hit where retrieval_id = '{ids[1]}' order by rank")
    assert [chunk_id for (chunk_id,) in hits] == [item["source_ref"]["chunk_id"] for item in logged["items"]]


def retrieval_of(bundle: Any) -> str | None:
    """The one id that summary and items name."""
    summary: str | None = bundle["summary"]["retrieval"]["retrieval_id"]
    assert {item["source_ref"]["retrieval_id"] for item in bundle["items"]} == {summary}
    return summary


def test_selectors_lead_to_the_text(filled: World) -> None:
    """The offsets of an item cut its content out of the text of its source."""
    texts = filled.texts()

    for item in parsed("evidence", QUERY, "--max-item-bytes", "200")["items"]:
        text = texts[item["source_ref"]["source_id"]]
        assert item["metadata"]["bounding"]["applied"]
        assert text[item["selector_json"]["start_offset"] : item["selector_json"]["end_offset"]] == item["content"]


def test_limits_come_from_the_settings_and_from_options(filled: World, folder: Path) -> None:
    """Options beat the settings, and what is left out is said."""
    with (folder / "holocron.yaml").open("a") as file:
        file.write("evidence: {max_items: 2, max_item_bytes: 300}\n")

    assert parsed("evidence", QUERY)["policy"]["max_item_bytes"] == 300
    bundle = parsed("evidence", QUERY, "--max-items", "1")
    assert len(bundle["items"]) == bundle["policy"]["max_items"] == 1
    output = holocron("evidence", QUERY, "--max-items", "1").output
    assert "300 bytes, cut" in output
    assert "; 3 left out by the limits." in output


def test_redaction_is_asked_for(filled: World, folder: Path) -> None:
    """By an option or by the settings, and an option can also say no."""
    filled.add(page_row("Mail", 3, "Write about the miners' lamps to keeper@mail.example today. " * 5))
    filled.run()
    with filled.store.session():
        pass

    assert "keeper@mail.example" in holocron("evidence", QUERY, "--json").stdout
    redacted = holocron("evidence", QUERY, "--redact", "--json").stdout
    assert "keeper@mail.example" not in redacted
    assert "[EMAIL_REDACTED]" in redacted
    assert "5 redactions" in holocron("evidence", QUERY, "--redact").output
    with (folder / "holocron.yaml").open("a") as file:
        file.write("evidence: {redact: true}\n")
    assert "keeper@mail.example" not in holocron("evidence", QUERY, "--json").stdout
    assert "keeper@mail.example" in holocron("evidence", QUERY, "--no-redact", "--json").stdout


def test_a_bundle_is_written_to_a_file(filled: World, folder: Path) -> None:
    """The file holds canonical JSON, replaces the one that was there, and leaves nothing beside it."""
    out = folder / "evidence.json"
    out.write_text("old")

    result = holocron("evidence", QUERY, "--out", str(out))

    assert f"Written to {out}." in result.output
    assert json.loads(out.read_text()) == parsed("evidence", QUERY)
    assert text_sha256(out.read_text()) == text_sha256(json.dumps(
        json.loads(out.read_text()), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ) + "\n")  # fmt: skip
    assert [path.name for path in folder.glob(".evidence*")] == []


def test_a_file_that_cannot_be_written_is_named(filled: World, folder: Path) -> None:
    """A folder that is not there is wrong usage."""
    result = holocron("evidence", QUERY, "--out", "nowhere/evidence.json")

    assert result.exit_code == MISUSED
    assert "cannot write nowhere/evidence.json: No such file or directory" in result.output


def test_a_pipe_is_written_to_and_not_replaced(filled: World) -> None:
    """What is no file stays what it is."""
    assert holocron("evidence", QUERY, "--out", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()


def test_a_bundle_is_written_to_the_runtime(filled: World) -> None:
    """`--write` adds rows once, and `--run-id` attaches them."""
    create_llm_tables(filled)

    first = holocron("evidence", QUERY, "--write")
    again = holocron("evidence", QUERY, "--write", "--run-id", str(RUN_ID))

    assert "Written to llm.evidence_bundle." in first.output, first.output
    assert "llm.evidence_bundle had it already." in again.output
    ((bundle_id,),) = filled.rows("select bundle_id from llm.run_evidence")
    assert str(bundle_id) == parsed("evidence", QUERY)["bundle_id"]


def test_without_the_runtime_nothing_is_written(filled: World, folder: Path) -> None:
    """Where the tables are missing the command says so and fails, and writes no file either."""
    result = holocron("evidence", QUERY, "--write", "--out", "evidence.json")

    assert result.exit_code == FAILED
    assert "lacks llm.evidence_bundle, llm.evidence_item, or this user may not see it." in result.output
    assert not (folder / "evidence.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Say either QUERY or --from"),
        (["q", "--from", "found.json"], "say one of them"),
        ([" "], "it is empty; ask for something"),
        (["--from", "found.json", "-k", "3"], "--from is one that was made"),
        (["--from", "found.json", "--space", "x"], "--from is one that was made"),
        (["--from", "found.json", "--no-log"], "--from is one that was made"),
        (["--from", "nowhere.json"], "No such file or directory"),
        (["q", "--run-id", str(RUN_ID)], "say --write too"),
        (["q", "--write", "--run-id", "x"], "not a valid UUID"),
        (["q", "--max-items", "0"], "max_items is 0, and must be at least 1"),
        (["q", "--max-total-bytes", "5000"], "max_item_bytes is 10000, and must not exceed max_total_bytes"),
        (["q", "--max-items", "x"], "not a valid integer"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], message: str, folder: Path) -> None:
    """Wrong usage is told before anything is opened."""
    (folder / "found.json").write_text("{}")

    result = holocron("evidence", *arguments)

    assert result.exit_code == MISUSED
    assert message in result.output


def test_a_file_of_something_else_is_refused(folder: Path) -> None:
    """Exit code 1, and how to make the right one."""
    (folder / "found.json").write_text("{}")

    result = holocron("evidence", "--from", "found.json")

    assert result.exit_code == FAILED
    assert "found.json is no result of a search: query: Field required" in result.output
