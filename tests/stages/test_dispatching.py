"""The dispatcher of the job queue, over a hand-made picture of runs: what it asks for, and how every job ends."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holocron_assets.dispatching import ClaimRun, RunState, Turn, take_turn, worker_of
from holocron_assets.routing import Work
from holocron_assets.sections import QueueSettings
from holocron_assets.spaces import space_of
from holocron_assets.tables import queue, spaces
from holocron_assets.transactions import read, write
from resources.providers.hashing import ByteNgrams
from resources.stores.base import SqlStore
from tests.world import raw

NOW = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - times are naive UTC throughout
SETTINGS = QueueSettings()
TEXT = Work(assets=("extracted_texts", "chunks"), is_text=True)
ALL = Work(assets=("embeddings",))


@dataclass
class Runner:
    """Stands for Dagster: which runs were made for which claims, and how they went."""

    store: SqlStore
    name: str = "aaaaaaaaaaaa"
    now: datetime = NOW
    runs: dict[str, ClaimRun] = field(default_factory=dict)
    asked: list[Work] = field(default_factory=list)
    enqueued: int = 0

    def turn(self, *, killed: bool = False) -> Turn:
        """One turn; killed after its transaction, nothing that it asked for is heard."""
        turn = take_turn(self.store, self.name, SETTINGS, self.runs_of, self.now)
        for one in () if killed else turn.requests:
            if one.claim not in self.runs:  # a run key is launched once
                self.runs[one.claim] = ClaimRun(run_id=f"run-{uuid.uuid4()}", state=RunState.UNDER_WAY)
                self.asked.append(one.work)
        return turn

    def runs_of(self, claims: Sequence[str]) -> Mapping[str, ClaimRun]:
        return {claim: self.runs[claim] for claim in claims if claim in self.runs}

    def end(self, state: RunState = RunState.SUCCEEDED, error: str = "") -> None:
        """Every run that is under way ends."""
        for claim, run in self.runs.items():
            if run.state is RunState.UNDER_WAY:
                self.runs[claim] = ClaimRun(run_id=run.run_id, state=state, error=error)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def enqueue(self, job_type: str, job_input: dict[str, Any] | None = None, **columns: Any) -> uuid.UUID:
        """A job that stands behind those before it."""
        self.enqueued += 1
        then = self.now - timedelta(seconds=1) + timedelta(milliseconds=self.enqueued)
        return write(self.store, queue.enqueue_job, job_type, job_input or {}, then, **columns).job_id

    def job(self, job_id: uuid.UUID) -> queue.Job:
        job = read(self.store, queue.get_job, job_id)
        assert job is not None
        return job

    def statuses(self, jobs: Iterable[uuid.UUID]) -> list[str]:
        return [self.job(job).status for job in jobs]


@pytest.fixture
def runner(store: SqlStore) -> Runner:
    """A dispatcher over an empty store."""
    return Runner(store)


def registered(store: SqlStore, dimensions: int = 32) -> tuple[str, uuid.UUID]:
    space = space_of(ByteNgrams("ngram", {"dimensions": dimensions}).describe())
    write(store, spaces.insert_space, space, NOW)
    return space.slug, space.embedding_space_id


def set_columns(runner: Runner, job_id: uuid.UUID, **columns: Any) -> None:
    """As another program writes a row."""
    values = ", ".join(f"{name} = {'null' if value is None else repr(str(value))}" for name, value in columns.items())
    with runner.store.session() as session:
        raw(session, f"update vector.job set {values} where job_id = '{job_id}'")


def of_space(slug: str, **config: bool | str) -> Work:
    return Work(assets=("space_embeddings",), partition=slug, config=tuple(config.items()))


def test_each_kind_of_work_is_one_run(runner: Runner) -> None:
    """Jobs of one type and space are one run, however a space is named; another configuration is another run."""
    slug, key = registered(runner.store)
    jobs = [runner.enqueue("EMBED_CHUNKS", {"dedupe_key": str(n)}, space_id=key) for n in range(5)]
    jobs += [runner.enqueue("EMBED_CHUNKS", {"space": slug}), runner.enqueue("EMBED_CHUNKS")]
    jobs += [runner.enqueue("REEMBED_SPACE", {"source": "w:"}, space_id=key)]
    jobs += [runner.enqueue("REEMBED_SPACE", {"replace": True}, space_id=key)]
    turn = runner.turn()

    assert turn.claimed == len(jobs)
    assert runner.asked == [
        of_space(slug),
        ALL,
        of_space(slug, reembed=True, replace=False, source_prefix="w:"),
        of_space(slug, reembed=True, replace=True, source_prefix=""),
    ]
    runner.end()
    assert runner.turn().succeeded == len(jobs)
    assert set(runner.statuses(jobs)) == {"SUCCEEDED"}
    assert {runner.job(job).locked_by for job in jobs} == {run.run_id for run in runner.runs.values()}
    assert str(runner.turn()) == "jobs: 0 waiting, 0 under way"


def test_vectors_wait_for_texts_before_them(runner: Runner) -> None:
    """What stands before the texts goes at once; what stands behind waits until their run has ended."""
    first = runner.enqueue("EMBED_CHUNKS", priority=200)
    texts, second = (
        runner.enqueue("CHUNK_SOURCE"),
        runner.enqueue("REEMBED_SPACE", {"space": registered(runner.store)[0]}),
    )
    runner.turn()
    assert runner.asked == [ALL, TEXT]
    assert runner.statuses([first, texts, second]) == ["RUNNING", "RUNNING", "NEW"]

    runner.turn()
    assert runner.statuses([second]) == ["NEW"]
    runner.end()
    third = runner.enqueue("CHUNK_SOURCE")
    runner.turn()
    assert runner.statuses([first, texts, second, third]) == ["SUCCEEDED", "SUCCEEDED", "RUNNING", "RUNNING"]


def test_vectors_wait_for_texts_that_failed(runner: Runner) -> None:
    """Their texts are tried again after a pause, and given up at last: then there is nothing to wait for."""
    texts, vectors = runner.enqueue("CHUNK_SOURCE", max_attempts=2), runner.enqueue("EMBED_CHUNKS")
    urgent = runner.enqueue("EMBED_CHUNKS", {"space": registered(runner.store)[0]}, priority=300)
    runner.turn()
    runner.end(RunState.FAILED, "busy")
    runner.turn()
    assert runner.statuses([texts, vectors, urgent]) == ["NEW", "NEW", "NEW"]
    runner.turn()
    assert runner.statuses([texts, vectors, urgent]) == ["NEW", "NEW", "NEW"]

    runner.wait(61)
    runner.turn()
    assert runner.statuses([texts, vectors, urgent]) == ["RUNNING", "NEW", "RUNNING"]
    runner.end(RunState.FAILED, "busy")
    runner.turn()
    assert runner.statuses([texts, vectors]) == ["DEADLETTER", "NEW"]
    runner.turn()
    assert runner.statuses([texts, vectors]) == ["DEADLETTER", "RUNNING"]


def test_vectors_do_not_wait_for_a_long_pause(runner: Runner) -> None:
    """Texts that are not tried again before long hold up no vectors; the turn tells who waits for their time."""
    texts = runner.enqueue("CHUNK_SOURCE")
    runner.turn()
    runner.end(RunState.FAILED, "busy")
    runner.turn()
    set_columns(runner, texts, available_utc=runner.now + timedelta(minutes=50))
    vectors = runner.enqueue("EMBED_CHUNKS")
    turn = runner.turn()

    assert runner.statuses([texts, vectors]) == ["NEW", "RUNNING"]
    assert str(turn) == "jobs: 1 claimed, 1 waiting for their time, 0 waiting, 1 under way"


@pytest.mark.parametrize("is_failed", [False, True])
def test_what_a_clock_that_was_put_back_dated_is_not_waited_for(runner: Runner, *, is_failed: bool) -> None:
    """A job that was enqueued, or failed, while the clock was a month ahead is done now, and so is what is behind."""
    runner.wait(30 * 86_400)
    texts = runner.enqueue("CHUNK_SOURCE")
    if is_failed:
        runner.turn()
        runner.end(RunState.FAILED, "busy")
        runner.turn()
    runner.now = NOW
    vectors = runner.enqueue("EMBED_CHUNKS")
    assert runner.turn().redated == 1
    runner.wait(1)
    runner.turn()

    assert runner.statuses([texts, vectors]) == ["RUNNING", "RUNNING"]


def test_a_job_that_is_enqueued_for_later_waits(runner: Runner) -> None:
    """Whoever enqueues a job may say when it is due, however far away that is."""
    job = runner.enqueue("EMBED_CHUNKS")
    set_columns(runner, job, available_utc=NOW + timedelta(days=90))

    assert str(runner.turn()) == "jobs: 1 waiting for their time, 0 waiting, 0 under way"
    runner.wait(90 * 86_400)
    assert runner.turn().claimed == 1


@pytest.mark.parametrize("backend", ["duckdb"])
def test_kinds_that_pause_hide_none_that_are_due(runner: Runner) -> None:
    """A turn looks at some kinds only, at those first that can be done."""
    with runner.store.session() as session:
        raw(
            session,
            "insert into vector.job "
            "(job_id, created_utc, available_utc, job_type, priority, input_json, attempt_count) "
            f"select uuid(), '{NOW}', timestamp '{NOW}' + interval 60 second, 'REEMBED_SPACE', 300, "
            """'{"source": "' || n || '"}', 1 from range(51) as t(n)""",
        )
    due = runner.enqueue("EMBED_CHUNKS")
    runner.turn()

    assert runner.statuses([due]) == ["RUNNING"]


@pytest.mark.parametrize("locked_utc", [None, datetime(2099, 1, 1)])  # noqa: DTZ001
def test_a_lock_that_never_grows_old_is_nobodys(runner: Runner, locked_utc: datetime | None) -> None:
    """A job that some program locked without a time, or in the future, comes back."""
    job = runner.enqueue("EMBED_CHUNKS")
    set_columns(runner, job, status="RUNNING", locked_by="worker", locked_utc=locked_utc, attempt_count=1)

    assert runner.turn().recovered == 1
    assert str(runner.job(job).last_error).startswith("its worker worker did not renew its lock")
    assert runner.turn().claimed == 1
    set_columns(runner, job, locked_utc=locked_utc)
    assert runner.turn().recovered == 0, "a dispatcher renews its own locks, however they look"


def test_only_what_is_recorded_here_is_not_the_queues(runner: Runner) -> None:
    """A job whose origin is another program's is done as any other; what Dagster and commands recorded is not."""
    jobs = [runner.enqueue("EMBED_CHUNKS", {"origin": one}) for one in ("crawler", "queue", "dagster", "cli")]
    runner.turn()

    assert runner.statuses(jobs) == ["RUNNING", "RUNNING", "NEW", "NEW"]


def test_work_that_is_under_way_is_not_asked_for_twice(runner: Runner) -> None:
    """What comes while a run is under way waits for it to end: that run may have looked already."""
    runner.enqueue("EMBED_CHUNKS")
    runner.turn()
    late = runner.enqueue("EMBED_CHUNKS")
    runner.turn()
    assert (runner.asked, runner.statuses([late])) == ([ALL], ["NEW"])

    runner.end()
    runner.turn()
    assert (runner.asked, runner.statuses([late])) == ([ALL, ALL], ["RUNNING"])


def test_a_failed_run_is_tried_again_later(runner: Runner) -> None:
    """With the error of the run, a pause for each attempt, and a dead letter at the last."""
    job = runner.enqueue("EMBED_CHUNKS", max_attempts=2)
    runner.turn()
    runner.end(RunState.FAILED, "no model")
    runner.turn()
    known = runner.job(job)
    run_id = next(iter(runner.runs.values())).run_id
    assert (known.status, known.available_utc) == ("NEW", NOW + timedelta(seconds=60))
    assert known.last_error == f"its run {run_id} failed: no model"

    runner.wait(60)
    runner.turn()
    runner.end(RunState.FAILED, "no model")
    runner.turn()
    assert (runner.job(job).status, runner.job(job).attempt_count) == ("DEADLETTER", 2)


def test_a_cancelled_run_is_not_tried_again(runner: Runner) -> None:
    """Somebody wanted it to end."""
    job = runner.enqueue("EMBED_CHUNKS")
    runner.turn()
    runner.end(RunState.CANCELLED)
    runner.turn()

    assert runner.job(job).status == "DEADLETTER"
    assert str(runner.job(job).last_error).endswith(" was cancelled")


@pytest.mark.parametrize(
    ("job_type", "job_input", "columns", "said"),
    [
        ("DRIFT_TEST", {"space": "nobody"}, {}, "no space is called 'nobody'"),
        ("DRIFT_TEST", {"source_id": "x"}, {}, "says `source_id`, and DRIFT_TEST reads none of these"),
        ("RETRIEVE_TEST", {}, {}, "a RETRIEVE_TEST job names a space"),
        ("EMBED_CHUNKS", "chunk 7", {}, "its input_json is no JSON object"),
        ("EMBED_CHUNKS", {"space": "nobody"}, {}, "no space is called 'nobody'"),
        ("EMBED_CHUNKS", {"space": "\u0000"}, {}, "no space is called"),
        ("REEMBED_SPACE", {}, {}, "a REEMBED_SPACE job names a space"),
        ("REEMBED_SPACE", {"space": "ngram", "replace": "perhaps"}, {}, "must be true or false"),
        ("REEMBED_SPACE", {"space": "ngram", "replace": {}}, {}, "must be true or false"),
        ("REEMBED_SPACE", {"space": ""}, {}, "no space is called ''"),
        ("EMBED_CHUNKS", {"source_id": "nobody"}, {}, "says `source_id`, and EMBED_CHUNKS reads none of these"),
        ("EMBED_CHUNKS", {"replace": True}, {}, "says `replace`, and EMBED_CHUNKS reads none of these"),
        ("REEMBED_SPACE", {"space": "ngram", "source_id": "x"}, {}, "REEMBED_SPACE reads `source` and `replace`"),
        ("CHUNK_SOURCE", {"source": "x"}, {}, "says `source`, and CHUNK_SOURCE reads `source_id`"),
        ("EMBED_CHUNKS", {}, {"max_attempts": 0}, "it has no attempt left"),
    ],
)
def test_what_nobody_can_do_is_given_up_at_once(
    runner: Runner, job_type: str, job_input: Any, columns: dict[str, Any], said: str
) -> None:
    """With its reason, without a run, and without holding up the others."""
    registered(runner.store)
    text = job_input if isinstance(job_input, str) else None
    bad = runner.enqueue(job_type, {} if text else job_input, **columns)
    if text:
        with runner.store.session() as session:
            raw(session, f"update vector.job set input_json = '{text}' where job_id = '{bad}'")
    good = runner.enqueue("CHUNK_SOURCE")
    turn = runner.turn()

    assert (turn.refused, runner.asked) == (1, [TEXT])
    assert runner.statuses([bad, good]) == ["DEADLETTER", "RUNNING"]
    assert said in str(runner.job(bad).last_error)
    assert runner.job(bad).attempt_count == 0


def test_inactive_and_contradicting_spaces_are_given_up(runner: Runner) -> None:
    """A space that nobody fills, and a job that names two, say so."""
    (_, key), (other, _) = registered(runner.store), registered(runner.store, 64)
    two, inactive = (
        runner.enqueue("EMBED_CHUNKS", {"space": other}, space_id=key),
        runner.enqueue("EMBED_CHUNKS", space_id=key),
    )
    runner.turn()
    assert "its embedding_space_id is that of" in str(runner.job(two).last_error)
    runner.end()
    runner.turn()
    assert runner.statuses([inactive]) == ["SUCCEEDED"]

    with runner.store.session() as session:
        raw(session, f"update vector.embedding_space set is_active = 'false' where embedding_space_id = '{key}'")
    inactive = runner.enqueue("EMBED_CHUNKS", space_id=key)
    runner.turn()
    assert "is not active: `holocron spaces activate" in str(runner.job(inactive).last_error)


def test_a_turn_that_was_killed_asks_again(runner: Runner) -> None:
    """Claimed and not asked for: the next turn asks for the same claim, and nothing is claimed again."""
    job = runner.enqueue("EMBED_CHUNKS")
    (lost,) = runner.turn(killed=True).requests
    (asked,) = runner.turn().requests

    assert asked == lost
    assert runner.job(job).locked_by == worker_of(runner.name, lost.claim)
    assert (runner.turn().requests, runner.job(job).attempt_count) == ([], 1)
    runner.end()
    runner.turn()
    assert runner.statuses([job]) == ["SUCCEEDED"]


def test_a_claim_that_can_no_longer_be_done_is_given_up(runner: Runner) -> None:
    """A turn was killed, and until the next one its space was deactivated."""
    _, key = registered(runner.store)
    job = runner.enqueue("EMBED_CHUNKS", space_id=key)
    runner.turn(killed=True)
    with runner.store.session() as session:
        raw(session, "update vector.embedding_space set is_active = 'false'")
    turn = runner.turn()

    assert (turn.requests, turn.failed) == ([], 1)
    assert "is not active" in str(runner.job(job).last_error)


def test_two_dispatchers_share_no_job(runner: Runner) -> None:
    """Whoever claims first has all of a kind; neither finishes or renews what the other claimed."""
    other = Runner(runner.store, name="bbbbbbbbbbbb")
    jobs = [runner.enqueue("EMBED_CHUNKS") for _ in range(10)]
    assert (runner.turn().claimed, other.turn().claimed) == (10, 0)
    texts = runner.enqueue("CHUNK_SOURCE")
    assert (other.turn().claimed, runner.turn().claimed) == (1, 0)

    other.end(RunState.FAILED)
    other.turn()
    runner.end()
    runner.turn()
    assert set(runner.statuses(jobs)) == {"SUCCEEDED"}
    assert runner.statuses([texts]) == ["NEW"]


def test_what_another_dispatcher_does_is_waited_for(runner: Runner) -> None:
    """Nobody asks for what another's run does already, or for vectors of texts that it is about to make."""
    other = Runner(runner.store, name="bbbbbbbbbbbb")
    jobs = [runner.enqueue("CHUNK_SOURCE"), runner.enqueue("EMBED_CHUNKS"), runner.enqueue("CHUNK_SOURCE")]
    assert (runner.turn().claimed, other.turn().claimed) == (2, 0)
    late = runner.enqueue("CHUNK_SOURCE")
    assert (other.turn().claimed, runner.turn().claimed) == (0, 0)

    runner.end()
    runner.turn()
    other.turn()
    assert runner.statuses([*jobs, late]) == ["SUCCEEDED", "RUNNING", "SUCCEEDED", "RUNNING"]


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_dispatcher_that_is_gone_is_not_waited_for(runner: Runner, jump: int) -> None:
    """Its lock is as far from now as none is that somebody renews, whichever way the clock was moved."""
    runner.enqueue("EMBED_CHUNKS")
    runner.turn()
    other = Runner(runner.store, name="bbbbbbbbbbbb", now=NOW + timedelta(seconds=jump))
    late = other.enqueue("EMBED_CHUNKS")
    other.turn()

    assert other.statuses([late]) == ["RUNNING"]


def test_two_that_planned_the_same_claim_it_once(runner: Runner) -> None:
    """Both saw the job wait, and one was slower: it claims nothing and asks for nothing."""
    other = Runner(runner.store, name="bbbbbbbbbbbb")
    first = runner.enqueue("EMBED_CHUNKS")
    runner.turn()
    runner.end()
    late = runner.enqueue("CHUNK_SOURCE")
    claimed = []

    def meanwhile(claims: Sequence[str]) -> Mapping[str, ClaimRun]:
        claimed.append(other.turn().claimed)
        return runner.runs_of(claims)

    turn = take_turn(runner.store, runner.name, SETTINGS, meanwhile, runner.now)

    assert (claimed, turn.claimed, turn.requests, turn.succeeded) == ([1], 0, [], 1)
    assert runner.statuses([first, late]) == ["SUCCEEDED", "RUNNING"]


def test_what_a_lost_dispatcher_claimed_comes_back(runner: Runner) -> None:
    """An instance that was wiped has another name: after the stale time its jobs are done by whoever is there."""
    job = runner.enqueue("EMBED_CHUNKS")
    runner.turn()
    reborn = Runner(runner.store, name="cccccccccccc")
    reborn.turn()
    assert reborn.asked == []
    reborn.wait(SETTINGS.stale_seconds + 1)
    assert reborn.turn().recovered == 1

    reborn.turn()
    reborn.end()
    reborn.turn()
    assert (reborn.asked, reborn.statuses([job])) == ([ALL], ["SUCCEEDED"])
    runner.end(RunState.FAILED)
    runner.turn()
    assert runner.statuses([job]) == ["SUCCEEDED"]


def test_an_instance_that_lost_its_runs_asks_again(runner: Runner) -> None:
    """The name was kept and the runs were not: the claim is asked for once more."""
    job = runner.enqueue("EMBED_CHUNKS")
    runner.turn()
    runner.runs.clear()
    runner.turn()
    runner.end()
    runner.turn()

    assert (runner.asked, runner.statuses([job])) == ([ALL, ALL], ["SUCCEEDED"])


@pytest.mark.parametrize("jump", [-86_400 * 30, 86_400 * 30])
def test_a_clock_that_moved_loses_nothing(runner: Runner, jump: int) -> None:
    """A run under way keeps its claim, which is renewed with the new time, whichever way the clock was moved."""
    job = runner.enqueue("EMBED_CHUNKS")
    runner.turn()
    runner.wait(jump)
    turn = runner.turn()

    assert (turn.recovered, runner.statuses([job])) == (0, ["RUNNING"])
    assert runner.job(job).locked_utc == runner.now
    runner.end()
    runner.turn()
    assert runner.statuses([job]) == ["SUCCEEDED"]


def test_locks_are_renewed_when_a_third_of_the_time_has_passed(runner: Runner) -> None:
    """And not at every turn: nothing is written where nothing happens."""
    job = runner.enqueue("EMBED_CHUNKS")
    runner.turn()
    runner.wait(300)
    runner.turn()
    assert runner.job(job).locked_utc == NOW
    runner.wait(1)
    runner.turn()
    assert runner.job(job).locked_utc == runner.now
    for _ in range(10):
        runner.wait(400)
        assert runner.turn().recovered == 0
    assert runner.statuses([job]) == ["RUNNING"]


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("enqueue"),
            st.sampled_from(["CHUNK_SOURCE", "EMBED_CHUNKS", "DRIFT_TEST", "RETRIEVE_TEST", "garbage"]),
        ),
        st.tuples(st.sampled_from(["turn", "killed", "wipe", "forget"]), st.sampled_from([0, 1])),
        st.tuples(st.just("end"), st.sampled_from(list(RunState)[1:])),
        st.tuples(st.just("wait"), st.sampled_from([30, 90, 1000, -500])),
    ),
    min_size=5,
    max_size=25,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_every_job_ends_once(store: SqlStore, steps: list[tuple[str, Any]]) -> None:
    """Two dispatchers, kills, lost runs, lost names, a clock that jumps: what ended stays so, and all of them end."""
    with store.session() as session:
        raw(session, "delete from vector.job")
    both = [Runner(store, name="aaaaaaaaaaaa"), Runner(store, name="bbbbbbbbbbbb")]
    jobs: list[uuid.UUID] = []
    ended: dict[uuid.UUID, str] = {}
    for step, what in steps:
        if step == "enqueue":
            jobs.append(enqueued(both[0], what))
        else:
            happen(both, step, what)
        ended |= checked(both[0], jobs, ended)
    for _ in range(6):
        for one in both:
            one.turn()
            one.end()
            one.wait(1000)
        ended |= checked(both[0], jobs, ended)

    assert set(ended) == set(jobs)


def enqueued(runner: Runner, what: str) -> uuid.UUID:
    job = runner.enqueue("EMBED_CHUNKS" if what == "garbage" else what, max_attempts=2)
    if what == "garbage":
        with runner.store.session() as session:
            raw(session, f"update vector.job set input_json = '[' where job_id = '{job}'")
    return job


def happen(both: Sequence[Runner], step: str, what: Any) -> None:
    """Something happens to one of two dispatchers, or, as time does, to both."""
    if step in ("turn", "killed"):
        both[what].turn(killed=step == "killed")
    elif step == "wipe":
        both[what].name = uuid.uuid4().hex[:12]
    elif step == "forget":
        both[what].runs.clear()
    else:
        for one in both:
            one.end(what, "broken") if step == "end" else one.wait(what)


def checked(runner: Runner, jobs: Sequence[uuid.UUID], ended: Mapping[uuid.UUID, str]) -> dict[uuid.UUID, str]:
    """What holds at every moment; returns the jobs that have ended."""
    found = [runner.job(job) for job in jobs]
    for job in found:
        assert job.attempt_count <= job.max_attempts
        assert job.status == "DEADLETTER" or (job.status == "NEW") == (job.locked_by is None)
        assert ended.get(job.job_id, job.status) == job.status
    return {job.job_id: job.status for job in found if job.status in ("SUCCEEDED", "DEADLETTER")}
