"""Whether the model behind a space still answers as it did: its anchors, embedded again and compared pair by pair."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.clock import utc_now
from holocron_assets.comparisons import retrieval
from holocron_assets.comparisons.anchor_sets import anchor_sets
from holocron_assets.comparisons.keeping import keep
from holocron_assets.derived_spaces import model_space
from holocron_assets.drift import pictures
from holocron_assets.drift.paired.classes import (
    NOISE_DISTANCE,
    QUANTISED_MEAN_COSINE,
    QUANTISED_OVERLAP,
    ROTATED_OVERLAP,
    ModelChange,
)
from holocron_assets.drift.paired.measure import PairedDrift, measure
from holocron_assets.drift.paired.neighbours import DEPTH, NeighbourChange, compare_lists, nearest_lists
from holocron_assets.drift.report import DriftReport, Floor, Judgement, Kind, Metric, Picture, Side, Subject, Verdict
from holocron_assets.drift.verdicts import judged
from holocron_assets.errors import NotReadyError
from holocron_assets.evaluation.evaluate import Surroundings
from holocron_assets.ports import EmbeddingProvider
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.runs import Origin, recorded_run
from holocron_assets.stages.canary import AskedAgain, CanaryPolicy, ask_again
from holocron_assets.stages.model_guard import unsettled
from holocron_assets.stages.windows import Window, gathered

STAGE = "model drift"

_BLOCK = 4096

_WORDS = {
    ModelChange.IDENTICAL: (Verdict.OK, "every answer is the same, bit by bit", "Nothing needs to be done."),
    ModelChange.NOISE: (Verdict.OK, "the answers differ by no more than rounding", "Nothing needs to be done."),
    ModelChange.QUANTISED: (
        Verdict.WATCH,
        "the answers are a little off, as when weights are stored in fewer bits; most neighbours stay",
        "The space has changed under its name. Bring the old weights or runtime back, or embed it again: `holocron "
        "spaces reembed {space} --replace`.",
    ),
    ModelChange.ROTATED: (
        Verdict.ALERT,
        "the answers keep their neighbours among each other, but in another frame: old and new vectors must not mix",
        "Nothing more is embedded in it. Bring the old model back, or replace all vectors: `holocron spaces reembed "
        "{space} --replace`.",
    ),
    ModelChange.DIFFERENT: (
        Verdict.ALERT,
        "the answers are those of another model, or of one that reads its input differently",
        "Nothing more is embedded in it. Bring the old model back, or replace all vectors: `holocron spaces reembed "
        "{space} --replace`; or register what answers now as a space of its own.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Asked:
    """What was answered to anchors then and now, without those that are rejected now."""

    space: EmbeddingSpace
    again: AskedAgain
    then: NDArray[np.float32]
    now: NDArray[np.float32]

    @property
    def rejected(self) -> int:
        return len(self.again.then) - len(self.then)


def compare_model(around: Surroundings, space: EmbeddingSpace, origin: Origin) -> DriftReport:
    """Embed the anchors of a space again, and say how far and in which way the answers moved.

    Of a derived space, those of the model that it is made of. Raises `NotReadyError` where the space has no anchors, or
    too few, and as the provider does.
    """
    model = model_space(around.store, space)
    options = {"space": model.slug, "anchors": "of its newest canary"}
    with recorded_run(around.store, origin, JobType.DRIFT_TEST, stage=STAGE, options=options, space=model) as run:
        provider = around.providers.reopen(model)
        asked = _asked(around, model, provider)
        paired = measure(asked.then, asked.now, seed=around.settings.drift.seed)
        in_corpus = _in_corpus(around, asked)
        effects = retrieval.of_model(around, model, provider)
        run.count(anchors_embedded=len(asked.again.anchors))
        report = _report(around, asked, paired, in_corpus, effects, run.run_id)
        keep(around.store, report)
    return report


def _asked(around: Surroundings, space: EmbeddingSpace, provider: EmbeddingProvider) -> _Asked:
    again = ask_again(around.store, provider, space)
    if again is None:
        raise NotReadyError(
            f"space {space.slug} has no anchors yet: they are embedded with its first vectors. Materialise embeddings."
        )
    if not again.canary.is_complete:
        raise unsettled(space)
    answered = np.isfinite(again.now).all(axis=1)
    return _Asked(space=space, again=again, then=again.then[answered], now=again.now[answered])


def _in_corpus(around: Surroundings, asked: _Asked) -> NeighbourChange | None:
    """What of the neighbours that anchors have among the stored vectors is kept; None where these are too few."""
    settings = around.settings
    window = Window(label="all", as_of=utc_now())
    with gathered(around.store, asked.space, [window], settings.path(settings.drift.folder)) as (members,):
        if members.keys.num_rows <= DEPTH:
            return None
        then, now = (nearest_lists(answers, members.blocks(_BLOCK), depth=DEPTH) for answers in (asked.then, asked.now))
        return compare_lists(then, now, choices=members.keys.num_rows)


def _report(
    around: Surroundings,
    asked: _Asked,
    paired: PairedDrift,
    in_corpus: NeighbourChange | None,
    effects: Sequence[retrieval.Effect],
    run_id: uuid.UUID,
) -> DriftReport:
    space, canary = asked.space, asked.again.canary
    metrics = judged([*_metrics(asked, paired, in_corpus, around), *(one.metric for one in effects)])
    of_retrieval = [one for one in metrics if one.name.startswith("ndcg_loss:")]
    judgements = [_judgement(asked, paired), retrieval.judgement(effects, of_retrieval)]
    count = len(asked.again.anchors)
    runtime = {"then": dict(canary.runtime), "now": dict(asked.again.runtime)}
    return DriftReport(
        report_id=uuid.uuid4(),
        run_id=run_id,
        kind=Kind.MODEL,
        space_id=space.embedding_space_id,
        space=space.slug,
        reference=_side(f"answers of {canary.recorded_utc:%Y-%m-%d %H:%M}", count, count),
        current=_side("answers of now", count, len(asked.then)),
        judgements=[one for one in judgements if one is not None],
        metrics=metrics,
        parameters=_anchors_changed(around, space)
        | {
            "canary_id": str(canary.canary_id),
            "change": paired.change.value,
            "anchors": count,
            "rejected_anchors": asked.rejected,
            "runtime": runtime,
            "repeatability": canary.repeatability,
            "neighbours": DEPTH,
        },
        seed=around.settings.drift.seed,
        created_utc=utc_now(),
        pictures=_pictures(paired, in_corpus, effects),
    )


def _anchors_changed(around: Surroundings, space: EmbeddingSpace) -> dict[str, object]:
    """How the anchors that the settings name now differ from those that were compared: these stay what they were."""
    newest = anchor_sets(around.store, around.settings, space)[0]
    return {
        "anchor_set_sha256": newest.set_sha256,
        "anchors_named_since": newest.added,
        "anchors_no_longer_named": newest.removed,
    }


def _side(label: str, anchors: int, looked_at: int) -> Side:
    return Side(label=label, documents=anchors, chunks=anchors, sampled_documents=looked_at, sampled_chunks=looked_at)


def _judgement(asked: _Asked, paired: PairedDrift) -> Judgement:
    verdict, what, next_step = _WORDS[paired.change]
    if asked.rejected:
        verdict, what = Verdict.ALERT, f"{asked.rejected} of the anchors are rejected now; of the others, {what}"
    then, now = asked.again.canary.runtime, asked.again.runtime
    changed = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
    told = "; ".join(f"{name} was {then.get(name)} and is {now.get(name)}" for name in changed)
    return Judgement(
        subject=Subject.MODEL,
        verdict=verdict,
        why=f"Of {len(asked.again.anchors)} anchors, {what} ({paired.change.value})."
        + (f" The runtime says: {told}." if told else ""),
        next_step=next_step.format(space=asked.space.slug),
    )


def _metrics(
    asked: _Asked, paired: PairedDrift, in_corpus: NeighbourChange | None, around: Surroundings
) -> list[Metric]:
    agreement, kept = paired.agreement, paired.neighbours
    # The distance of two unit vectors is the square root of 2 - 2 cos.
    noise = CanaryPolicy.of(around.settings).tolerance_of(asked.again.canary.repeatability) ** 2 / 2
    metrics = [
        Metric(
            name="cosine_distance",
            effect=1 - agreement.mean_cosine,
            floor=Floor(watch=max(noise, NOISE_DISTANCE), alert=1 - QUANTISED_MEAN_COSINE, is_calibrated=True),
            explanation="1 less the cosine of the old and the new answer to each anchor, on average. The floor is what "
            "the model's answers differed by among themselves on the first day.",
            details={
                "largest": 1 - agreement.least_cosine,
                "hundredth": 1 - agreement.cosine_quantile(0.01),
                "bitwise_equal": agreement.bitwise_equal,
                "largest_difference": agreement.largest_difference,
            },
        ),
        _neighbour_loss("neighbour_loss_anchors", kept, "the other anchors"),
    ]
    if in_corpus is not None:
        metrics.append(_neighbour_loss("neighbour_loss_corpus", in_corpus, "the stored chunks"))
    if paired.procrustes is not None:
        metrics.append(
            Metric(
                name="procrustes_residual",
                effect=paired.procrustes.after,
                reference=paired.procrustes.before,
                explanation="What is left of the difference when the new answers are turned onto the old ones, as a "
                "share of their spread; before turning it is the value of the reference. 0 after and much before is a "
                "rotation.",
            )
        )
    if paired.alignment is not None:
        metrics.append(
            Metric(
                name="cka_distance",
                effect=1 - paired.alignment.debiased,
                explanation="1 less the debiased linear CKA. Context only: it forgives a loss of one neighbour in ten.",
                details={"biased": paired.alignment.biased},
            )
        )
    return metrics


def _neighbour_loss(name: str, change: NeighbourChange, among: str) -> Metric:
    overlap = change.overlap[DEPTH]
    return Metric(
        name=name,
        effect=1 - float(overlap.mean()),
        floor=Floor(watch=1 - ROTATED_OVERLAP, alert=1 - QUANTISED_OVERLAP, is_calibrated=False),
        explanation=f"The share of an anchor's {DEPTH} nearest neighbours among {among} that are others now. Unrelated "
        f"spaces would share {change.chance(DEPTH):.2%}.",
        details={
            "worst_twentieth": 1 - float(np.quantile(overlap, 0.05)),
            "rbo": float(change.rbo.mean()),
            "jaccard": float(change.jaccard.mean()),
        },
    )


def _pictures(
    paired: PairedDrift, in_corpus: NeighbourChange | None, effects: Sequence[retrieval.Effect]
) -> list[Picture]:
    change = in_corpus or paired.neighbours
    shown = [
        pictures.overlap(
            "Neighbours kept",
            f"For each anchor, how many of its {DEPTH} nearest neighbours are the same by the new answers.",
            change.overlap[DEPTH],
            k=DEPTH,
            chance=change.chance(DEPTH),
        )
    ]
    cosines = paired.agreement.cosines
    edges = np.linspace(min(float(cosines.min()), 0.999), 1.0, 21)
    shown.append(
        pictures.histograms(
            "Cosine of old and new answer",
            "Anchors by the cosine of the two; 1 is the same direction.",
            edges,
            np.zeros(20),
            np.histogram(cosines, edges)[0],
            unit="cosine",
        )
    )
    if effects:
        shown.append(
            pictures.intervals(
                "Change of nDCG@10",
                "On each collection of judged queries, with 95 % confidence.",
                [one.interval for one in effects],
            )
        )
    return shown
