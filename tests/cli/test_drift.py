"""`holocron drift`, as a user types it."""

import json
import shlex
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import html

from holocron_assets.cli import FAILED, MISUSED
from holocron_assets.composition import InstalledProviders
from holocron_assets.records import EmbeddingSpace
from holocron_assets.registry import list_states
from holocron_assets.settings import load_settings
from holocron_assets.spaces import space_of
from resources.providers import open_provider
from resources.stores import open_store
from tests.cli.test_commands import folder, holocron, parsed
from tests.conftest import Templates
from tests.moving import Moving
from tests.stages.test_comparisons import LATER, notes
from tests.world import World

__all__ = ["folder"]

PAGES = Path(".holocron/drift")


@pytest.fixture
def filled(folder: Path, templates: Templates) -> World:
    """Notes of two months on one thing, everything up to date."""
    settings = load_settings()
    world = World(store=open_store(settings, wait_seconds=5), settings=settings, providers=InstalledProviders(settings))

    def fill() -> None:
        world.store.migrate()
        all_notes = notes("the sea", 120)
        world.add(*all_notes[::2], *(one | {"fetched_at_utc": LATER.isoformat()} for one in all_notes[1::2]))
        world.run()

    templates.fill(settings, "notes of the sea for commands", fill)
    return world


@pytest.fixture
def narrow(filled: World) -> EmbeddingSpace:
    """A second space, of half the dimensions."""
    other = Moving(inner=open_provider("hashing", "ngram", {"dimensions": 32}))
    filled.embed(other)
    return space_of(other.describe())


def slug(world: World) -> str:
    """Of the space that searches use."""
    return list_states(world.store)[0].space.slug


def erupt(world: World, count: int = 60) -> None:
    """Texts of another kind come, a month later."""
    world.add(*notes("a volcano", count, fetched_at=LATER + timedelta(days=30)))
    world.run()


def test_contents_are_compared(filled: World) -> None:
    """By default with what was there before the last week: sides, a verdict with its reason, figures, and the page."""
    shown = holocron("drift", "compare")
    report = parsed("drift", "compare")

    assert shown.exit_code == 0
    assert f"The content of {slug(filled)}" in shown.output
    assert "fetched before 2026-01-24 00:00: 60 documents" in shown.output
    assert "content: ok" in shown.output
    assert "a report of this size can tell" in shown.output
    assert all(name in shown.output for name in ("mean_shift", "occupancy", "classifier"))
    assert (report["kind"], report["verdict"], report["space"]) == ("content", "ok", slug(filled))
    assert report["judgements"][0]["subject"] == "content"
    assert {"name", "effect", "floor", "p_adjusted", "verdict"} <= set(report["metrics"][0])
    assert "pictures" not in report
    assert Path(report["page"]).is_relative_to(PAGES.resolve())
    assert report["report_id"] in Path(report["page"]).read_text()


@pytest.mark.parametrize("asked", [(), ("--reference", "spring-2026")])
def test_a_page_says_how_it_is_made_again(filled: World, asked: Sequence[str]) -> None:
    """The command on it gives the same figures, whatever came since."""
    holocron("drift", "snapshot", "spring-2026")
    filled.add(*notes("the sea", 30, fetched_at=LATER + timedelta(days=1)))
    filled.run()
    report = parsed("drift", "compare", *asked)
    (made_by,) = html.parse(report["page"]).xpath(
        "//dt[.='Command']/following-sibling::dd[1]//text()[normalize-space()]"
    )
    filled.add(*notes("a volcano", 30, fetched_at=LATER + timedelta(days=30)))
    filled.run()

    again = parsed(*shlex.split(made_by)[1:])

    assert again["metrics"] == report["metrics"]
    assert again["report_id"] != report["report_id"]


def test_an_alert_ends_with_one(filled: World) -> None:
    """Scripts learn of it by the exit code; it is kept and shown all the same, and showing it is no failure."""
    erupt(filled)

    alert, as_json = holocron("drift", "compare"), holocron("drift", "compare", "--json")

    assert (alert.exit_code, as_json.exit_code) == (FAILED, FAILED)
    assert "content: alert" in alert.output
    assert "volcano" in alert.output
    assert "holocron drift snapshot NAME" in alert.output
    kept = json.loads(as_json.stdout)
    assert kept["verdict"] == "alert"
    again = parsed("drift", "show", kept["report_id"][:8])
    assert again["judgements"] == kept["judgements"]
    assert again["metrics"] == kept["metrics"]


def test_a_snapshot_is_what_is_compared_with(filled: World) -> None:
    """It is taken once under a name, and compared with what came since; nothing is nothing."""
    taken = parsed("drift", "snapshot", "spring-2026")
    nothing = holocron("drift", "compare", "--reference", "spring-2026")
    erupt(filled, 40)
    since = holocron("drift", "compare", "--reference", "spring-2026")

    assert (taken["name"], taken["document_count"], taken["chunk_count"]) == ("spring-2026", 120, 120)
    assert nothing.exit_code == 0
    assert "Nothing came" in nothing.output
    assert since.exit_code == FAILED
    assert "snapshot spring-2026: 120 documents, 120 chunks" in since.output
    assert "not in snapshot spring-2026: 40 documents, 40 chunks" in since.output
    taken_again = holocron("drift", "snapshot", "spring-2026")
    assert (taken_again.exit_code, "it stays what it is" in taken_again.output) == (MISUSED, True)
    assert "keeps 160 chunks of 160 documents" in holocron("drift", "snapshot", "summer").output


@pytest.mark.parametrize("name", ["", "../up", "a b", "x" * 101, "-x", "é", "a\nb", "<b>", "'; drop table x; --"])
def test_hostile_names_are_refused(filled: World, name: str) -> None:
    """A snapshot is named by letters, digits, dots, - and _; anything else takes none."""
    result = holocron("drift", "snapshot", "--", name)

    assert result.exit_code == MISUSED
    assert "cannot name a snapshot" in result.output
    assert parsed("drift", "list")["snapshots"] == []


def test_a_time_is_where_the_windows_part(filled: World) -> None:
    """`--since` says where; a window with too few documents is refused with how many are needed."""
    report = parsed("drift", "compare", "--since", "2026-01-15")
    too_few = holocron("drift", "compare", "--since", "2026-03-01")

    assert report["parameters"]["split"] == "2026-01-15T00:00:00"
    assert (report["reference"]["documents"], report["current"]["documents"]) == (60, 60)
    assert too_few.exit_code == FAILED
    assert "at least 20 are needed" in too_few.output
    assert holocron("drift", "compare", "--since", "yesterday").exit_code == MISUSED


def test_a_model_is_asked_again(filled: World) -> None:
    """`--model` embeds the anchors again, and says what kind of change it found."""
    shown, report = holocron("drift", "compare", "--model"), parsed("drift", "compare", "--model")

    assert shown.exit_code == 0
    assert f"The model of {slug(filled)}" in shown.output
    assert "answers of now: 64 anchors" in shown.output
    assert "every answer is the same, bit by bit" in shown.output
    assert report["parameters"]["change"] == "identical"
    assert report["kind"] == "model"


def test_two_spaces_are_compared(filled: World, narrow: EmbeddingSpace) -> None:
    """`--with` names the other space; a difference is a verdict and no failure, and one space twice is refused."""
    shown = holocron("drift", "compare", "--with", narrow.slug)
    report = json.loads(holocron("drift", "compare", "--with", narrow.slug, "--json").stdout)

    assert shown.exit_code == 0
    assert report["verdict"] in {"watch", "alert"}
    assert f"{slug(filled)} compared with {narrow.slug}" in shown.output
    assert "neighbour_loss" in shown.output
    assert (report["space"], report["other_space"]) == (slug(filled), narrow.slug)
    assert {"bridge_recall", "cka", "vector_bytes"} <= {one["name"] for one in report["metrics"]}
    as_of = holocron("drift", "compare", "--with", narrow.slug, "--as-of", report["parameters"]["as_of"], "--json")
    again = json.loads(as_of.stdout)
    assert again["parameters"]["as_of"] == report["parameters"]["as_of"]
    reason = "ndcg_loss:any collection is missing: neither space was evaluated by vectors yet: `holocron evaluate`"
    assert reason in shown.output
    assert reason in holocron("drift", "show", report["report_id"]).output
    itself = holocron("drift", "compare", "--space", narrow.slug, "--with", narrow.slug)
    assert (itself.exit_code, "cannot be compared with itself" in itself.output) == (MISUSED, True)


def test_reports_and_snapshots_are_listed(filled: World) -> None:
    """What is kept is listed; where there is nothing yet, the list says what makes it."""
    empty = holocron("drift", "list")
    parsed("drift", "snapshot", "first")
    ids = [parsed("drift", "compare", *option)["report_id"] for option in ((), ("--model",))]

    shown, found = holocron("drift", "list").output, parsed("drift", "list")

    assert empty.exit_code == 0
    assert "`holocron drift snapshot NAME`" in empty.output
    assert "`holocron drift compare`" in empty.output
    assert [one["name"] for one in found["snapshots"]] == ["first"]
    assert [one["report_id"] for one in found["reports"]] == ids[::-1]
    assert [one["kind"] for one in found["reports"]] == ["model", "content"]
    assert all(word in shown for word in ("first", "120", ids[0][:8], ids[1][:8], "content", "model", slug(filled)))


def test_a_report_is_shown_and_written_again(filled: World, tmp_path: Path) -> None:
    """By the beginning of its id; as a page to a path, in a folder that is made; what is unknown or open is refused."""
    report_id = parsed("drift", "compare", "--html", str(tmp_path / "first.html"))["report_id"]
    shown = holocron("drift", "show", report_id[:6].upper(), "--html", str(tmp_path / "pages" / "again.html"))

    assert shown.exit_code == 0
    assert "content: ok" in shown.output
    assert (tmp_path / "pages" / "again.html").read_text() == (tmp_path / "first.html").read_text()
    assert not list(PAGES.rglob("*.html"))
    unknown, empty = holocron("drift", "show", "zzz"), holocron("drift", "show", "")
    assert (unknown.exit_code, empty.exit_code) == (FAILED, FAILED)
    assert "`holocron drift list` names them" in unknown.output
    to_a_folder = holocron("drift", "show", report_id, "--html", str(tmp_path))
    assert to_a_folder.exit_code == MISUSED
    under_a_file = holocron("drift", "show", report_id, "--html", str(tmp_path / "first.html" / "page.html"))
    assert (under_a_file.exit_code, "Name another file" in under_a_file.output) == (MISUSED, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "--since", "2026-01-15"], "ask one at a time"),
        (["--with", "ngram", "--reference", "first"], "ask one at a time"),
        (["--space", "nobody"], "no space is called 'nobody'"),
        (["--with", "nobody"], "no space is called 'nobody'"),
        (["--reference", "nothing"], "has no snapshot 'nothing'; there are: none yet"),
        (["--reference", "'; drop table x; --"], "has no snapshot"),
    ],
)
def test_what_is_unknown_or_contradicts_itself_is_misuse(filled: World, options: list[str], said: str) -> None:
    """With the reason, and nothing is kept."""
    result = holocron("drift", "compare", *options)

    assert (result.exit_code, said in result.output) == (MISUSED, True), result.output
    assert parsed("drift", "list")["reports"] == []


def test_anchors_are_shown(filled: World, folder: Path) -> None:
    """How many, since when and by what runtime; a text that the settings name since then is counted."""
    shown, (anchors,) = holocron("drift", "anchors"), parsed("drift", "anchors")
    (folder / "own.ndjson").write_text('{"text": "A text of our own."}\n')
    with (folder / "holocron.yaml").open("a") as settings:
        settings.write("canary: {anchors: own.ndjson}\n")
    changed = holocron("drift", "anchors", "--space", "ngram")

    assert (anchors["anchors"], anchors["is_newest"], anchors["added"]) == (64, True, 0)
    assert sum(anchors["kinds"].values()) == 64
    assert "in use" in shown.output
    assert "The settings name" not in shown.output
    assert "The settings name 1 anchors that are not in the newest set" in changed.output
