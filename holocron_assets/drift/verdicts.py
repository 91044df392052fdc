"""From figures to verdicts: significant, and large enough to matter. Pure.

At a million vectors every difference is significant, and among a few every difference is large. So a figure is worth
looking at only when both hold: chance would seldom give as much, after correction for how many figures were tested,
and it reaches a floor. Floors are the larger of a default and of what halves of the reference differ by among
themselves.
"""

from collections.abc import Sequence
from dataclasses import replace

from scipy import stats

from holocron_assets.drift.report import Floor, Metric, Verdict

#: The share of false discoveries among what is called significant: Benjamini and Hochberg, 1995.
FALSE_DISCOVERY_RATE = 0.05


def floor_of(default: Floor, calibrated: float | None, *, zero: float = 0.0) -> Floor:
    """The floor of a figure whose halves of the reference differ by `calibrated` in 99 of 100 comparisons.

    None where they could not be compared. What is worth acting on stays as many times as far from `zero`, the value of
    the figure where nothing differs, as with the default.
    """
    if calibrated is None:
        return default
    watch = max(default.watch, calibrated)
    times = (default.alert - zero) / (default.watch - zero)
    return Floor(watch=watch, alert=zero + times * (watch - zero), is_calibrated=True)


def judged(metrics: Sequence[Metric]) -> list[Metric]:
    """The same figures, with corrected p values and with verdicts for those that have a floor.

    A figure without p is judged by its floor alone: it is no estimate from a sample of documents.
    """
    tested = [one for one in metrics if one.p is not None]
    corrected = dict(zip(map(id, tested), _corrected([one.p for one in tested if one.p is not None]), strict=True))
    return [_judged(replace(one, p_adjusted=corrected.get(id(one)))) for one in metrics]


def _corrected(values: Sequence[float]) -> list[float]:
    return [float(one) for one in stats.false_discovery_control(values, method="bh")] if values else []


def _judged(metric: Metric) -> Metric:
    if metric.floor is None or metric.effect is None:
        return metric
    is_chance = metric.p_adjusted is not None and metric.p_adjusted > FALSE_DISCOVERY_RATE
    # Two roundings of the same number may stand on either side of a floor.
    effect = metric.effect * (1 + 1e-9)
    if is_chance or effect < metric.floor.watch:
        return replace(metric, verdict=Verdict.OK)
    return replace(metric, verdict=Verdict.ALERT if effect >= metric.floor.alert else Verdict.WATCH)
