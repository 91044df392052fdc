"""Sensors, jobs and schedules on a real instance and a real store: when they ask for a run, and why they do not."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from holocron_assets.clock import utc_now
from holocron_assets.definitions import build_defs
from holocron_assets.recovery import HOST_TAG
from holocron_assets.run_history import FAILURE_TAG, PERMANENT, STORE_TAG
from holocron_assets.sections import SchedulesSettings, SpaceDeclaration
from holocron_assets.spaces import space_of
from holocron_assets.tables import spaces
from holocron_assets.transactions import read, write
from resources.providers.hashing import ByteNgrams
from resources.stores import open_store
from tests.graph.conftest import Graph
from tests.graph.test_interruptions import held
from tests.world import World, page_row, prose

#: What a run says of its process.
GONE = EngineEventData(metadata={"pid": dg.MetadataValue.text("999999999")})
UNKNOWN = SpaceDeclaration(provider="hashing", model="no-such-model")


@dataclass
class Watch:
    """A sensor of the code location, with the cursor that Dagster would keep."""

    graph: Graph
    name: str = "new_records"
    job: str = "bring_up_to_date"
    cursor: str | None = None
    reason: str = ""

    def tick(self) -> dg.RunRequest | None:
        """What it asks for; `reason` says why nothing."""
        context = dg.build_sensor_context(
            instance=self.graph.instance,
            cursor=self.cursor,
            # Longer than this process keeps the file open between two sessions of a test.
            resources={"sensor_store": open_store(self.graph.world.settings, wait_seconds=1)},
        )
        answer = self.graph.defs.get_repository_def().get_sensor_def(self.name)(context)
        self.cursor = context.cursor
        if isinstance(answer, dg.SkipReason):
            self.reason = str(answer.skip_message)
            return None
        assert isinstance(answer, dg.RunRequest)
        assert answer.run_key is None
        return answer

    def run(self, request: dg.RunRequest | None, job: str | None = None) -> dg.ExecuteInProcessResult:
        """Do what was asked for."""
        assert request is not None, self.reason
        return run_job(self.graph, job or self.job, request.partition_key)


def run_job(graph: Graph, name: str, partition: str | None = None) -> dg.ExecuteInProcessResult:
    return graph.defs.resolve_job_def(name).execute_in_process(
        instance=graph.instance, raise_on_error=False, partition_key=partition
    )


def begun(
    graph: Graph, job: str, *, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED, **tags: str
) -> dg.DagsterRun:
    """A run of a job, with the tags that Dagster would give it, in a process that is gone."""
    run = graph.instance.create_run_for_job(
        graph.defs.resolve_job_def(job), status=status, tags={STORE_TAG: graph.world.store.name, **tags}
    )
    graph.instance.report_engine_event("began", run, GONE)
    return run


def elsewhere(graph: Graph, folder: Path) -> Graph:
    """The same code location over another store, in the same instance."""
    settings = graph.world.settings.model_copy(update={"base_dir": folder / "elsewhere"})
    store = open_store(settings, wait_seconds=60)
    store.migrate()
    world = World(store=store, settings=settings, providers=graph.world.providers)
    return Graph(world=world, instance=graph.instance)


def runs_of(graph: Graph, stage: str) -> int:
    return int(graph.world.rows(f'select count(*) from vector.job where input_json like \'%"stage":"{stage}"%\'')[0][0])


@pytest.fixture
def watch(graph: Graph) -> Watch:
    """The sensor of new records, over a store with one page that nothing was made of."""
    graph.world.add(page_row("Tides", 1, prose("tides")))
    return Watch(graph)


def test_new_records_are_worked_on_once(watch: Watch) -> None:
    """A new record asks for one run, and after it for none; the next record for the next."""
    assert watch.run(watch.tick()).success
    assert watch.tick() is None
    assert "nothing new among 1 ingest records, the newest fetched 2026-01-01" in watch.reason
    watch.graph.world.add(page_row("Lamps", 2, prose("lamps")))
    assert watch.run(watch.tick()).success
    assert watch.tick() is None
    assert (runs_of(watch.graph, "extract"), runs_of(watch.graph, "embed")) == (2, 2)


def test_a_burst_is_one_run(watch: Watch) -> None:
    """Whatever came between two looks is one request."""
    for page in range(2, 6):
        watch.graph.world.add(page_row(f"Page {page}", page, prose(f"topic {page}")))

    watch.run(watch.tick())

    assert watch.tick() is None


@pytest.mark.parametrize("cursor", [None, "", "garbage", '{"records": "many"}', "[1, 2]"])
def test_an_empty_or_strange_cursor_catches_up_once(watch: Watch, cursor: str | None) -> None:
    """A wiped instance, or a cursor that somebody edited, costs one run that finds nothing to do."""
    watch.run(watch.tick())
    before = runs_of(watch.graph, "extract")
    watch.cursor = cursor

    assert watch.run(watch.tick()).success
    assert watch.tick() is None
    assert runs_of(watch.graph, "extract") == before


@pytest.mark.parametrize("selection", ["key:embeddings or key:extracted_texts or key:chunks", "key:chunks"])
def test_nothing_is_asked_for_while_the_same_work_is_under_way(watch: Watch, selection: str) -> None:
    """A queued run of the job, or of these assets by hand, is waited for; what came meanwhile is asked for after it."""
    job = dg.define_asset_job("by_hand", selection=selection)
    defs = dg.Definitions.merge(watch.graph.defs, dg.Definitions(jobs=[job]))
    run = watch.graph.instance.create_run_for_job(
        defs.resolve_job_def("by_hand"), asset_selection=frozenset({dg.AssetKey("chunks")})
    )

    assert watch.tick() is None
    assert f"run {run.run_id} does this work" in watch.reason
    watch.graph.instance.report_run_canceled(run)
    assert watch.tick() is not None


def test_other_runs_are_no_reason_to_wait(watch: Watch) -> None:
    """A run that does other work hinders nobody."""
    watch.graph.instance.create_run_for_job(watch.graph.defs.resolve_job_def("verification"))

    assert watch.tick() is not None


def test_what_was_done_by_hand_is_not_done_again(watch: Watch) -> None:
    """A run of everything that somebody else started, on the command line or at night, covers what it found, however
    many runs of other work succeeded after it."""
    watch.run(watch.tick())
    watch.graph.world.add(page_row("Lamps", 2, prose("lamps")))
    run_job(watch.graph, "nightly")
    verification = watch.graph.defs.resolve_job_def("verification")
    for _ in range(15):
        watch.graph.instance.create_run_for_job(verification, status=dg.DagsterRunStatus.SUCCESS)
    other_location = Watch(watch.graph, cursor=watch.cursor)

    assert watch.tick() is None
    assert other_location.tick() is None


def test_a_tick_that_died_after_asking_costs_nothing(watch: Watch) -> None:
    """Without the cursor that it would have kept, the run that it had asked for is found by what it covered."""
    watch.run(watch.tick())
    kept = watch.cursor
    watch.graph.world.add(page_row("Lamps", 2, prose("lamps")))
    watch.run(watch.tick())
    watch.cursor = kept

    assert watch.tick() is None


def test_a_restored_store_is_worked_on(watch: Watch) -> None:
    """A backup from before the last run has the same records and less history: what it lacks is made again."""
    path = watch.graph.world.closed_file()
    backup = path.read_bytes()
    watch.run(watch.tick())
    watch.tick()
    watch.graph.world.closed_file().write_bytes(backup)

    assert watch.run(watch.tick()).success
    assert watch.tick() is None
    assert len(watch.graph.world.current_chunks()) > 0


def test_an_emptied_store_is_waited_for(watch: Watch) -> None:
    """A store that is gone, new or empty is no error and asks for nothing; filled again, with the very same records, it
    is worked on."""
    watch.run(watch.tick())
    watch.tick()
    path = watch.graph.world.closed_file()

    path.unlink()
    assert watch.tick() is None
    assert f"there is no store at {path} yet" in watch.reason
    watch.graph.world.store.migrate()
    assert watch.tick() is None
    assert watch.reason == "there are no ingest records yet"
    watch.graph.world.add(page_row("Tides", 1, prose("tides")))
    assert watch.run(watch.tick()).success


def test_a_store_without_its_migrations_is_waited_for(graph: Graph) -> None:
    """A database that was not upgraded yet is told of, and left alone."""
    graph.world.closed_file().unlink()
    with graph.world.store.session() as session:
        session.execute("create_migration_log")

    for name in ("new_records", "space_registry"):
        watch = Watch(graph, name)
        assert watch.tick() is None
        assert "run `holocron ensure`" in watch.reason


def test_a_held_store_is_waited_for(watch: Watch) -> None:
    """While another process has the file, the sensors skip at once and name it; then they go on."""
    registry = Watch(watch.graph, "space_registry", "fill_space")
    with held(Path(watch.graph.world.store.name)) as holder:
        for one in (watch, registry):
            assert one.tick() is None
            assert f"is in use by process {holder} " in one.reason

    assert watch.tick() is not None


def test_a_permanent_failure_is_not_repeated(watch: Watch) -> None:
    """The run says on itself that trying again is pointless; new records are a reason to, success by hand ends it."""
    declared = watch.graph.world.settings.spaces
    watch.graph.world.settings = watch.graph.world.settings.model_copy(update={"spaces": (*declared, UNKNOWN)})
    failed = watch.run(watch.tick())
    tags = watch.graph.instance.get_run_by_id(failed.run_id).tags  # type: ignore[union-attr]

    assert not failed.success
    assert (tags["holocron/failure"], tags["dagster/retry_on_asset_or_op_failure"]) == ("permanent", "false")
    assert watch.tick() is None
    assert f"run {failed.run_id} did not succeed, and trying again would not mend it" in watch.reason
    watch.graph.world.add(page_row("Lamps", 2, prose("lamps")))
    assert watch.tick() is None
    assert "The next is asked for in " in watch.reason
    watch.graph.world.settings = watch.graph.world.settings.model_copy(update={"spaces": declared})
    assert run_job(watch.graph, "nightly").success
    assert watch.tick() is None
    assert "nothing new" in watch.reason


def test_a_failure_that_may_pass_is_tried_again_later(watch: Watch) -> None:
    """A model server that does not answer is no permanent failure: the next run comes by itself, after a pause."""
    settings = watch.graph.world.settings
    ollama = settings.ollama.model_copy(update={"base_url": "http://127.0.0.1:9"})
    declared = SpaceDeclaration(provider="ollama", model="nomic-embed-text")
    watch.graph.world.settings = settings.model_copy(update={"ollama": ollama, "spaces": (declared,)})
    watch.graph.world.providers = type(watch.graph.world.providers)(watch.graph.world.settings)  # type: ignore[call-arg]
    failed = watch.run(watch.tick())

    assert not failed.success
    assert "holocron/failure" not in watch.graph.instance.get_run_by_id(failed.run_id).tags  # type: ignore[union-attr]
    assert watch.tick() is None
    assert "The next is asked for in " in watch.reason


def test_a_cancelled_run_is_not_repeated(watch: Watch) -> None:
    """Whoever cancelled it did not want it at once again."""
    watch.tick()
    run = begun(watch.graph, "bring_up_to_date", status=dg.DagsterRunStatus.NOT_STARTED)
    watch.graph.instance.report_run_canceled(run)

    assert watch.tick() is None
    assert "it was cancelled" in watch.reason


@pytest.fixture
def registry(graph: Graph) -> Watch:
    """The sensor of spaces, over a store with one page in one space, everything up to date."""
    graph.world.add(page_row("Tides", 1, prose("tides", 4000)))
    run_job(graph, "nightly")
    return Watch(graph, "space_registry", "fill_space")


def register(graph: Graph, dimensions: int) -> str:
    """Another space, registered past Dagster."""
    space = space_of(ByteNgrams("ngram", {"dimensions": dimensions}).describe())
    write(graph.world.store, spaces.insert_space, space, utc_now())
    return space.slug


def reactivate(graph: Graph, dimensions: int) -> None:
    """Off and on again, as a person does who mended what it needs."""
    (space,) = [one for one in read(graph.world.store, spaces.list_spaces) if one.dimensions == dimensions]
    for is_active in (False, True):
        write(graph.world.store, spaces.update_space_activity, space.embedding_space_id, utc_now(), is_active=is_active)


def partitions(graph: Graph) -> set[str]:
    return set(graph.instance.get_dynamic_partitions("embedding_spaces"))


def test_a_new_space_is_filled_once(registry: Watch) -> None:
    """A space that was registered becomes a partition and is filled by a run of its own; then nothing is asked for."""
    assert registry.tick() is None
    assert "1 spaces are registered; each of the 1 active ones was filled" in registry.reason
    slug = register(registry.graph, 48)

    request = registry.tick()

    assert request is not None
    assert request.partition_key == slug
    assert slug in partitions(registry.graph)
    assert registry.run(request).success
    assert registry.tick() is None
    assert "each of the 2 active ones was filled" in registry.reason


def test_spaces_are_filled_one_after_the_other(registry: Watch) -> None:
    """Two new spaces are two requests, the second after the first has ended."""
    slugs = {register(registry.graph, 48), register(registry.graph, 56)}
    first = registry.tick()
    assert first is not None
    under_way = registry.graph.instance.create_run_for_job(
        registry.graph.defs.resolve_job_def("fill_space"), tags={"dagster/partition": str(first.partition_key)}
    )
    assert registry.tick() is None
    assert f"run {under_way.run_id} is embedding" in registry.reason
    registry.graph.instance.delete_run(under_way.run_id)

    registry.run(first)
    second = registry.tick()
    registry.run(second)

    assert {first.partition_key, second and second.partition_key} == slugs
    assert registry.tick() is None


def test_a_deactivated_space_leaves_and_comes_back(registry: Watch) -> None:
    """Its partition goes, but not while a run is in flight; active again, it is filled with what it lacks, also where
    nobody looked meanwhile."""
    graph = registry.graph
    slug = register(graph, 48)
    registry.run(registry.tick())
    registry.tick()
    space = next(one for one in read(graph.world.store, spaces.list_spaces) if one.slug == slug)
    write(graph.world.store, spaces.update_space_activity, space.embedding_space_id, utc_now(), is_active=False)
    run = graph.instance.create_run_for_job(graph.defs.resolve_job_def("verification"))

    registry.tick()
    assert slug in partitions(graph)
    graph.instance.delete_run(run.run_id)
    registry.tick()
    assert slug not in partitions(graph)

    graph.world.add(page_row("Lamps", 2, prose("lamps")))
    run_job(graph, "bring_up_to_date")
    write(graph.world.store, spaces.update_space_activity, space.embedding_space_id, utc_now(), is_active=True)
    request = registry.tick()
    assert request is not None
    assert request.partition_key == slug
    assert registry.run(request).success

    assert registry.tick() is None
    graph.world.rows("delete from vector.embedding")
    assert registry.tick() is None
    reactivate(graph, 48)
    assert registry.tick() == request


def test_a_wiped_instance_gets_its_partitions_back(registry: Watch) -> None:
    """Over a full store a new instance mirrors the registry, and asks for nothing."""
    with dg.DagsterInstance.ephemeral() as instance:
        wiped = Watch(Graph(world=registry.graph.world, instance=instance), "space_registry", "fill_space", "garbage")

        assert wiped.tick() is None
        assert len(partitions(wiped.graph)) == 1


def test_a_space_that_cannot_be_filled_is_not_asked_for_again(registry: Watch) -> None:
    """A space whose model is missing fails once and says what to press; made active again it is tried again. It does
    not hold up another."""
    graph = registry.graph
    register(graph, 48)
    graph.world.rows("update vector.embedding_space set model_name = 'gone' where dimensions = 48")
    request = registry.tick()
    assert request is not None
    assert not registry.run(request).success

    assert registry.tick() is None
    assert f"materialise the partition {request.partition_key} of space_embeddings" in registry.reason
    reactivate(graph, 48)
    assert registry.tick() == request
    tags = {FAILURE_TAG: PERMANENT, "dagster/partition": str(request.partition_key)}
    graph.instance.report_run_failed(begun(graph, "fill_space", **tags))
    assert registry.tick() is None
    other = register(graph, 56)
    request = registry.tick()
    assert request is not None
    assert request.partition_key == other


def test_a_dead_run_is_ended_and_followed(watch: Watch) -> None:
    """A run whose process is gone does not hold up the work for ever."""
    watch.run(watch.tick())
    run = begun(watch.graph, "bring_up_to_date", **{HOST_TAG: platform.node()})

    assert watch.tick() is None
    assert f"run {run.run_id} did not succeed" in watch.reason
    assert "The next is asked for in " in watch.reason


def test_the_pools_of_a_run_that_dagster_ended_are_freed(watch: Watch) -> None:
    """Dagster's code server ends a killed run and leaves its slots; those of a process that lives stay its own."""
    instance, pools = watch.graph.instance, watch.graph.instance.event_log_storage
    watch.graph.world.add(page_row("Tides", 1, prose("tides")))
    for pid, pool in ((999999999, "duckdb"), (os.getpid(), "embedding")):
        run = instance.create_run_for_job(
            watch.graph.defs.resolve_job_def("bring_up_to_date"),
            status=dg.DagsterRunStatus.STARTED,
            tags={HOST_TAG: platform.node()},
        )
        instance.report_engine_event("began", run, EngineEventData(metadata={"pid": dg.MetadataValue.text(str(pid))}))
        pools.set_concurrency_slots(pool, 1)
        pools.claim_concurrency_slot(pool, run.run_id, "step")
        instance.report_run_failed(run)

    watch.tick()

    assert [pools.get_concurrency_info(pool).active_slot_count for pool in ("duckdb", "embedding")] == [0, 1]


def test_a_run_on_another_host_is_left_alone(watch: Watch) -> None:
    """There its process number means another process than here; and every run says which host it is on."""
    done = watch.run(watch.tick())
    own = watch.graph.instance.get_run_by_id(done.run_id)
    assert own is not None
    assert own.tags[HOST_TAG] == platform.node()
    run = begun(watch.graph, "bring_up_to_date", **{HOST_TAG: "elsewhere"})

    assert watch.tick() is None
    assert f"run {run.run_id} does this work" in watch.reason


def test_a_run_of_another_project_is_left_alone(watch: Watch) -> None:
    """Its process is none that can be told of, and its jobs and assets may be called as ours are: it neither ends by
    our hand nor holds up our work."""
    theirs = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("theirs"), "repository")
    instance = watch.graph.instance
    run = instance.create_run_for_job(
        watch.graph.defs.resolve_job_def("bring_up_to_date"),
        status=dg.DagsterRunStatus.STARTED,
        remote_job_origin=RemoteJobOrigin(theirs, "bring_up_to_date"),
    )
    instance.report_engine_event("began", run, GONE)

    assert watch.tick() is not None
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED  # type: ignore[union-attr]


def test_another_store_in_the_same_instance_is_no_news_here(watch: Watch, tmp_path: Path) -> None:
    """What was done, failed or registered over one store says nothing of another: neither a hint that was covered, nor
    failures, nor partitions."""
    watch.run(watch.tick())
    other = elsewhere(watch.graph, tmp_path)
    other.world.add(page_row("Tides", 1, prose("tides")), page_row("Lamps", 2, prose("lamps")))
    assert run_job(other, "nightly").success
    slug = register(other, 48)
    assert Watch(other, "space_registry", "fill_space").tick() is not None
    assert Watch(watch.graph, "space_registry", "fill_space").tick() is None
    assert slug in partitions(watch.graph)

    watch.graph.world.add(page_row("Lamps", 2, prose("lamps")))
    run = begun(other, "bring_up_to_date")
    assert watch.tick() is not None
    watch.graph.instance.report_run_failed(run)
    assert watch.tick() is None
    assert "nothing new" in watch.reason


def test_the_nightly_jobs_cover_everything(graph: Graph) -> None:
    """`nightly` materialises what is unpartitioned, `verification` looks at every row."""
    graph.world.add(page_row("Tides", 1, prose("tides")))

    night, verified = run_job(graph, "nightly"), run_job(graph, "verification")

    assert night.success
    made = {
        str(event.asset_key and event.asset_key.to_user_string()) for event in night.get_asset_materialization_events()
    }
    assert made >= {"ingest_records", "extracted_texts", "chunks", "embedding_spaces", "embeddings"}
    (check,) = verified.get_asset_check_evaluations()
    assert check.passed
    graph.world.rows("update vector.chunk set content = content || '!'")
    (check,) = run_job(graph, "verification").get_asset_check_evaluations()
    assert not check.passed
    assert "`holocron verify --repair`" in str(check.description)


def schedule_names(graph: Graph, **times: Any) -> dict[str, tuple[Any, str | None]]:
    settings = graph.world.settings.model_copy(update={"schedules": SchedulesSettings(**times)})
    found = build_defs(settings, graph.world.store, graph.world.providers).schedules or ()
    return {one.name: (one.cron_schedule, one.execution_timezone) for one in found}  # type: ignore[union-attr]


def test_schedules_follow_the_settings(graph: Graph) -> None:
    """Each has its own time or none, in the zone of the settings."""
    assert schedule_names(graph) == {
        "nightly": ("0 2 * * *", "UTC"),
        "verification": ("0 3 * * *", "UTC"),
        "evaluation": ("0 4 * * *", "UTC"),
        "drift": ("0 5 * * *", "UTC"),
    }
    assert schedule_names(graph, nightly=None, verification=None, evaluation=None, drift=None) == {}
    times = {
        "verification": None,
        "evaluation": None,
        "drift": None,
        "ingest": "*/20 * * * *",
        "time_zone": "Europe/Berlin",
    }
    assert schedule_names(graph, **times) == {
        "nightly": ("0 2 * * *", "Europe/Berlin"),
        "ingest": ("*/20 * * * *", "Europe/Berlin"),
    }


def test_a_night_that_lasts_is_not_doubled(graph: Graph) -> None:
    """While the last run of a schedule is under way, it skips its turn."""
    schedule = graph.defs.get_repository_def().get_schedule_def("nightly")
    resources = {"sensor_store": graph.world.store}
    with dg.instance_for_test() as instance, dg.build_schedule_context(instance, resources=resources) as context:
        assert schedule(context) == [dg.RunRequest()]
        run = instance.create_run_for_job(graph.defs.resolve_job_def("nightly"))

        answer = schedule(context)

    assert isinstance(answer, dg.SkipReason)
    assert run.run_id in str(answer.skip_message)


@pytest.mark.parametrize("name", ["evaluation", "drift"])
def test_every_space_has_its_run_at_night(graph: Graph, name: str) -> None:
    """One run for each space that has a partition, as the active ones have, and each of a key that Dagster asks for."""
    code = graph.defs.get_repository_def()
    schedule = code.get_schedule_def(name)
    with (
        dg.instance_for_test() as instance,
        dg.partition_loading_context(dynamic_partitions_store=instance),
        dg.build_schedule_context(
            instance, resources={"sensor_store": graph.world.store}, repository_def=code
        ) as context,
    ):
        assert schedule.evaluate_tick(context).skip_message == "no space is active yet"
        instance.add_dynamic_partitions("embedding_spaces", ["b", "a"])

        requests = schedule.evaluate_tick(context).run_requests or []

    assert [(one.partition_key, one.run_key) for one in requests] == [("a", "a"), ("b", "b")]


@pytest.mark.parametrize(
    ("times", "fresh"),
    [
        ({}, {"ingest_records", "extracted_texts", "chunks", "embedding_spaces", "embeddings", "store_verification"}),
        ({"nightly": None}, {"store_verification"}),
        ({"nightly": "0 2 * * 1", "verification": None}, set[str]()),
    ],
)
def test_what_is_made_every_night_has_to_be_fresh(graph: Graph, times: dict[str, Any], fresh: set[str]) -> None:
    """Where a schedule materialises an asset every day, it has a freshness policy, and elsewhere none."""
    settings = graph.world.settings.model_copy(update={"schedules": SchedulesSettings(**times)})
    specs = build_defs(settings, graph.world.store, graph.world.providers).resolve_all_asset_specs()

    assert {spec.key.to_user_string() for spec in specs if spec.freshness_policy} == fresh
