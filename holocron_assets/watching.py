"""What a sensor concludes: from a look at the store whether something is new, from failed runs when to try again.

No Dagster here: `sensors` ask the store and Dagster, and say in Dagster's words what comes of it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from holocron_assets.errors import TransientError
from holocron_assets.ports import Session, Store
from holocron_assets.tables.ingest_records import IngestHint
from holocron_assets.transactions import read

Answer = TypeVar("Answer")

_FIRST_PAUSE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 6 * 3600.0
#: New records are a reason of their own: a space that fails for ever must not keep them from the others for hours.
_LONGEST_PAUSE_WITH_NEWS_SECONDS = 15 * 60.0
_MOST_DOUBLINGS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Why the store could not be looked at just now."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The runs of some work since it last succeeded: how many, and the newest of them.

    `position`: its place in the order in which runs were made, whatever the clock said.
    `is_final`: trying again changes nothing, because its error was permanent or somebody cancelled it.
    """

    count: int
    run_id: str
    position: int
    ended: float
    is_final: bool


def look(store: Store, function: Callable[[Session], Answer]) -> Answer | Unseen:
    """What `function` answers, or why it cannot be asked now: a store that is not ready is no error of a sensor."""
    try:
        with store.kept_open():
            if not store.exists():
                return Unseen(reason=f"there is no store at {store.name} yet; the first run creates it")
            if pending := store.pending_migrations():
                return Unseen(
                    reason=f"{store.name} lacks {', '.join(pending)}: run `holocron ensure`, or materialise any asset"
                )
            return read(store, function)
    except TransientError as error:
        return Unseen(reason=str(error))


def hint_tag(hint: IngestHint) -> str:
    """A hint as the tag of a run has it: what there was to work on, however much was done before."""
    newest = hint.newest_fetch_utc and hint.newest_fetch_utc.isoformat()
    return f"{hint.records} until {newest}"


def hint_json(hint: IngestHint) -> str:
    """A hint as a cursor keeps it."""
    newest = hint.newest_fetch_utc and hint.newest_fetch_utc.isoformat()
    return json.dumps(
        {"records": hint.records, "newest_fetch_utc": newest, "recorded_runs": hint.recorded_runs}, sort_keys=True
    )


def hint_of(text: str | None) -> IngestHint | None:
    """The hint that `hint_json` wrote; None for anything else, which then counts as never having looked."""
    try:
        kept = json.loads(text or "")
        newest = kept["newest_fetch_utc"]
        return IngestHint(
            records=int(kept["records"]),
            newest_fetch_utc=None if newest is None else datetime.fromisoformat(newest),
            recorded_runs=int(kept["recorded_runs"]),
        )
    except (ValueError, TypeError, KeyError):
        return None


def is_news(now: IngestHint, before: IngestHint | None, is_covered: Callable[[IngestHint], bool]) -> bool:
    """Whether there is something since `before` that was not covered meanwhile.

    A store with fewer recorded runs than before was restored or replaced: nothing that was known of it counts.
    """
    if before is None or now.recorded_runs < before.recorded_runs:
        return True
    return hint_tag(now) != hint_tag(before) and not is_covered(now)


def pause_seconds(failures: int, *, has_news: bool) -> float:
    """How long to wait after so many failed runs in a row: twice as long each time, up to a bound."""
    bound = _LONGEST_PAUSE_WITH_NEWS_SECONDS if has_news else _LONGEST_PAUSE_SECONDS
    return min(_FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, _MOST_DOUBLINGS), bound)


def reason_to_wait(failures: Failures, now: float, *, has_news: bool, by_hand: str) -> str | None:
    """Why not to try again now; None when it is time. `by_hand` says how a person starts the work."""
    if failures.is_final and not has_news:
        return (
            f"run {failures.run_id} did not succeed, and trying again would not mend it: it was cancelled, or its "
            f"error says what to do. Then {by_hand}"
        )
    waited = now - failures.ended
    left = pause_seconds(failures.count, has_news=has_news) - waited
    # A run that ended in the future was timed by a clock that has been put back since: that tells nothing.
    if left <= 0 or waited < 0:
        return None
    more = f", and {failures.count - 1} before it neither" if failures.count > 1 else ""
    return (
        f"run {failures.run_id} did not succeed{more}. The next is asked for in {left:.0f} s; to have it now, {by_hand}"
    )
