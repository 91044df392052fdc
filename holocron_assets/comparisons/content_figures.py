"""The figures of content drift in words, with the floors that they are judged by."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from holocron_assets.comparisons.shape_figures import shape_metrics
from holocron_assets.drawing import readable
from holocron_assets.drift.content.detecting import Detection, least_growth, least_shift, least_topic
from holocron_assets.drift.content.findings import Comparison, ContentDrift, Mix
from holocron_assets.drift.content.sums import OCCUPANCY
from holocron_assets.drift.figures import share
from holocron_assets.drift.report import Floor, Metric, Verdict
from holocron_assets.drift.verdicts import FALSE_DISCOVERY_RATE, floor_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """From what effect a figure is worth looking at and worth acting on, by default, and what it says.

    `most` is the largest value that it has. `is_relative`: the effect is a share of the reference's mean;
    `is_one_sided`: one below 0 is none.
    """

    watch: float
    alert: float
    says: str
    most: float = math.inf
    is_relative: bool = False
    is_one_sided: bool = False


#: The defaults are judgements: a shift of unit vectors by .03 and a divergence of .01 are what 3 or 4 % of texts on a
#: new topic make.
_FIGURES = {
    "mean_shift": _Figure(
        watch=0.03,
        alert=0.1,
        says="How far the centre of the vectors moved, beyond what chance gives; unit vectors are 1 long.",
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
        watch=0.015,
        alert=0.05,
        most=1.0,
        is_one_sided=True,
        says="How much farther texts are from the nearest one of the reference than its own texts are from each other, "
        "as a share of how far any two are (squared distances); 0 where they are nearer.",
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
        says="By how much the share of chunks changed whose text another one has: of the reference, or, for a "
        "current one, of either window. What permuted windows differ by is taken off.",
    ),
    "norm": _Figure(
        watch=0.01, alert=0.05, is_relative=True, says="How the mean length of vectors changed, as a share of it."
    ),
}

#: What stands for the name of texts that say none.
NOT_SAID = "(not said)"
_MOST_NAMES = 10
#: The figures that say that texts mean something else; the others are about what texts are like.
OF_VECTORS = frozenset({"mean_shift", "mmd", "occupancy", "novelty", "classifier"})


def metrics_of(drift: ContentDrift) -> list[Metric]:
    """What was tested, with floors, and then what is context; not judged yet."""
    tested = [_tested(one) for one in drift.comparisons.values()]
    details: dict[str, dict[str, object]] = {
        name: {"largest_shares": largest_shares(drift, name), "grew_most": _grew_most(drift.mixes[name])}
        for name in named(drift)
    }
    details["mean_shift"] = {"dimensions_that_moved_most": [asdict(one) for one in drift.shifted_dimensions]}
    tested = [replace(one, details=details.get(one.name, {})) for one in tested]
    floors = {one.name: one.floor.watch for one in tested if one.floor}
    return [*tested, *_uniform(drift), *_detectable(drift.detection, floors), *_context(drift)]


def named(drift: ContentDrift) -> list[str]:
    """The attributes that have a mix of names: languages, sources."""
    return [name for name in drift.mixes if name != OCCUPANCY]


def largest_shares(drift: ContentDrift, name: str) -> list[dict[str, Any]]:
    """The names with the largest shares in either window, at most ten, the largest first."""
    mix = drift.mixes[name]
    largest = np.maximum(mix.reference, mix.current)
    return [_share(mix, int(one)) for one in np.argsort(-largest, kind="stable")[:_MOST_NAMES]]


def _grew_most(mix: Mix) -> dict[str, Any]:
    """Of all names: it need not be one of the largest."""
    return _share(mix, int(np.argmax(mix.current - mix.reference)))


def _share(mix: Mix, one: int) -> dict[str, Any]:
    return {
        "name": mix.names[one] or NOT_SAID,
        "reference": float(mix.reference[one]),
        "current": float(mix.current[one]),
    }


def promise(metrics: Sequence[Metric]) -> str:
    """What a content report would have noticed, had it been there, in words; from its figures."""
    least = {one.name: one.effect for one in metrics if one.effect is not None and one.effect < 1}
    if "detectable_topic" not in least:
        return "it may miss any new topic, as there are too few texts beside those that were there"
    more = (
        f", and {share(least['detectable_similar_topic'])} more on one that was there"
        if "detectable_similar_topic" in least
        else ""
    )
    return (
        f"it would notice {share(least['detectable_topic'])} of the texts on a topic unlike all others{more}, "
        "in four of five cases"
    )


def beyond(grave: Sequence[Metric]) -> str:
    """What the floors are that figures reached, which have one verdict, in words."""
    calibrated = sum(one.floor is not None and one.floor.is_calibrated for one in grave)
    worth = "acting on" if any(one.verdict is Verdict.ALERT for one in grave) else "a look"
    ordinary = "more than parts of the reference differ by"
    if calibrated == len(grave):
        return f"{ordinary}, by enough to be worth acting on" if worth == "acting on" else ordinary
    if calibrated:
        return f"enough to be worth {worth}, some by default, and some since it is {ordinary}"
    return f"enough to be worth {worth} by default"


def within_calibrated(metrics: Sequence[Metric]) -> list[Metric]:
    """The figures that are significant and beyond their default floors, and below the calibrated ones."""
    return [
        one
        for one in metrics
        if one.verdict is Verdict.OK
        and one.effect is not None
        and one.p_adjusted is not None
        and one.p_adjusted <= FALSE_DISCOVERY_RATE
        and one.effect >= _FIGURES[one.name].watch
    ]


def _tested(one: Comparison) -> Metric:
    figure = _FIGURES[one.name]
    scale = 1.0
    if figure.is_relative and one.reference:
        scale = 1.0 / abs(one.reference)
    default = Floor(watch=figure.watch, alert=figure.alert, is_calibrated=False)
    return Metric(
        name=one.name,
        effect=(max(one.effect, 0.0) if figure.is_one_sided else abs(one.effect)) * scale,
        statistic=one.statistic,
        p=one.p,
        floor=floor_of(default, one.floor * scale, most=figure.most),
        reference=one.reference,
        current=one.current,
        explanation=figure.says,
    )


def _uniform(drift: ContentDrift) -> list[Metric]:
    """The figures that there are none of, as all texts say the same."""
    return [
        Metric(
            name=name,
            effect=None,
            explanation=_FIGURES[name].says,
            missing=f"all texts say the same {name}: {readable(value, 80)}" if value else f"no text says its {name}",
        )
        for name, value in drift.uniform.items()
    ]


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
            explanation="The share of a window's chunks that its largest document has; near 1, there is little else. "
            "The effect is the difference of both.",
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
