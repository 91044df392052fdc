"""Which record speaks for a source: the rule, as pure functions over what examinations found.

`docs/decisions/0003-which-record-speaks.md` says why the rule is what it is.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from holocron_assets.records import Outcome, Presence

_SPEAKS = (Outcome.TEXT, Outcome.IDENTIFIED, Outcome.WANTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One examined 2xx record, as far as the rule looks at it.

    `source_id` is None where the payload names no source: the page is missing, or could not be read.
    """

    ingest_id: uuid.UUID
    resource_key: str
    variant: str
    fetched_at_utc: datetime
    outcome: Outcome
    source_id: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What the records say of one source.

    `speaker` is the record whose text is the source's text, None where there is none. `wanted` is a
    record that should speak and has not been read yet: nothing about the source changes before it is.
    `unreadable` says that the newest record cannot be read: where nothing else speaks, the previous text stays.
    `described_by` is a record that says what the source is, for the case that nobody has registered it yet.
    """

    source_id: str
    presence: Presence
    speaker: uuid.UUID | None = None
    wanted: uuid.UUID | None = None
    unreadable: bool = False
    described_by: uuid.UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionRule:
    """The settings of the rule. `label` is stored with what was resolved, so that a change of them is seen."""

    html_preferred: timedelta = timedelta(hours=24)
    gone_retires: bool = False

    @property
    def label(self) -> str:
        """Changes whenever the same records might resolve differently."""
        return f"1:html={self.html_preferred.total_seconds():g}s:gone={int(self.gone_retires)}"


def resolve(source_ids: Iterable[str], candidates: Sequence[Candidate], rule: ResolutionRule) -> list[Resolution]:
    """Resolve `source_ids`.

    `candidates` must hold every examined record of every resource that ever named one of them.
    """
    by_resource: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_resource[candidate.resource_key].append(candidate)

    speaking: dict[str, list[Candidate]] = defaultdict(list)
    unread: set[str] = set()
    for records in by_resource.values():
        source_id, latest = _what_a_resource_says(records, rule)
        if source_id is None:
            continue
        speaking[source_id].extend(latest)
        newest = max((one for one in records if one.outcome is Outcome.FAILED or _tells(one, rule)), key=_by_fetch)
        if newest.outcome is Outcome.FAILED and newest.source_id is None:
            unread.add(source_id)

    return [
        _resolve_one(source_id, speaking.get(source_id, []), unread=source_id in unread, rule=rule)
        for source_id in dict.fromkeys(source_ids)
    ]


def _what_a_resource_says(records: list[Candidate], rule: ResolutionRule) -> tuple[str | None, list[Candidate]]:
    """The source that a resource names now, and for it the newest record of each variant.

    A record that could not be read says nothing of the resource, nor does an error response.
    """
    telling = [record for record in records if _tells(record, rule)]
    if not telling:
        return None, []
    source_id = max(telling, key=_by_fetch).source_id
    if source_id is None:
        return None, []
    of_variant: dict[str, list[Candidate]] = defaultdict(list)
    for record in telling:
        if record.source_id == source_id:
            of_variant[record.variant].append(record)
    return source_id, [_newest(variant) for variant in of_variant.values()]


def _newest(records: list[Candidate]) -> Candidate:
    """A revision number is truer than a clock, which may have gone back; but it cannot outlive fetches without one."""
    has_revisions = all(record.revision is not None for record in records)
    return max(records, key=lambda record: (record.revision or 0 if has_revisions else 0, _by_fetch(record)))


def _tells(record: Candidate, rule: ResolutionRule) -> bool:
    if record.outcome is Outcome.IGNORED:
        return False
    if record.outcome is Outcome.GONE:
        return rule.gone_retires
    return record.source_id is not None or record.outcome is Outcome.MISSING


def _resolve_one(source_id: str, records: list[Candidate], *, unread: bool, rule: ResolutionRule) -> Resolution:
    if not records:
        return Resolution(source_id=source_id, presence=Presence.VANISHED)
    by_revision = all(record.revision is not None for record in records)

    def preference(record: Candidate) -> tuple[int, bool, datetime, bool, str]:
        html = record.variant == "html"
        revision = (record.revision or 0) if by_revision else 0
        fetched = record.fetched_at_utc + (rule.html_preferred if html else timedelta())
        return revision, html and by_revision, fetched, html, str(record.ingest_id)

    ranked = sorted(records, key=preference, reverse=True)
    best = ranked[0]
    if best.outcome is Outcome.FAILED:
        best = next((other for other in ranked if _stands_in(other, best, rule)), best)
    speaks = best.ingest_id
    said = partial(Resolution, source_id=source_id, described_by=best.ingest_id)
    match best.outcome:
        case Outcome.TEXT:
            return said(presence=Presence.PRESENT, speaker=speaks, unreadable=unread)
        case Outcome.IDENTIFIED | Outcome.WANTED:
            return said(presence=Presence.PRESENT, wanted=speaks)
        case Outcome.REDIRECT:
            return said(presence=Presence.REDIRECT, speaker=speaks)
        case Outcome.EMPTY:
            return said(presence=Presence.VANISHED, speaker=speaks)
        case _:
            return said(presence=Presence.UNREAD, unreadable=True)


def _stands_in(other: Candidate, failed: Candidate, rule: ResolutionRule) -> bool:
    """Whether `other` shows the same state of the page as the record that could not be read."""
    if other.outcome not in _SPEAKS:
        return False
    if failed.revision is not None or other.revision is not None:
        return other.revision == failed.revision
    return abs(other.fetched_at_utc - failed.fetched_at_utc) <= rule.html_preferred


def _by_fetch(record: Candidate) -> tuple[datetime, bool, int, str]:
    """Newest last. Of two fetches at one instant, the one that found the page is believed."""
    return record.fetched_at_utc, record.source_id is not None, record.revision or -1, str(record.ingest_id)
