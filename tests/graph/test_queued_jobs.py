"""The `queued_jobs` sensor in Dagster: real ticks, real runs, and what is left in the queue."""

import json
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from holocron_assets.clock import utc_now
from holocron_assets.composition import InstalledProviders
from holocron_assets.partitions import SPACES
from holocron_assets.sections import EvaluationSettings
from holocron_assets.sensors.queued_jobs import CLAIM_TAG, queued_jobs
from holocron_assets.settings import load_settings
from holocron_assets.tables import queue, spaces
from holocron_assets.transactions import read, write
from resources.stores import open_store
from tests.graph.conftest import Graph
from tests.graph.test_interruptions import SMALL_BATCHES, environment, held, new_project
from tests.stages.test_evaluate import collection, page
from tests.world import World, json_row, page_row, prose, raw


@dataclass
class Daemon:
    """Ticks the sensor and launches what it asks for, as Dagster's daemon does."""

    graph: Graph
    cursor: str | None = None
    launched: list[str] = field(default_factory=list)

    def tick(self) -> dg.SensorResult | Any:
        """One evaluation of the sensor, whose cursor is kept."""
        settings = self.graph.world.settings
        defs = self.graph.defs
        with (
            dg.partition_loading_context(dynamic_partitions_store=self.graph.instance),
            dg.build_sensor_context(
                instance=self.graph.instance,
                cursor=self.cursor,
                repository_def=defs.get_repository_def(),
                resources={"sensor_store": open_store(settings, wait_seconds=1)},
            ) as context,
        ):
            told = queued_jobs(settings).evaluate_tick(context)
        self.cursor = told.cursor or self.cursor
        return told

    def launch(self, request: dg.RunRequest) -> bool:
        """Run what was asked for, unless its key was run before."""
        if request.run_key in self.launched:
            return False
        self.launched.append(str(request.run_key))
        job = self.graph.defs.resolve_implicit_global_asset_job_def()
        chosen = job.get_subset(
            asset_selection=set(request.asset_selection or ()),
            asset_check_selection=set(request.asset_check_keys or ()),
        )
        result = chosen.execute_in_process(
            instance=self.graph.instance,
            tags=dict(request.tags),
            run_config=dict(request.run_config),
            partition_key=request.partition_key,
            raise_on_error=False,
        )
        return result.success

    def work(self, ticks: int) -> None:
        for _ in range(ticks):
            for request in self.tick().run_requests or []:
                self.launch(request)


@pytest.fixture
def daemon(graph: Graph) -> Daemon:
    """A sensor that has its name already."""
    one = Daemon(graph)
    one.tick()
    return one


def enqueue(daemon: Daemon, job_type: str, job_input: dict[str, Any] | None = None, **columns: Any) -> uuid.UUID:
    return write(daemon.graph.world.store, queue.enqueue_job, job_type, job_input or {}, utc_now(), **columns).job_id


def job_of(daemon: Daemon, job_id: uuid.UUID) -> queue.Job:
    job = read(daemon.graph.world.store, queue.get_job, job_id)
    assert job is not None
    return job


def the_space(daemon: Daemon) -> tuple[str, uuid.UUID]:
    """The declared space, registered."""
    daemon.graph.world.run()
    (space,) = read(daemon.graph.world.store, spaces.list_spaces)
    return space.slug, space.embedding_space_id


def test_the_first_tick_only_names_the_dispatcher(graph: Graph) -> None:
    """Claims carry the name, so it is kept before the first one is made; a garbage cursor is another name."""
    daemon = Daemon(graph)
    job = enqueue(daemon, "EMBED_CHUNKS")
    first = daemon.tick()
    assert "this dispatcher is called" in str(first.skip_message)
    assert (len(json.loads(str(daemon.cursor))["dispatcher"]), job_of(daemon, job).status) == (12, "NEW")

    for garbage in ("{", "[]", '"x"', '{"dispatcher": 7}', '{"dispatcher": "a:b"}', "null"):
        daemon.cursor = garbage
        assert "this dispatcher is called" in str(daemon.tick().skip_message), garbage


def test_a_run_does_what_was_asked_for(daemon: Daemon) -> None:
    """Texts, chunks, and then the vectors of a space whose partition the instance lacked."""
    world = daemon.graph.world
    slug, key = the_space(daemon)
    assert list(daemon.graph.instance.get_dynamic_partitions(str(SPACES.name))) == []
    world.add(page_row("Tides", 1, prose("the tides")))
    text = enqueue(daemon, "CHUNK_SOURCE", {"source_id": "mediawiki:testwiki:page/1"})
    vectors = enqueue(daemon, "EMBED_CHUNKS", space_id=key)
    daemon.work(3)

    assert world.rows("select count(*) from vector.embedding")[0][0] == len(world.current_chunks()) > 0
    runs = {run.tags[CLAIM_TAG]: run for run in daemon.graph.instance.get_runs()}
    assert [job_of(daemon, job).status for job in (text, vectors)] == ["SUCCEEDED", "SUCCEEDED"]
    assert {job_of(daemon, job).locked_by for job in (text, vectors)} == {run.run_id for run in runs.values()}
    assert {run.tags.get("dagster/partition") for run in runs.values()} == {None, slug}
    assert "0 waiting, 0 under way" in str(daemon.tick().skip_message)


def test_reembedding_is_a_configured_run(daemon: Daemon) -> None:
    """A REEMBED_SPACE job compares every vector of its space, and says how many on the partition."""
    world = daemon.graph.world
    world.add(page_row("Tides", 1, prose("the tides")))
    slug, _ = the_space(daemon)
    job = enqueue(daemon, "REEMBED_SPACE", {"space": slug, "replace": True, "source": "mediawiki:"})
    daemon.work(2)

    assert job_of(daemon, job).status == "SUCCEEDED"
    record = daemon.graph.instance.get_latest_materialization_event(dg.AssetKey("space_embeddings"))
    assert record is not None
    assert record.asset_materialization is not None
    metadata = record.asset_materialization.metadata
    assert metadata["vectors compared"].value == len(world.current_chunks())
    assert metadata["vectors replaced"].value == 0
    ((options,),) = world.rows(
        "select r.options_json from vector.run r join vector.job j on j.job_id = r.job_id "
        "where j.job_type = 'REEMBED_SPACE'"
    )
    assert (json.loads(options)["replace"], json.loads(options)["source"]) == (True, "mediawiki:")


def test_an_evaluation_can_be_asked_for(daemon: Daemon, tmp_path: Path) -> None:
    """A RETRIEVE_TEST job asks the judged queries of its space."""
    world = daemon.graph.world
    collection(tmp_path / "own", {"tides": {page(1): 1}})
    own = EvaluationSettings(collections=(str(tmp_path / "own"),))
    world.settings = world.settings.model_copy(update={"evaluation": own})
    world.add(page_row("Tides", 1, prose("the tides")))
    slug, key = the_space(daemon)
    job = enqueue(daemon, "RETRIEVE_TEST", {"space": slug})
    daemon.work(2)

    assert job_of(daemon, job).status == "SUCCEEDED"
    evaluated = "select distinct embedding_space_id, collection from vector.retrieval_evaluation"
    assert world.rows(evaluated) == [(key, "own")]


def test_vectors_that_moved_fail_the_job(daemon: Daemon) -> None:
    """Without `replace` a reembedding stops at the first vectors that differ; trying again would not help the job."""
    world = daemon.graph.world
    world.add(page_row("Tides", 1, prose("the tides")))
    slug, _ = the_space(daemon)
    world.rows("update vector.embedding set vector = list_transform(vector, lambda x: -x)")
    job = enqueue(daemon, "REEMBED_SPACE", {"space": slug})
    daemon.work(2)

    known = job_of(daemon, job)
    assert known.status == "DEADLETTER"
    assert "space_embeddings: " in str(known.last_error)
    assert "embed elsewhere than they are stored" in str(known.last_error)


def test_a_source_that_cannot_be_read_fails_its_job(daemon: Daemon) -> None:
    """Although the run succeeded: the one source is the job's whole subject."""
    world = daemon.graph.world
    world.add(json_row("x", '{"broken', content_type="application/json"), page_row("Tides", 1, prose("the tides")))
    jobs = [enqueue(daemon, "CHUNK_SOURCE", {"source_id": one}) for one in ("mediawiki:testwiki:page/1", "nobody's")]
    daemon.work(2)

    assert [job_of(daemon, job).status for job in jobs] == ["SUCCEEDED", "DEADLETTER"]
    assert job_of(daemon, jobs[1]).last_error == "no record names the source nobody's"


def test_a_cancelled_run_ends_its_jobs(daemon: Daemon) -> None:
    """Who cancels a run in Dagster cancels its jobs; they are not tried again."""
    job = enqueue(daemon, "EMBED_CHUNKS")
    (request,) = daemon.tick().run_requests
    run = daemon.graph.instance.create_run_for_job(
        daemon.graph.defs.resolve_implicit_global_asset_job_def(), tags=dict(request.tags)
    )
    daemon.graph.instance.report_run_canceled(run)
    daemon.tick()

    assert (job_of(daemon, job).status, "was cancelled" in str(job_of(daemon, job).last_error)) == ("DEADLETTER", True)


def test_a_run_that_was_never_launched_is_asked_for_again(daemon: Daemon) -> None:
    """The daemon died between making the run and launching it: with the same key it launches that one."""
    enqueue(daemon, "EMBED_CHUNKS")
    (request,) = daemon.tick().run_requests
    daemon.graph.instance.create_run_for_job(
        daemon.graph.defs.resolve_implicit_global_asset_job_def(), tags=dict(request.tags)
    )
    (again,) = daemon.tick().run_requests

    assert (again.run_key, again.tags) == (request.run_key, request.tags)


def test_a_killed_tick_is_made_good(daemon: Daemon) -> None:
    """What was claimed and not heard of is asked for again by the same key, and done once."""
    job = enqueue(daemon, "EMBED_CHUNKS")
    (lost,) = daemon.tick().run_requests
    (again,) = daemon.tick().run_requests
    assert again.run_key == lost.run_key

    daemon.launch(again)
    daemon.tick()
    known = job_of(daemon, job)
    assert (known.status, known.attempt_count, len(daemon.graph.instance.get_runs())) == ("SUCCEEDED", 1, 1)


def test_a_wiped_instance_loses_no_job(daemon: Daemon) -> None:
    """Runs, partitions and the dispatcher's name are gone: once the claim is stale its jobs are done anew."""
    world = daemon.graph.world
    slug, key = the_space(daemon)
    job = enqueue(daemon, "EMBED_CHUNKS", space_id=key)
    assert daemon.tick().run_requests
    with dg.DagsterInstance.ephemeral() as fresh:
        reborn = Daemon(Graph(world=world, instance=fresh))
        reborn.work(3)
        assert job_of(daemon, job).status == "RUNNING"
        world.rows("update vector.job set locked_utc = locked_utc - interval 1 hour where status = 'RUNNING'")
        reborn.work(4)

        assert job_of(daemon, job).status == "SUCCEEDED"
        assert list(fresh.get_dynamic_partitions(str(SPACES.name))) == [slug]
        assert len(fresh.get_runs()) == 1


def test_a_store_that_cannot_be_used_is_skipped(graph: Graph) -> None:
    """No store, a store without its schema, and one that another process holds: the tick says so and fails not."""
    daemon = Daemon(graph)
    daemon.tick()
    with held(Path(graph.world.store.name)):
        assert "is in use by" in str(daemon.tick().skip_message)
    job = enqueue(daemon, "EMBED_CHUNKS")
    daemon.work(2)
    assert job_of(daemon, job).status == "SUCCEEDED"

    path = graph.world.closed_file()
    path.unlink()
    assert "there is no store at" in str(daemon.tick().skip_message)
    duckdb.connect(str(path)).close()
    assert "a table is missing" in str(daemon.tick().skip_message)


@contextmanager
def processor_time() -> Iterator[list[float]]:
    spent = [time.process_time()]
    yield spent
    spent[0] = time.process_time() - spent[0]


@pytest.mark.slow
def test_a_thousand_jobs_are_a_handful_of_runs(daemon: Daemon, tmp_path: Path) -> None:
    """Of every type, some failing, some hopeless, two dispatchers at it: every job ends right, and once."""
    world = daemon.graph.world
    collection(tmp_path / "own", {"topic 1": {page(1): 1}})
    own = EvaluationSettings(collections=(str(tmp_path / "own"),))
    world.settings = world.settings.model_copy(update={"evaluation": own})
    world.add(*(page_row(f"Page {n}", n, prose(f"topic {n}", 500)) for n in range(1, 11)))
    slug, key = the_space(daemon)
    other = Daemon(daemon.graph)
    other.tick()
    wanted: dict[uuid.UUID, str] = {}

    def fill(session: Any) -> None:
        def add(status: str, job_type: str, job_input: dict[str, Any], **columns: Any) -> uuid.UUID:
            job_id = queue.enqueue_job(session, job_type, job_input, utc_now(), **columns).job_id
            wanted[job_id] = status
            return job_id

        for n in range(100):
            add(
                "SUCCEEDED",
                "CHUNK_SOURCE",
                {"dedupe_key": f"{n}", "source_id": f"mediawiki:testwiki:page/{n % 10 + 1}"},
            )
            add("SUCCEEDED", "EMBED_CHUNKS", {"dedupe_key": f"{n}"}, space_id=key)
            add("SUCCEEDED", "EMBED_CHUNKS", {"dedupe_key": f"all {n}"})
            for job_type in ("REEMBED_SPACE", "RETRIEVE_TEST", "DRIFT_TEST"):
                add("SUCCEEDED", job_type, {"dedupe_key": f"{n}", "space": slug})
        for n in range(80):
            add("DEADLETTER", "CHUNK_SOURCE", {"dedupe_key": f"no {n}", "source_id": f"nobody's {n}"})
            add("DEADLETTER", "DRIFT_TEST", {"space": "nobody"})
            add("DEADLETTER", "RETRIEVE_TEST", {"top_k": 3})
            add("DEADLETTER", "EMBED_CHUNKS", {"space": "nobody"})
        for n in range(80):
            odd = add("DEADLETTER", "EMBED_CHUNKS", {"dedupe_key": f"odd {n}"}, max_attempts=n % 2)
            if n % 2:
                raw(session, f"update vector.job set input_json = 'chunk {n}' where job_id = '{odd}'")

    write(world.store, fill)
    assert len(wanted) == 1000
    for _ in range(6):
        daemon.work(1)
        other.work(1)

    found = dict(world.rows("select job_id, status from vector.job where job_id in (select job_id from vector.job)"))
    assert {job: found[job] for job in wanted} == wanted
    assert len(daemon.graph.instance.get_runs()) <= 7
    attempts = Counter(
        world.rows('select status, attempt_count from vector.job where input_json not like \'%"origin":"dagster"%\'')
    )
    assert set(attempts) == {("SUCCEEDED", 1), ("DEADLETTER", 1), ("DEADLETTER", 0)}
    assert attempts["DEADLETTER", 1] == 80


def test_ticks_over_many_jobs_are_cheap(daemon: Daemon) -> None:
    """Ten thousand jobs cost a tick little, where they wait behind a run, and where it claims or finishes thousands of
    them; the aim is 50 ms."""
    instance, settings = daemon.graph.instance, daemon.graph.world.settings
    store = open_store(settings, wait_seconds=1)

    def tick() -> tuple[list[dg.RunRequest], float]:
        with (
            dg.build_sensor_context(
                instance=instance,
                cursor=daemon.cursor,
                repository_def=daemon.graph.defs.get_repository_def(),
                resources={"sensor_store": store},
            ) as context,
            processor_time() as spent,
        ):
            told = queued_jobs(settings).evaluate_tick(context)
        return list(told.run_requests or []), spent[0]

    def statuses() -> dict[str, int]:
        return dict(daemon.graph.world.rows("select status, count(*) from vector.job group by status"))

    def launched(request: dg.RunRequest) -> dg.DagsterRun:
        job = daemon.graph.defs.resolve_implicit_global_asset_job_def()
        return instance.create_run_for_job(job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED)

    enqueue(daemon, "CHUNK_SOURCE", priority=300)
    ((text,), _) = tick()
    daemon.graph.world.rows(
        "insert into vector.job (job_id, created_utc, available_utc, job_type, input_json) select uuid(), "
        "j.created_utc, j.available_utc, 'EMBED_CHUNKS', concat('{\"dedupe_key\":\"', n, '\"}') "
        "from vector.job j, range(10000) r(n)"
    )
    asked, waiting = tick()
    assert (asked[0].run_key, statuses()) == (text.run_key, {"RUNNING": 1, "NEW": 10_000})
    instance.report_run_canceled(launched(text))
    ((vectors,), claiming) = tick()
    assert statuses() == {"DEADLETTER": 1, "RUNNING": 2000, "NEW": 8000}
    instance.report_run_failed(launched(vectors))
    _, finishing = tick()
    assert statuses() == {"DEADLETTER": 1, "NEW": 10_000}
    assert max(waiting, claiming, finishing) < 0.25


@pytest.mark.slow
def test_a_killed_run_loses_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was killed is ended by the next tick, though no other run begins; its job is done by another."""
    project = new_project(tmp_path)
    monkeypatch.chdir(project)
    settings = load_settings()
    store = open_store(settings, wait_seconds=10)
    store.migrate()
    world = World(store=store, settings=settings, providers=InstalledProviders(settings))
    with dg.DagsterInstance.from_config(str(project)) as instance:
        daemon = Daemon(Graph(world=world, instance=instance))
        daemon.tick()
        job = enqueue(daemon, "CHUNK_SOURCE")
        (request,) = daemon.tick().run_requests
        arguments = ("job", "execute", "-m", "holocron_assets.definitions", "-j", "__ASSET_JOB", "--tags")
        with subprocess.Popen(
            [sys.executable, "-c", SMALL_BATCHES, *arguments, json.dumps(dict(request.tags))],
            env=environment(DAGSTER_HOME=str(project)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as run:
            assert run.stdout is not None
            next(line for line in run.stdout if "records read: 20" in line)
            daemon.tick()
            assert job_of(daemon, job).status == "RUNNING"
            run.kill()

        daemon.tick()
        failed = job_of(daemon, job)
        world.rows("update vector.job set available_utc = created_utc where status = 'NEW'")
        daemon.work(2)

        assert (failed.status, failed.attempt_count) == ("NEW", 1)
        assert "Its process ended without finishing it" in str(failed.last_error)
        assert (job_of(daemon, job).status, job_of(daemon, job).attempt_count) == ("SUCCEEDED", 2)
