"""`holocron jobs`, as a user types it."""

import json
import uuid
from typing import Any

import pytest

from holocron_assets.clock import utc_now
from holocron_assets.tables import dispatch, queue
from holocron_assets.transactions import read
from tests.cli.test_commands import filled, folder, holocron, parsed
from tests.world import World, page_row, prose, raw

__all__ = ["filled", "folder"]


def the_job(job_id: str) -> Any:
    return parsed("jobs", "show", job_id)


def test_a_job_is_enqueued_once(filled: World) -> None:
    """The same command twice is one job, whose input says what was asked for; another key is another job."""
    asked = ("jobs", "enqueue", "REEMBED_SPACE", "--space", "ngram", "--source", "testwiki:", "--replace")
    first, again = parsed(*asked, "--priority", "300", "--max-attempts", "5"), parsed(*asked)
    job = the_job(first["job_id"])

    assert (first["is_duplicate"], again["is_duplicate"], again["job_id"]) == (False, True, first["job_id"])
    assert (job["priority"], job["max_attempts"], job["status"]) == (300, 5, "NEW")
    job_input = json.loads(job["input_json"])
    assert (job_input["source"], job_input["replace"], job_input["origin"]) == ("testwiki:", True, "queue")
    assert parsed(*asked, "--key", "another")["job_id"] != first["job_id"]
    assert "waits already" in holocron(*asked).output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["BAKE_CAKE"],
            1,
            "no asset does BAKE_CAKE jobs in this version; it does CHUNK_SOURCE, EMBED_CHUNKS, REEMBED",
        ),
        (["DRIFT_TEST", "--space", "nobody"], 2, "no space is called 'nobody'; there are: ngram"),
        (["RETRIEVE_TEST"], 1, "a RETRIEVE_TEST job names a space"),
        (["EMBED_CHUNKS", "--space", "nobody"], 2, "no space is called 'nobody'; there are: ngram"),
        (["REEMBED_SPACE"], 1, "a REEMBED_SPACE job names a space"),
        (["EMBED_CHUNKS", "--source", "x"], 1, "is about no source"),
        (["EMBED_CHUNKS", "--replace"], 1, "replaces nothing"),
        (["CHUNK_SOURCE", "--space", "ngram"], 1, "is about no space"),
        (["CHUNK_SOURCE", "--source", "nobody's"], 1, 'there is no source "nobody\'s"'),
        (["EMBED_CHUNKS", "--max-attempts", "0"], 2, "0 is not in the range"),
        (["EMBED_CHUNKS", "--missing"], 2, "name a TYPE of job, or ask for what is --missing"),
        ([], 2, "name a TYPE of job, or ask for what is --missing"),
    ],
)
def test_what_nothing_could_do_is_refused(filled: World, arguments: list[str], code: int, said: str) -> None:
    """With the reason, and no job is made."""
    result = holocron("jobs", "enqueue", *arguments)

    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert parsed("jobs", "list") == {"counts": [], "jobs": []}


def test_an_inactive_space_is_refused(filled: World) -> None:
    """No job is about a space that nobody fills."""
    with filled.store.session() as session:
        raw(session, "update vector.embedding_space set is_active = false")

    result = holocron("jobs", "enqueue", "EMBED_CHUNKS", "--space", "ngram")

    assert result.exit_code == 1
    assert "is not active: `holocron spaces activate ngram" in result.output


def test_a_source_that_may_come_can_be_asked_for(filled: World) -> None:
    """While a record waits to be read, nobody knows which sources there are."""
    filled.add(page_row("Newcomer", 99, prose("newcomer")))

    assert not parsed("jobs", "enqueue", "CHUNK_SOURCE", "--source", "mediawiki:testwiki:page/99")["is_duplicate"]


def test_jobs_are_listed_and_shown(filled: World) -> None:
    """Counts come first, then the newest; of one job everything is told."""
    assert "The queue is empty" in holocron("jobs", "list").output
    jobs = [parsed("jobs", "enqueue", "EMBED_CHUNKS", "--key", key)["job_id"] for key in "abc"]
    parsed("jobs", "enqueue", "CHUNK_SOURCE")

    found = parsed("jobs", "list", "--limit", "2", "--status", "NEW")
    listed, shown = holocron("jobs", "list").output, holocron("jobs", "show", jobs[0]).output

    assert [(one["status"], one["job_type"], one["n"]) for one in found["counts"]] == [
        ("NEW", "CHUNK_SOURCE", 1),
        ("NEW", "EMBED_CHUNKS", 3),
    ]
    assert len(found["jobs"]) == 2
    assert listed.index("Jobs") < listed.index("The newest jobs")
    assert all(word in shown for word in (jobs[0], "EMBED_CHUNKS", "0 of 3", '"dedupe_key":"a"'))
    assert holocron("jobs", "show", str(uuid.uuid4())).exit_code == 1


def test_who_does_a_job_is_told(filled: World) -> None:
    """While it runs the tag of its run in Dagster, later the run's id."""
    job_id = parsed("jobs", "enqueue", "EMBED_CHUNKS")["job_id"]
    with filled.store.session() as session:
        kind = dispatch.list_waiting_work(session, queue.list_jobs(session, 1)[0].available_utc, 1)[0].kind
        dispatch.claim_jobs(session, kind, "dagster:abc:c1", queue.list_jobs(session, 1)[0].available_utc)
    running = holocron("jobs", "show", job_id).output
    refused = holocron("jobs", "cancel", job_id)
    with filled.store.session() as session:
        dispatch.complete_claim(session, "dagster:abc:c1", "run-7")

    assert "the Dagster run with the tag holocron/claim=c1" in running
    assert (refused.exit_code, "it is RUNNING, the Dagster run with" in refused.output) == (1, True)
    assert "run-7" in holocron("jobs", "show", job_id).output


def test_a_job_that_waits_is_cancelled_and_requeued(filled: World) -> None:
    """A cancelled job is a dead letter, which comes back when it is named, and only then."""
    job_id = parsed("jobs", "enqueue", "EMBED_CHUNKS")["job_id"]

    assert f"job {job_id} is cancelled." in holocron("jobs", "cancel", job_id).output
    assert the_job(job_id)["status"] == "DEADLETTER"
    assert holocron("jobs", "cancel", job_id).exit_code == 1
    assert parsed("jobs", "requeue", "--all-dead") == {"requeued": 0, "refused": {}}
    assert parsed("jobs", "requeue", job_id) == {"requeued": 1, "refused": {}}
    assert "1 are no dead letters" in holocron("jobs", "requeue", job_id).output
    assert the_job(job_id)["status"] == "NEW"
    assert [holocron("jobs", "requeue", *one).exit_code for one in ([], [job_id, "--all-dead"])] == [2, 2]
    assert read(filled.store, dispatch.count_jobs) == [dispatch.JobCount(status="NEW", job_type="EMBED_CHUNKS", n=1)]


def test_what_can_never_be_done_is_not_requeued_with_the_others(filled: World) -> None:
    """`--all-dead` leaves what would be refused at once, and says how many and why; FAILED jobs are found too."""
    with filled.store.session() as session:
        for number, job_type in enumerate(("RETRIEVE_TEST", "RETRIEVE_TEST", "EMBED_CHUNKS")):
            queue.enqueue_job(session, job_type, {"dedupe_key": str(number)}, utc_now())
        raw(session, "update vector.job set status = 'DEADLETTER', last_error = 'no' where job_type = 'RETRIEVE_TEST'")
        raw(session, "update vector.job set status = 'FAILED' where job_type = 'EMBED_CHUNKS'")

    assert [job["job_type"] for job in parsed("jobs", "list", "--status", "FAILED")["jobs"]] == ["EMBED_CHUNKS"]
    said = holocron("jobs", "requeue", "--all-dead").output
    assert said.startswith("1 requeued.\n  2 left, because a RETRIEVE_TEST job names a space")
    statuses = {(one.job_type, one.status) for one in read(filled.store, dispatch.count_jobs)}
    assert statuses == {("RETRIEVE_TEST", "DEADLETTER"), ("EMBED_CHUNKS", "NEW")}
