"""Comparisons over a store, and the reports that are kept of them."""

import errno
import json
import os
import re
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from holocron_assets.clock import utc_now
from holocron_assets.comparisons import keeping
from holocron_assets.comparisons.anchor_sets import anchor_sets
from holocron_assets.comparisons.content import Choice, compare_content
from holocron_assets.comparisons.model import compare_model
from holocron_assets.comparisons.spaces import compare_two_spaces
from holocron_assets.composition import command_store
from holocron_assets.drift.report import DriftReport, Kind, Subject, Verdict
from holocron_assets.errors import ConfigurationError, NotReadyError, UnknownItemError, VectorError
from holocron_assets.evaluation.collections import Collection, read_collection
from holocron_assets.evaluation.comparing import METHODS
from holocron_assets.evaluation.evaluate import Surroundings, evaluate
from holocron_assets.records import EmbeddingSpace
from holocron_assets.registry import list_states
from holocron_assets.sections import EvaluationSettings
from holocron_assets.spaces import space_of
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.reembed import reembed_space
from holocron_assets.stages.snapshots import take_snapshot
from holocron_assets.tables.evaluations import list_evaluations
from holocron_assets.transactions import read
from resources.providers import open_provider
from tests.conftest import Templates
from tests.moving import Catalog, Moving
from tests.world import ORIGIN, START, World, json_row, prose, silent

LATER = START + timedelta(days=30)


def notes(topic: str, count: int, **columns: object) -> list[dict[str, object]]:
    """Short records on a topic, each another text."""
    return [
        json_row(f"{topic}/{n}", f"Note {n} on {topic}: {prose(f'{topic} {n % 7}', 200)}", **columns)  # type: ignore[arg-type]
        for n in range(count)
    ]


@pytest.fixture
def world(world: World, templates: Templates) -> World:
    """Sixty notes on the sea, and sixty more a month later, embedded by a model that can be moved."""
    world.providers = Catalog(Moving())

    def fill() -> None:
        world.add(*notes("the sea", 60), *notes("sea level", 60, fetched_at=LATER))
        world.run()

    templates.fill(world.settings, "notes of two months", fill)
    return world


@pytest.fixture
def space(world: World) -> EmbeddingSpace:
    """The only one."""
    (state,) = list_states(world.store)
    return state.space


def around(world: World) -> Surroundings:
    """The world as comparisons see it."""
    return Surroundings(store=world.store, settings=world.settings, providers=world.providers, open_store=command_store)


def content(world: World, space: EmbeddingSpace, choice: Choice = Choice()) -> DriftReport:  # noqa: B008 - frozen
    """A content report."""
    return compare_content(world.store, world.settings, space, choice, ORIGIN)


def test_a_content_report_is_kept_with_everything(world: World, space: EmbeddingSpace) -> None:
    """Judgements, figures, parameters and pictures come back as they were, and the run that made them is recorded."""
    report = content(world, space)

    kept = read(world.store, keeping.whole_report, str(report.report_id)[:8])
    assert kept == report
    assert report.kind is Kind.CONTENT
    assert (report.reference.documents, report.current.documents) == (60, 60)
    assert report.parameters["split"] == (LATER - timedelta(days=7)).isoformat()
    ((status, job_type, metrics),) = world.rows(
        "select r.status, j.job_type, r.metrics_json from vector.run r join vector.job j on j.job_id = r.job_id "
        f"where r.run_id = '{report.run_id}'"
    )
    assert (status, job_type) == ("SUCCEEDED", "DRIFT_TEST")
    assert '"chunks_compared":120' in metrics.replace(" ", "")


def test_the_same_comparison_gives_the_same_numbers(world: World, space: EmbeddingSpace) -> None:
    """Made twice, a report has the same figures and verdicts."""
    first, second = content(world, space), content(world, space)

    assert first.metrics == second.metrics
    assert first.judgements == second.judgements


def test_a_page_tells_the_whole_report(world: World, space: EmbeddingSpace) -> None:
    """The page of a report stands in the folder of the settings, with its verdict and its history."""
    content(world, space)
    report = content(world, space)

    page = keeping.write_page(world.store, world.settings, report)

    text = page.read_text()
    assert page.is_relative_to(world.settings.path(".holocron/drift"))
    assert str(report.report_id) in text
    assert not re.search(r"(src|href)=\"https?:", text)
    assert len(read(world.store, keeping.history_of, report)) == 2 * sum(
        one.verdict is not None for one in report.metrics
    )


def test_too_few_documents_are_told(world: World, space: EmbeddingSpace) -> None:
    """A window with too few documents is refused with how many are needed, and is no failed run."""
    with pytest.raises(NotReadyError, match="the current window has 0 documents, and at least 20 are needed"):
        content(world, space, Choice(since=LATER + timedelta(days=1)))

    assert world.rows("select count(*) from vector.drift_report") == [(0,)]
    assert comparisons_begun(world) == 0


def test_a_snapshot_of_now_has_nothing_to_differ_from(world: World, space: EmbeddingSpace) -> None:
    """Where nothing came since a snapshot, the report says so; retired chunks of it are still looked at."""
    take_snapshot(world.store, space, "now")

    report = content(world, space, Choice(snapshot="now"))
    assert report.verdict is Verdict.OK
    assert "Nothing came" in report.judgements[0].why

    world.add(json_row("the sea/0", "", fetched_at=LATER + timedelta(days=1)))
    world.run()
    report = content(world, space, Choice(snapshot="now"))
    assert report.verdict is Verdict.OK
    assert "1 of the 120 documents of snapshot now have vanished" in report.judgements[0].why

    world.add(*notes("a volcano", 40, fetched_at=LATER + timedelta(days=1)))
    world.add(json_row("the sea/1", "", fetched_at=LATER + timedelta(days=1)))
    world.run()
    report = content(world, space, Choice(snapshot="now"))
    assert report.reference.documents == 120
    assert report.current.documents == 40
    assert report.parameters["vectors_missing"] == 0
    assert report.verdict is Verdict.ALERT


def test_a_little_in_each_page_is_no_drift(world: World, space: EmbeddingSpace) -> None:
    """Where every document was edited a little, half of them stand for what was and half for what is: no alert."""
    take_snapshot(world.store, space, "before")
    later = LATER + timedelta(days=1)
    for topic in ("the sea", "sea level"):
        for number, row in enumerate(notes(topic, 60, fetched_at=later)):
            words = str(row["payload"]).split(" ")
            del words[7 * number % len(words)]
            world.add(row | {"payload": " ".join(words)})
    world.run()

    report = content(world, space, Choice(snapshot="before"))

    assert report.parameters["documents_drawn"] == 120
    assert (report.reference.documents, report.current.documents) == (60, 60)
    assert report.reference.label == "snapshot before, half of it by lot"
    assert report.current.label == "not in snapshot before, without that half"
    assert report.verdict is not Verdict.ALERT, report.judgements


def test_another_text_in_each_page_is_drift(world: World, space: EmbeddingSpace) -> None:
    """Where every document is about something else by now, that is an alert, although nothing of the old is left."""
    take_snapshot(world.store, space, "before")
    for topic in ("the sea", "sea level"):
        for row, other in zip(notes(topic, 60), notes("a volcano", 60, fetched_at=LATER), strict=True):
            world.add(other | {name: row[name] for name in ("resource_id", "request_uri")})
    world.extract()
    world.chunk(allow_mass_change=True)
    world.embed()

    assert content(world, space, Choice(snapshot="before")).verdict is Verdict.ALERT


def test_half_of_a_corpus_that_vanished_is_an_alert(world: World, space: EmbeddingSpace) -> None:
    """What a snapshot held and the store lost is judged, whether anything came meanwhile, a little or much."""
    take_snapshot(world.store, space, "before")
    later = LATER + timedelta(days=1)
    world.add(*(json_row(f"the sea/{n}", "", fetched_at=later) for n in range(60)))
    world.extract()
    world.chunk(allow_mass_change=True)

    for words, more in (("Nothing came", ()), ("Too little came", notes("a new sea", 5)), ("", notes("the sea 2", 40))):
        world.add(*more)
        world.run()
        report = content(world, space, Choice(snapshot="before"))
        told = report.judgements[-1]
        assert report.verdict is told.verdict is Verdict.ALERT
        assert told.why.startswith(words)
        assert "60 of the 120 documents of snapshot before have vanished" in told.why
        (figure,) = [one for one in report.metrics if one.name == "vanished"]
        assert (figure.effect, figure.verdict) == (0.5, Verdict.ALERT)


def test_texts_alike_and_many_gone_are_one_judgement(world: World, space: EmbeddingSpace) -> None:
    """The graver one, with both reasons: nobody reads that nothing is to be done above what is."""
    take_snapshot(world.store, space, "before")
    later = LATER + timedelta(days=1)
    gone = [
        json_row(f"{topic}/{n}", "", fetched_at=later) for topic in ("the sea", "sea level") for n in range(0, 60, 2)
    ]
    world.add(*gone, *notes("the sea", 80, fetched_at=later)[60:], *notes("sea level", 80, fetched_at=later)[60:])
    world.extract()
    world.chunk(allow_mass_change=True)
    world.embed()

    (told,) = content(world, space, Choice(snapshot="before")).judgements

    assert told.verdict is Verdict.ALERT
    assert told.why.startswith("60 of the 120 documents of snapshot before have vanished")
    assert "The texts that came are like those that were there" in told.why
    assert "Nothing needs to be done" not in told.next_step


def test_a_report_is_made_again(world: World, space: EmbeddingSpace) -> None:
    """As of the time that a report names, its figures come out again, whatever came, vanished or was embedded since."""
    take_snapshot(world.store, space, "before")
    world.add(*notes("a volcano", 40, fetched_at=LATER + timedelta(days=1)))
    world.extract()
    world.chunk()
    made = [(Choice(), content(world, space))]
    world.embed()
    made += [(choice, content(world, space, choice)) for choice in (Choice(), Choice(snapshot="before"))]
    world.add(*notes("a glacier", 30, fetched_at=LATER + timedelta(days=90)))
    world.add(*(json_row(f"the sea/{n}", "", fetched_at=LATER + timedelta(days=90)) for n in range(20)))
    world.extract()
    world.chunk(allow_mass_change=True)
    world.embed()

    for choice, report in made:
        then = datetime.fromisoformat(str(report.parameters["as_of"]))
        again = content(world, space, replace(choice, as_of=then))
        assert again.parameters["as_of"] == report.parameters["as_of"]
        assert (again.metrics, again.reference, again.current) == (report.metrics, report.reference, report.current)
        assert report.parameters["versions"]["numpy"] == np.__version__  # type: ignore[index]
    with pytest.raises(ConfigurationError, match="nobody knows"):
        content(world, space, Choice(as_of=utc_now() + timedelta(hours=1)))
    with pytest.raises(ConfigurationError, match="nothing came since"):
        content(world, space, Choice(snapshot="before", as_of=START))


def test_a_snapshot_that_lost_its_vectors_does_not_speak(world: World, space: EmbeddingSpace) -> None:
    """A tenth that is gone is told and looked at; half of it, and there is no report."""
    take_snapshot(world.store, space, "before")
    world.add(*notes("the sea 2", 40, fetched_at=LATER + timedelta(days=1)))
    world.run()
    lose = "delete from vector.embedding where chunk_id in (select chunk_id from vector.chunk where {})"

    world.rows(lose.format("content like 'Note 3% on sea level%' or content like 'Note 4% on sea level%'"))
    (told,) = [one for one in content(world, space, Choice(snapshot="before")).judgements if "vectors" in one.why]
    assert told.verdict is Verdict.WATCH
    assert told.why.startswith("22 of the 120 chunks of snapshot before have no vectors any more")

    world.rows(lose.format("content like '%on sea level%'"))
    world.rows(lose.format("content like 'Note 1% on the sea:%'"))
    with pytest.raises(NotReadyError, match="71 of the 120 chunks of snapshot before have no vectors any more"):
        content(world, space, Choice(snapshot="before"))


def test_a_reference_that_a_space_has_not_is_told(world: World, space: EmbeddingSpace) -> None:
    """The settings name a snapshot for all spaces: one without it is compared by time, and the report says so."""
    named = world.settings.drift.model_copy(update={"reference": "january"})
    settings = world.settings.model_copy(update={"drift": named})

    report = compare_content(world.store, settings, space, Choice(), ORIGIN)

    by_time = content(world, space)
    assert report.metrics == by_time.metrics
    assert report.verdict is by_time.verdict
    assert report.parameters["reference_missing"] == "january"
    assert "has no snapshot 'january'" in report.judgements[0].why
    assert "reference_missing" not in by_time.parameters
    with pytest.raises(ConfigurationError, match="has no snapshot 'january'"):
        content(world, space, Choice(snapshot="january"))


def test_another_topic_is_noticed_and_named(world: World, space: EmbeddingSpace) -> None:
    """A window of other texts is an alert whose words name what grew."""
    world.add(*notes("a volcano", 60, fetched_at=LATER + timedelta(days=30)))
    world.run()

    report = content(world, space)

    assert report.verdict is Verdict.ALERT
    assert "volcano" in report.judgements[0].why
    assert "holocron evaluate" in report.judgements[0].next_step


@pytest.mark.parametrize("backend", ["duckdb"])
def test_a_broken_vector_is_named(world: World, space: EmbeddingSpace) -> None:
    """A number that is none, a missing dimension or another length stops the comparison with the chunk's name."""
    ((chunk_id,),) = world.rows("select min(chunk_id) from vector.embedding")
    for numbers, fault in (
        (["1.0"], "has 1 dimensions instead of 32"),
        (["cast('nan' as float)"] * 32, "is not finite"),
        (["0.0"] * 32, "is not of unit length"),
        (["3e38"] * 32, "is not of unit length"),
    ):
        told = ", ".join(numbers)
        world.rows(f"update vector.embedding set vector = [{told}] where chunk_id = '{chunk_id}'")
        with pytest.raises(VectorError, match=f"{chunk_id} {fault}"):
            content(world, space)


def test_a_model_that_is_the_same_is_identical(world: World, space: EmbeddingSpace) -> None:
    """Nothing moved: the model is identical, and nothing is to be done."""
    report = compare_model(around(world), space, ORIGIN)

    assert report.verdict is Verdict.OK
    assert [one.subject for one in report.judgements] == [Subject.MODEL, Subject.RETRIEVAL]
    assert "bit by bit: searches find what they found" in report.judgements[1].why
    assert report.parameters["change"] == "identical"
    (anchored,) = anchor_sets(world.store, world.settings, space)
    assert report.parameters["canary_id"] == str(anchored.canary_id)
    assert report.parameters["anchor_set_sha256"] == anchored.set_sha256
    assert report.parameters["versions"]["numpy"] == np.__version__  # type: ignore[index]
    assert START < datetime.fromisoformat(str(report.parameters["as_of"])) <= report.created_utc
    assert read(world.store, keeping.whole_report, str(report.report_id)) == report


@pytest.mark.parametrize(
    ("moved", "change", "verdict"),
    [
        ({"noise": 1e-6}, "numeric noise", Verdict.OK),
        ({"noise": 1e-4}, "numeric noise", Verdict.WATCH),
        ({"noise": 0.01}, "quantisation-like", Verdict.WATCH),
        ({"noise": 0.3}, "different", Verdict.ALERT),
    ],
)
def test_a_model_that_moved_is_classed(
    world: World, space: EmbeddingSpace, moved: dict[str, float], change: str, verdict: Verdict
) -> None:
    """Rounding is no matter, fewer bits are looked at, and anything more is an alert; nothing of the space changes."""
    before = world.rows("select chunk_id, vector_sha256 from vector.embedding order by chunk_id")
    world.providers = Catalog(Moving(**moved))  # type: ignore[arg-type]

    report = compare_model(around(world), space, ORIGIN)

    (judgement,) = [one for one in report.judgements if one.subject is Subject.MODEL]
    assert report.parameters["change"] == change
    assert judgement.verdict is verdict
    assert world.rows("select chunk_id, vector_sha256 from vector.embedding order by chunk_id") == before


def test_what_is_too_far_for_more_to_be_embedded_is_told(world: World, space: EmbeddingSpace) -> None:
    """A model whose noise stops the embedding is no matter for the vectors, and worth a look all the same."""
    world.providers = Catalog(Moving(noise=1e-4))

    (judgement,) = compare_model(around(world), space, ORIGIN).judgements

    assert "nothing is embedded beyond 1e-05" in judgement.why
    assert "canary.tolerance" in judgement.next_step


def test_a_model_that_rejects_nearly_everything_is_an_alert(world: World, space: EmbeddingSpace) -> None:
    """Too few answers to compare are no reason to say nothing."""
    world.providers = Catalog(Moving(rejected="r"))

    report = compare_model(around(world), space, ORIGIN)

    assert report.verdict is Verdict.ALERT
    assert "nearly all are rejected now" in report.judgements[0].why
    assert report.parameters["rejected_anchors"] > 32
    assert read(world.store, keeping.whole_report, str(report.report_id)) == report


@pytest.fixture
def judged(world: World) -> Collection:
    """Queries about every fourth note, which the settings name."""
    folder = world.settings.path("judged")
    folder.mkdir()
    known = [source_id for (source_id,) in world.rows("select source_id from vector.source_registry order by 1")]
    texts = world.texts()
    asked = [{"_id": f"q{n}", "text": texts[one][:60]} for n, one in enumerate(known[::4])]
    (folder / "queries.jsonl").write_text("\n".join(json.dumps(one) for one in asked))
    lines = ["query-id\tcorpus-id\tscore", *(f"q{n}\t{one}\t1" for n, one in enumerate(known[::4]))]
    (folder / "qrels.tsv").write_text("\n".join(lines))
    world.settings = world.settings.model_copy(update={"evaluation": EvaluationSettings(collections=(str(folder),))})
    return read_collection(folder)


def test_retrieval_is_compared_among_the_same_chunks_only(
    world: World, space: EmbeddingSpace, judged: Collection
) -> None:
    """A loss of the model's is one, and what came to the store meanwhile is not blamed on it."""
    assert {"ndcg_loss:judged"} == missing(compare_model(around(moved(world)), space, ORIGIN))
    world.providers = Catalog(Moving())
    evaluate(around(world), space, judged, METHODS, ORIGIN, silent)

    report = compare_model(around(moved(world)), space, ORIGIN)
    (found,) = [one for one in report.judgements if one.subject is Subject.RETRIEVAL]
    assert found.verdict is Verdict.ALERT
    assert not missing(report)
    assert report.parameters["evaluations"] == {"judged": evaluations_by_vectors(world, space)}
    world.providers = Catalog(Moving())
    other = Moving(inner=open_provider("hashing", "ngram", {"dimensions": 64}))
    world.embed(other)
    wide = space_of(other.describe())
    evaluate(replace(around(world), providers=Catalog(other)), wide, judged, METHODS, ORIGIN, silent)
    of_both = [*evaluations_by_vectors(world, space), *evaluations_by_vectors(world, wide)]
    compared = compare_two_spaces(around(world), space, wide, ORIGIN)
    assert compared.parameters["evaluations"] == {"judged": of_both}
    why = next(one.why for one in compared.judgements if one.subject is Subject.RETRIEVAL)
    assert re.search(rf"nDCG@10 is [01]\.\d+ in {space.slug} and [01]\.\d+ in {wide.slug}", why)

    world.providers = Catalog(Moving())
    world.add(*notes("the sea again", 5, fetched_at=LATER))
    world.run()
    assert missing(compare_model(around(moved(world)), space, ORIGIN)) == {"ndcg_loss:judged"}


def test_spaces_are_compared_by_evaluations_of_what_they_hold(
    world: World, space: EmbeddingSpace, judged: Collection
) -> None:
    """An evaluation from before contents or vectors changed says nothing of a space, and the report says of which."""
    other = Moving(inner=open_provider("hashing", "ngram", {"dimensions": 64}))
    world.embed(other)
    wide = space_of(other.describe())

    def lacking() -> dict[str, str]:
        report = compare_two_spaces(around(world), space, wide, ORIGIN)
        return {one.name: one.missing for one in report.metrics if one.name.startswith("ndcg_loss") and one.missing}

    def evaluated(one: EmbeddingSpace, by: Moving) -> None:
        evaluate(replace(around(world), providers=Catalog(by)), one, judged, METHODS, ORIGIN, silent)

    assert lacking() == {"ndcg_loss:any collection": "neither space was evaluated by vectors yet: `holocron evaluate`"}
    evaluated(space, Moving())
    assert lacking() == {"ndcg_loss:judged": f"{wide.slug} was not evaluated on it by vectors: `holocron evaluate`"}
    world.add(*edited("the sea", 60))
    world.run()
    world.embed(other)
    evaluated(wide, other)
    stale = {
        "ndcg_loss:judged": f"chunks or vectors of {space.slug} changed since it was evaluated: `holocron evaluate`"
    }
    assert lacking() == stale
    evaluated(space, Moving())
    assert lacking() == {}

    policy = CanaryPolicy.of(world.settings)
    reembed_space(world.store, lambda: Moving(turned=0.1), space, policy, ORIGIN, silent, replace=True)
    assert lacking() == stale
    world.providers = Catalog(Moving())
    assert missing(compare_model(around(world), space, ORIGIN)) == {"ndcg_loss:judged"}


def edited(topic: str, count: int) -> list[dict[str, object]]:
    """The same notes with other texts, as long as they were."""
    return [
        json_row(f"{topic}/{n}", f"NOTE {n} on {topic}: {prose(f'{topic} {n % 7}', 200)}", fetched_at=LATER)
        for n in range(count)
    ]


def evaluations_by_vectors(world: World, space: EmbeddingSpace) -> list[str]:
    """The ids of the evaluations of a space by vectors."""
    return [
        str(one.evaluation_id)
        for one in read(world.store, list_evaluations)
        if (one.embedding_space_id, one.method) == (space.embedding_space_id, "vector")
    ]


def moved(world: World) -> World:
    """The same with a model that answers otherwise."""
    world.providers = Catalog(Moving(noise=0.3))
    return world


def missing(report: DriftReport) -> set[str]:
    """The figures that could not be had, for want of an evaluation among the same chunks."""
    return {one.name for one in report.metrics if "evaluate" in one.missing}


def test_a_changed_runtime_and_a_rejected_anchor_are_told(world: World, space: EmbeddingSpace) -> None:
    """The report says what the runtime was and is, and how many anchors are no longer taken."""
    sets = anchor_sets(world.store, world.settings, space)
    world.providers = Catalog(Moving(version="2", rejected="sea"))

    report = compare_model(around(world), space, ORIGIN)

    assert sets[0].anchors == report.reference.documents
    assert report.verdict is Verdict.ALERT
    assert "version was '1' and is '2'" in report.judgements[0].why
    assert [one.subject for one in report.judgements] == [Subject.MODEL]  # what is rejected now may be searched for
    assert report.parameters["rejected_anchors"] > 0


def test_anchors_that_changed_since_registration_are_told(world: World, space: EmbeddingSpace) -> None:
    """What the settings name now is compared with what the space was registered with, which still counts."""
    own = world.settings.path("anchors.ndjson")
    own.write_text('{"text": "A text of our own."}\n')
    settings = world.settings.model_copy(
        update={"canary": world.settings.canary.model_copy(update={"anchors": str(own)})}
    )

    (newest,) = anchor_sets(world.store, settings, space)

    assert (newest.added, newest.removed) == (1, 0)
    assert newest.is_newest
    assert sum(newest.kinds.values()) == newest.anchors == 64


def test_a_space_of_two_models_is_not_compared(world: World, space: EmbeddingSpace) -> None:
    """While vectors are being replaced, a space is compared neither with what it was nor with another one."""
    other = Moving(inner=open_provider("hashing", "ngram", {"dimensions": 64}))
    world.embed(other)
    wide = space_of(other.describe())
    world.rows(f"update vector.canary set completed_utc = null where embedding_space_id = '{space.embedding_space_id}'")

    with pytest.raises(NotReadyError, match="its vectors are being replaced"):
        content(world, space)
    for pair in ((space, wide), (wide, space)):
        with pytest.raises(NotReadyError, match="its vectors are being replaced"):
            compare_two_spaces(around(world), *pair, ORIGIN)
    with pytest.raises(NotReadyError, match="its vectors are being replaced"):
        compare_model(around(world), space, ORIGIN)
    assert comparisons_begun(world) == 0


@pytest.mark.parametrize(("kept", "said"), [(0, "has no anchors yet"), (31, "31 anchors, and 32 are needed")])
def test_too_few_anchors_are_told(world: World, space: EmbeddingSpace, kept: int, said: str) -> None:
    """A model that is held to nothing, or to too little, is not compared, and no run has failed."""
    anchors = world.rows("select anchor_sha256 from vector.anchor order by anchor_sha256")
    world.rows(f"delete from vector.anchor where anchor_sha256 >= '{anchors[kept][0]}'")
    if not kept:
        world.rows("delete from vector.canary")

    with pytest.raises(NotReadyError, match=said):
        compare_model(around(world), space, ORIGIN)
    assert comparisons_begun(world) == 0


def test_two_spaces_are_compared(world: World, space: EmbeddingSpace) -> None:
    """Spaces of other dimensions are compared on the chunks that both hold; one with itself is refused."""
    other = Moving(inner=open_provider("hashing", "ngram", {"dimensions": 64}))
    world.embed(other)
    wide = space_of(other.describe())

    report = compare_two_spaces(around(world), space, wide, ORIGIN)

    figures = {one.name: one for one in report.metrics}
    assert (report.space, report.other_space) == (space.slug, wide.slug)
    assert report.reference.chunks == report.current.chunks == 120
    assert figures["neighbour_loss"].effect == pytest.approx(1 - figures["neighbour_loss"].details["overlap_at_10"])
    loss = figures["neighbour_loss"]
    assert 0 < loss.details["interval_low"] < loss.effect < loss.details["interval_high"] < 1  # type: ignore[operator]
    assert f"between {loss.details['interval_low']:.3f} and" in loss.explanation
    assert report.parameters["canary_ids"] == {
        side: str(anchor_sets(world.store, world.settings, one)[0].canary_id)
        for side, one in (("reference", space), ("current", wide))
    }
    assert report.parameters["versions"]["numpy"] == np.__version__  # type: ignore[index]
    assert START < datetime.fromisoformat(str(report.parameters["as_of"])) <= report.created_utc
    assert (figures["vector_bytes"].reference, figures["vector_bytes"].current) == (128, 256)
    bridge = figures["bridge_recall"]
    assert bridge.details["searched_chunks"] == report.parameters["searched_chunks"] == 120
    assert (bridge.details["queries"], bridge.details["fitted_chunks"]) == (60, 60)
    assert bridge.details["interval_low"] < bridge.effect < bridge.details["interval_high"]  # type: ignore[operator]
    assert f"between {bridge.details['interval_low']:.3f} and" in bridge.explanation
    assert read(world.store, keeping.whole_report, str(report.report_id)) == report
    with pytest.raises(ConfigurationError, match="cannot be compared with itself"):
        compare_two_spaces(around(world), space, space, ORIGIN)


def test_two_spaces_are_compared_as_they_were(world: World, space: EmbeddingSpace) -> None:
    """A comparison is made again of what both held at its time, which no check and no other history looks at."""
    other = Moving(inner=open_provider("hashing", "ngram", {"dimensions": 64}))
    world.embed(other)
    wide = space_of(other.describe())
    first = compare_two_spaces(around(world), space, wide, ORIGIN)
    world.add(*notes("a volcano", 40, fetched_at=LATER))
    world.run()
    world.embed(other)
    later = compare_two_spaces(around(world), space, wide, ORIGIN)

    again = compare_two_spaces(
        around(world), space, wide, ORIGIN, as_of=datetime.fromisoformat(str(first.parameters["as_of"]))
    )

    def figures(report: DriftReport) -> list[object]:
        return [one for one in report.metrics if one.name != "query_milliseconds"]

    assert figures(again) == figures(first)
    assert later.reference.chunks == 160
    ids = space.embedding_space_id, wide.embedding_space_id
    newest = read(world.store, keeping.newest_of_pair, *ids[::-1])
    assert newest is not None
    assert newest.report_id == later.report_id
    assert {one.report_id for one in read(world.store, keeping.history_of, again)} == {again.report_id}
    with pytest.raises(ConfigurationError, match="nobody knows"):
        compare_two_spaces(around(world), space, wide, ORIGIN, as_of=utc_now() + timedelta(days=1))


@pytest.mark.parametrize("backend", ["duckdb"])
def test_figures_of_two_spaces_that_cannot_be_had_say_why(world: World, space: EmbeddingSpace) -> None:
    """Where one answers every text alike, or too few are in both for a bridge, figures are missing with a reason."""
    other = Moving(inner=open_provider("hashing", "ngram", {"dimensions": 64}))
    world.embed(other)
    flat = space_of(other.describe())
    alike = ", ".join(["0.125"] * 64)
    world.rows(f"update vector.embedding set vector = [{alike}] where embedding_space_id = '{flat.embedding_space_id}'")
    world.rows(
        f"delete from vector.embedding where embedding_space_id = '{flat.embedding_space_id}' and chunk_id in "
        "(select chunk_id from vector.chunk order by chunk_id limit 80)"
    )

    report = compare_two_spaces(around(world), space, flat, ORIGIN)

    lacking = {one.name: one.missing for one in report.metrics if one.effect is None}
    assert set(lacking) == {"rsa", "cka", "procrustes_residual", "bridge_recall", "ndcg_loss:any collection"}
    assert "there are 20 and 20" in lacking["bridge_recall"]
    assert "are the same" in lacking["cka"]
    assert read(world.store, keeping.whole_report, str(report.report_id)) == report


@pytest.mark.parametrize(("kept", "said"), [(0, "no chunk in common"), (31, "31 chunks in common .* 32 are needed")])
def test_spaces_with_too_few_common_chunks_are_told(world: World, space: EmbeddingSpace, kept: int, said: str) -> None:
    """Where two spaces share too little, the message says what fills them, and no run has failed."""
    other = Moving(inner=open_provider("hashing", "ngram", {"dimensions": 64}))
    world.embed(other)
    poor = space_of(other.describe())
    world.rows(
        f"delete from vector.embedding where embedding_space_id = '{poor.embedding_space_id}' "
        f"and chunk_id >= '{sorted(world.current_chunks())[kept]}'"
    )

    with pytest.raises(NotReadyError, match=f"hold {said}"):
        compare_two_spaces(around(world), space, poor, ORIGIN)
    with pytest.raises(NotReadyError, match=f"with `holocron spaces activate {poor.slug}`, `dagster asset materialize"):
        compare_two_spaces(around(world), space, replace(poor, is_active=False), ORIGIN)
    assert comparisons_begun(world) == 0


def comparisons_begun(world: World) -> int:
    """How many runs of comparisons were recorded, whatever became of them."""
    ((count,),) = world.rows("select count(*) from vector.job where job_type = 'DRIFT_TEST'")
    return int(count)


def test_an_unknown_report_is_told(world: World) -> None:
    """Nothing, or what begins no report's id, is refused with where to look."""
    for wanted in ("", "f00"):
        with pytest.raises(UnknownItemError, match="holocron drift list"):
            read(world.store, keeping.whole_report, wanted)


def test_a_question_of_ones_own_is_no_matter_for_the_checks(world: World, space: EmbeddingSpace) -> None:
    """The newest report that the settings ask for counts, and a history is of one question."""
    routine = content(world, space)
    own = content(world, space, Choice(since=LATER - timedelta(days=3)))

    newest = read(world.store, keeping.newest, space.embedding_space_id, Kind.CONTENT)
    assert newest is not None
    assert newest.report_id == routine.report_id
    assert {one.report_id for one in read(world.store, keeping.history_of, own)} == {own.report_id}


def test_a_clock_that_is_ahead_moves_no_window(world: World, space: EmbeddingSpace) -> None:
    """A record of the far future is not the newest that a window is counted back from."""
    world.add(*notes("the future", 1, fetched_at=START + timedelta(days=30_000)))
    world.run()

    report = content(world, space)

    assert report.parameters["split"] == (LATER - timedelta(days=7)).isoformat()


def test_a_full_disk_is_told(world: World, space: EmbeddingSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where vectors do not fit, the folder and the bytes are named; nothing ends the process."""

    def full(_file: int, _offset: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)

    with pytest.raises(ConfigurationError, match=r"has no room for [\d,]+ bytes of vectors"):
        content(world, space)
    assert list(world.settings.path(".holocron/drift").glob("vectors-*")) == []
