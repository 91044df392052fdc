"""The figures of a comparison of two spaces in words."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from holocron_assets.comparisons import retrieval
from holocron_assets.comparisons.shape_figures import shape_metrics
from holocron_assets.drift.figures import share
from holocron_assets.drift.paired.bridge import BridgeRecall
from holocron_assets.drift.paired.measure import PairedDrift
from holocron_assets.drift.paired.neighbours import DEPTH, NeighbourChange
from holocron_assets.drift.report import Floor, Metric
from holocron_assets.evaluation.statistics import bootstrap_interval
from holocron_assets.records import EmbeddingSpace

#: Of ten neighbours, one or two are others when weights are quantised, three when a model reads half of its texts, and
#: six when it is another model.
_FLOOR = Floor(watch=0.15, alert=0.5, is_calibrated=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpaceDrift:
    """What two spaces differ by: each of some chunks with each, neighbours among many, a bridge, costs and searches.

    `asking`, of shape (q,), is the document of each chunk that was asked with. `milliseconds` are those of a query in
    the one and the other. In place of a bridge stands why there can be none.
    """

    paired: PairedDrift
    searched: NeighbourChange
    asking: NDArray[np.int32]
    bridge: BridgeRecall | str
    milliseconds: tuple[float, float]
    effects: retrieval.Effects


def metrics_of(measured: SpaceDrift, reference: EmbeddingSpace, current: EmbeddingSpace) -> list[Metric]:
    """What is judged, and then what is context; without what searches find."""
    change, paired = measured.searched, measured.paired
    low, high = loss_interval(1 - change.overlap[DEPTH], measured.asking)
    return [
        Metric(
            name="neighbour_loss",
            effect=1 - float(change.overlap[DEPTH].mean()),
            floor=_FLOOR,
            explanation=f"The share of a chunk's {DEPTH} nearest neighbours that are others in the other space. "
            f"Unrelated spaces would share {share(change.chance(DEPTH))}. With 95 % confidence it is between {low:.3f} "
            f"and {high:.3f}.",
            details={
                "interval_low": low,
                "interval_high": high,
                **{f"overlap_at_{depth}": float(found.mean()) for depth, found in change.overlap.items()},
                "rbo": float(change.rbo.mean()),
                "jaccard_at_10": float(change.jaccard.mean()),
            },
        ),
        *_structure(paired),
        Metric(
            name="hubness",
            effect=paired.new.hubness - paired.old.hubness,
            reference=paired.old.hubness,
            current=paired.new.hubness,
            explanation="How much some chunks are neighbours of everything: the skewness of how often each is among "
            f"the nearest {DEPTH}.",
        ),
        *shape_metrics(paired.old, paired.new),
        *_costs(measured, reference, current),
        _bridge(measured.bridge, change),
    ]


def loss_interval(losses: NDArray[np.float64], documents: NDArray[np.int32]) -> tuple[float, float]:
    """Between what the mean of `losses`, of shape (q,), lies with 95 % confidence, where documents are what is drawn.

    It is a ratio of two sums over documents, which have one query or several: their deviations from it are drawn, as
    for any ratio (Cochran, Sampling Techniques, 1977, chapter 6); the mean of documents' means would be another figure.
    """
    _, of = np.unique(documents, return_inverse=True)
    counts, mean = np.bincount(of), losses.mean()
    low, high = bootstrap_interval(mean + (np.bincount(of, losses) - mean * counts) / counts.mean())
    return max(low, 0.0), min(high, 1.0)


def _structure(paired: PairedDrift) -> list[Metric]:
    flat = "all vectors of one space are the same, or equally far apart"
    aligned, laid_over = paired.alignment, paired.procrustes
    return [
        Metric(
            name="rsa",
            effect=paired.distance_correlation,
            missing="" if paired.distance_correlation is not None else flat,
            explanation="Spearman's correlation of the distances of all pairs of chunks; 1 is the same order.",
        ),
        Metric(
            name="cka",
            effect=aligned.debiased if aligned else None,
            missing="" if aligned else flat,
            explanation="Debiased linear CKA: 1 is a rotation, about 0 nothing in common. Context only.",
            details={"biased": aligned.biased} if aligned else {},
        ),
        Metric(
            name="procrustes_residual",
            effect=laid_over.after if laid_over else None,
            missing="" if laid_over else flat,
            explanation="What is left of the difference when one space is turned onto the other, as a share of the "
            "spread.",
        ),
    ]


def _costs(measured: SpaceDrift, reference: EmbeddingSpace, current: EmbeddingSpace) -> list[Metric]:
    sizes = [4.0 * one.dimensions for one in (reference, current)]
    before, after = measured.milliseconds
    return [
        Metric(
            name="vector_bytes",
            effect=sizes[1] / sizes[0] - 1,
            reference=sizes[0],
            current=sizes[1],
            explanation="Bytes of a vector as float32; the effect is the change as a share.",
        ),
        Metric(
            name="query_milliseconds",
            effect=after / before - 1 if before else 0.0,
            reference=before,
            current=after,
            explanation="Milliseconds that the search index took to rank a query on this machine; it differs from run "
            "to run.",
        ),
    ]


def _bridge(bridge: BridgeRecall | str, change: NeighbourChange) -> Metric:
    metric = Metric(
        name="bridge_recall",
        effect=None,
        explanation="With chunks of the new space asked as if they were queries, turned into the old one, whose "
        f"vectors stay: the share of the {DEPTH} nearest by the new space that are found. 1 would make embedding "
        "everything again needless, as far as queries are like chunks.",
    )
    if isinstance(bridge, str):
        return replace(metric, missing=bridge)
    low, high = bootstrap_interval(bridge.of_new)
    return replace(
        metric,
        effect=float(bridge.of_new.mean()),
        explanation=f"{metric.explanation} With 95 % confidence it is between {low:.3f} and {high:.3f}.",
        details={
            "interval_low": low,
            "interval_high": high,
            "of_reference": float(bridge.of_old.mean()),
            "without_bridge": float(bridge.without.mean()),
            "chance": change.chance(DEPTH),
            "fitted_chunks": bridge.bridge.texts,
            "queries": bridge.queries,
            "searched_chunks": change.choices + 1,
        },
    )
