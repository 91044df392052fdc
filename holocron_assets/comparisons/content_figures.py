"""The figures of content drift in words, with the floors that they are judged by."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from holocron_assets.comparisons.shape_figures import shape_metrics
from holocron_assets.drift.content.detecting import Detection, least_growth, least_shift, least_topic
from holocron_assets.drift.content.measuring import Comparison, ContentDrift
from holocron_assets.drift.report import Floor, Metric
from holocron_assets.drift.verdicts import floor_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """From what effect a figure is worth looking at and worth acting on, by default, and what it says.

    `most` is the largest value that it has. `is_relative`: the effect is a share of the reference's mean.
    """

    watch: float
    alert: float
    says: str
    most: float = math.inf
    is_relative: bool = False


#: The defaults are judgements: a shift of unit vectors by .03 and a divergence of .01 are what 3 or 4 % of texts on a
#: new topic make.
_FIGURES = {
    "mean_shift": _Figure(
        watch=0.03, alert=0.1, says="How far the centre of the vectors moved; unit vectors are 1 long."
    ),
    "mmd": _Figure(
        watch=0.002,
        alert=0.01,
        most=2.0,
        says="Any difference of the two clouds of vectors (squared maximum mean discrepancy); 0 is none.",
    ),
    "occupancy": _Figure(
        watch=0.01,
        alert=0.05,
        most=math.log(2),
        says="How the shares of topics changed: Jensen-Shannon divergence over clusters, from 0 to 0.69.",
    ),
    "novelty": _Figure(
        watch=0.05,
        alert=0.15,
        says="How the distance of texts to the nearest topic changed, as a share of the mean squared distance.",
    ),
    "classifier": _Figure(
        watch=0.6,
        alert=0.7,
        most=1.0,
        says="How often a classifier tells which window a document is from (area under the curve); 0.5 is guessing.",
    ),
    "language": _Figure(
        watch=0.01, alert=0.05, most=math.log(2), says="How the mix of languages changed: Jensen-Shannon divergence."
    ),
    "origin": _Figure(
        watch=0.01, alert=0.05, most=math.log(2), says="How the mix of sources changed: Jensen-Shannon divergence."
    ),
    "log_length": _Figure(
        watch=0.1, alert=0.3, says="How much longer or shorter chunks are: the difference of mean log bytes."
    ),
    "duplicates": _Figure(
        watch=0.02,
        alert=0.1,
        most=1.0,
        says="By how much the share of chunks changed whose text another one of either window has too.",
    ),
    "norm": _Figure(
        watch=0.01, alert=0.05, is_relative=True, says="How the mean length of vectors changed, as a share of it."
    ),
}

#: The figures that say that texts mean something else; the others are about what texts are like.
OF_VECTORS = frozenset({"mean_shift", "mmd", "occupancy", "novelty", "classifier"})


def metrics_of(drift: ContentDrift) -> list[Metric]:
    """What was tested, with floors, and then what is context; not judged yet."""
    tested = [_tested(one) for one in drift.comparisons.values()]
    moved = {"dimensions_that_moved_most": [asdict(one) for one in drift.shifted_dimensions]}
    tested = [replace(one, details=moved) if one.name == "mean_shift" else one for one in tested]
    floors = {one.name: one.floor.watch for one in tested if one.floor}
    return [*tested, *_detectable(drift.detection, floors), *_context(drift)]


def promise(metrics: Sequence[Metric]) -> str:
    """What a content report would have noticed, had it been there, in words; from its figures."""
    least = {one.name: one.effect for one in metrics if one.effect is not None and one.effect < 1}
    if "detectable_topic" not in least:
        return "it may miss any new topic, as there are too few texts beside those that were there"
    more = (
        f", and {least['detectable_similar_topic']:.1%} more on one that was there"
        if "detectable_similar_topic" in least
        else ""
    )
    return (
        f"it would notice {least['detectable_topic']:.1%} of the texts on a topic unlike all others{more}, "
        "in four of five cases"
    )


def beyond(grave: Sequence[Metric]) -> str:
    """What the floors are that figures reached, in words."""
    if all(one.floor and one.floor.is_calibrated for one in grave):
        return "more than parts of the reference differ by among themselves"
    return "enough to be worth a look by default"


def _tested(one: Comparison) -> Metric:
    figure = _FIGURES[one.name]
    scale = 1.0
    if figure.is_relative and one.reference:
        scale = 1.0 / abs(one.reference)
    default = Floor(watch=figure.watch, alert=figure.alert, is_calibrated=False)
    return Metric(
        name=one.name,
        effect=abs(one.effect) * scale,
        statistic=one.statistic,
        p=one.p,
        floor=floor_of(default, one.floor * scale, most=figure.most),
        reference=one.reference,
        current=one.current,
        explanation=figure.says,
    )


def _detectable(seen: Detection, floors: Mapping[str, float]) -> list[Metric]:
    """The least drift that leads to a verdict by these floors, by their figures' names."""
    shift = least_shift(seen, floors["mean_shift"])
    return [
        Metric(
            name="detectable_topic",
            effect=least_topic(seen, floors["occupancy"], floors["mean_shift"]),
            explanation="The least share of the current window on a topic unlike all others that is worth a look in "
            "four of five cases; 1 where a whole window of them might not be.",
        ),
        Metric(
            name="detectable_similar_topic",
            effect=least_growth(seen, floors["occupancy"]),
            explanation="The same of more texts on a topic that was there, or on one like it.",
        ),
        Metric(
            name="detectable_shift",
            effect=shift if math.isfinite(shift) else None,
            missing="" if math.isfinite(shift) else "too few permutations for as many figures",
            explanation="The least shift of the centre that is worth a look in four of five cases.",
        ),
    ]


def _context(drift: ContentDrift) -> list[Metric]:
    metrics = [
        Metric(
            name="norm_distance",
            effect=drift.lengths.ks,
            explanation="How the lengths of vectors differ as distributions (Kolmogorov and Smirnov's D).",
            details={"wasserstein": drift.lengths.wasserstein},
        ),
    ]
    old, new = drift.reference, drift.current
    metrics += shape_metrics(old.shape, new.shape)
    metrics.append(
        Metric(
            name="largest_document_share",
            effect=new.largest_document_share - old.largest_document_share,
            reference=old.largest_document_share,
            current=new.largest_document_share,
            explanation="The share of a window's chunks that its largest document has; near 1, there is little else.",
        )
    )
    for name, mix in drift.mixes.items():
        metrics.append(
            Metric(
                name=f"psi:{name}",
                effect=mix.stability_index,
                explanation="The population stability index; context, as it is too blunt to judge by.",
            )
        )
    return metrics
