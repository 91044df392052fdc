"""Which record speaks for a source."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holocron_assets.records import Outcome, Presence
from holocron_assets.resolution import Candidate, Resolution, ResolutionRule, resolve

NOON = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - times are naive UTC throughout
S, T = "mediawiki:wiki:page/1", "mediawiki:wiki:page/2"
RULE = ResolutionRule()


def seen(
    number: int, *, hours: float = 0, key: str = "title", outcome: Outcome = Outcome.TEXT, **fields: Any
) -> Candidate:
    fields.setdefault("variant", "html")
    fields.setdefault("source_id", None if outcome is Outcome.MISSING else S)
    return Candidate(
        ingest_id=uuid.UUID(int=number),
        resource_key=key,
        fetched_at_utc=NOON + timedelta(hours=hours),
        outcome=outcome,
        **fields,
    )


def one(*candidates: Candidate, rule: ResolutionRule = RULE, source: str = S) -> Resolution:
    (resolution,) = resolve([source], candidates, rule)
    return resolution


def speaker(*candidates: Candidate, rule: ResolutionRule = RULE) -> int | None:
    found = one(*candidates, rule=rule).speaker
    return found.int if found else None


def test_the_highest_revision_speaks() -> None:
    """A newer revision speaks for its source, also when the clock of its fetch had gone back."""
    assert speaker(seen(1, revision=5, hours=10), seen(2, revision=6, hours=0)) == 2


def test_a_later_fetch_without_a_revision_is_not_ignored() -> None:
    """Where not every fetch of a variant has a revision, the latest fetch speaks."""
    assert speaker(seen(1, revision=5), seen(2, hours=30)) == 2
    assert speaker(seen(1, revision=5), seen(2, hours=30), seen(3, hours=40, revision=6)) == 3


def test_an_error_response_does_not_hide_an_unreadable_record() -> None:
    """A source whose newest page cannot be read stays an error when the server then answers 503."""
    failed = seen(2, hours=1, outcome=Outcome.FAILED, source_id=None)
    error = seen(3, hours=2, outcome=Outcome.IGNORED, source_id=None)

    assert one(seen(1), failed).unreadable
    assert one(seen(1), failed, error).unreadable


def test_html_speaks_before_raw_at_equal_revision() -> None:
    """Of one revision, the rendered page speaks, however much later the wikitext was fetched."""
    raw = seen(1, variant="raw", revision=5, hours=500)

    assert speaker(raw, seen(2, revision=5)) == 2


def test_a_newer_raw_revision_speaks_before_old_html() -> None:
    """A newer revision speaks even if only its wikitext was fetched."""
    assert speaker(seen(1, revision=5), seen(2, variant="raw", revision=6)) == 2


@pytest.mark.parametrize(("html_age_hours", "expected"), [(0, 2), (24, 2), (24.5, 1)])
def test_without_revisions_html_may_be_a_day_older(html_age_hours: float, expected: int) -> None:
    """Without revision ids, html speaks while it is at most 24 hours older than the wikitext."""
    raw = seen(1, variant="raw", hours=html_age_hours)

    assert speaker(raw, seen(2, hours=0)) == expected


def test_the_day_is_a_setting() -> None:
    """How much older html may be is part of the rule, and of its label."""
    strict = ResolutionRule(html_preferred=timedelta(0))

    assert speaker(seen(1, variant="raw", hours=1), seen(2), rule=strict) == 1
    assert strict.label != RULE.label


def test_one_record_without_revision_makes_time_decide() -> None:
    """Where not every record has a revision id, none is compared by it."""
    assert speaker(seen(1, variant="raw", revision=9, hours=1), seen(2)) == 2


def test_equal_times_are_decided_the_same_way_every_time() -> None:
    """Two fetches at the same instant without revisions: the greater id speaks, in whatever order they come."""
    assert speaker(seen(1), seen(2)) == speaker(seen(2), seen(1)) == 2


def test_a_failed_winner_is_replaced_by_the_other_variant_of_its_revision() -> None:
    """When html of a revision cannot be read, its wikitext speaks, and nothing is in error."""
    found = one(seen(1, variant="raw", revision=5, outcome=Outcome.TEXT), seen(2, revision=5, outcome=Outcome.FAILED))

    assert (found.speaker, found.unreadable) == (uuid.UUID(int=1), False)


def test_a_failed_winner_is_not_replaced_by_an_older_revision() -> None:
    """When the newest revision cannot be read, nothing older speaks: the previous text stays, in error."""
    found = one(seen(1, variant="raw", revision=4), seen(2, revision=5, outcome=Outcome.FAILED))

    assert (found.speaker, found.unreadable, found.presence) == (None, True, Presence.UNREAD)


def test_a_record_that_was_not_read_yet_is_wanted() -> None:
    """When the record that should speak was only identified, it is asked for and nothing changes before."""
    found = one(seen(1, variant="raw", revision=6, outcome=Outcome.IDENTIFIED), seen(2, revision=5))

    assert (found.wanted, found.speaker) == (uuid.UUID(int=1), None)


def test_missing_makes_a_source_vanish_for_all_variants() -> None:
    """When the newest answer for a title is that there is no page, its source is gone, both variants of it."""
    found = one(
        seen(1, variant="raw", revision=5),
        seen(2, revision=5),
        seen(3, variant="raw", hours=1, outcome=Outcome.MISSING),
    )

    assert (found.presence, found.speaker) == (Presence.VANISHED, None)


def test_an_older_missing_changes_nothing() -> None:
    """A page that was missing once and is there now is there."""
    assert speaker(seen(1, outcome=Outcome.MISSING), seen(2, hours=1)) == 2


def test_of_two_answers_at_one_instant_the_page_is_believed() -> None:
    """Missing and present at the same instant: nothing is lost."""
    assert speaker(seen(9, outcome=Outcome.MISSING), seen(1)) == 1


def test_empty_text_makes_a_source_vanish() -> None:
    """A page that has no text any more is gone."""
    found = one(seen(1, revision=5), seen(2, revision=6, outcome=Outcome.EMPTY))

    assert found.presence is Presence.VANISHED


def test_a_title_that_names_another_page_now() -> None:
    """A source vanishes when its only title leads to another page, and stays while another title leads to it."""
    moved = seen(2, hours=1, source_id=T)

    assert one(seen(1), moved).presence is Presence.VANISHED
    assert one(seen(1), moved, source=T).speaker == uuid.UUID(int=2)
    assert one(seen(1), moved, seen(3, key="new title", hours=1)).speaker == uuid.UUID(int=3)


def test_several_titles_of_one_page_give_one_speaker() -> None:
    """Every title of a page is heard, and the highest revision speaks."""
    assert speaker(seen(1, key="a", revision=5, hours=9), seen(2, key="b", revision=7)) == 2


@pytest.mark.parametrize("outcome", [Outcome.IGNORED, Outcome.GONE])
def test_error_responses_change_nothing(outcome: Outcome) -> None:
    """A failed fetch says nothing about the page."""
    failed = seen(2, hours=1, outcome=outcome, source_id=None)

    assert speaker(seen(1), failed) == 1


def test_gone_retires_when_the_setting_says_so() -> None:
    """With the setting, 404 and 410 mean that the page is gone."""
    gone = seen(2, hours=1, outcome=Outcome.GONE, source_id=None)

    assert one(seen(1), gone, rule=ResolutionRule(gone_retires=True)).presence is Presence.VANISHED


def test_an_unreadable_newest_record_is_an_error_and_the_text_stays() -> None:
    """When the newest answer for a title cannot be understood at all, the text stays and the source is in error."""
    found = one(seen(1), seen(2, hours=1, outcome=Outcome.FAILED, source_id=None))

    assert (found.speaker, found.unreadable) == (uuid.UUID(int=1), True)


def test_a_redirect_is_a_source_without_text() -> None:
    """A page that became a redirect has no text of its own."""
    found = one(seen(1, revision=1), seen(2, revision=2, outcome=Outcome.REDIRECT))

    assert (found.presence, found.speaker) == (Presence.REDIRECT, uuid.UUID(int=2))


candidates = st.lists(
    st.builds(
        Candidate,
        ingest_id=st.integers(0, 2**32).map(lambda number: uuid.UUID(int=number)),
        resource_key=st.sampled_from("abc"),
        variant=st.sampled_from(["html", "raw", ""]),
        fetched_at_utc=st.integers(0, 50).map(lambda hours: NOON + timedelta(hours=hours)),
        outcome=st.sampled_from(Outcome),
        source_id=st.sampled_from([S, T, None]),
        revision=st.none() | st.integers(1, 9),
    ),
    max_size=12,
    unique_by=lambda candidate: candidate.ingest_id,
)


@given(found=candidates, seed=st.randoms())
def test_the_order_of_arrival_decides_nothing(found: list[Candidate], seed: Any) -> None:
    """The same records give the same resolution in whatever order they are looked at."""
    shuffled = list(found)
    seed.shuffle(shuffled)

    assert resolve([S, T], found, RULE) == resolve([S, T], shuffled, RULE)


@given(found=candidates)
def test_only_readable_records_of_the_source_speak(found: list[Candidate]) -> None:
    """Whoever speaks for a source names it, was read, and the source is present or a redirect."""
    by_id = {candidate.ingest_id: candidate for candidate in found}

    for resolution in resolve([S, T], found, RULE):
        if resolution.speaker is not None:
            spoken = by_id[resolution.speaker]
            assert spoken.source_id == resolution.source_id
            assert spoken.outcome in (Outcome.TEXT, Outcome.REDIRECT, Outcome.EMPTY)
        if resolution.presence is Presence.PRESENT:
            assert resolution.speaker or resolution.wanted
