"""From figures to verdicts: significant, and large enough to matter. Pure.

At a million vectors every difference is significant, and among a few every difference is large. So a figure is worth
looking at only when both hold: chance would seldom give as much, after correction for how many figures were tested,
and it reaches a floor. Floors are the larger of a default and of what parts of the reference differ by among
themselves.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from scipy import stats

from holocron_assets.drift.report import Floor, Metric, Verdict

#: The share of false discoveries among what is called significant: Benjamini and Hochberg, 1995.
FALSE_DISCOVERY_RATE = 0.05


def floor_of(default: Floor, calibrated: float | None, *, most: float = math.inf) -> Floor:
    """The floor of a figure whose parts of the reference differ by `calibrated` without drift.

    None where they could not be compared. What is worth acting on is as much above what is worth looking at as with the
    default, and at most half the way from there to `most`, the largest value that the figure has: else a full change of
    few documents would never be reached. The floor is calibrated only where that raised it.
    """
    if calibrated is None or calibrated <= default.watch:
        return default
    alert = min(calibrated + default.alert - default.watch, (calibrated + max(most, calibrated)) / 2)
    return Floor(watch=calibrated, alert=alert, is_calibrated=True)


def judged(metrics: Sequence[Metric]) -> list[Metric]:
    """The same figures, with corrected p values and with verdicts for those that have a floor.

    A figure without p is judged by its floor alone: where nothing moved it is no more than rounding, whichever texts
    were drawn. By how much a draw may be off is said in words.
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
