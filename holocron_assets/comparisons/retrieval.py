"""What a change of a model or of a space does to searches, by the judged queries that the settings name."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from holocron_assets.drift.pictures import Interval
from holocron_assets.drift.report import Floor, Judgement, Metric, Subject, Verdict
from holocron_assets.errors import HolocronError, StoreError
from holocron_assets.evaluation.asking import ask, query_vectors
from holocron_assets.evaluation.collections import Collection
from holocron_assets.evaluation.comparing import Comparison, newest
from holocron_assets.evaluation.evaluate import Surroundings
from holocron_assets.evaluation.judging import judge
from holocron_assets.evaluation.named import named_collections
from holocron_assets.evaluation.statistics import Difference, compare
from holocron_assets.ports import EmbeddingProvider, Session
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.hits import Method, Mode
from holocron_assets.stages.indexing import IndexPlace, current_index
from holocron_assets.tables import evaluations, reembedding
from holocron_assets.tables.evaluations import Evaluation, Judged
from holocron_assets.transactions import read

#: A loss of nDCG@10 that a person may notice, and one that everybody does. Quantised weights lost .004 on the Cranfield
#: collection, which is within chance; another model lost .073.
FLOOR = Floor(watch=0.01, alert=0.03, is_calibrated=False)
_VECTORS = Method(mode=Mode.VECTOR)
_PREFIX = "ndcg_loss:"
#: What to call collections that are not known by their names.
_SETTINGS = "the settings' collections"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How nDCG@10 by vectors changed on the queries of a collection, and the evaluations that say so."""

    collection: str
    difference: Difference
    reference: float
    current: float
    evaluation_ids: Sequence[uuid.UUID]

    @property
    def metric(self) -> Metric:
        """As a figure of a report; its effect is the loss."""
        by = self.difference
        return Metric(
            name=_name(self.collection),
            effect=-by.mean,
            statistic=by.mean,
            p=by.p,
            floor=FLOOR,
            reference=self.reference,
            current=self.current,
            explanation=f"The loss of nDCG@10 by vectors on {by.queries} judged queries of {self.collection}; with "
            f"95 % confidence it is between {-by.high:+.3f} and {-by.low:+.3f}.",
            details={"queries": by.queries, "evaluations": [str(one) for one in self.evaluation_ids]},
        )

    @property
    def interval(self) -> Interval:
        """For a picture."""
        by = self.difference
        return Interval(label=self.collection, mean=by.mean, low=by.low, high=by.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What could be compared, and for every other collection why it could not."""

    found: Sequence[Effect] = ()
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def metrics(self) -> list[Metric]:
        """As figures of a report, not judged yet."""
        lacking = [
            Metric(
                name=_name(collection),
                effect=None,
                missing=why,
                explanation=f"The loss of nDCG@10 by vectors on the judged queries of {collection}.",
            )
            for collection, why in self.missing.items()
        ]
        return [*(one.metric for one in self.found), *lacking]

    @property
    def evaluations(self) -> dict[str, list[str]]:
        """The ids of those that the figures rest on, by collection."""
        return {one.collection: [str(each) for each in one.evaluation_ids] for one in self.found}

    @property
    def intervals(self) -> list[Interval]:
        """For a picture."""
        return [one.interval for one in self.found]


def of_model(around: Surroundings, space: EmbeddingSpace, provider: EmbeddingProvider) -> Effects:
    """What the model finds now among the stored vectors, beside what it found when the space was last evaluated.

    Only where the store holds the same chunks and vectors as then: among others, a difference would not be the model's.
    On the collections that judge texts of the store; those that bring their own are not filled into a store for this.
    """
    found, missing = [], dict[str, str]()
    try:
        collections = [one for one in named_collections(around.store, around.settings) if one.corpus is None]
    except StoreError:
        raise
    except HolocronError as error:
        return Effects(missing={_SETTINGS: str(error)})
    if not collections:
        return Effects(missing={_SETTINGS: "they name none that judges texts of the store: `evaluation.collections`"})
    for collection in collections:
        try:
            outcome = _asked_again(around, space, provider, collection)
        except StoreError:
            raise
        except HolocronError as error:
            outcome = str(error)
        if isinstance(outcome, Effect):
            found.append(outcome)
        else:
            missing[collection.name] = outcome
    return Effects(found=found, missing=missing)


def of_spaces(around: Surroundings, old: EmbeddingSpace, new: EmbeddingSpace) -> Effects:
    """What is found in one space by vectors beside what is in another, on every collection that either was asked.

    Only where each still holds the chunks and vectors that it was evaluated among.
    """
    sides = [(one, _newest_by_vectors(around, one)) for one in (old, new)]
    found, missing = [], dict[str, str]()
    for name, sha256 in sorted(_collections([known for _, known in sides]).items()):
        outcome = _of_both(around, sides, sha256)
        if isinstance(outcome, Effect):
            found.append(outcome)
        else:
            missing[name] = outcome
    if not found and not missing:
        missing["any collection"] = "neither space was evaluated by vectors yet: `holocron evaluate`"
    return Effects(found=found, missing=missing)


def is_of_retrieval(metric: Metric) -> bool:
    """Whether a figure is one of what judged queries find."""
    return metric.name.startswith(_PREFIX)


def reasons(metrics: Sequence[Metric]) -> str:
    """Why there is no loss among the figures of a report, by collection; empty where nothing says so."""
    lacking = [one for one in metrics if is_of_retrieval(one) and one.missing]
    return "; ".join(f"{collection_of(one)}: {one.missing}" for one in lacking)


def collection_of(metric: Metric) -> str:
    """The collection whose loss a figure is."""
    return metric.name.removeprefix(_PREFIX)


def judgement(metrics: Sequence[Metric], names: tuple[str, str] | None = None) -> Judgement | None:
    """What the losses among judged figures mean together; None where none could be had.

    `names` are those of two spaces, the reference first; without them it is one model, then and now.
    """
    losses = [one for one in metrics if is_of_retrieval(one) and one.effect is not None]
    if not losses:
        return None
    worst = max(losses, key=lambda one: (list(Verdict).index(one.verdict or Verdict.OK), one.effect or 0.0))
    name, verdict = collection_of(worst), worst.verdict or Verdict.OK
    figures = (
        f"nDCG@10 is {worst.reference:.3f} in {names[0]} and {worst.current:.3f} in {names[1]}"
        if names
        else f"nDCG@10 was {worst.reference:.3f} and is {worst.current:.3f}"
    )
    if verdict is Verdict.OK:
        return Judgement(
            subject=Subject.RETRIEVAL,
            verdict=verdict,
            why=f"The judged queries find no less, as far as they can tell: on {name} {figures}.",
            next_step="Nothing needs to be done.",
        )
    return Judgement(
        subject=Subject.RETRIEVAL,
        verdict=verdict,
        why=f"The judged queries find less, by more than chance explains: on {name} {figures}.",
        next_step="Look at the queries that lose with `holocron evaluate`, and bring the old model back."
        if names is None
        else "Do not promote what finds less; `holocron evaluate` says on which queries.",
    )


def _name(collection: str) -> str:
    return f"{_PREFIX}{collection}"[:100]


def _asked_again(
    around: Surroundings, space: EmbeddingSpace, provider: EmbeddingProvider, collection: Collection
) -> Effect | str:
    """The effect, or why there is none."""
    evaluation = _newest_by_vectors(around, space).get(collection.sha256)
    if evaluation is None:
        return "it was not evaluated by vectors yet: `holocron evaluate`"
    if read(around.store, _is_among_others, evaluation):
        return "chunks or vectors changed since it was evaluated: `holocron evaluate`, and compare again"
    judgements = read(around.store, judge, collection)
    vectors = query_vectors(provider, space, judgements)
    index = current_index(around.store, space, IndexPlace.of(around.settings))
    now = {one.query_id: one.metrics.ndcg_at_10 for one in ask(index, judgements, vectors, _VECTORS)}
    return _effect(collection.name, _values(around, evaluation), now, [evaluation.evaluation_id])


def _is_among_others(session: Session, evaluation: Evaluation) -> bool:
    """Whether the store holds other chunks or vectors than when this was found, or found again."""
    if evaluation.judged is Judged.CORPUS:  # among the documents of the collection
        return False
    held = reembedding.count_current_embeddings(session, evaluation.embedding_space_id, "", after=None)
    return held != evaluation.chunk_count or evaluations.count_changes_since_evaluation(session, evaluation) > 0


def _collections(sides: Sequence[Mapping[str, Evaluation]]) -> dict[str, str]:
    """Which digest of each collection to compare on, by its name: the newest that all were asked, else the newest."""
    known = sorted(
        (one for side in sides for one in side.values()),
        key=lambda one: (all(one.collection_sha256 in side for side in sides), one.evaluated_utc),
    )
    return {one.collection: one.collection_sha256 for one in known}


def _newest_by_vectors(around: Surroundings, space: EmbeddingSpace) -> dict[str, Evaluation]:
    """By the digest of the collection."""
    history = read(around.store, evaluations.list_evaluations)
    by_vectors = [one for one in newest(history, space.embedding_space_id) if one.method == str(_VECTORS)]
    return {one.collection_sha256: one for one in by_vectors}


def _of_both(
    around: Surroundings, sides: Sequence[tuple[EmbeddingSpace, Mapping[str, Evaluation]]], sha256: str
) -> Effect | str:
    """The effect, or why there is none."""
    asked = []
    for space, known in sides:
        evaluation = known.get(sha256)
        if evaluation is None:
            return f"{space.slug} was not evaluated on it by vectors: `holocron evaluate`"
        if read(around.store, _is_among_others, evaluation):
            return f"chunks or vectors of {space.slug} changed since it was evaluated: `holocron evaluate`"
        asked.append(evaluation)
    old, new = asked
    ids = [old.evaluation_id, new.evaluation_id]
    effect = _effect(new.collection, _values(around, old), _values(around, new), ids)
    if Comparison(old=old, new=new, difference=effect.difference).is_like_with_like:
        return effect
    return (
        f"they were evaluated among {old.chunk_count:,} and {new.chunk_count:,} chunks: fill both, and evaluate again"
    )


def _values(around: Surroundings, evaluation: Evaluation) -> dict[str, float]:
    measured = read(around.store, evaluations.list_evaluation_queries, evaluation.evaluation_id)
    return {one.query_id: one.metrics.ndcg_at_10 for one in measured}


def _effect(collection: str, before: Mapping[str, float], now: Mapping[str, float], ids: Sequence[uuid.UUID]) -> Effect:
    both = [query_id for query_id in before if query_id in now]
    old, new = [before[one] for one in both], [now[one] for one in both]
    return Effect(
        collection=collection,
        difference=compare(old, new),
        reference=float(np.mean(old)) if old else 0.0,
        current=float(np.mean(new)) if new else 0.0,
        evaluation_ids=ids,
    )
