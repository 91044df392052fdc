"""Evaluating spaces: what is asked, what is kept, and where documents of a collection go."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from holocron_assets.errors import InputError, ModelChangedError, NotReadyError
from holocron_assets.evaluation.collections import Collection, read_collection
from holocron_assets.evaluation.comparing import METHODS, best_method
from holocron_assets.evaluation.corpora import FOLDER, corpus_settings
from holocron_assets.evaluation.evaluate import EvaluationReport, Surroundings, evaluate
from holocron_assets.evaluation.metrics import DEPTH, mean
from holocron_assets.evaluation.ranking import rank_documents
from holocron_assets.ports import ProviderCatalog
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.hits import Method, Mode, Scores
from holocron_assets.retrieval.index import Candidate
from holocron_assets.settings import Settings
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.reembed import reembed_space
from holocron_assets.tables import evaluations, spaces
from holocron_assets.tables.evaluations import Evaluation, Judged
from holocron_assets.transactions import read
from resources.stores import open_store
from resources.stores.base import SqlStore
from tests.conftest import Templates
from tests.derived import derived, fill, six_pages
from tests.moving import Catalog, Moving
from tests.world import ORIGIN, World, page_row, prose, silent

VECTOR, LEXICAL = Method(mode=Mode.VECTOR), Method(mode=Mode.LEXICAL)


@pytest.fixture
def space(world: World, templates: Templates) -> EmbeddingSpace:
    """Six pages about topics 1 to 6, in one space."""
    return six_pages(world, templates)


def collection(folder: Path, judged: dict[str, dict[str, int]], corpus: dict[str, str] | None = None) -> Collection:
    """A collection in which each query asks for its own id."""
    folder.mkdir(exist_ok=True)
    queries = [{"_id": query, "text": query} for query in judged]
    lines = [f"{query}\t{document}\t{gain}" for query, gains in judged.items() for document, gain in gains.items()]
    (folder / "queries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in queries))
    (folder / "qrels.tsv").write_text("".join(line + "\n" for line in lines))
    if corpus is not None:
        documents = [{"_id": key, "title": "", "text": text} for key, text in corpus.items()]
        (folder / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents))
    return read_collection(folder)


def page(number: int) -> str:
    return f"mediawiki:testwiki:page/{number}"


def own(tmp_path: Path) -> Collection:
    """What asks for each of the six pages."""
    return collection(tmp_path / "own", {f"about topic {n}": {page(n): 1} for n in range(1, 7)})


def opened(settings: Settings) -> SqlStore:
    return open_store(settings, wait_seconds=60)


def around(world: World, providers: ProviderCatalog | None = None) -> Surroundings:
    return Surroundings(
        store=world.store,
        settings=world.settings,
        providers=providers or world.providers,
        open_store=opened,
    )


def evaluated(
    world: World,
    space: EmbeddingSpace,
    asked: Collection,
    methods: Sequence[Method] = METHODS,
    named: Sequence[str] = (),
) -> EvaluationReport:
    return evaluate(around(world), space, asked, methods, ORIGIN, silent, named=named)


def only(report: EvaluationReport) -> Evaluation:
    """The evaluation by the one method that was asked for, or the first."""
    return report.evaluated[0].evaluation


def test_every_method_is_measured_and_kept(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Each method's means are those of its queries, and they say of what, when and by which run they were made."""
    report = evaluated(world, space, own(tmp_path))

    kept = read(world.store, evaluations.list_evaluations)
    assert {one.evaluation.method for one in report.evaluated} == {str(one) for one in METHODS}
    assert {one.evaluation_id for one in kept} == {one.evaluation.evaluation_id for one in report.evaluated}
    for one in kept:
        measured = read(world.store, evaluations.list_evaluation_queries, one.evaluation_id)
        assert [query.query_id for query in measured] == [f"about topic {n}" for n in range(1, 7)]
        assert one.metrics == mean(measured)
        assert (one.judged, one.query_count, one.skipped_count, one.unknown_count) == (Judged.SOURCES, 6, 0, 0)
        assert one.chunk_count == len(world.current_chunks())
    ((status, options),) = world.rows(
        "select r.status, r.options_json from vector.run r "
        "join vector.job j on j.job_id = r.job_id where j.job_type = 'RETRIEVE_TEST'"
    )
    assert (status, json.loads(options)["collection"]) == ("SUCCEEDED", "own")


def test_a_document_is_worth_its_best_chunk(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Pages of several chunks are ranked by the nearest of them, and each is found once."""
    asked = own(tmp_path)
    report = evaluated(world, space, asked, [LEXICAL])

    # The number of its topic is in every chunk of a page and in few of another.
    assert len(world.current_chunks()) > 6
    assert only(report).metrics.ndcg_at_10 > 0.9
    assert only(report).metrics.recall_at_10 == 1.0


def test_judgements_may_be_of_chunks(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Ids of chunks are told from ids of sources by looking them up, and chunks are ranked then."""
    key, content = sorted(world.current_chunks().items())[0]
    asked = collection(tmp_path / "chunks", {" ".join(content.split())[:200]: {key: 1, "no such chunk": 1}})

    report = evaluated(world, space, asked, [LEXICAL])

    assert (only(report).judged, only(report).unknown_count) == (Judged.CHUNKS, 1)
    assert only(report).metrics.recall_at_100 == 1.0


def test_what_is_not_there_is_counted_and_left_out(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """No ranking could find it: a query that nothing else is relevant for is skipped."""
    asked = collection(
        tmp_path / "some", {"topic 1": {page(1): 1, page(90): 1}, "topic 9": {page(9): 1}, "topic 2": {page(2): 0}}
    )

    report = evaluated(world, space, asked, [LEXICAL])

    assert (only(report).query_count, only(report).skipped_count, only(report).unknown_count) == (1, 2, 2)
    assert only(report).metrics.recall_at_100 == 1.0


def test_a_collection_of_something_else_is_refused(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Where nothing that is relevant is there, nothing can be said, and the message says what is needed."""
    with pytest.raises(InputError, match=r"this store has no relevant one\. .* by source_id or chunk_id"):
        evaluated(world, space, collection(tmp_path / "other", {"a": {"b": 1}}), [VECTOR])
    assert read(world.store, evaluations.list_evaluations) == []


def test_judgements_of_two_kinds_are_refused(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Sources beside chunks: one of both would be left out in silence."""
    ((chunk_id,), *_) = world.rows("select chunk_id from vector.chunk order by chunk_id")

    with pytest.raises(InputError, match=r"name both sources and chunks \(1 and 1 that are there"):
        evaluated(world, space, collection(tmp_path / "mixed", {"topic 2": {page(2): 1, chunk_id: 1}}))


def test_documents_without_any_text_are_refused(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """The message is of the documents: no run could embed them."""
    with pytest.raises(InputError, match=r"corpus\.jsonl: no document has any text"):
        evaluated(world, space, collection(tmp_path / "empty", {"topic 2": {"a": 1}}, {"a": "", "b": " "}))


def test_a_space_without_vectors_is_not_evaluated(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Nothing found in nothing would look like a bad model."""
    empty = derived(world, space, "binary")
    with pytest.raises(NotReadyError, match="has no vectors to search"):
        evaluated(world, empty, own(tmp_path), [VECTOR])


def test_what_did_not_change_is_kept_once(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Finding the same again writes no evaluation; when content changes, the next one is compared with the last."""
    asked = own(tmp_path)
    first = evaluated(world, space, asked)
    again = evaluated(world, space, asked)
    world.add(page_row("Page 1", 1, prose("something else", 2500), revision=2, fetched_at=world.next_day()))
    world.run()
    changed = evaluated(world, space, asked)

    assert [one.is_new for one in first.evaluated] == [True] * 4
    assert [one.is_new for one in again.evaluated] == [False] * 4
    assert {one.evaluation for one in again.evaluated} == {one.evaluation for one in first.evaluated}
    lexical = next(one for one in changed.evaluated if one.evaluation.method == "lexical")
    assert lexical.is_new
    assert lexical.since_last
    assert lexical.since_last.old.evaluation_id in {one.evaluation.evaluation_id for one in first.evaluated}
    assert lexical.since_last.difference.mean < 0
    assert lexical.since_last.difference.queries == 6


def test_a_changed_collection_begins_anew(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Values of other judgements say nothing beside each other."""
    evaluated(world, space, own(tmp_path), [LEXICAL])
    changed = collection(tmp_path / "own", {"topic 1": {page(2): 1}})

    report = evaluated(world, space, changed, [LEXICAL])

    assert [one.since_last for one in report.evaluated] == [None]
    assert only(report).collection_sha256 == changed.sha256


CORPUS = {f"d{n}": prose(f"subject {n}", 2500) for n in range(1, 8)}
JUDGED = {f"subject {n}": {f"d{n}": 1} for n in range(1, 8)}


def contents(world: World) -> list[object]:
    return [world.rows(f"select count(*) from {table}") for table in ("ingest.IngestRecords", "vector.embedding")]


def test_documents_of_a_collection_go_into_a_store_of_their_own(
    world: World, space: EmbeddingSpace, tmp_path: Path
) -> None:
    """The user's store gets the evaluation and nothing else; the other one is filled by the same stages."""
    asked = collection(tmp_path / "Corpus", JUDGED, CORPUS)
    before = contents(world)

    report = evaluated(world, space, asked)

    assert contents(world) == before
    assert only(report).judged is Judged.CORPUS
    assert only(report).metrics.recall_at_10 == 1.0
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [f"corpus-{asked.sha256[:12]}.duckdb"]


def test_a_filled_corpus_is_kept(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """The second evaluation embeds its queries and no document; a third, of another space, adds that space."""
    asked = collection(tmp_path / "Corpus", JUDGED, CORPUS)
    evaluated(world, space, asked, [VECTOR])
    provider = Moving()
    evaluate(around(world, Catalog(provider)), space, asked, [VECTOR], ORIGIN, silent)
    short = derived(world, space, "binary")
    fill(world, short)

    report = evaluated(world, short, asked, [VECTOR])

    assert max(len(text) for text in provider.last) < 20
    corpus = opened(corpus_settings(world.settings, asked))
    assert len(read(corpus, spaces.list_spaces)) == 2
    assert only(report).embedding_space_id == short.embedding_space_id
    assert [rival.slug for rival, _ in report.rivals] == [space.slug]


def test_a_corpus_whose_model_was_replaced_is_embedded_again(
    world: World, space: EmbeddingSpace, tmp_path: Path
) -> None:
    """Queries of what the model is now are never compared with documents of what it was."""
    asked = collection(tmp_path / "Corpus", JUDGED, CORPUS)
    before = evaluated(world, space, asked, [VECTOR])
    turned = Catalog(Moving(turned=1.5))
    with pytest.raises(ModelChangedError):
        evaluate(around(world, turned), space, asked, [VECTOR], ORIGIN, silent)
    policy = CanaryPolicy.of(world.settings)
    reembed_space(world.store, lambda: turned.provider, space, policy, ORIGIN, silent, replace=True)

    after = evaluate(around(world, turned), space, asked, [VECTOR], ORIGIN, silent)

    # Everything is turned alike, so that every distance is what it was.
    assert only(after).metrics == only(before).metrics


@dataclass
class Long:
    """Sources with this many chunks each, the best first."""

    chunks: Sequence[int]
    asked: list[int] = field(default_factory=list)

    def rank(
        self, texts: Sequence[str], vectors: NDArray[np.float32] | None, method: Method, top_k: int
    ) -> list[list[Candidate]]:
        self.asked.append(top_k)
        found = [
            Candidate(
                row=0, chunk_id=f"{source}/{chunk}", source_id=f"s{source:03}", scores=Scores(bm25=1000.0 - source)
            )
            for source, count in enumerate(self.chunks)
            for chunk in range(count)
        ]
        return [found[:top_k] for _ in texts]


def test_chunks_are_asked_for_until_a_hundred_documents_come_together() -> None:
    """A long document at the top hides others, so more chunks are asked for; and no more than that."""
    vectors = np.zeros((1, 2), np.float32)
    many, few, enough = Long([700, *[1] * 200]), Long([700, 1, 1]), Long([1] * 300)

    (found,) = rank_documents(many, ["q"], vectors, LEXICAL, of_chunks=False)
    (all_there_are,) = rank_documents(few, ["q"], vectors, LEXICAL, of_chunks=False)
    rank_documents(enough, ["q"], vectors, LEXICAL, of_chunks=False)

    assert (len(found), found[:2], many.asked) == (DEPTH, ["s000", "s001"], [200, 800])
    assert (all_there_are, few.asked) == (["s000", "s001", "s002"], [200, 800])
    assert enough.asked == [200]


def test_a_ranking_without_its_score_is_an_error() -> None:
    """Two kinds of score are never mixed up: what a method ranks by must be there."""
    with pytest.raises(ValueError, match="found by vector, and has no cosine_similarity"):
        rank_documents(Long([1]), ["q"], np.zeros((1, 2), np.float32), VECTOR, of_chunks=False)


def test_a_loss_outlives_a_page_that_is_of_no_concern(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """What was found the same among more chunks is kept once, and what was lost is still lost."""
    asked = own(tmp_path)
    first = evaluated(world, space, asked, [LEXICAL])
    for n in range(1, 7):
        text = prose(f"topic {n % 6 + 1}", 2500)
        world.add(page_row(f"Page {n}", n, text, revision=2, fetched_at=world.next_day()))
    world.extract()
    world.chunk(allow_mass_change=True)
    world.embed()
    lost = evaluated(world, space, asked, [LEXICAL])
    world.add(page_row("Page 9", 9, "Nothing of the kind.", fetched_at=world.next_day()))
    world.run()

    after = evaluated(world, space, asked, [LEXICAL])

    (before,), (now,) = lost.evaluated, after.evaluated
    assert before.loss
    assert now.loss
    assert now.loss.old.evaluation_id == first.evaluated[0].evaluation.evaluation_id
    assert (now.is_new, now.evaluation.evaluation_id) == (False, before.evaluation.evaluation_id)
    assert now.evaluation.chunk_count == before.evaluation.chunk_count + 1


def test_no_method_wins_that_was_not_compared_with_all(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Some methods alone mark nothing; once the others were evaluated too, the best of all does."""
    asked, key = own(tmp_path), space.embedding_space_id

    part = evaluated(world, space, asked, [LEXICAL, VECTOR], ["own"])
    assert (part.winner, part.used, read(world.store, best_method, key)) == (None, None, None)
    rest = evaluated(world, space, asked, [one for one in METHODS if one not in (LEXICAL, VECTOR)], ["own"])

    assert rest.winner
    assert rest.used == replace(rest.winner, is_winner=True)
    assert read(world.store, best_method, key) == Method.parse(rest.winner.method)


def test_a_collection_that_is_tried_out_decides_nothing(world: World, space: EmbeddingSpace, tmp_path: Path) -> None:
    """Nor does a named one while one before it has a winner; the user's own texts come before all with documents."""
    documents = collection(tmp_path / "Corpus", JUDGED, CORPUS)
    named = ["corpus", "own", "more"]
    tried = evaluated(world, space, collection(tmp_path / "toy", {"topic 1": {page(2): 1}}))
    assert tried.winner
    assert tried.used is None

    first = evaluated(world, space, documents, named=named)
    second = evaluated(world, space, own(tmp_path), named=named)
    third = evaluated(world, space, collection(tmp_path / "more", {"topic 2": {page(3): 1}}), named=named)

    assert [one.used and one.used.collection for one in (first, second, third)] == ["corpus", "own", "own"]
    again = evaluated(world, space, documents, named=named)
    assert again.used
    assert again.used.collection == "own"


def test_a_collection_of_a_name_that_counts_decides_nothing(
    world: World, space: EmbeddingSpace, tmp_path: Path
) -> None:
    """What is tried out from another folder of the same name leaves the one that the settings name deciding."""
    named = ["own", "more"]
    first = evaluated(world, space, own(tmp_path), named=named)
    (tmp_path / "elsewhere").mkdir()
    evaluated(world, space, collection(tmp_path / "elsewhere" / "own", {"topic 1": {page(2): 1}}))

    second = evaluated(world, space, collection(tmp_path / "more", {"topic 2": {page(3): 1}}), named=named)

    assert second.used == first.used
