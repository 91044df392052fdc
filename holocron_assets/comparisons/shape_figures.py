"""The figures of what a set of vectors looks like by itself, on either side, in words."""

from holocron_assets.drift.report import Metric
from holocron_assets.drift.shapes import Shape

_SAYS = {
    "effective_rank": "In how many directions the vectors of a side spread.",
    "participation_ratio": "In how many directions the vectors of a side spread, counting strong ones more.",
    "mean_cosine": "How alike any two chunks of a side look; near 1 there is little else to tell them by.",
}


def shape_metrics(reference: Shape, current: Shape) -> list[Metric]:
    """Context; the effect is the difference."""
    metrics = []
    for name, says in _SAYS.items():
        before, after = getattr(reference, name), getattr(current, name)
        is_known = before is not None and after is not None
        metrics.append(
            Metric(
                name=name,
                effect=after - before if is_known else None,
                reference=before,
                current=after,
                explanation=f"{says} The effect is the difference of both sides.",
                missing="" if is_known else "too few vectors of a side have a direction",
            )
        )
    return metrics
