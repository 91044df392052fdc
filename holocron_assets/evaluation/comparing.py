"""What evaluations say beside each other: what changed since the last one, which method wins, which space is better.

All of it by nDCG@10, paired by query, and only between evaluations on the very same collection.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from holocron_assets.evaluation.statistics import ALPHA, Difference, compare, sign_flip_p
from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.hits import Fusion, Method, Mode
from holocron_assets.tables import evaluations
from holocron_assets.tables.evaluations import Evaluation, Judged
from holocron_assets.verification.finding import Finding

#: The ways of ranking that are evaluated where none is named.
METHODS = (
    Method(mode=Mode.VECTOR),
    Method(mode=Mode.LEXICAL),
    Method(fusion=Fusion.RRF),
    Method(fusion=Fusion.WEIGHTED),
)
#: A simpler method wins if it is no more than this behind the best.
NEAR = 0.01
#: So many evaluations before one are looked at for the last that was no loss.
_LOOKED_BACK = 30
#: Spaces whose evaluations searched numbers of chunks that differ by more than this share are not compared.
_ABOUT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two evaluations on one collection, and what differs from the old to the new.

    `is_like_with_like`: of one space, or both searched about as much. Among more chunks each is found less easily, so
    that a difference would say nothing of two spaces.
    """

    old: Evaluation
    new: Evaluation
    difference: Difference

    @property
    def is_like_with_like(self) -> bool:
        """Whether both are of one space, or were made among the same documents or about as many chunks of a store."""
        if self.old.embedding_space_id == self.new.embedding_space_id or self.new.judged is Judged.CORPUS:
            return True
        counts = self.old.chunk_count, self.new.chunk_count
        return min(counts) >= (1 - _ABOUT) * max(counts)

    def __str__(self) -> str:
        """For messages: both means, how sure the difference is, and whether it says anything."""
        old, new, by = self.old.metrics.ndcg_at_10, self.new.metrics.ndcg_at_10, self.difference
        among = ""
        if self.old.chunk_count != self.new.chunk_count:
            among = f", among {self.new.chunk_count:,} chunks instead of {self.old.chunk_count:,}"
            among += "" if self.is_like_with_like else ", so nothing follows from it"
        return (
            f"nDCG@10 {new:.3f} instead of {old:.3f} on {self.new.collection} ({by.mean:+.3f}, 95 % between "
            f"{by.low:+.3f} and {by.high:+.3f}, p {by.p:.4f}, {by.queries} queries)"
            f"{among}"
        )


def compare_evaluations(session: Session, old: Evaluation, new: Evaluation) -> Comparison:
    """What differs from one evaluation to another, over the queries that both have."""
    before, after = _values(session, old), _values(session, new)
    both = [query_id for query_id in before if query_id in after]
    difference = compare([before[one] for one in both], [after[one] for one in both])
    return Comparison(old=old, new=new, difference=difference)


def newest(
    history: Sequence[Evaluation], space_id: uuid.UUID, collection_sha256: str | None = None
) -> list[Evaluation]:
    """Of a space the last evaluation of each method, on each collection as it was then, or on one of them."""
    found: dict[tuple[str, str], Evaluation] = {}
    for one in history:
        if one.embedding_space_id == space_id and collection_sha256 in (None, one.collection_sha256):
            found.setdefault((one.collection_sha256, one.method), one)
    return list(found.values())


def previous(history: Sequence[Evaluation], evaluation: Evaluation) -> Evaluation | None:
    """The one before, of the same space and method on the same collection."""
    return next(iter(_before(history, evaluation)), None)


def loss_of(session: Session, history: Sequence[Evaluation], evaluation: Evaluation) -> Comparison | None:
    """What is significantly less than in the last evaluation before that was itself no loss; None if nothing is.

    So a loss stays one until what was lost is found again, whatever else changes meanwhile.
    """
    good = _last_good(session, _before(history, evaluation)[:_LOOKED_BACK])
    if good is None or not _is_loss(session, good, evaluation):
        return None
    return compare_evaluations(session, good, evaluation)


def winner_of(session: Session, candidates: Sequence[Evaluation]) -> Evaluation:
    """The method to use, of evaluations of one space on one collection.

    The one with the highest mean, unless a simpler one is as good: at most 0.01 behind, and not significantly so.
    Vectors alone and words alone are simpler than both together.
    """
    best = max(candidates, key=lambda one: one.metrics.ndcg_at_10)
    for one in sorted(candidates, key=_simplicity):
        is_near = one.metrics.ndcg_at_10 >= best.metrics.ndcg_at_10 - NEAR
        if is_near and not compare_evaluations(session, one, best).difference.is_gain:
            return one
    return best


def winner_on(session: Session, history: Sequence[Evaluation], space_id: uuid.UUID, sha256: str) -> Evaluation | None:
    """The method to use for a space as far as a collection says; None unless every one of `METHODS` was evaluated.

    What was not evaluated might have won.
    """
    candidates = newest(history, space_id, sha256)
    if {str(one) for one in METHODS} - {one.method for one in candidates}:
        return None
    return winner_of(session, candidates)


def deciding_winner(
    session: Session, space_id: uuid.UUID, named: Sequence[str], current: Mapping[str, str]
) -> Evaluation | None:
    """The winner that searches in a space go by: that on the first of the named collections that has one.

    Collections of the user's own sources or chunks come before those that bring documents. `current` has the hashes of
    those whose files were just read; of the others the one that decides now counts, or else the last that was
    evaluated: another one of the same name may have been tried out since.
    """
    history = [one for one in evaluations.list_evaluations(session) if one.embedding_space_id == space_id]
    marked = marked_evaluation(history, space_id)
    last: dict[str, Evaluation] = {}
    for one in [marked, *history] if marked else history:
        if current.get(one.collection, one.collection_sha256) == one.collection_sha256:
            last.setdefault(one.collection, one)
    known = [last[name] for name in named if name in last]
    winners = (
        winner_on(session, history, space_id, one.collection_sha256)
        for one in sorted(known, key=lambda one: one.judged is Judged.CORPUS)
    )
    return next((one for one in winners if one), None)


def best_method(session: Session, space_id: uuid.UUID) -> Method | None:
    """The way of ranking that is marked as the one to use for a space; None while none is."""
    marked = marked_evaluation(evaluations.list_evaluations(session), space_id)
    return Method.parse(marked.method) if marked else None


def marked_evaluation(history: Sequence[Evaluation], space_id: uuid.UUID) -> Evaluation | None:
    """The evaluation by which searches in a space rank."""
    return next((one for one in history if one.is_winner and one.embedding_space_id == space_id), None)


def compare_spaces(session: Session, old: uuid.UUID, new: uuid.UUID) -> list[Comparison]:
    """On every collection that both were evaluated on, each by its best of the methods that both were evaluated by."""
    history = evaluations.list_evaluations(session)
    before, after = newest(history, old), newest(history, new)
    found = []
    for sha256 in dict.fromkeys(one.collection_sha256 for one in before):
        alike = [[one for one in some if one.collection_sha256 == sha256] for some in (before, after)]
        both = {one.method for one in alike[0]} & {one.method for one in alike[1]}
        if both:
            best = [winner_of(session, [one for one in some if one.method in both]) for some in alike]
            found.append(compare_evaluations(session, *best))
    return found


def retrieval_did_not_get_worse(session: Session, spaces: Sequence[EmbeddingSpace]) -> Finding:
    """No way of ranking finds significantly less than it did before, on the same collection.

    An error where that way is the one that searches use, else a warning.
    """
    history = evaluations.list_evaluations(session)
    slugs = {space.embedding_space_id: space.slug for space in spaces}
    compared = [one for space_id in slugs for one in newest(history, space_id) if previous(history, one)]
    losses = [loss for one in compared if (loss := loss_of(session, history, one))]
    return Finding(
        claim="retrieval_did_not_get_worse",
        holds=not losses,
        explanation=f"{len(losses)} of {len(compared)} evaluations are significantly worse than those before."
        if losses
        else f"None of {len(compared)} evaluations is significantly worse than those before.",
        blocks=any(one.new.is_winner for one in losses),
        figures={"compared": len(compared), "worse": len(losses)},
        offenders=[f"{slugs[one.new.embedding_space_id]} by {one.new.method}: {one}" for one in losses],
    )


def _before(history: Sequence[Evaluation], evaluation: Evaluation) -> list[Evaluation]:
    """Those before, of the same space and method on the same collection, the newest first."""
    alike = [
        one
        for one in history
        if (one.embedding_space_id, one.collection_sha256, one.method)
        == (evaluation.embedding_space_id, evaluation.collection_sha256, evaluation.method)
    ]
    return [one for one in alike if one.evaluated_utc < evaluation.evaluated_utc]


def _last_good(session: Session, before: Sequence[Evaluation]) -> Evaluation | None:
    good: Evaluation | None = None
    for one in reversed(before):
        if good is None or not _is_loss(session, good, one):
            good = one
    return good


def _is_loss(session: Session, old: Evaluation, new: Evaluation) -> bool:
    """As `Difference.is_loss` says it, without the interval, which takes as long again."""
    before, after = _values(session, old), _values(session, new)
    differences = np.array([after[one] - before[one] for one in before if one in after])
    return differences.size > 0 and bool(differences.mean() < 0) and sign_flip_p(differences) < ALPHA


def _simplicity(evaluation: Evaluation) -> tuple[bool, float]:
    return Method.parse(evaluation.method).mode is Mode.HYBRID, -evaluation.metrics.ndcg_at_10


def _values(session: Session, evaluation: Evaluation) -> Mapping[str, float]:
    measured = evaluations.list_evaluation_queries(session, evaluation.evaluation_id)
    return {one.query_id: one.metrics.ndcg_at_10 for one in measured}
