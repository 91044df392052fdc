"""What the pictures of a drift report hold: a function for each kind, which takes what was measured. Pure.

Every value is one that JSON has: None stands for a number that is not finite. How each kind is drawn is the business of
`holocron_assets.drift.charts`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from holocron_assets.drift.report import HistoryPoint, Picture

OCCUPANCY = "occupancy"
OVERLAP = "overlap"
PROJECTION = "projection"
HISTOGRAMS = "histograms"
HISTORY = "history"
INTERVALS = "intervals"

#: Points of a window that can still be told apart on a picture of this size.
MOST_POINTS = 600
_MOST_BINS = 20
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster of the pooled vectors: the share of each side's chunks that is in it, and titles of typical ones."""

    examples: Sequence[str]
    reference: float
    current: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A difference between the two sides and the interval that it is in with 95 % confidence."""

    label: str
    mean: float
    low: float
    high: float


def occupancy(title: str, explanation: str, clusters: Sequence[Cluster]) -> Picture:
    """Shares of clusters before and after, those that grew most first."""
    ordered = sorted(clusters, key=lambda one: _known(one.reference - one.current) or 0.0)
    rows = [
        {"examples": list(one.examples), "reference": _known(one.reference), "current": _known(one.current)}
        for one in ordered
    ]
    return _picture(OCCUPANCY, title, explanation, clusters=rows)


def overlap(title: str, explanation: str, overlaps: ArrayLike, *, k: int, chance: float | None = None) -> Picture:
    """How many queries keep which share of their k nearest neighbours.

    `overlaps` has shape (queries,), each from 0 to 1; `chance` is the share that unrelated spaces have in common.
    Every share that k neighbours can have is a bar of its own, up to 20 neighbours.
    """
    kept = _finite(overlaps)
    bins = min(k, _MOST_BINS)
    edges = (np.arange(bins + 2) - 0.5) / bins
    return _picture(
        OVERLAP,
        title,
        explanation,
        k=k,
        shares=[round(n / bins, _DIGITS) for n in range(bins + 1)],
        counts=[int(n) for n in np.histogram(kept, edges)[0]],
        mean=float(kept.mean()) if kept.size else None,
        low=float(np.quantile(kept, 0.05)) if kept.size else None,
        chance=_known(chance),
    )


def projection(
    title: str, explanation: str, reference: ArrayLike, current: ArrayLike, *, explained: Sequence[float] = ()
) -> Picture:
    """Both windows on the same two axes; `reference` and `current` have shape (points, 2).

    At most 600 points of a window are kept, evenly spaced in the order they come in. `explained` is the share of the
    pooled variance that each axis shows.
    """
    return _picture(
        PROJECTION,
        title,
        explanation,
        reference=_points(reference),
        current=_points(current),
        explained=[_known(one) for one in explained],
    )


def histograms(
    title: str, explanation: str, edges: ArrayLike, reference: ArrayLike | None, current: ArrayLike, *, unit: str
) -> Picture:
    """Counts of both sides in common bins: `edges` has shape (bins + 1,), the counts (bins,).

    No `reference`: the figure is one of both sides together, such as a distance between them.
    """
    limits, after = (np.asarray(one, np.float64) for one in (edges, current))
    before = after if reference is None else np.asarray(reference, np.float64)
    if not limits.size == before.size + 1 == after.size + 1:
        raise ValueError(f"{limits.size} edges do not bound {before.size} and {after.size} bins")
    return _picture(
        HISTOGRAMS,
        title,
        explanation,
        edges=[_known(one) for one in limits.tolist()],
        reference=None if reference is None else [int(n) for n in before],
        current=[int(n) for n in after],
        unit=unit,
    )


def history(title: str, explanation: str, points: Sequence[HistoryPoint]) -> Picture:
    """A figure over time, in the order of the reports; the last one is the current report."""
    rows = [
        {
            "at": one.created_utc.isoformat(timespec="minutes"),
            "effect": _known(one.effect),
            "watch": _known(one.floor.watch) if one.floor else None,
            "alert": _known(one.floor.alert) if one.floor else None,
            "verdict": one.verdict.value if one.verdict else None,
        }
        for one in sorted(points, key=lambda one: one.created_utc)
    ]
    return _picture(HISTORY, title, explanation, points=rows)


def intervals(title: str, explanation: str, differences: Sequence[Interval]) -> Picture:
    """Differences, current less reference, with their intervals; in the order given."""
    rows = [
        {"label": one.label, "mean": _known(one.mean), "low": _known(one.low), "high": _known(one.high)}
        for one in differences
    ]
    return _picture(INTERVALS, title, explanation, differences=rows)


def _picture(kind: str, title: str, explanation: str, **data: Any) -> Picture:
    return Picture(kind=kind, title=title, explanation=explanation, data=data)


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    known = np.asarray(values, np.float64).ravel()
    return known[np.isfinite(known)]


def _points(points: ArrayLike) -> list[list[float]]:
    known = np.asarray(points, np.float64).reshape(-1, 2)
    known = known[np.isfinite(known).all(axis=1)]
    kept = known[np.linspace(0, len(known) - 1, min(len(known), MOST_POINTS)).astype(np.intp)]
    return [[float(f"{x:.4g}"), float(f"{y:.4g}")] for x, y in kept.tolist()]
