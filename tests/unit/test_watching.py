"""What sensors conclude, without Dagster: what is news, and how long to wait after failures."""

from datetime import datetime

import pytest

from holocron_assets.tables.ingest_records import IngestHint
from holocron_assets.watching import Failures, hint_json, hint_of, hint_tag, is_news, pause_seconds, reason_to_wait

NEWEST = datetime(2026, 1, 2, 3, 4, 5, 678)  # noqa: DTZ001 - times are naive UTC throughout
SEEN = IngestHint(records=10, newest_fetch_utc=NEWEST, recorded_runs=4)


def hint(**changes: object) -> IngestHint:
    return IngestHint(**({"records": 10, "newest_fetch_utc": NEWEST, "recorded_runs": 4} | changes))  # type: ignore[arg-type]


def nothing_covered(_hint: IngestHint) -> bool:
    return False


def everything_covered(_hint: IngestHint) -> bool:
    return True


def failures(count: int = 1, ended: float = 1000.0, *, is_final: bool = False) -> Failures:
    return Failures(count=count, run_id="r1", position=1, ended=ended, is_final=is_final)


@pytest.mark.parametrize("kept", [SEEN, hint(newest_fetch_utc=None, records=0)])
def test_a_hint_is_kept_exactly(kept: IngestHint) -> None:
    """What a cursor keeps comes back as it was."""
    assert hint_of(hint_json(kept)) == kept


@pytest.mark.parametrize(
    "garbage",
    [None, "", "{}", "[]", "null", "5", "2026-01-01", '{"records": "x"}', hint_json(SEEN)[:-2], '{"records": null}',
     '{"records": 1, "newest_fetch_utc": 3, "recorded_runs": 1}'],
)  # fmt: skip
def test_garbage_is_no_hint(garbage: str | None) -> None:
    """A cursor that somebody else wrote counts as never having looked."""
    assert hint_of(garbage) is None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (SEEN, False),
        (hint(recorded_runs=9), False),
        (hint(records=11), True),
        (hint(records=9), True),
        (hint(newest_fetch_utc=datetime(2025, 1, 1)), True),  # noqa: DTZ001
        (hint(recorded_runs=3), True),
    ],
)
def test_what_is_news(now: IngestHint, expected: bool) -> None:
    """Another count, another newest fetch in either direction, or a store with less history than before."""
    assert is_news(now, SEEN, nothing_covered) is expected


def test_what_a_run_covered_is_no_news() -> None:
    """Not even where this sensor never saw it; but nothing covers a store that was restored, or an empty cursor."""
    now = hint(records=12, recorded_runs=5)

    assert not is_news(now, SEEN, everything_covered)
    assert is_news(now, SEEN, nothing_covered)
    assert is_news(hint(records=12, recorded_runs=3), SEEN, everything_covered)
    assert is_news(now, None, everything_covered)


def test_a_tag_says_what_there_was_to_do() -> None:
    """However many runs were recorded before, the same records are the same tag, and others are another."""
    assert hint_tag(SEEN) == hint_tag(hint(recorded_runs=9)) == "10 until 2026-01-02T03:04:05.000678"
    assert len({hint_tag(one) for one in (SEEN, hint(records=11), hint(newest_fetch_utc=None))}) == 3


def test_pauses_double_up_to_a_bound() -> None:
    """One minute, two, four, to six hours; with new records to a quarter of an hour."""
    assert [pause_seconds(count, has_news=False) for count in (1, 2, 3, 9, 10, 10_000)] == [
        60, 120, 240, 15_360, 21_600, 21_600,
    ]  # fmt: skip
    assert [pause_seconds(count, has_news=True) for count in (1, 4, 5, 10_000)] == [60, 480, 900, 900]


def test_a_failed_run_is_followed_after_its_pause() -> None:
    """Not before, and then at once."""
    reason = reason_to_wait(failures(2), 1060.0, has_news=False, by_hand="press it.")

    assert reason == (
        "run r1 did not succeed, and 1 before it neither. The next is asked for in 60 s; to have it now, press it."
    )
    assert reason_to_wait(failures(2), 1121.0, has_news=False, by_hand="") is None


def test_a_permanent_failure_waits_for_news_or_a_hand() -> None:
    """However long ago it was; with new records it is tried again after a pause, like any other."""
    final = failures(is_final=True)

    assert "Then press it." in str(reason_to_wait(final, 10.0**9, has_news=False, by_hand="press it."))
    assert "in 30 s" in str(reason_to_wait(final, 1030.0, has_news=True, by_hand=""))
    assert reason_to_wait(final, 1061.0, has_news=True, by_hand="") is None


def test_a_clock_that_was_put_back_holds_nothing_up() -> None:
    """A run that ended in the future says nothing about how long ago that was."""
    assert reason_to_wait(failures(12, ended=10.0**9), 1000.0, has_news=False, by_hand="") is None
