"""Working through the job queue: which of its jobs a run is asked for, and what becomes of them when it ends.

A dispatcher claims all jobs that one run can do together, and asks for that run by the claim's name: whoever died
between the two asks again, and gets no second run. Who runs it is not known here.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from holocron_assets.errors import JobRefusedError
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.routing import ROUTES, Work, work_of
from holocron_assets.sections import QueueSettings
from holocron_assets.tables import dispatch, queue, spaces
from holocron_assets.tables.dispatch import ClaimedWork, Kind, QueueTimes, WaitingWork
from holocron_assets.transactions import read, write

#: So many kinds of work are looked at in one turn; the next turn sees what comes after them.
_MOST_KINDS = 50
#: How the ids of all dispatchers' workers begin.
_DISPATCHERS = "dagster:"
#: Texts that failed are waited for as long as that: vectors of what there is are worth more than a long wait.
_SHORT_PAUSE = timedelta(minutes=10)
_EXHAUSTED = "it has no attempt left, so that no worker takes it: `holocron jobs requeue` gives it new ones"


class RunState(StrEnum):
    """How far the run is that a claim was made for."""

    UNDER_WAY = "under way"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    FAILED_FOR_GOOD = "failed for good"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRun:
    """The run of a claim; `error` says why it failed."""

    run_id: str
    state: RunState
    error: str = ""


#: Tells of claims, by name, which run was made for them; those without one are left out.
RunsOf = Callable[[Sequence[str]], Mapping[str, ClaimRun]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A run that a claim was made for."""

    claim: str
    work: Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What one look at the queue found; `elsewhere` is what other dispatchers claimed."""

    claimed: Sequence[ClaimedWork]
    elsewhere: Sequence[ClaimedWork]
    waiting: Sequence[WaitingWork]
    spaces: Sequence[EmbeddingSpace]
    times: QueueTimes


@dataclass(slots=True, kw_only=True)
class Plan:
    """What a turn will do; claims are named as their jobs are locked."""

    ended: list[tuple[ClaimedWork, ClaimRun]] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    asked_again: list[Request] = field(default_factory=list)
    refused: list[tuple[WaitingWork, str]] = field(default_factory=list)
    claims: list[tuple[Request, list[Kind]]] = field(default_factory=list)
    recovers: bool = False
    redates: bool = False

    @property
    def writes(self) -> bool:
        """Whether anything is to be written."""
        return bool(
            self.ended or self.lost or self.renewed or self.refused or self.claims or self.recovers or self.redates
        )


@dataclass(slots=True, kw_only=True)
class Turn:
    """What a turn did, in jobs, and the runs it asks for."""

    requests: list[Request] = field(default_factory=list)
    claimed: int = 0
    succeeded: int = 0
    failed: int = 0
    refused: int = 0
    recovered: int = 0
    redated: int = 0
    waiting: int = 0
    later: int = 0
    under_way: int = 0

    def __str__(self) -> str:
        """What was done, and what there is to wait for."""
        done = [
            f"{amount} {what}"
            for what, amount in {
                "claimed": self.claimed,
                "succeeded": self.succeeded,
                "failed": self.failed,
                "refused": self.refused,
                "recovered": self.recovered,
                "let go that a wrong clock had dated": self.redated,
                "waiting for their time": self.later,
            }.items()
            if amount
        ]
        return f"jobs: {', '.join([*done, f'{self.waiting} waiting', f'{self.under_way} under way'])}"


def take_turn(store: Store, dispatcher: str, settings: QueueSettings, runs_of: RunsOf, now: datetime) -> Turn:
    """Finish what has ended, bring back what is lost, refuse what nobody can do, and claim the rest."""
    found = read(store, look, dispatcher, settings, now)
    claims = {claim_of(one.locked_by) for one in found.claimed}
    todo = plan(found, runs_of(sorted(claims)) if claims else {}, dispatcher, settings, now)
    turn = Turn(requests=todo.asked_again)
    if todo.writes:
        turn = write(store, carry_out, todo, dispatcher, settings, now)
    turn.waiting = sum(one.jobs for one in found.waiting if not one.is_paused) - turn.claimed - turn.refused
    turn.later = found.times.later - turn.redated
    turn.under_way = sum(one.jobs for one in found.claimed) + turn.claimed - turn.succeeded - turn.failed
    return turn


def worker_of(dispatcher: str, claim: str) -> str:
    """Who a claim's jobs are locked by."""
    return f"{_DISPATCHERS}{dispatcher}:{claim}"


def claim_of(worker: str) -> str:
    """The claim that jobs are locked by so."""
    return worker.rpartition(":")[2]


def look(session: Session, dispatcher: str, settings: QueueSettings, now: datetime) -> Queue:
    """What is claimed by this dispatcher and by others, and what waits."""
    claimed = dispatch.list_claimed_work(session, _DISPATCHERS)
    waiting = sorted(dispatch.list_waiting_work(session, now, _MOST_KINDS), key=lambda one: one.place)
    own = worker_of(dispatcher, "")
    return Queue(
        claimed=[one for one in claimed if one.locked_by.startswith(own)],
        elsewhere=[one for one in claimed if not one.locked_by.startswith(own)],
        waiting=waiting,
        spaces=spaces.list_spaces(session) if claimed or waiting else [],
        times=dispatch.get_queue_times(session, settings.stale_seconds, settings.backoff_seconds, now),
    )


def plan(found: Queue, runs: Mapping[str, ClaimRun], dispatcher: str, settings: QueueSettings, now: datetime) -> Plan:
    """What to do about the queue as it was found, the claims' runs being these."""
    todo = Plan(recovers=found.times.stale > 0, redates=found.times.misdated > 0)
    under_way = _plan_claimed(todo, found, runs, settings, now) | _work_elsewhere(found, settings, now)
    _plan_waiting(todo, found, under_way, now)
    return todo


def _plan_claimed(
    todo: Plan, found: Queue, runs: Mapping[str, ClaimRun], settings: QueueSettings, now: datetime
) -> set[Work]:
    """Claims that ended, were never asked for, or go on; returns the work that is under way."""
    under_way = set()
    # A clock that was set back must not leave a lock in the future, where it never grows old.
    pause = timedelta(seconds=settings.stale_seconds / 3)
    for one in {one.locked_by: one for one in reversed(found.claimed)}.values():
        run = runs.get(claim_of(one.locked_by))
        has_ended = run is not None and run.state is not RunState.UNDER_WAY
        if run is not None and has_ended:
            todo.ended.append((one, run))
            if run.state is not RunState.FAILED:
                continue
        try:
            # What failed counts for this turn: how its jobs stand in the queue then, the next one sees.
            work = work_of(one.kind, found.spaces)
        except JobRefusedError as error:
            if run is None:
                todo.lost.append((one.locked_by, str(error)))
                continue
        else:
            under_way.add(work)
            if run is None:
                todo.asked_again.append(Request(claim=claim_of(one.locked_by), work=work))
        if not has_ended and abs(now - one.locked_utc) > pause:
            todo.renewed.append(one.locked_by)
    return under_way


def _work_elsewhere(found: Queue, settings: QueueSettings, now: datetime) -> set[Work]:
    """What others' runs do: vectors wait for their texts too, and two runs that do the same would do it twice."""
    under_way = set()
    for one in found.elsewhere:
        if abs(now - one.locked_utc) <= timedelta(seconds=settings.stale_seconds):
            with suppress(JobRefusedError):
                under_way.add(work_of(one.kind, found.spaces))
    return under_way


def _plan_waiting(todo: Plan, found: Queue, under_way: set[Work], now: datetime) -> None:
    """Vectors are of what texts become: they wait for texts under way, before them, or tried again before long."""
    wanted: dict[Work, list[Kind]] = {}
    awaited = set(under_way)
    for one in found.waiting:
        try:
            if one.is_exhausted:
                raise JobRefusedError(_EXHAUSTED)
            work = work_of(one.kind, found.spaces)
        except JobRefusedError as error:
            if not one.is_paused:
                todo.refused.append((one, str(error)))
            continue
        kinds = wanted.setdefault(work, [])
        if not one.is_paused:
            kinds.append(one.kind)
        if one.available_utc - now <= _SHORT_PAUSE:
            awaited.add(work)
    text_comes_first = any(work.is_text for work in under_way)
    for work, kinds in wanted.items():
        if kinds and work not in under_way and (work.is_text or not text_comes_first):
            todo.claims.append((Request(claim=uuid4().hex, work=work), kinds))
        text_comes_first |= work.is_text and work in awaited


def carry_out(session: Session, todo: Plan, dispatcher: str, settings: QueueSettings, now: datetime) -> Turn:
    """Write what was planned. Whatever changed since then is left alone."""
    turn = Turn(requests=list(todo.asked_again))
    for one, run in todo.ended:
        _finish(session, one, run, settings, now, turn)
    for worker, reason in todo.lost:
        turn.failed += dispatch.fail_claim(
            session, worker, reason, now, done_by=worker, is_permanent=True, backoff_seconds=0
        )
    for worker in todo.renewed:
        dispatch.renew_claim(session, worker, now)
    if todo.recovers:
        turn.recovered = len(queue.recover_stale_jobs(session, settings.stale_seconds, now))
    if todo.redates:
        turn.redated = dispatch.release_misdated_jobs(session, settings.backoff_seconds, now)
    for waiting, reason in todo.refused:
        turn.refused += dispatch.fail_waiting_jobs(
            session, waiting.kind, reason, now, is_exhausted=waiting.is_exhausted
        )
    for request, kinds in todo.claims:
        worker = worker_of(dispatcher, request.claim)
        claimed = sum(dispatch.claim_jobs(session, kind, worker, now) for kind in kinds)
        if claimed:
            turn.claimed += claimed
            turn.requests.append(request)
    return turn


def _finish(
    session: Session, one: ClaimedWork, run: ClaimRun, settings: QueueSettings, now: datetime, turn: Turn
) -> None:
    if run.state is RunState.SUCCEEDED:
        route = ROUTES.get(one.kind.job_type)
        if route is not None and route.is_text:
            turn.failed += dispatch.fail_unread_jobs(session, one.locked_by, run.run_id)
        turn.succeeded += dispatch.complete_claim(session, one.locked_by, run.run_id)
        return
    why = "was cancelled" if run.state is RunState.CANCELLED else f"failed: {run.error}"
    turn.failed += dispatch.fail_claim(
        session,
        one.locked_by,
        f"its run {run.run_id} {why}",
        now,
        done_by=run.run_id,
        is_permanent=run.state is not RunState.FAILED,
        backoff_seconds=settings.backoff_seconds,
    )
