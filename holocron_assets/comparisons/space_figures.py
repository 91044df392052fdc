"""The figures of a comparison of two spaces in words."""

from dataclasses import dataclass

from holocron_assets.comparisons import retrieval
from holocron_assets.drift.paired.bridge import BridgeRecall
from holocron_assets.drift.paired.geometry import Geometry
from holocron_assets.drift.paired.measure import PairedDrift
from holocron_assets.drift.paired.neighbours import DEPTH, NeighbourChange
from holocron_assets.drift.report import Floor, Metric
from holocron_assets.records import EmbeddingSpace

#: Of ten neighbours, one or two are others when weights are quantised, three when a model reads half of its texts, and
#: six when it is another model.
_FLOOR = Floor(watch=0.15, alert=0.5, is_calibrated=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpaceDrift:
    """What two spaces differ by: each of some chunks with each, neighbours among many, a bridge, costs and searches.

    `milliseconds` are those of a query in the one and the other. None where there are too few documents for a bridge.
    """

    paired: PairedDrift
    searched: NeighbourChange
    queries: int
    bridge: BridgeRecall | None
    milliseconds: tuple[float, float]
    effects: retrieval.Effects


def metrics_of(measured: SpaceDrift, reference: EmbeddingSpace, current: EmbeddingSpace) -> list[Metric]:
    """What is judged, and then what is context; without what searches find."""
    change, paired = measured.searched, measured.paired
    metrics = [
        Metric(
            name="neighbour_loss",
            effect=1 - float(change.overlap[DEPTH].mean()),
            floor=_FLOOR,
            explanation=f"The share of a chunk's {DEPTH} nearest neighbours that are others in the other space. "
            f"Unrelated spaces would share {change.chance(DEPTH):.2%}.",
            details={
                **{f"overlap_at_{depth}": float(found.mean()) for depth, found in change.overlap.items()},
                "rbo": float(change.rbo.mean()),
                "jaccard_at_10": float(change.jaccard.mean()),
            },
        ),
    ]
    if paired.distance_correlation is not None:
        metrics.append(
            Metric(
                name="rsa",
                effect=paired.distance_correlation,
                explanation="Spearman's correlation of the distances of all pairs of chunks; 1 is the same order.",
            )
        )
    if paired.alignment is not None:
        metrics.append(
            Metric(
                name="cka",
                effect=paired.alignment.debiased,
                explanation="Debiased linear CKA: 1 is a rotation, about 0 nothing in common. Context only.",
                details={"biased": paired.alignment.biased},
            )
        )
    if paired.procrustes is not None:
        metrics.append(
            Metric(
                name="procrustes_residual",
                effect=paired.procrustes.after,
                explanation="What is left of the difference when one space is turned onto the other, as a share of the "
                "spread.",
            )
        )
    metrics += _shapes(paired.old, paired.new)
    metrics += _costs(measured, reference, current)
    if measured.bridge is not None:
        metrics.append(_bridge(measured.bridge))
    return metrics


def _shapes(old: Geometry, new: Geometry) -> list[Metric]:
    told = {
        "hubness": "How much some chunks are neighbours of everything: the skewness of how often each is among the "
        "nearest 10.",
        "effective_rank": "In how many directions the vectors spread.",
        "participation_ratio": "The same, counting strong directions more.",
        "mean_cosine": "How alike any two chunks look; near 1 the space is narrow.",
    }
    metrics = []
    for name, explanation in told.items():
        before, after = getattr(old, name), getattr(new, name)
        if before is not None and after is not None:
            metrics.append(
                Metric(name=name, effect=after - before, reference=before, current=after, explanation=explanation)
            )
    return metrics


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


def _bridge(bridge: BridgeRecall) -> Metric:
    return Metric(
        name="bridge_recall",
        effect=float(bridge.of_new.mean()),
        explanation="With queries of the new space turned into the old one, whose vectors stay: the share of the "
        f"{DEPTH} nearest by the new space that are found. 1 would make embedding everything again needless.",
        details={
            "of_reference": float(bridge.of_old.mean()),
            "without_bridge": float(bridge.without.mean()),
            "chance": bridge.chance,
            "fitted_chunks": bridge.fitted_texts,
            "queries": bridge.queries,
        },
    )
