"""The figures of a comparison of a model with itself in words."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from holocron_assets.comparisons.anchor_sets import AnchorSet
from holocron_assets.comparisons.retrieval import Effects
from holocron_assets.drift.figures import share
from holocron_assets.drift.paired.classes import (
    NOISE_DISTANCE,
    QUANTISED_MEAN_COSINE,
    QUANTISED_OVERLAP,
    ROTATED_OVERLAP,
    ModelChange,
)
from holocron_assets.drift.paired.measure import PairedDrift
from holocron_assets.drift.paired.neighbours import DEPTH, NeighbourChange
from holocron_assets.drift.report import Floor, Metric
from holocron_assets.records import EmbeddingSpace
from holocron_assets.stages.canary import AskedAgain, CanaryPolicy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """What was answered to anchors then and now, without those that are rejected now.

    `as_of` is when the space held the vectors among which neighbours are looked for.
    """

    space: EmbeddingSpace
    held_to: AnchorSet
    again: AskedAgain
    then: NDArray[np.float32]
    now: NDArray[np.float32]
    as_of: datetime

    @property
    def rejected(self) -> int:
        return len(self.again.then) - len(self.then)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What the answers that there are say; nothing, where nearly every anchor is rejected."""

    paired: PairedDrift | None = None
    in_corpus: NeighbourChange | None = None
    change: ModelChange | None = None
    effects: Effects = field(default_factory=Effects)


def metrics_of(asked: Asked, found: Found, policy: CanaryPolicy) -> list[Metric]:
    """What is judged, and then what is context; without what searches find."""
    metrics = [_rejections(asked)]
    paired, in_corpus = found.paired, found.in_corpus
    if paired is None:
        return metrics
    agreement, kept = paired.agreement, paired.neighbours
    # The distance of two unit vectors is the square root of 2 - 2 cos.
    noise = policy.tolerance_of(asked.again.canary.repeatability) ** 2 / 2
    metrics += [
        Metric(
            name="cosine_distance",
            effect=1 - agreement.mean_cosine,
            floor=Floor(
                watch=max(noise, NOISE_DISTANCE), alert=1 - QUANTISED_MEAN_COSINE, is_calibrated=noise > NOISE_DISTANCE
            ),
            explanation="1 less the cosine of the old and the new answer to each anchor, on average. What rounding "
            "makes, and ten times what the model's answers differed by among themselves on the first day, is below the "
            "floor.",
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
    return metrics + _structure(paired)


def _rejections(asked: Asked) -> Metric:
    one = 1 / len(asked.again.anchors)
    return Metric(
        name="rejected_anchors",
        effect=asked.rejected * one,
        floor=Floor(watch=one, alert=one, is_calibrated=False),
        explanation="The share of the anchors that the model took on the first day and rejects now.",
    )


def _structure(paired: PairedDrift) -> list[Metric]:
    """Context: neither is a reason to act."""
    flat = "all answers of one side are the same"
    residual, alignment = paired.procrustes, paired.alignment
    return [
        Metric(
            name="procrustes_residual",
            effect=residual.after if residual else None,
            missing="" if residual else flat,
            reference=residual.before if residual else None,
            explanation="What is left of the difference when the new answers are turned onto the old ones, as a share "
            "of their spread; before turning it is the value of the reference. 0 after and much before is a rotation.",
        ),
        Metric(
            name="cka_distance",
            effect=1 - alignment.debiased if alignment else None,
            missing="" if alignment else flat,
            explanation="1 less the debiased linear CKA. Context only: it forgives a loss of one neighbour in ten.",
            details={"biased": alignment.biased} if alignment else {},
        ),
    ]


def _neighbour_loss(name: str, change: NeighbourChange, among: str) -> Metric:
    overlap = change.overlap[DEPTH]
    return Metric(
        name=name,
        effect=1 - float(overlap.mean()),
        floor=Floor(watch=1 - ROTATED_OVERLAP, alert=1 - QUANTISED_OVERLAP, is_calibrated=False),
        explanation=f"The share of an anchor's {DEPTH} nearest neighbours among {among} that are others now. Unrelated "
        f"spaces would share {share(change.chance(DEPTH))}.",
        details={
            "worst_twentieth": 1 - float(np.quantile(overlap, 0.05)),
            "rbo": float(change.rbo.mean()),
            "jaccard": float(change.jaccard.mean()),
        },
    )
