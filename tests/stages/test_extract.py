"""From records to texts: which record is read, which text is current, and what becomes of the rest."""

import json
from datetime import timedelta

import pytest

from holocron_assets.settings import Settings
from holocron_assets.tables import quarantine
from tests.world import START, World, json_row, missing_row, page_row, prose

PAGE = "mediawiki:testwiki:page/1"


def status(world: World, source: str = PAGE) -> tuple[str, str]:
    (row,) = world.rows(f"select presence, status from vector.source_registry where source_id = '{source}'")
    return row


def test_one_variant_of_a_page_is_read(world: World) -> None:
    """Of html and wikitext of one revision the html is extracted, the other only identified."""
    world.add(page_row("Alpha", 1, prose("alpha"), variant="raw"), page_row("Alpha", 1, prose("alpha")))

    report = world.extract()

    assert report.outcomes == {"identified": 1, "text": 1}
    assert list(world.texts()) == [PAGE]
    assert world.texts()[PAGE].startswith("Alpha\n")


def test_a_second_extraction_has_nothing_to_do(world: World) -> None:
    """What was examined is not examined again, and nothing is written."""
    world.add(page_row("Alpha", 1, prose("alpha")))
    world.extract()
    before = world.rows("select * from vector.run")

    report = world.extract()

    assert report.run_id is None
    assert world.rows("select * from vector.run") == before


def test_the_same_text_from_another_fetch_is_no_change(world: World) -> None:
    """A page fetched again with other render-time comments keeps its text: only a text is a change."""
    world.add(page_row("Alpha", 1, prose("alpha")))
    world.extract()
    world.add(page_row("Alpha", 1, prose("alpha"), fetched_at=world.next_day()))

    report = world.extract()

    assert (report.examined, report.new_texts, report.current_texts) == (1, 0, 0)
    assert world.rows("select count(*) from vector.extracted_text") == [(1,)]
    assert world.rows("select count(distinct hash_sha256) from ingest.IngestRecords") == [(2,)]


def test_an_edited_page_gets_a_new_text_and_keeps_the_old_one(world: World) -> None:
    """The old text is retired, not deleted."""
    world.add(page_row("Alpha", 1, prose("alpha")))
    world.extract()
    world.add(page_row("Alpha", 1, prose("beta"), revision=2, fetched_at=world.next_day()))

    report = world.extract()

    assert (report.current_texts, report.retired_texts) == (1, 1)
    assert "about beta" in world.texts()[PAGE]
    rows = world.rows("select retired_utc from vector.extracted_text order by created_utc")
    assert [retired is None for (retired,) in rows] == [False, True]


def test_a_text_that_comes_back_is_kept_once(world: World) -> None:
    """An edit that is reverted makes the first text current again, without a copy."""
    for revision, topic in ((1, "alpha"), (2, "beta"), (3, "alpha")):
        world.add(page_row("Alpha", 1, prose(topic), revision=revision, fetched_at=world.next_day()))
        world.extract()

    assert "about alpha" in world.texts()[PAGE]
    assert world.rows("select count(*) from vector.extracted_text") == [(2,)]


def test_raw_speaks_until_html_arrives(world: World) -> None:
    """Whichever variant is there is read; when the preferred one arrives it takes over."""
    world.add(page_row("Alpha", 1, "'''Raw''' " + prose("alpha"), variant="raw"))
    world.extract()
    world.add(page_row("Alpha", 1, prose("alpha"), fetched_at=START + timedelta(hours=1)))

    world.extract()

    assert world.rows("select extractor from vector.extracted_text where retired_utc is null") == [("mediawiki_html",)]


def test_a_record_that_must_speak_is_read_later(world: World, settings: Settings) -> None:
    """A variant that was only identified is read as soon as it should speak, here because the rule changed."""
    html = page_row("Alpha", 1, prose("rendered"))
    payload = json.loads(html["payload"])
    del payload["parse"]["revid"]
    raw = page_row("Alpha", 1, prose("raw"), variant="raw", fetched_at=START + timedelta(hours=1))
    world.add(html | {"payload": json.dumps(payload)}, raw)
    world.extract()
    assert "about rendered" in world.texts()[PAGE]
    world.settings = settings.model_copy(
        update={"sources": settings.sources.model_copy(update={"html_preferred_hours": 0.0})}
    )

    report = world.extract()

    assert report.outcomes == {"text": 1}
    assert "about raw" in world.texts()[PAGE]


def test_a_missing_page_vanishes_and_comes_back(world: World) -> None:
    """When the server says there is no such page, its text is retired; when it is back, so is the text."""
    world.add(page_row("Alpha", 1, prose("alpha")))
    world.extract()
    world.add(missing_row("Alpha", fetched_at=world.next_day()))
    world.extract()
    gone = status(world), world.texts()
    world.add(page_row("Alpha", 1, prose("alpha"), revision=3, fetched_at=world.next_day()))
    world.extract()

    assert gone == (("vanished", "pending"), {})
    assert status(world)[0] == "present"
    assert list(world.texts()) == [PAGE]


def test_a_redirect_is_an_alias_without_text(world: World) -> None:
    """A page that redirects is a source of its own, with no text, recorded as an alias of its target."""
    world.add(page_row("Alfa", 9, "#REDIRECT [[Alpha]]", variant="raw"))

    world.extract()

    assert status(world, "mediawiki:testwiki:page/9")[0] == "redirect"
    assert world.rows("select alias_title, target_title from vector.source_alias") == [("Alfa", "Alpha")]
    assert world.texts() == {}


def test_a_redirect_that_becomes_a_page_is_no_alias_any_more(world: World) -> None:
    """The alias goes when the page gets a text."""
    world.add(page_row("Alfa", 9, "#REDIRECT [[Alpha]]", variant="raw"))
    world.extract()
    world.add(page_row("Alfa", 9, prose("alfa"), variant="raw", revision=2, fetched_at=world.next_day()))

    world.extract()

    assert world.rows("select * from vector.source_alias") == []
    assert list(world.texts()) == ["mediawiki:testwiki:page/9"]


def test_a_bad_record_is_quarantined_and_the_others_go_on(world: World) -> None:
    """A record that cannot be read is listed with its reason; everything else is extracted."""
    bad = page_row("Broken", 2, "x")
    world.add(bad | {"payload": bad["payload"][:100]}, page_row("Alpha", 1, prose("alpha")))

    report = world.extract()

    assert report.outcomes == {"failed": 1, "text": 1}
    with world.store.session(write=False) as session:
        (entry,) = quarantine.list_quarantined(session, 10)
    assert (entry.item_type, entry.stage) == ("record", "extract")
    assert entry.reason


def test_an_unreadable_update_keeps_the_text_and_marks_the_source(world: World) -> None:
    """When the newest fetch cannot be read, the previous text stays current and the source is in error."""
    world.add(page_row("Alpha", 1, prose("alpha")))
    world.extract()
    world.add(page_row("Alpha", 1, "x", revision=2, fetched_at=world.next_day()) | {"payload": '{"parse": '})

    world.extract()

    assert status(world) == ("present", "error")
    assert "about alpha" in world.texts()[PAGE]


def test_the_next_good_fetch_clears_the_error(world: World) -> None:
    """A source in error is healthy again as soon as a good record speaks for it."""
    world.add(page_row("Alpha", 1, "x") | {"payload": '{"parse": '})
    world.extract()
    world.add(page_row("Alpha", 1, prose("alpha"), revision=2, fetched_at=world.next_day()))

    world.extract()

    assert status(world) == ("present", "pending")


def test_error_responses_change_nothing(world: World) -> None:
    """A record of a failed fetch is examined and ignored."""
    world.add(page_row("Alpha", 1, prose("alpha")))
    world.extract()
    world.add(page_row("Alpha", 1, "", fetched_at=world.next_day()) | {"status_code": 503, "payload": "busy"})

    report = world.extract()

    assert report.outcomes == {"ignored": 1}
    assert list(world.texts()) == [PAGE]


@pytest.mark.parametrize(("retires", "present"), [(False, True), (True, False)])
def test_404_retires_only_when_asked(world: World, settings: Settings, *, retires: bool, present: bool) -> None:
    """404 means gone only with `gone_status_retires`; switching it on resolves again what was seen before."""
    world.add(page_row("Alpha", 1, prose("alpha")))
    world.add(page_row("Alpha", 1, "", fetched_at=world.next_day()) | {"status_code": 404, "payload": "gone"})
    world.extract()
    assert list(world.texts()) == [PAGE]
    world.settings = settings.model_copy(
        update={"sources": settings.sources.model_copy(update={"gone_status_retires": retires})}
    )

    world.extract()

    assert bool(world.texts()) is present


def test_another_extractor_version_reads_again(world: World) -> None:
    """Records that another version of their extractor read are read again; equal texts are no change."""
    world.add(page_row("Alpha", 1, prose("alpha")))
    world.extract()
    world.rows("update vector.ingest_seen set extractor_version = '0'")

    report = world.extract()

    assert (report.examined, report.new_texts) == (1, 0)
    assert world.rows("select count(*) from vector.ingest_seen where extractor_version <> '0'") == [(1,)]


def test_a_document_that_is_too_large_is_quarantined(world: World, settings: Settings) -> None:
    """A payload over the limit is not handed to a worker; its size and the setting are named."""
    world.settings = settings.model_copy(
        update={"extraction": settings.extraction.model_copy(update={"max_payload_bytes": 20_000})}
    )
    world.add(page_row("Huge", 2, prose("huge", 50_000)), page_row("Alpha", 1, prose("alpha")))

    world.extract()

    (reason,) = world.rows("select reason from vector.quarantine")
    assert "extraction.max_payload_bytes allows 20000" in reason[0]
    assert list(world.texts()) == [PAGE]


def test_titles_that_differ_in_case_or_space_are_different_pages(world: World) -> None:
    """Titles that a lenient collation compares equal stay apart."""
    for number, title in enumerate(("alpha", "Alpha", "ALPHA", "Alpha "), start=1):
        world.add(page_row(title, number, prose(f"topic {number}")))

    world.extract()

    assert len(world.texts()) == 4


def test_two_fetches_at_the_same_instant(world: World) -> None:
    """Of two fetches with one time the higher revision speaks, and nothing is lost."""
    world.add(page_row("Alpha", 1, prose("old"), revision=1), page_row("Alpha", 1, prose("new"), revision=2))

    world.extract()

    assert "about new" in world.texts()[PAGE]


def test_a_clock_that_went_backwards(world: World) -> None:
    """A newer revision fetched at an earlier time is the newer text."""
    world.add(page_row("Alpha", 1, prose("old"), revision=1, fetched_at=START + timedelta(days=9)))
    world.extract()
    world.add(page_row("Alpha", 1, prose("new"), revision=2, fetched_at=START))

    world.extract()

    assert "about new" in world.texts()[PAGE]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            json.dumps({"content_type": "text/plain", "text": "Hello\n\nplain world", "encoding": "utf-8"}),
            "plain world",
        ),
        ("just a plain string", "just a plain string"),
        (json.dumps({"note": {"subject": "tides", "body": "They turn."}}), "They turn."),
    ],
)
def test_records_of_no_known_service_are_read(world: World, payload: str, expected: str) -> None:
    """Wrapped text, plain strings and unknown JSON give a text under an id made of the resource."""
    world.add(json_row("a.txt", payload))

    world.extract()

    ((source, text),) = world.texts().items()
    assert source.startswith("files:notes:sha/")
    assert expected in text


def test_more_records_than_a_page_are_all_examined(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paging loses no record, also where a page would cut a resource's records in two."""
    monkeypatch.setattr("holocron_assets.stages.extract._PAGE_RECORDS", 7)
    monkeypatch.setattr("holocron_assets.stages.extract._RESOLVE_RESOURCES", 5)
    for number in range(1, 21):
        for variant in ("raw", "html"):
            world.add(page_row(f"Page {number}", number, prose(f"topic {number}", 300), variant=variant))

    report = world.extract()

    assert report.outcomes == {"identified": 20, "text": 20}
    assert len(world.texts()) == 20


def test_slow_documents_are_committed_as_time_goes_by(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few documents a few seconds suffice for, what was read in them is stored: a kill loses no more."""
    monkeypatch.setattr("holocron_assets.stages.examining._WORKER_BATCH_BYTES", 1)
    monkeypatch.setattr("holocron_assets.stages.extract._COMMIT_SECONDS", 0.0)
    world.add(*[page_row(f"Page {number}", number, prose("topic", 300)) for number in range(1, 5)])
    committed: list[int] = []

    world.extract(lambda done, total: committed.append(done))

    assert sorted(set(committed) - {0}) == [1, 2, 3, 4]
