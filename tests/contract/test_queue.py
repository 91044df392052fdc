"""The job queue on every store: enqueueing once, claiming by one, and what becomes of failures and of dead workers."""

import platform
import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holocron_assets.errors import StoreError
from holocron_assets.ports import Session
from holocron_assets.records import JobType
from holocron_assets.runs import end_dead_runs
from holocron_assets.tables import queue, runs
from resources.stores.base import SqlStore
from resources.stores.sqlserver_target import target_of
from tests.world import raw

NOW = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - times are naive UTC throughout
EMBED = JobType.EMBED_CHUNKS


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def enqueued(session: Session, now: datetime = NOW, **columns: Any) -> uuid.UUID:
    """A new job that is like no other."""
    job = queue.enqueue_job(session, EMBED, {}, now, **columns)
    assert not job.is_duplicate
    return job.job_id


def claimed(session: Session, worker_id: str = "w", now: datetime = NOW) -> uuid.UUID | None:
    """The next job, with a run of it as workers record one: the queue must be able to change jobs that have runs."""
    job = queue.claim_next_job(session, worker_id, now)
    if job is None:
        return None
    runs.insert_run(session, uuid.uuid4(), job.job_id, worker_id, None, {}, now)
    return job.job_id


def known(session: Session, job_id: uuid.UUID) -> queue.Job:
    job = queue.get_job(session, job_id)
    assert job is not None
    return job


def test_enqueueing_twice_gives_one_job(store: SqlStore) -> None:
    """While a job waits, whoever enqueues its key again is told of it."""
    with store.session() as session:
        first = queue.enqueue_job(session, EMBED, {"dedupe_key": "k", "n": 1}, NOW)
    with store.session() as session:
        waiting = queue.enqueue_job(session, EMBED, {"dedupe_key": "k", "n": 2}, later(1))
    with store.session(write=False) as session:
        (job,) = queue.list_jobs(session, limit=10)

    assert (first.is_duplicate, first.existing_status) == (False, None)
    assert waiting == queue.EnqueuedJob(job_id=first.job_id, is_duplicate=True, existing_status="NEW")
    assert job.input_json == '{"dedupe_key":"k","n":1}'


def test_a_job_that_runs_is_no_obstacle(store: SqlStore) -> None:
    """Its worker may have looked already: what came since is another job, which waits."""
    with store.session() as session:
        first = queue.enqueue_job(session, EMBED, {"dedupe_key": "k"}, NOW)
        claimed(session)
        second = queue.enqueue_job(session, EMBED, {"dedupe_key": "k"}, later(1))
        third = queue.enqueue_job(session, EMBED, {"dedupe_key": "k"}, later(2))

    assert not second.is_duplicate
    assert second.job_id not in (first.job_id, None)
    assert third == queue.EnqueuedJob(job_id=second.job_id, is_duplicate=True, existing_status="NEW")


@pytest.mark.parametrize("end", ["SUCCEEDED", "DEADLETTER"])
def test_a_job_that_ended_is_no_obstacle(store: SqlStore, end: str) -> None:
    """Work whose earlier job succeeded or was given up can be enqueued again."""
    with store.session() as session:
        first = queue.enqueue_job(session, EMBED, {"dedupe_key": "k"}, NOW)
        claimed(session)
        if end == "SUCCEEDED":
            assert queue.complete_job(session, first.job_id, "w")
        else:
            assert queue.fail_job(session, first.job_id, "w", "no such model", NOW, is_permanent=True) == end
        again = queue.enqueue_job(session, EMBED, {"dedupe_key": "k"}, NOW)

        assert known(session, first.job_id).status == end
        assert not again.is_duplicate
        assert again.job_id != first.job_id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("Straße", "STRASSE"),
        ("k", "K"),
        ("k", "k "),
        ("\U0001f600", "\U0001f601"),
        ("\u6f22", "\u6f23"),
        ("'; --", '"\\'),
    ],
)
def test_keys_are_told_apart_by_their_characters(store: SqlStore, one: str, other: str) -> None:
    """No collation makes two keys one, and no script makes one key two."""
    with store.session() as session:
        first = queue.enqueue_job(session, EMBED, {"dedupe_key": one}, NOW)

        assert not queue.enqueue_job(session, EMBED, {"dedupe_key": other}, NOW).is_duplicate
        assert queue.enqueue_job(session, EMBED, {"dedupe_key": one}, NOW).job_id == first.job_id


def test_two_types_with_one_key_are_two_jobs(store: SqlStore) -> None:
    """A key means something within its type only."""
    with store.session() as session:
        queue.enqueue_job(session, JobType.EMBED_CHUNKS, {"dedupe_key": "k"}, NOW)

        assert not queue.enqueue_job(session, JobType.CHUNK_SOURCE, {"dedupe_key": "k"}, NOW).is_duplicate


@pytest.mark.parametrize("job_input", [{}, {"dedupe_key": None}, {"n": 1}])
def test_without_a_key_every_job_is_another(store: SqlStore, job_input: dict[str, Any]) -> None:
    """An input without a key is never a duplicate."""
    with store.session() as session:
        jobs = [queue.enqueue_job(session, EMBED, job_input, NOW) for _ in range(2)]

    assert not any(job.is_duplicate for job in jobs)
    assert jobs[0].job_id != jobs[1].job_id


def test_an_unknown_type_of_job_is_refused(store: SqlStore) -> None:
    """The table knows the types; the error names the constraint, and no retry is offered."""
    with pytest.raises(StoreError, match=r"(?i)check.*job_type|constraint") as raised, store.session() as session:
        queue.enqueue_job(session, "BAKE_CAKE", {}, NOW)

    assert type(raised.value) is StoreError
    with store.session(write=False) as session:
        assert queue.list_jobs(session, limit=10) == []


def test_jobs_are_claimed_in_order(store: SqlStore) -> None:
    """Higher priorities first, then what has been available for longest; nothing before its time."""
    with store.session() as session:
        late = enqueued(session, later(30))
        second, first = enqueued(session, later(10)), enqueued(session, NOW)
        urgent = enqueued(session, later(20), priority=300)
        in_order = [claimed(session, now=later(25)) for _ in range(4)]

        assert in_order == [urgent, first, second, None]
        assert claimed(session, now=later(30)) == late


def test_a_claimed_job_is_its_workers(store: SqlStore) -> None:
    """A claim returns the whole job, running, locked, and with its attempt counted."""
    with store.session() as session:
        enqueued(session, priority=7, max_attempts=2)
        job = queue.claim_next_job(session, "host/1", later(5))
        assert job is not None

        assert known(session, job.job_id) == job
        assert (job.status, job.attempt_count, job.locked_by, job.locked_utc) == ("RUNNING", 1, "host/1", later(5))
        assert (job.created_utc, job.available_utc, job.priority, job.max_attempts) == (NOW, NOW, 7, 2)
        assert claimed(session, now=later(5)) is None


def test_a_worker_claims_what_it_can_do(store: SqlStore) -> None:
    """A list of types leaves the others to other workers; an empty one leaves all."""
    with store.session() as session:
        queue.enqueue_job(session, "DRIFT_TEST", {}, NOW, priority=300)
        wanted = enqueued(session)

        assert queue.claim_next_job(session, "w", NOW, []) is None
        job = queue.claim_next_job(session, "w", NOW, ["CHUNK_SOURCE", "EMBED_CHUNKS"])
        assert job is not None
        assert job.job_id == wanted


def test_each_job_is_claimed_once(store: SqlStore) -> None:
    """Workers that claim side by side never get the same job, and leave none."""
    with store.session() as session:
        jobs = {enqueued(session) for _ in range(12)}
    found: list[uuid.UUID] = []

    def work(number: int) -> None:
        while True:
            with store.session() as session:
                job_id = claimed(session, f"w{number}")
            if job_id is None:
                return
            found.append(job_id)

    side_by_side(work, 4)

    assert len(found) == len(jobs)
    assert set(found) == jobs


def test_each_key_is_enqueued_once(store: SqlStore) -> None:
    """Programs that enqueue the same keys side by side make one job of each."""

    def enqueue(_number: int) -> None:
        for key in ("a", "b", "c"):
            with store.session() as session:
                queue.enqueue_job(session, EMBED, {"dedupe_key": key}, NOW)

    side_by_side(enqueue, 4)

    with store.session(write=False) as session:
        assert len(queue.list_jobs(session, limit=100)) == 3


def side_by_side(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_failed_job_comes_back_later(store: SqlStore) -> None:
    """Each attempt waits longer; the lock is gone and the error stays."""
    with store.session() as session:
        job_id = enqueued(session)
        claimed(session)
        assert queue.fail_job(session, job_id, "w", "the server is down", later(5)) == "NEW"
        job = known(session, job_id)

        assert (job.available_utc, job.locked_by, job.locked_utc) == (later(65), None, None)
        assert job.last_error == "the server is down"
        assert claimed(session, now=later(64)) is None
        assert claimed(session, now=later(65)) == job_id
        assert queue.fail_job(session, job_id, "w", "still", later(100), backoff_seconds=10) == "NEW"
        assert known(session, job_id).available_utc == later(120)


def test_the_last_attempt_ends_in_a_dead_letter(store: SqlStore) -> None:
    """A job that failed as often as it may is never claimed again, and says why."""
    with store.session() as session:
        job_id = enqueued(session, max_attempts=2)
        for final_status in ("NEW", "DEADLETTER"):
            assert claimed(session) == job_id
            assert queue.fail_job(session, job_id, "w", "x" * 5000, NOW, backoff_seconds=0) == final_status
        job = known(session, job_id)

        assert claimed(session, now=later(10**6)) is None
        assert (job.status, job.attempt_count, job.locked_by) == ("DEADLETTER", 2, "w")
        assert job.last_error == "x" * 4000
        assert queue.list_jobs(session, limit=10, status="DEADLETTER") == [job]
        assert queue.list_jobs(session, limit=10, status="NEW") == []


def test_a_success_clears_the_error(store: SqlStore) -> None:
    """A job that succeeds at last is done once, without the error of an earlier attempt."""
    with store.session() as session:
        job_id = enqueued(session)
        claimed(session)
        queue.fail_job(session, job_id, "w", "broken", NOW, backoff_seconds=0)
        claimed(session)

        assert queue.complete_job(session, job_id, "w")
        assert (known(session, job_id).status, known(session, job_id).last_error) == ("SUCCEEDED", None)
        assert not queue.complete_job(session, job_id, "w")
        assert queue.fail_job(session, job_id, "w", "broken", NOW) is None


def test_a_dead_workers_job_comes_back(store: SqlStore) -> None:
    """Its worker, should it wake up, can neither renew nor finish what another has claimed."""
    with store.session() as session:
        job_id = enqueued(session)
        claimed(session, "dead")
        assert queue.recover_stale_jobs(session, 300, later(300)) == []
        (recovered,) = queue.recover_stale_jobs(session, 300, later(301))
        job = known(session, job_id)
        assert not queue.complete_job(session, job_id, "dead")
        assert claimed(session, "alive", later(301)) == job_id

        assert recovered == queue.RecoveredJob(job_id=job_id, final_status="NEW")
        assert (job.available_utc, job.locked_by, job.locked_utc) == (later(301), None, None)
        assert job.last_error == "its worker dead did not renew its lock for more than 300 s"
        assert not queue.complete_job(session, job_id, "dead")
        assert queue.fail_job(session, job_id, "dead", "too late", later(302)) is None
        assert not queue.renew_job_lock(session, job_id, "dead", later(302))
        assert queue.complete_job(session, job_id, "alive")
        assert known(session, job_id).attempt_count == 2


def test_a_worker_that_renews_its_lock_keeps_its_job(store: SqlStore) -> None:
    """Long work is nobody else's as long as its worker says that it lives."""
    with store.session() as session:
        job_id = enqueued(session)
        claimed(session)

        assert queue.renew_job_lock(session, job_id, "w", later(250))
        assert queue.recover_stale_jobs(session, 300, later(500)) == []
        assert known(session, job_id).locked_utc == later(250)


def test_a_job_that_kills_its_workers_is_given_up(store: SqlStore) -> None:
    """A recovered attempt counts like a failed one."""
    with store.session() as session:
        job_id = enqueued(session, max_attempts=1)
        claimed(session, "dead")
        (recovered,) = queue.recover_stale_jobs(session, 300, later(301))

        assert recovered == queue.RecoveredJob(job_id=job_id, final_status="DEADLETTER")
        assert (known(session, job_id).locked_by, known(session, job_id).locked_utc) == ("dead", NOW)
        assert "did not renew its lock" in str(known(session, job_id).last_error)


@pytest.mark.parametrize("origin", ["dagster", "cli"])
def test_what_others_started_is_not_the_queues(store: SqlStore, origin: str) -> None:
    """Jobs of Dagster and of commands are never claimed, recovered or listed, whatever their status."""
    with store.session() as session:
        running, waiting = uuid.uuid4(), enqueued(session)
        runs.insert_job(session, running, EMBED, {"origin": origin}, None, "run", NOW)
        raw(session, f"update vector.job set input_json = '{{\"origin\":\"{origin}\"}}' where job_id = '{waiting}'")

        assert claimed(session) is None
        assert queue.recover_stale_jobs(session, 300, later(10**6)) == []
        assert queue.list_jobs(session, limit=10) == []
        assert (known(session, running).status, known(session, waiting).status) == ("RUNNING", "NEW")


def test_a_dead_run_leaves_its_job_to_the_queue(store: SqlStore) -> None:
    """The run of a dead process ends as failed; its job, which the queue gave it, is for the queue to recover."""
    dead = f"{platform.node()}/{2**22 + 1}/1"
    with store.session() as session:
        job_id, other = enqueued(session), uuid.uuid4()
        claimed(session, dead)
        runs.insert_job(session, other, EMBED, {"origin": "cli"}, None, "ingest", NOW)
        runs.insert_run(session, uuid.uuid4(), other, dead, None, {}, NOW)

    assert len(end_dead_runs(store)) == 2

    with store.session() as session:
        assert runs.list_running_runs(session) == []
        assert (known(session, job_id).status, known(session, other).status) == ("RUNNING", "FAILED")
        assert [job.job_id for job in queue.recover_stale_jobs(session, 300, later(301))] == [job_id]


def test_inputs_that_are_no_json_hinder_nobody(store: SqlStore) -> None:
    """What another program wrote into the table is claimed like any job, and no other statement stumbles over it."""
    with store.session() as session:
        odd = enqueued(session)
        raw(session, f"update vector.job set input_json = 'chunk 7' where job_id = '{odd}'")
        job = queue.enqueue_job(session, EMBED, {"dedupe_key": "k", "origin": "queue"}, later(1))

        assert len(queue.list_jobs(session, limit=10)) == 2
        assert [claimed(session, now=later(1)) for _ in range(2)] == [odd, job.job_id]
        assert len(queue.recover_stale_jobs(session, 300, later(302))) == 2


def test_claiming_needs_a_session_that_writes(store: SqlStore) -> None:
    """A session opened for reading claims nothing."""
    with store.session() as session:
        job_id = enqueued(session)

    with pytest.raises(StoreError), store.session(write=False) as session:
        claimed(session)

    with store.session(write=False) as session:
        assert known(session, job_id).status == "NEW"


@pytest.mark.parametrize("backend", ["translated", "sqlserver"])
@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("usp_complete_job @job_id = '{}', @worker_id = N'w', @status = 'NEW'", "completed with SUCCEEDED"),
        ("usp_enqueue_job @job_type = N'DRIFT_TEST', @input_json = N'chunk 7'", "(?i)json"),
    ],
)
def test_procedures_refuse_nonsense(store: SqlStore, call: str, message: str) -> None:
    """A status that ends nothing, and an input that is no JSON, are errors that leave the job as it was."""
    with store.session() as session:
        job_id = enqueued(session)
        claimed(session)

    with pytest.raises(StoreError, match=message), store.session() as session:
        session.run_script(f"exec vector.{call.format(job_id)}")

    with store.session(write=False) as session:
        assert [(job.job_id, job.status) for job in queue.list_jobs(session, limit=10)] == [(job_id, "RUNNING")]


@pytest.mark.parametrize("backend", ["sqlserver"])
def test_procedures_wait_for_no_claim(store: SqlStore, store_url: str) -> None:
    """Programs that call the procedures pass by what another is claiming, and wait for who enqueues the same key."""
    import pyodbc  # noqa: PLC0415 - needs the operating system's driver manager, which not every machine has

    with store.session() as session:
        jobs = {enqueued(session) for _ in range(2)}
    text = target_of(store_url, {}, pyodbc.drivers()).connection_string()
    claim, enqueue = (
        "exec vector.usp_claim_next_job @worker_id = N'w'",
        "exec vector.usp_enqueue_job @job_type = N'DRIFT_TEST', @input_json = N'{\"dedupe_key\":\"k\"}'",
    )
    with pyodbc.connect(text, autocommit=True) as one, pyodbc.connect(text, autocommit=True) as other:
        other.execute("set lock_timeout 500")
        one.execute("begin transaction")
        found = {uuid.UUID(str(connection.execute(claim).fetchone().job_id)) for connection in (one, other)}
        one.execute(enqueue).fetchall()
        with pytest.raises(pyodbc.Error, match="51222"):
            other.execute(enqueue)
        one.execute("commit transaction")
        (answer,) = other.execute(enqueue).fetchall()

    assert found == jobs
    assert (answer.is_duplicate, answer.existing_status) == (True, "NEW")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enqueue"), st.sampled_from("ab")),
        st.tuples(st.sampled_from(["claim", "complete", "fail", "give up", "renew"]), st.sampled_from("xy")),
        st.tuples(st.just("wait"), st.sampled_from([30, 90, 400])),
        st.tuples(st.just("recover"), st.just(300)),
    ),
    min_size=5,
    max_size=25,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_sequence_of_steps_keeps_the_rules(store: SqlStore, steps: list[tuple[str, Any]]) -> None:
    """Whatever happens in which order: a key that waits is not enqueued, attempts are bounded, what runs is locked."""
    now = NOW
    held: dict[str, uuid.UUID] = {}
    with store.session() as session:
        raw(session, "delete from vector.job")
        for step, what in steps:
            if step == "enqueue":
                waiting = {job.input_json for job in queue.list_jobs(session, limit=100) if job.status == "NEW"}
                answer = queue.enqueue_job(session, EMBED, {"dedupe_key": what}, now, max_attempts=2)
                assert answer.is_duplicate == (f'{{"dedupe_key":"{what}"}}' in waiting)
            elif step == "wait":
                now += timedelta(seconds=what)
            elif step == "recover":
                queue.recover_stale_jobs(session, what, now)
            elif step == "claim":
                job = queue.claim_next_job(session, what, now)
                held |= {what: job.job_id} if job else {}
            elif what in held:
                before = known(session, held[what])
                done = finished(session, step, held[what], what, now)
                assert done == (before.status == "RUNNING" and before.locked_by == what)
            jobs = queue.list_jobs(session, limit=100)
            for job in jobs:
                assert job.attempt_count <= job.max_attempts
                assert (job.attempt_count, job.status) != (job.max_attempts, "NEW")
                assert (job.locked_by is None) == (job.status == "NEW") == (job.locked_utc is None)


def finished(session: Session, step: str, job_id: uuid.UUID, worker_id: str, now: datetime) -> bool:
    """Whether the worker could do this with the job."""
    if step == "complete":
        return queue.complete_job(session, job_id, worker_id)
    if step == "renew":
        return queue.renew_job_lock(session, job_id, worker_id, now)
    return queue.fail_job(session, job_id, worker_id, "broken", now, is_permanent=step == "give up") is not None
