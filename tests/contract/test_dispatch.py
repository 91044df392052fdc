"""The queue by kinds on every store: what waits, what is claimed, and how whole claims end."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace
from holocron_assets.spaces import space_of
from holocron_assets.tables import dispatch, queue, runs, spaces
from holocron_assets.tables.dispatch import CANCELLED, Kind
from holocron_assets.transactions import read, write
from resources.providers.hashing import ByteNgrams
from resources.stores.base import SqlStore
from tests.contract.test_queue import side_by_side
from tests.world import World, json_row, raw

NOW = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - times are naive UTC throughout
CHUNK, EMBED, REEMBED = Kind(job_type="CHUNK_SOURCE"), Kind(job_type="EMBED_CHUNKS"), Kind(job_type="REEMBED_SPACE")
GARBAGE = ["chunk 7", "[]", '[{"replace": true}]', "", "7", "null"]


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def enqueued(
    session: Session, job_type: str, now: datetime = NOW, text: str | None = None, **columns: Any
) -> uuid.UUID:
    """A job, with this as its input if a text is given, however odd it is."""
    job_id = queue.enqueue_job(session, job_type, columns.pop("job_input", {}), now, **columns).job_id
    if text is not None:
        raw(session, f"update vector.job set input_json = '{text}' where job_id = '{job_id}'")
    return job_id


def known(session: Session, job_id: uuid.UUID) -> queue.Job:
    job = queue.get_job(session, job_id)
    assert job is not None
    return job


def registered(session: Session) -> EmbeddingSpace:
    space = space_of(ByteNgrams("ngram", {"dimensions": 32}).describe())
    spaces.insert_space(session, space, NOW)
    return space


def test_what_waits_is_told_by_kind(store: SqlStore) -> None:
    """Jobs that ask for the same are one line, whatever their keys; the line stands where its first job does."""
    with store.session() as session:
        space = registered(session).embedding_space_id
        enqueued(session, "EMBED_CHUNKS", later(2), space_id=space, job_input={"dedupe_key": "a"})
        enqueued(session, "EMBED_CHUNKS", later(3), space_id=space, job_input={"dedupe_key": "b", "note": 1})
        enqueued(session, "CHUNK_SOURCE", later(1), job_input={"source_id": "files:notes:x"})
        enqueued(session, "REEMBED_SPACE", later(9), priority=300, job_input={"replace": True, "source": "w:"})
        enqueued(session, "CHUNK_SOURCE", later(11))
        enqueued(session, "EMBED_CHUNKS", max_attempts=0)
        failed = enqueued(session, "REEMBED_SPACE", later(4))
        dispatch.claim_jobs(session, REEMBED, "w", later(5))
        dispatch.fail_claim(session, "w", "no", later(5), done_by="r", is_permanent=False, backoff_seconds=60)
        assert known(session, failed).status == "NEW"
        found = dispatch.list_waiting_work(session, later(10), 100)

    reembed = Kind(job_type="REEMBED_SPACE", source_prefix="w:", replaces="true")
    embed = Kind(job_type="EMBED_CHUNKS", embedding_space_id=space)
    of_source = Kind(job_type="CHUNK_SOURCE", names_source=True)
    assert [(one.kind, one.jobs, one.place, one.is_exhausted, one.is_paused) for one in found] == [
        (reembed, 1, 1, False, False),
        (EMBED, 1, 2, True, False),
        (of_source, 1, 3, False, False),
        (embed, 2, 4, False, False),
        (REEMBED, 1, 6, False, True),
    ]
    assert [one.available_utc for one in found] == [later(9), NOW, later(1), later(2), later(65)]
    with store.session(write=False) as session:
        (first,) = dispatch.list_waiting_work(session, later(8), 1)
        times = dispatch.get_queue_times(session, 300, 60, later(8))
    assert first.kind == EMBED, "what may be taken comes before what may not"
    assert times == dispatch.QueueTimes(stale=0, later=3, misdated=2)


@pytest.mark.parametrize("text", GARBAGE)
def test_inputs_that_are_no_objects_are_told_apart(store: SqlStore, text: str) -> None:
    """What is no JSON object is a kind of its own, which claims of the others leave alone, and is given up at once."""
    with store.session() as session:
        odd, plain = enqueued(session, "EMBED_CHUNKS", text=text), enqueued(session, "EMBED_CHUNKS", later(1))
        (first, second) = dispatch.list_waiting_work(session, later(1), 100)

        assert (first.kind.is_object, second.kind) == (False, EMBED)
        assert dispatch.claim_jobs(session, EMBED, "w", later(1)) == 1
        assert dispatch.fail_waiting_jobs(session, first.kind, "no object", later(1), is_exhausted=False) == 1
        assert (known(session, plain).status, known(session, odd).status) == ("RUNNING", "DEADLETTER")
        assert known(session, odd).last_error == "no object"


@pytest.mark.parametrize(
    ("job_input", "kind"),
    [
        ({"space": "it's"}, Kind(job_type="REEMBED_SPACE", space="it's")),
        ({"replace": [1]}, Kind(job_type="REEMBED_SPACE", replaces="[1]")),
        ({"source": {"a": 1}}, Kind(job_type="REEMBED_SPACE", source_prefix='{"a":1}')),
        ({"source": "W:"}, Kind(job_type="REEMBED_SPACE", source_prefix="W:")),
        ({"replace": 1}, Kind(job_type="REEMBED_SPACE", replaces="1")),
    ],
)
def test_what_a_kind_says_finds_its_jobs(store: SqlStore, job_input: dict[str, Any], kind: Kind) -> None:
    """A kind as it was told claims the jobs that it was told of, and no others."""
    with store.session() as session:
        wanted = enqueued(session, "REEMBED_SPACE", job_input=job_input)
        others = [enqueued(session, "REEMBED_SPACE", job_input=one) for one in ({}, {"source": "w:"})]
        assert kind in [one.kind for one in dispatch.list_waiting_work(session, NOW, 100)]

        assert dispatch.claim_jobs(session, kind, "w", NOW) == 1
        assert known(session, wanted).locked_by == "w"
        assert {known(session, other).status for other in others} == {"NEW"}


def test_a_claim_takes_a_kind_at_once(store: SqlStore) -> None:
    """All that wait of a kind, with their attempts counted; a second claim finds nothing, whoever makes it."""
    with store.session() as session:
        jobs = [enqueued(session, "EMBED_CHUNKS") for _ in range(20)]
        late, spent = enqueued(session, "EMBED_CHUNKS", later(9)), enqueued(session, "EMBED_CHUNKS", max_attempts=0)
        assert dispatch.claim_jobs(session, EMBED, "dagster:a:1", later(5)) == 20

        assert dispatch.claim_jobs(session, EMBED, "dagster:b:1", later(5)) == 0
        assert {known(session, job).attempt_count for job in jobs} == {1}
        assert {known(session, job).status for job in (late, spent)} == {"NEW"}
        (claimed,) = dispatch.list_claimed_work(session, "dagster:a:")
        assert claimed == dispatch.ClaimedWork(kind=EMBED, locked_by="dagster:a:1", jobs=20, locked_utc=later(5))
        assert dispatch.list_claimed_work(session, "dagster:b:") == []


def test_dispatchers_side_by_side_share_no_job(store: SqlStore) -> None:
    """Several that claim the same kind at once have each job once between them, and leave none."""
    with store.session() as session:
        for _ in range(50):
            enqueued(session, "EMBED_CHUNKS")
    claimed: list[int] = []

    def work(number: int) -> None:
        claimed.append(write(store, dispatch.claim_jobs, EMBED, f"dagster:{number}:1", later(1)))

    side_by_side(work, 4)

    found = read(store, dispatch.list_claimed_work, "dagster:")
    assert sum(claimed) == sum(one.jobs for one in found) == 50
    assert len(found) == len([amount for amount in claimed if amount])


def test_a_claim_ends_as_one(store: SqlStore) -> None:
    """Succeeded, failed with a pause, given up after the last attempt or at once: all jobs of a claim, and no other."""
    with store.session() as session:
        for number, ends in enumerate(["complete", "fail", "give up"]):
            job, last = (enqueued(session, "EMBED_CHUNKS", max_attempts=n) for n in (3, 1))
            worker = f"w{number}"
            assert dispatch.claim_jobs(session, EMBED, worker, NOW) == 2
            for one in (job, last):
                runs.insert_run(session, uuid.uuid4(), one, worker, None, {}, NOW)
            if ends == "complete":
                assert dispatch.complete_claim(session, worker, "run 1") == 2
                expected = [("SUCCEEDED", None, "run 1", NOW)] * 2
            else:
                permanent = ends == "give up"
                ended = dispatch.fail_claim(
                    session, worker, "no", later(1), done_by="run 1", is_permanent=permanent, backoff_seconds=60
                )
                assert ended == 2
                waits = ("DEADLETTER", "no", "run 1", NOW) if permanent else ("NEW", "no", None, later(61))
                expected = [waits, ("DEADLETTER", "no", "run 1", NOW)]
            found = [known(session, one) for one in (job, last)]
            assert [(one.status, one.last_error, one.locked_by, one.available_utc) for one in found] == expected
            assert dispatch.renew_claim(session, worker, later(1)) == 0


def test_a_renewed_claim_is_not_stale(store: SqlStore) -> None:
    """Stale jobs are counted as they are recovered, and a claim that was renewed is none."""
    with store.session() as session:
        for _ in range(3):
            enqueued(session, "EMBED_CHUNKS")
        dispatch.claim_jobs(session, EMBED, "w", NOW)

        def stale(now: datetime) -> int:
            return dispatch.get_queue_times(session, 300, 60, now).stale

        assert (stale(later(300)), stale(later(301))) == (0, 3)
        assert dispatch.renew_claim(session, "w", later(301)) == 3
        assert (stale(later(601)), stale(later(1)), stale(NOW)) == (0, 0, 3)
        raw(session, "update vector.job set locked_utc = null")
        assert stale(later(1)) == 3
        (claim,) = dispatch.list_claimed_work(session, "w")
        assert claim.locked_utc < NOW - timedelta(days=1)
        assert len(queue.recover_stale_jobs(session, 300, later(602))) == 3


@pytest.mark.parametrize(
    ("columns", "is_released"),
    [
        ("available_utc = '2026-03-31', created_utc = '2026-03-30'", True),
        ("available_utc = '2026-03-31'", False),
        ("available_utc = '2026-03-31', last_error = 'requeued'", True),
        ("available_utc = '2026-03-31', attempt_count = 1", True),
        ("available_utc = '2026-03-01 12:50:00', attempt_count = 1", False),
        ("available_utc = '2026-03-01 14:50:00', attempt_count = 1", True),
        ("available_utc = '2026-03-01 14:50:00', attempt_count = 3", False),
        ("available_utc = '2026-03-01 11:50:00', created_utc = '2026-03-30'", False),
    ],
)
def test_only_what_a_wrong_clock_dated_is_let_go(store: SqlStore, columns: str, *, is_released: bool) -> None:
    """No pause is as long, or its row is of the future; whoever enqueues a job for later has it wait."""
    with store.session() as session:
        job = enqueued(session, "EMBED_CHUNKS")
        raw(session, f"update vector.job set {columns} where job_id = '{job}'")

        assert dispatch.get_queue_times(session, 300, 3600, NOW).misdated == is_released
        assert dispatch.release_misdated_jobs(session, 3600, NOW) == is_released
        assert (known(session, job).available_utc == NOW) == is_released


def test_what_others_started_is_not_dispatched(store: SqlStore) -> None:
    """Jobs of Dagster and of commands are in no kind, claim or count, and are neither cancelled nor requeued."""
    with store.session() as session:
        other = enqueued(session, "EMBED_CHUNKS", text='{"origin":"cli"}')

        assert dispatch.list_waiting_work(session, NOW, 100) == []
        assert dispatch.claim_jobs(session, EMBED, "w", NOW) == 0
        assert dispatch.fail_waiting_jobs(session, EMBED, "no", NOW, is_exhausted=False) == 0
        assert not dispatch.end_waiting_job(session, other)
        assert dispatch.count_jobs(session) == []
        raw(session, f"update vector.job set status = 'DEADLETTER' where job_id = '{other}'")
        assert dispatch.release_dead_jobs(session, [other], NOW) == 0


def test_jobs_of_sources_that_cannot_be_read_fail(world: World) -> None:
    """Of a claim whose run succeeded: those that name a source that is in error, or that no record names."""
    world.add(json_row("good.txt", "good", content_type="text/plain"))
    world.run()
    ((good,),) = world.rows("select source_id from vector.source_registry")
    with world.store.session() as session:
        bad = "files:notes:bad"
        raw(
            session,
            "insert into vector.source_registry (source_id, source_type, source_ref_json, status, created_utc, "
            f"updated_utc, presence, ingest_id) select '{bad}', source_type, source_ref_json, 'error', created_utc, "
            f"updated_utc, presence, ingest_id from vector.source_registry where source_id = '{good}'",
        )
        jobs = [
            enqueued(session, "CHUNK_SOURCE", job_input=one)
            for one in ({}, {"source_id": good}, {"source_id": bad}, {"source_id": "nobody's"})
        ]
        of_source = Kind(job_type="CHUNK_SOURCE", names_source=True)
        assert [dispatch.claim_jobs(session, one, "w", later(1)) for one in (CHUNK, of_source)] == [1, 3]

        assert dispatch.fail_unread_jobs(session, "w", "run 1") == 2
        assert dispatch.complete_claim(session, "w", "run 1") == 2
        found = [known(session, job) for job in jobs]
    assert [job.status for job in found] == ["SUCCEEDED", "SUCCEEDED", "DEADLETTER", "DEADLETTER"]
    assert str(found[2].last_error).startswith(f"the newest record of {bad} cannot be read, ")
    assert found[3].last_error == "no record names the source nobody's"


def test_only_what_waits_is_cancelled(store: SqlStore) -> None:
    """A cancelled job is a dead letter that says so; one that runs or has ended stays what it is."""
    with store.session() as session:
        waiting, running = enqueued(session, "EMBED_CHUNKS", later(9)), enqueued(session, "EMBED_CHUNKS")
        dispatch.claim_jobs(session, EMBED, "w", NOW)

        assert [dispatch.end_waiting_job(session, job) for job in (waiting, running, waiting)] == [True, False, False]
        assert (known(session, waiting).status, known(session, waiting).last_error) == ("DEADLETTER", CANCELLED)
        assert known(session, running).status == "RUNNING"
        raw(session, f"update vector.job set status = 'FAILED' where job_id = '{running}'")
        assert dispatch.end_waiting_job(session, running), "nobody else would end what another program left so"


def test_dead_letters_wait_again(store: SqlStore) -> None:
    """With all their attempts: those named, FAILED ones too; of one key one, and none whose key waits again."""
    with store.session() as session:
        named, spent = enqueued(session, "EMBED_CHUNKS"), enqueued(session, "EMBED_CHUNKS", max_attempts=0)
        cancelled = enqueued(session, "EMBED_CHUNKS")
        dispatch.end_waiting_job(session, cancelled)
        twice = []
        for day in range(2):
            twice.append(enqueued(session, "EMBED_CHUNKS", later(day), job_input={"dedupe_key": "k"}))
            dispatch.fail_waiting_jobs(session, EMBED, "broken", later(day), is_exhausted=False)
        dispatch.fail_waiting_jobs(session, EMBED, "spent", later(2), is_exhausted=True)
        alive = enqueued(session, "EMBED_CHUNKS", job_input={"dedupe_key": "lives"})
        dead = enqueued(session, "EMBED_CHUNKS", job_input={"dedupe_key": "dies"})
        raw(session, f"update vector.job set status = 'DEADLETTER' where job_id = '{dead}'")
        raw(session, f"update vector.job set input_json = '{{\"dedupe_key\":\"lives\"}}' where job_id = '{dead}'")

        assert dispatch.release_dead_jobs(session, [named, dead], later(5)) == 1
        job = known(session, named)
        assert (job.status, job.attempt_count, job.available_utc, job.locked_by) == ("NEW", 0, later(5), None)
        raw(session, f"update vector.job set status = 'FAILED' where job_id = '{spent}'")
        found = {one.job_id: one.kind for one in dispatch.list_dead_jobs(session)}
        assert found == dict.fromkeys([spent, dead, *twice], EMBED)
        assert dispatch.release_dead_jobs(session, list(found), later(5)) == 2
        assert known(session, spent).max_attempts == 1
        assert [known(session, one).status for one in twice] == ["DEADLETTER", "NEW"]
        assert {known(session, one).status for one in (cancelled, dead)} == {"DEADLETTER"}
        assert dispatch.release_dead_jobs(session, [cancelled], later(5)) == 1
        assert known(session, alive).status == "NEW"
        assert [(one.status, one.n) for one in dispatch.count_jobs(session)] == [("DEADLETTER", 2), ("NEW", 5)]
