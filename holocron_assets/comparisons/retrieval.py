"""What a change of a model or of a space does to searches, by the judged queries that the settings name."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.batching import batches
from holocron_assets.drift.pictures import Interval
from holocron_assets.drift.report import Floor, Judgement, Metric, Subject, Verdict
from holocron_assets.evaluation.collections import Collection
from holocron_assets.evaluation.comparing import compare_evaluations
from holocron_assets.evaluation.evaluate import Surroundings
from holocron_assets.evaluation.judging import Judgements, judge
from holocron_assets.evaluation.metrics import QueryMetrics, measure
from holocron_assets.evaluation.named import named_collections
from holocron_assets.evaluation.ranking import rank_documents
from holocron_assets.evaluation.statistics import Difference, compare
from holocron_assets.ports import EmbeddingProvider, Purpose, Session
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.hits import Method, Mode
from holocron_assets.stages.indexing import IndexPlace, current_index
from holocron_assets.tables import evaluations
from holocron_assets.tables.evaluations import Evaluation
from holocron_assets.transactions import read
from holocron_assets.vectors import require_valid

#: A loss of nDCG@10 that a person may notice, and one that everybody does. Quantised weights lost .004 on the Cranfield
#: collection, which is within chance; another model lost .073.
FLOOR = Floor(watch=0.01, alert=0.03, is_calibrated=False)
_VECTORS = Method(mode=Mode.VECTOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How nDCG@10 by vectors changed on the queries of a collection."""

    collection: str
    difference: Difference
    reference: float
    current: float

    @property
    def metric(self) -> Metric:
        """As a figure of a report; its effect is the loss."""
        by = self.difference
        return Metric(
            name=f"ndcg_loss:{self.collection}"[:100],
            effect=-by.mean,
            statistic=by.mean,
            p=by.p,
            floor=FLOOR,
            reference=self.reference,
            current=self.current,
            explanation=f"nDCG@10 by vectors on {by.queries} judged queries of {self.collection}; with 95 % "
            f"confidence the change is between {by.low:+.3f} and {by.high:+.3f}.",
            details={"low": by.low, "high": by.high, "queries": by.queries},
        )

    @property
    def interval(self) -> Interval:
        """For a picture."""
        by = self.difference
        return Interval(label=self.collection, mean=by.mean, low=by.low, high=by.high)


def of_model(around: Surroundings, space: EmbeddingSpace, provider: EmbeddingProvider) -> list[Effect]:
    """What the model finds now in the vectors that are stored, beside what it found when the space was last evaluated.

    On the collections that judge texts of the store and were evaluated by vectors; those of others need a store.
    """
    effects = []
    for collection in named_collections(around.store, around.settings):
        if collection.corpus is not None:
            continue
        before = read(around.store, _evaluated, space, collection)
        if before is None:
            continue
        judgements = read(around.store, judge, collection)
        vectors = _embedded(provider, space, [one.text for one in judgements.queries])
        index = current_index(around.store, space, IndexPlace.of(around.settings))
        rankings = rank_documents(
            index,
            [one.text for one in judgements.queries],
            vectors,
            _VECTORS,
            of_chunks=before[0].judged is evaluations.Judged.CHUNKS,
        )
        effects.append(_effect(collection.name, before[1], _measured(judgements, rankings)))
    return effects


def of_spaces(session: Session, old: EmbeddingSpace, new: EmbeddingSpace) -> list[Effect]:
    """What is found in one space by vectors beside what is in another, on the collections both were evaluated on."""
    newest: dict[tuple[uuid.UUID, str], Evaluation] = {}
    for one in evaluations.list_evaluations(session):
        if one.method == str(_VECTORS):
            newest.setdefault((one.embedding_space_id, one.collection_sha256), one)
    compared = [
        compare_evaluations(session, before, after)
        for (space_id, sha256), before in newest.items()
        if space_id == old.embedding_space_id and (after := newest.get((new.embedding_space_id, sha256)))
    ]
    return [
        Effect(
            collection=one.new.collection,
            difference=one.difference,
            reference=one.old.metrics.ndcg_at_10,
            current=one.new.metrics.ndcg_at_10,
        )
        for one in compared
    ]


def judgement(effects: Sequence[Effect], metrics: Sequence[Metric]) -> Judgement | None:
    """What the effects mean together; None where there are none. `metrics` are theirs, judged."""
    if not effects:
        return None
    worst = max(metrics, key=lambda one: (list(Verdict).index(one.verdict or Verdict.OK), one.effect))
    name = worst.name.removeprefix("ndcg_loss:")
    if worst.verdict is Verdict.OK:
        return Judgement(
            subject=Subject.RETRIEVAL,
            verdict=Verdict.OK,
            why=f"The judged queries find no less than before: nDCG@10 {worst.current:.3f}, and it was "
            f"{worst.reference:.3f} on {name}.",
            next_step="Nothing needs to be done.",
        )
    return Judgement(
        subject=Subject.RETRIEVAL,
        verdict=worst.verdict or Verdict.WATCH,
        why=f"The judged queries of {name} find less than before: nDCG@10 {worst.current:.3f} instead of "
        f"{worst.reference:.3f}, more than chance explains.",
        next_step="Look at the queries that lost most with `holocron evaluate`; do not switch to what finds less.",
    )


def _evaluated(
    session: Session, space: EmbeddingSpace, collection: Collection
) -> tuple[Evaluation, list[QueryMetrics]] | None:
    for one in evaluations.list_evaluations(session, collection.name):
        is_same = one.embedding_space_id == space.embedding_space_id and one.method == str(_VECTORS)
        if is_same and one.collection_sha256 == collection.sha256:
            return one, evaluations.list_evaluation_queries(session, one.evaluation_id)
    return None


def _embedded(provider: EmbeddingProvider, space: EmbeddingSpace, texts: Sequence[str]) -> NDArray[np.float32]:
    parts = []
    for batch in batches(texts, len, size=provider.batch_characters, count=provider.batch_size):
        parts.append(provider.embed(batch, Purpose.QUERY).values)
        require_valid(parts[-1], space, len(batch))
    return np.concatenate(parts)


def _measured(judgements: Judgements, rankings: Sequence[Sequence[str]]) -> dict[str, float]:
    return {
        query.query_id: metrics.ndcg_at_10
        for query, ranking in zip(judgements.queries, rankings, strict=True)
        if (metrics := measure(ranking, judgements.gains[query.query_id]))
    }


def _effect(collection: str, before: Sequence[QueryMetrics], now: dict[str, float]) -> Effect:
    pairs = [(one.metrics.ndcg_at_10, now[one.query_id]) for one in before if one.query_id in now]
    old, new = ([pair[side] for pair in pairs] for side in (0, 1))
    return Effect(
        collection=collection,
        difference=compare(old, new),
        reference=float(np.mean(old)) if old else 0.0,
        current=float(np.mean(new)) if new else 0.0,
    )
