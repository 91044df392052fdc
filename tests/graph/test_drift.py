"""Drift in Dagster: partitions, pages, what is kept, and the checks on it."""

import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from holocron_assets.clock import utc_now
from holocron_assets.comparisons import keeping
from holocron_assets.comparisons.retrieval import FLOOR
from holocron_assets.definitions import build_defs
from holocron_assets.drift.report import DriftReport, Judgement, Kind, Metric, Subject, Verdict
from holocron_assets.errors import ProviderUnavailableError
from holocron_assets.partitions import SPACES
from holocron_assets.records import EmbeddingSpace
from holocron_assets.registry import list_states
from holocron_assets.run_history import FAILURE_TAG, PERMANENT
from holocron_assets.sections import EvaluationSettings, SchedulesSettings
from holocron_assets.sensors.failures import failed_checks
from holocron_assets.spaces import space_of
from holocron_assets.stages import calling
from holocron_assets.transactions import read
from resources.providers import open_provider
from tests.conftest import Templates
from tests.graph.conftest import Graph
from tests.graph.test_alerts import Watch
from tests.graph.test_main_job import failure, materialization, warnings
from tests.graph.test_queued_jobs import Daemon, enqueue, job_of
from tests.moving import Catalog, Moving
from tests.stages.test_comparisons import LATER, notes
from tests.stages.test_evaluate import collection

SEVERITIES = {Verdict.WATCH: dg.AssetCheckSeverity.WARN, Verdict.ALERT: dg.AssetCheckSeverity.ERROR}
SUBJECTS = {
    "content_is_stable": (Kind.CONTENT, Subject.CONTENT),
    "model_is_the_same": (Kind.MODEL, Subject.MODEL),
    "retrieval_did_not_get_worse": (Kind.MODEL, Subject.RETRIEVAL),
}


@pytest.fixture
def model(graph: Graph, templates: Templates) -> Moving:
    """The model of the one space, which holds notes of two months on one thing."""
    model = Moving()
    graph.world.providers = Catalog(model)

    def fill() -> None:
        all_notes = notes("the sea", 120)
        graph.world.add(*all_notes[::2], *(one | {"fetched_at_utc": LATER.isoformat()} for one in all_notes[1::2]))
        graph.world.run()

    templates.fill(graph.world.settings, "notes of the sea", fill)
    graph.instance.add_dynamic_partitions(str(SPACES.name), [the_space(graph).slug])
    return model


@pytest.fixture
def wide(graph: Graph, model: Moving) -> EmbeddingSpace:
    """A second space, of other dimensions, with the same notes."""
    return another(graph, 64)


def another(graph: Graph, dimensions: int) -> EmbeddingSpace:
    other = Moving(inner=open_provider("hashing", "ngram", {"dimensions": dimensions}))
    graph.world.embed(other)
    space = space_of(other.describe())
    graph.instance.add_dynamic_partitions(str(SPACES.name), [space.slug])
    return space


def the_space(graph: Graph) -> EmbeddingSpace:
    """The declared space, which was registered first."""
    return list_states(graph.world.store)[0].space


def reported(graph: Graph) -> dg.ExecuteInProcessResult:
    return graph.materialize("drift_reports", partition=the_space(graph).slug)


def figures(result: dg.ExecuteInProcessResult, asset: str = "drift_reports") -> dict[str, Any]:
    return {name: value.value for name, value in materialization(result, asset).metadata.items()}


def kept(graph: Graph) -> list[DriftReport]:
    """All reports, the newest first."""
    return read(graph.world.store, keeping.list_reports)


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, tuple[bool, dg.AssetCheckSeverity]]:
    return {one.check_name: (one.passed, one.severity) for one in result.get_asset_check_evaluations()}


def test_a_partition_is_reported_on(graph: Graph, model: Moving) -> None:
    """It shows both verdicts with their reasons, figures that Dagster plots, pictures, and pages that are there."""
    result = reported(graph)

    found = figures(result)
    assert result.success
    assert materialization(result, "drift_reports").partition == the_space(graph).slug
    assert found["reports"] == 2
    assert (found["content: verdict"], found["model: verdict"]) == ("ok", "ok")
    assert "model: ok. Of 64 anchors" in found["model: in words"]
    assert 0 <= found["content: occupancy"] < 1
    assert found["model: cosine_distance"] == 0
    assert "data:image/svg+xml;base64," in found["content: Topics that grew and shrank"]
    assert "data:image/svg+xml;base64," in found["model: Neighbours kept"]
    for report in kept(graph):
        page = Path(found[f"{report.kind}: page"])
        assert page.is_relative_to(graph.world.settings.path(".holocron/drift"))
        assert str(report.report_id) in page.read_text()
    assert set(outcomes(result)) == set(SUBJECTS)
    assert all(passed for passed, _ in outcomes(result).values())


def test_reports_add_up_to_a_history(graph: Graph, model: Moving) -> None:
    """Each run keeps reports of its own, which name it, and whose figures are a time series."""
    results = [reported(graph) for _ in range(2)]

    assert [one.kind for one in kept(graph)] == [Kind.MODEL, Kind.CONTENT] * 2
    assert graph.world.rows(
        "select m.name, count(*) from vector.drift_metric m join vector.drift_report r on r.report_id = m.report_id "
        "where r.kind = 'model' and m.verdict is not null group by m.name order by m.name"
    ) == [("cosine_distance", 2), ("neighbour_loss_anchors", 2), ("neighbour_loss_corpus", 2), ("rejected_anchors", 2)]
    references = graph.world.rows(
        "select distinct json_extract_string(j.input_json, '$.reference') from vector.drift_report d "
        "join vector.run r on r.run_id = d.run_id join vector.job j on j.job_id = r.job_id"
    )
    assert {one for (one,) in references} == {one.run_id for one in results}


def test_other_texts_are_an_error_and_stop_nothing(graph: Graph, model: Moving) -> None:
    """The check fails with what grew and what to do; the run succeeds, and the model's checks hold."""
    graph.world.add(*notes("a volcano", 60, fetched_at=LATER + timedelta(days=30)))
    graph.world.run()

    result = reported(graph)

    assert result.success
    assert outcomes(result)["content_is_stable"] == (False, dg.AssetCheckSeverity.ERROR)
    assert outcomes(result)["model_is_the_same"][0]
    (failed,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert "volcano" in str(failed.description)
    assert "holocron evaluate" in str(failed.description)
    assert "alert" in str(failed.metadata["offenders"].value)
    assert not graph.check("content_is_stable", "drift_reports").passed


def test_another_partition_hides_no_alert(graph: Graph, model: Moving, wide: EmbeddingSpace) -> None:
    """Dagster shows the checks of the last run: those of a space that is fine fail too while another is not.

    It is told of once.
    """
    watch = Watch(graph, failed_checks, None)
    watch.tick()
    model.noise = 0.3
    reported(graph)
    assert "1 events written" in watch.tick()
    graph.world.providers = Catalog(Moving(inner=open_provider("hashing", "ngram", {"dimensions": 64})))

    other = graph.materialize("drift_reports", partition=wide.slug)

    assert figures(other)["model: verdict"] == "ok"
    assert not outcomes(other)["model_is_the_same"][0]
    assert "0 events written" in watch.tick()


@pytest.mark.parametrize(("noise", "verdict"), [(1e-6, Verdict.OK), (0.01, Verdict.WATCH), (0.3, Verdict.ALERT)])
def test_a_model_that_moved_is_told(graph: Graph, model: Moving, noise: float, verdict: Verdict) -> None:
    """Rounding passes, fewer bits warn, and another model is an error."""
    model.noise = noise

    result = reported(graph)

    assert result.success
    assert figures(result)["model: verdict"] == verdict.value
    passed, severity = outcomes(result)["model_is_the_same"]
    assert (passed, severity) == (verdict is Verdict.OK, SEVERITIES.get(verdict, dg.AssetCheckSeverity.WARN))


def test_a_model_that_finds_less_is_told(graph: Graph, model: Moving, tmp_path: Path) -> None:
    """Judged queries that find less in the stored vectors are a verdict of their own, and a picture."""
    collection(tmp_path / "own", {f"Note {n} on the sea": {f"files:notes:sha/{sha}": 1} for n, sha in shas(graph, 20)})
    graph.world.settings = graph.world.settings.model_copy(
        update={"evaluation": EvaluationSettings(collections=(str(tmp_path / "own"),))}
    )
    assert graph.materialize("retrieval_evaluation", partition=the_space(graph).slug).success
    same = reported(graph)
    model.noise = 1.0
    worse = reported(graph)

    assert outcomes(same)["retrieval_did_not_get_worse"][0]
    assert "retrieval: ok. The model answers as it did" in figures(same)["model: in words"]
    assert outcomes(worse)["retrieval_did_not_get_worse"] == (False, dg.AssetCheckSeverity.ERROR)
    assert figures(worse)["model: ndcg_loss:own"] > 0.1
    assert "data:image/svg+xml;base64," in figures(worse)["model: Change of nDCG@10"]


def shas(graph: Graph, count: int) -> list[tuple[int, str]]:
    """The first notes by their numbers, and what ends the ids of their sources."""
    found = graph.world.rows("select source_id, content from vector.chunk where retired_utc is null")
    by_number = {int(content.split()[1]): str(source).rpartition("/")[2] for source, content in found}
    return [(n, by_number[n]) for n in range(count)]


def test_a_check_says_why_it_knows_nothing(graph: Graph, model: Moving, wide: EmbeddingSpace) -> None:
    """No report is one thing, and a report that could not ask another; what is missing is in the metadata too."""
    model.noise = 0.3
    result = reported(graph)

    checked = evaluation_of("retrieval_did_not_get_worse", result)
    assert checked.passed
    slug, today = the_space(graph).slug, f"{utc_now():%Y-%m-%d}"
    reason = "the settings' collections: they name none that judges texts of the store: `evaluation.collections`"
    assert checked.description == (
        f"Nothing is known. The report on {slug} of {today} does not say it: {reason}. There is no report on "
        f"{wide.slug} yet: the log of drift_reports says what it lacks."
    )
    assert f"ndcg_loss:{reason}" in figures(result)["model: missing"]
    model.noise = 0.0
    checked = evaluation_of("retrieval_did_not_get_worse", reported(graph))
    assert str(checked.description).startswith(f"1 of 2 spaces have a report on it, the oldest of {today}, and none ")


def evaluation_of(claim: str, result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = [one for one in result.get_asset_check_evaluations() if one.check_name == claim]
    return found


def test_an_inactive_space_is_checked_in_its_own_run(graph: Graph, model: Moving, wide: EmbeddingSpace) -> None:
    """Who materialises its partition is told by the checks; runs on others do not look at it."""
    graph.world.rows(
        f"update vector.embedding_space set is_active = false where embedding_space_id = '{wide.embedding_space_id}'"
    )
    moved = Moving(inner=open_provider("hashing", "ngram", {"dimensions": 64}), noise=0.3)
    graph.world.providers = Catalog(moved)
    its_own = graph.materialize("drift_reports", partition=wide.slug)
    graph.world.providers = Catalog(model)

    assert not outcomes(its_own)["model_is_the_same"][0]
    assert outcomes(reported(graph))["model_is_the_same"][0]


def test_a_space_that_finds_more_than_the_searched_one_is_told(graph: Graph, wide: EmbeddingSpace) -> None:
    """As a warning with figures and what promotes it; what finds less, or as much as chance explains, is no fault."""
    nothing = graph.check("searched_space_finds_most", "space_comparison")
    assert nothing.passed
    assert nothing.description == (
        f"Nothing is known. {wide.slug} was not compared with it yet: materialise space_comparison."
    )
    graph.materialize("space_comparison")
    unasked = graph.check("searched_space_finds_most", "space_comparison")
    assert unasked.passed
    assert "does not say it: any collection: neither space was evaluated" in str(unasked.description)

    searched, (base,) = the_space(graph), [one for one in kept(graph) if one.kind is Kind.SPACES]
    for gain, p, turned, holds in (
        (0.05, 0.01, False, False),
        (0.05, 0.2, False, True),
        (0.005, 0.01, False, True),
        (-0.05, 0.01, False, True),
        (0.05, 0.01, True, False),
    ):
        before, after = (0.4 + gain, 0.4) if turned else (0.4, 0.4 + gain)
        metric = Metric(
            name="ndcg_loss:own", effect=before - after, p=p, p_adjusted=p, floor=FLOOR, reference=before, current=after
        )
        ids = (wide, searched) if turned else (searched, wide)
        report = replace(
            base,
            report_id=uuid.uuid4(),
            created_utc=utc_now(),
            space_id=ids[0].embedding_space_id,
            space=ids[0].slug,
            other_space_id=ids[1].embedding_space_id,
            other_space=ids[1].slug,
            metrics=[metric],
        )
        keeping.keep(graph.world.store, report)

        checked = graph.check("searched_space_finds_most", "space_comparison")

        assert checked.passed == holds
        if not holds:
            assert checked.severity is dg.AssetCheckSeverity.WARN
            assert "on own nDCG@10 is 0.450 instead of 0.400" in str(checked.description)
            assert f"`holocron spaces promote {wide.slug}`" in str(checked.description)


@pytest.mark.parametrize("claim", SUBJECTS)
def test_severities_follow_verdicts(graph: Graph, model: Moving, claim: str) -> None:
    """A check holds where its verdict is ok, warns at watch, and is an error at alert; what was before is forgotten."""
    reported(graph)
    kind, subject = SUBJECTS[claim]
    (base,) = [one for one in kept(graph) if one.kind is kind]
    for verdict in (Verdict.WATCH, Verdict.ALERT, Verdict.OK):
        judgement = Judgement(subject=subject, verdict=verdict, why="It is so.", next_step="Look.")
        report = replace(base, report_id=uuid.uuid4(), created_utc=utc_now(), judgements=[judgement])
        keeping.keep(graph.world.store, report)

        checked = graph.check(claim, "drift_reports")

        assert checked.passed == (verdict is Verdict.OK)
        if verdict in SEVERITIES:
            assert checked.severity is SEVERITIES[verdict]
            assert checked.description == f"{base.space} on {utc_now():%Y-%m-%d}: It is so. Look."


def test_too_few_documents_are_a_warning(graph: Graph, model: Moving) -> None:
    """A window with too few of them is no failure: the log says how many are needed, and the model is reported on."""
    graph.world.add(*notes("the sea again", 3, fetched_at=LATER + timedelta(days=90)))
    graph.world.run()

    result = reported(graph)

    assert result.success
    assert figures(result)["reports"] == 1
    assert [one.kind for one in kept(graph)] == [Kind.MODEL]
    assert any(
        "a report is left out: " in one and "at least 20 are needed" in one for one in warnings_of(graph, result)
    )
    assert all(passed for passed, _ in outcomes(result).values())


def warnings_of(graph: Graph, result: dg.ExecuteInProcessResult) -> list[str]:
    return warnings(result, graph.instance)


def test_one_space_that_fails_does_not_stop_the_others(graph: Graph, wide: EmbeddingSpace) -> None:
    """The run fails for good and names the broken vector; the other partition is reported on."""
    ((chunk_id,),) = graph.world.rows("select min(chunk_id) from vector.embedding")
    space = the_space(graph)
    graph.world.rows(
        f"update vector.embedding set vector = [1.0] where chunk_id = '{chunk_id}' "
        f"and embedding_space_id = '{space.embedding_space_id}'"
    )
    model = Moving(inner=open_provider("hashing", "ngram", {"dimensions": 64}))
    graph.world.providers = Catalog(model)
    job = dg.define_asset_job("job", selection="drift_reports")
    defs = dg.Definitions.merge(graph.defs, dg.Definitions(jobs=[job]))
    tags = {"dagster/asset_partition_range_start": space.slug, "dagster/asset_partition_range_end": wide.slug}

    result = defs.resolve_job_def("job").execute_in_process(instance=graph.instance, raise_on_error=False, tags=tags)

    assert not result.success
    said = str(failure(result).description)
    assert f"{space.slug} has no whole report: " in said
    assert f"the vector of chunk {chunk_id} has 1 dimensions instead of 32" in said
    assert wide.slug not in said
    assert graph.instance.get_materialized_partitions(dg.AssetKey("drift_reports")) == {wide.slug}
    assert {one.space for one in kept(graph)} == {wide.slug}
    assert graph.instance.get_run_by_id(result.run_id).tags[FAILURE_TAG] == PERMANENT  # type: ignore[union-attr]


@pytest.fixture
def daemon(graph: Graph, model: Moving) -> Daemon:
    """A sensor that has its name already."""
    one = Daemon(graph)
    one.tick()
    return one


def test_a_model_that_is_away_is_asked_again(
    graph: Graph, model: Moving, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails, though not for good, and keeps what needs no model; its job waits, and is done when it is back."""
    monkeypatch.setattr(calling, "_RETRY_SECONDS", ())
    job = enqueue(daemon, "DRIFT_TEST", {"space": the_space(graph).slug})

    def away(_: Moving) -> None:
        raise ProviderUnavailableError("nobody answers")

    model.after = away
    daemon.work(1)
    daemon.tick()
    waiting = job_of(daemon, job)

    assert (waiting.status, waiting.attempt_count) == ("NEW", 1)
    assert "nobody answers" in str(waiting.last_error)
    assert [one.kind for one in kept(graph)] == [Kind.CONTENT]
    assert all(FAILURE_TAG not in run.tags for run in graph.instance.get_runs())

    model.after = None
    graph.world.rows("update vector.job set available_utc = created_utc")
    daemon.work(2)
    assert job_of(daemon, job).status == "SUCCEEDED"
    assert [one.kind for one in kept(graph)] == [Kind.MODEL, Kind.CONTENT, Kind.CONTENT]


def test_drift_jobs_are_done(graph: Graph, wide: EmbeddingSpace, daemon: Daemon) -> None:
    """With a space a job has it reported on; without one it has the others compared with the one searches use."""
    slug = the_space(graph).slug
    jobs = [enqueue(daemon, "DRIFT_TEST", asked) for asked in ({"space": slug}, {})]
    daemon.work(3)

    assert [job_of(daemon, job).status for job in jobs] == ["SUCCEEDED", "SUCCEEDED"]
    found = {(one.kind, one.space, one.other_space) for one in kept(graph)}
    assert found == {
        (Kind.CONTENT, slug, None),
        (Kind.MODEL, slug, None),
        (Kind.SPACES, slug, wide.slug),
    }


def test_spaces_are_compared_with_the_one_searches_use(graph: Graph, wide: EmbeddingSpace) -> None:
    """Each other active space has verdict, figures, pictures and a page; the report is on the one searches use."""
    narrow = another(graph, 16)

    result = graph.materialize("space_comparison")

    assert result.success
    found = figures(result, "space_comparison")
    assert found["reports"] == 2
    for space in (wide, narrow):
        assert found[f"{space.slug}: verdict"] in {"watch", "alert"}
        assert 0 < found[f"{space.slug}: neighbour_loss"] < 1
        assert "data:image/svg+xml;base64," in found[f"{space.slug}: Neighbours in common"]
        assert "<title>" in Path(found[f"{space.slug}: page"]).read_text()
    assert {(one.space, one.other_space) for one in kept(graph)} == {
        (the_space(graph).slug, space.slug) for space in (wide, narrow)
    }


def test_one_space_is_compared_with_nothing(graph: Graph, model: Moving) -> None:
    """Where there is no other active space, the run says so and succeeds."""
    result = graph.materialize("space_comparison")

    assert result.success
    assert figures(result, "space_comparison")["reports"] == 0
    assert "there is one active space, and nothing to compare it with" in warnings_of(graph, result)


def test_a_space_without_common_chunks_is_left_out(graph: Graph, wide: EmbeddingSpace) -> None:
    """It is a warning that says what fills it; the others are compared."""
    empty = another(graph, 16)
    graph.world.rows(f"delete from vector.embedding where embedding_space_id = '{empty.embedding_space_id}'")

    result = graph.materialize("space_comparison")

    assert result.success
    assert figures(result, "space_comparison")["reports"] == 1
    assert any(f"{empty.slug} is not compared: " in one for one in warnings_of(graph, result))


def test_the_schedule_can_be_switched_off(graph: Graph, model: Moving) -> None:
    """Every night the space is reported on, as the schedule's job does it; without a time there is no schedule."""
    schedule = graph.defs.get_repository_def().get_schedule_def("drift")
    job = graph.defs.resolve_job_def(schedule.job_name)
    assert job.execute_in_process(instance=graph.instance, partition_key=the_space(graph).slug).success
    assert len(kept(graph)) == 2

    off = graph.world.settings.model_copy(update={"schedules": SchedulesSettings(drift=None)})
    names = {one.name for one in build_defs(off, graph.world.store, graph.world.providers).schedules or ()}  # type: ignore[union-attr]
    assert "drift" not in names
    assert "evaluation" in names
