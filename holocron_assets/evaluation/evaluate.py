"""Evaluating a space: asking the queries of a collection by some methods, and keeping what came of it."""

import uuid
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.clock import utc_now
from holocron_assets.derived_spaces import open_space
from holocron_assets.errors import InputError, NotReadyError
from holocron_assets.evaluation.asking import ask, query_vectors
from holocron_assets.evaluation.collections import Collection
from holocron_assets.evaluation.comparing import (
    Comparison,
    compare_evaluations,
    compare_spaces,
    deciding_winner,
    loss_of,
    marked_evaluation,
    newest,
    previous,
    winner_on,
)
from holocron_assets.evaluation.corpora import OpenStore, corpus_settings, fill_corpus_store
from holocron_assets.evaluation.judging import Judgements, judge
from holocron_assets.evaluation.metrics import DEPTH, QueryMetrics, mean
from holocron_assets.ports import Progress, ProviderCatalog, Session, Store
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.retrieval.hits import Method
from holocron_assets.runs import Origin, recorded_run
from holocron_assets.settings import Settings
from holocron_assets.spaces import require_same_space
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.indexing import IndexPlace, current_index
from holocron_assets.stages.model_guard import require_model_unmoved
from holocron_assets.tables import evaluations, reembedding, spaces
from holocron_assets.tables.evaluations import Evaluation
from holocron_assets.transactions import read, write

STAGE = "evaluate"
#: A database that takes numbers as digits may keep the nearest but one; what was found otherwise differs by more.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What a method came to. `is_new`: it is not what was found the last time, which otherwise stands.

    `since_last` compares it with the evaluation before it, where there was one. `loss` says what is significantly less
    than it was, and not found again since.
    """

    evaluation: Evaluation
    is_new: bool
    since_last: Comparison | None
    loss: Comparison | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """What evaluating a space on a collection found. `winner` may be a method of an earlier evaluation.

    It is None where not every method was ever evaluated on it. `used` is what searches rank by, on whatever collection
    it won. `rivals` compares the other active spaces with this one, each by its best method, from it to this one.
    """

    space: EmbeddingSpace
    collection: str
    evaluated: Sequence[Evaluated]
    winner: Evaluation | None
    used: Evaluation | None
    rivals: Sequence[tuple[EmbeddingSpace, Comparison]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an evaluation works with, whatever it is of."""

    store: Store
    settings: Settings
    providers: ProviderCatalog
    open_store: OpenStore


def evaluate(
    around: Surroundings,
    space: EmbeddingSpace,
    collection: Collection,
    methods: Sequence[Method],
    origin: Origin,
    progress: Progress,
    *,
    named: Sequence[str] = (),
) -> EvaluationReport:
    """Ask every judged query, by every method; what an evaluation finds that the last one found too is not kept twice.

    `named` are the collections that say how searches in the space rank, the first of all; without any this one says
    nothing of that.
    Raises `InputError` where a collection judges nothing that can be found, `NotReadyError` where the space has no
    vectors, and `SpaceMismatchError` where its model no longer serves it.
    """
    store = around.store
    require_model_unmoved(store, around.providers, space, CanaryPolicy.of(around.settings), list)
    options = {"collection": collection.name, "sha256": collection.sha256, "methods": [str(one) for one in methods]}
    with recorded_run(store, origin, JobType.RETRIEVE_TEST, stage=STAGE, options=options, space=space) as run:
        searched, settings = store, around.settings
        if collection.corpus is not None:
            settings = corpus_settings(around.settings, collection)
            searched = around.open_store(settings)
            fill_corpus_store(store, searched, settings, around.providers, space, collection, origin, progress)
        judgements = read(searched, judge, collection)
        key = space.embedding_space_id
        chunk_count = read(searched, reembedding.count_current_embeddings, key, "", after=None)
        if not chunk_count and collection.corpus is not None:
            raise InputError(f"{collection.corpus}: no document has any text, so there is nothing to search")
        if not chunk_count:
            raise NotReadyError(f"{space.slug} has no vectors to search; materialise embeddings, then evaluate")
        vectors = _embedded(around, space, judgements)
        index = current_index(searched, space, IndexPlace.of(settings))
        found = []
        for number, method in enumerate(methods, start=1):
            values = ask(index, judgements, vectors, method)
            evaluation = Evaluation(
                evaluation_id=uuid.uuid4(),
                embedding_space_id=key,
                run_id=run.run_id,
                collection=collection.name,
                collection_sha256=collection.sha256,
                judged=judgements.judged,
                method=str(method),
                top_k=DEPTH,
                query_count=len(values),
                skipped_count=judgements.skipped,
                unknown_count=judgements.unknown,
                chunk_count=chunk_count,
                metrics=mean(values),
                evaluated_utc=utc_now(),
            )
            found.append((evaluation, values))
            progress(number, len(methods))
        kept = write(store, _keep, found)
        # Comparing takes a while where queries are many: not in the transaction that writes.
        winner = read(store, deciding_winner, key, named, {collection.name: collection.sha256})
        if winner is not None:
            write(store, evaluations.update_evaluation_winner, winner)
        run.count(
            queries_asked=len(judgements.queries) * len(methods), evaluations_stored=sum(map(bool, kept.values()))
        )
    return read(store, _report, space, collection, kept)


def _embedded(around: Surroundings, space: EmbeddingSpace, judgements: Judgements) -> NDArray[np.float32]:
    """The vectors of queries, shape (queries, dimensions)."""
    provider = open_space(around.store, around.providers, space)
    require_same_space(space, provider.describe())
    vectors = query_vectors(provider, space, judgements)
    # The name may have come to mean another model since it was looked at.
    require_same_space(space, provider.describe())
    return vectors


def _keep(session: Session, found: Sequence[tuple[Evaluation, Sequence[QueryMetrics]]]) -> dict[uuid.UUID, bool]:
    """Store what is not what the last evaluation found; returns for each that stands whether it is new.

    One that finds the same among more or fewer chunks stands, and says so.
    """
    first, _ = found[0]
    history = evaluations.list_evaluations(session, first.collection)
    kept = {}
    for evaluation, measured in found:
        last = _last(history, evaluation)
        if last is None or not _is_same(session, last, evaluation, measured):
            evaluations.insert_evaluation(session, evaluation)
            evaluations.insert_evaluation_queries(session, evaluation.evaluation_id, measured)
            kept[evaluation.evaluation_id] = True
        else:
            evaluations.update_evaluation_chunk_count(session, last.evaluation_id, evaluation.chunk_count)
            kept[last.evaluation_id] = False
    return kept


def _last(history: Sequence[Evaluation], evaluation: Evaluation) -> Evaluation | None:
    alike = newest(history, evaluation.embedding_space_id, evaluation.collection_sha256)
    return next((one for one in alike if one.method == evaluation.method), None)


def _is_same(session: Session, last: Evaluation, evaluation: Evaluation, measured: Sequence[QueryMetrics]) -> bool:
    counts = [(one.skipped_count, one.unknown_count) for one in (last, evaluation)]
    if counts[0] != counts[1]:
        return False
    sides = (evaluations.list_evaluation_queries(session, last.evaluation_id), measured)
    asked, asked_now = ([one.query_id for one in side] for side in sides)
    then, now = (np.array([astuple(one.metrics) for one in side]) for side in sides)
    return asked == asked_now and np.allclose(then, now, rtol=0, atol=_ROUNDING)


def _report(
    session: Session, space: EmbeddingSpace, collection: Collection, kept: dict[uuid.UUID, bool]
) -> EvaluationReport:
    history = evaluations.list_evaluations(session, collection.name)
    known = {one.evaluation_id: one for one in history}
    evaluated = []
    for key, is_new in kept.items():
        before = previous(history, known[key])
        since_last = compare_evaluations(session, before, known[key]) if before else None
        loss = loss_of(session, history, known[key])
        evaluated.append(Evaluated(evaluation=known[key], is_new=is_new, since_last=since_last, loss=loss))
    rivals = [
        (rival, comparison)
        for rival in spaces.list_spaces(session)
        if rival.is_active and rival != space
        for comparison in compare_spaces(session, rival.embedding_space_id, space.embedding_space_id)
        if comparison.new.collection_sha256 == collection.sha256
    ]
    return EvaluationReport(
        space=space,
        collection=collection.name,
        evaluated=evaluated,
        winner=winner_on(session, history, space.embedding_space_id, collection.sha256),
        used=marked_evaluation(evaluations.list_evaluations(session), space.embedding_space_id),
        rivals=rivals,
    )
