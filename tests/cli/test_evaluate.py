"""`holocron evaluate`, as a user types it."""

from pathlib import Path

import pytest

from holocron_assets.evaluation.corpora import FOLDER
from tests.cli.test_commands import filled, folder, holocron, parsed
from tests.stages.test_evaluate import collection, page
from tests.world import World, page_row, prose

__all__ = ["filled", "folder"]


@pytest.fixture
def judged(filled: World, folder: Path) -> str:
    """A folder of queries for the two pages, and one more for what is not there."""
    collection(folder / "ours", {"tides": {page(1): 1}, "miners' lamps": {page(2): 2}, "bells": {page(3): 1}})
    return "ours"


def test_evaluate_says_what_was_found(judged: str) -> None:
    """A table of metrics by method, the method to use, and how much of the collection is of something else."""
    shown = holocron("evaluate", judged)
    (report,) = parsed("evaluate", judged)

    assert shown.exit_code == 0
    assert "ngram-" in shown.output
    assert "on ours: 2 queries" in shown.output
    assert "nDCG@10" in shown.output
    assert "lexical *" in shown.output
    assert "1 query was not asked" in shown.output
    assert "1 judgement is of what" in shown.output
    assert not [line for line in shown.output.splitlines() if line != line.rstrip()]
    assert (report["winner"], report["collection"]) == ("lexical", "ours")
    (evaluation,) = [one for one in report["evaluations"] if one["method"] == "lexical"]
    assert (evaluation["query_count"], evaluation["unknown_count"], evaluation["is_new"]) == (2, 1, False)
    assert evaluation["metrics"]["recall_at_100"] == 1.0


def test_a_significant_loss_ends_with_one(filled: World, folder: Path) -> None:
    """Scripts learn of it by the exit code, people by the word."""
    filled.add(*[page_row(f"P{n}", n, prose(f"{chr(94 + n) * 5} matters", 800)) for n in range(3, 13)])
    filled.run()
    collection(folder / "ours", {f"{chr(94 + n) * 5} matters": {page(n): 1} for n in range(3, 13)})
    before = holocron("evaluate", "ours")
    for n in range(3, 13):
        text = prose(f"{chr(95 + n) * 5} matters", 800)
        filled.add(page_row(f"P{n}", n, text, revision=2, fetched_at=filled.next_day()))
    filled.extract()
    filled.chunk(allow_mass_change=True)
    filled.embed()

    after = holocron("evaluate", "ours")

    assert (before.exit_code, after.exit_code) == (0, 1)
    assert "worse" in after.output


def test_evaluate_needs_a_collection(filled: World, folder: Path) -> None:
    """Without judged queries of what is there, the message says what to name; a typing error is told as such."""
    nothing = holocron("evaluate")
    sample = holocron("evaluate", "sample")
    elsewhere = holocron("evaluate", "nowhere")
    method = holocron("evaluate", "sample", "--method", "magic")

    assert (nothing.exit_code, sample.exit_code, elsewhere.exit_code, method.exit_code) == (2, 1, 1, 2)
    assert "evaluation.collections" in nothing.output
    assert "this store has no relevant one" in sample.output
    assert "nowhere is no collection" in elsewhere.output
    assert "'magic' is no way of ranking" in method.output


def test_a_collection_with_documents_leaves_the_store_alone(filled: World, folder: Path) -> None:
    """Its documents are embedded into a file of their own, which is kept."""
    collection(folder / "Corpus", {"lamps": {"d1": 1}}, {"d1": prose("lamps"), "d2": prose("tides")})

    (report,) = parsed("evaluate", "Corpus", "--method", "vector", "--space", "ngram")

    assert report["evaluations"][0]["judged"] == "corpus"
    assert len(list((folder / FOLDER).glob("corpus-*.duckdb"))) == 1
    assert filled.rows("select count(*) from ingest.IngestRecords") == [(2,)]
