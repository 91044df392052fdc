"""Charts with a line for each thing that is compared: shares of clusters, differences with intervals. Pure."""

from typing import Any

from holocron_assets.drawing import WIDTH, Drawing, Scale, across, fitted, readable
from holocron_assets.drift.charts.legends import CURRENT, KEY, REFERENCE, Sign, key, nothing, put
from holocron_assets.drift.charts.tables import Table
from holocron_assets.drift.figures import number, share
from holocron_assets.drift.report import Picture

#: More would not be read, nor fit half a sheet of paper; the table has them all.
_MOST_LINES = 10
_LINE, _LEFT, _RIGHT = 41, 10, WIDTH - 16
_SMALL = 12.5
_MOST_TITLE = 160

_CLEAR = Sign("diamond", "current", is_filled=True)
_UNCLEAR = Sign("circle", "reference")


def draw_occupancy(picture: Picture) -> Drawing:
    """Two marks a cluster, the share before and the share after, and a line from one to the other."""
    every = [one for one in picture.data["clusters"] if None not in (one["reference"], one["current"])]
    if not every:
        return nothing(picture, "There are no clusters to show.")
    kept = sorted(every, key=_change, reverse=True)[:_MOST_LINES]
    # Those that changed most, in the order they came in.
    shown = [one for one in every if any(one is other for other in kept)]
    drawing, bottom = _lines(picture, len(shown), len(every), "clusters")
    scale = Scale.over([0.0, *(one[side] for one in shown for side in ("reference", "current"))], _LEFT, _RIGHT)
    scale = Scale(0.0, scale.high if scale.high > 0 else 1.0, _LEFT, _RIGHT)
    across(drawing, scale, KEY, bottom, "% of a side's chunks", times=100)
    key(drawing, [(REFERENCE, "reference"), (CURRENT, "current")])
    for line, one in enumerate(shown):
        y = KEY + line * _LINE
        before, after = scale(one["reference"]), scale(one["current"])
        _name(drawing, y, titles(one), f"{share(one['reference'])} → {share(one['current'])}")
        drawing.line((before, y + 30), (after, y + 30), "ink", 2)
        put(drawing, REFERENCE, before, y + 30)
        put(drawing, CURRENT, after, y + 30)
    return drawing


def tabulate_occupancy(picture: Picture) -> Table:
    """A row a cluster, with all its examples."""
    rows = [
        (titles(one), share(one["reference"]), share(one["current"]), _points(one)) for one in picture.data["clusters"]
    ]
    return Table(("Examples", "Reference", "Current", "Change in points"), rows)


def draw_intervals(picture: Picture) -> Drawing:
    """A bar from the lower to the upper end of each interval, its mean, and a line at no difference."""
    every = picture.data["differences"]
    if not every:
        return nothing(picture, "There are no differences to show.")
    shown = every[:_MOST_LINES]
    drawing, bottom = _lines(picture, len(shown), len(every), "differences")
    ends = [one[end] for one in shown for end in ("low", "mean", "high") if one[end] is not None]
    scale = Scale.over([0.0, *ends], _LEFT, _RIGHT, margin=0.04)
    across(drawing, scale, KEY, bottom, "current less reference")
    drawing.line((scale(0), KEY), (scale(0), bottom), "ink", 2)
    key(drawing, [(_CLEAR, "differs from 0"), (_UNCLEAR, "may be 0, at 95 % confidence")])
    for line, one in enumerate(shown):
        y = KEY + line * _LINE
        _name(drawing, y, one["label"], _between(one))
        if None in (one["low"], one["mean"], one["high"]):
            continue
        low, high = scale(one["low"]), scale(one["high"])
        is_clear = one["low"] > 0 or one["high"] < 0
        sign = _CLEAR if is_clear else _UNCLEAR
        drawing.line((low, y + 30), (high, y + 30), sign.tone, 2.5)
        for end in (low, high):
            drawing.line((end, y + 25), (end, y + 35), sign.tone, 2)
        put(drawing, sign, scale(one["mean"]), y + 30)
    return drawing


def tabulate_intervals(picture: Picture) -> Table:
    """A row a difference."""
    rows = [
        (
            str(one["label"]),
            number(one["mean"], signed=True),
            number(one["low"], signed=True),
            number(one["high"], signed=True),
        )
        for one in picture.data["differences"]
    ]
    return Table(("Figure", "Difference", "At least", "At most"), rows)


def titles(cluster: Any) -> str:
    """What a cluster is known by."""
    return " · ".join(readable(one, _MOST_TITLE) for one in cluster["examples"]) or "(no example)"


def _lines(picture: Picture, shown: int, every: int, what: str) -> tuple[Drawing, float]:
    bottom = KEY + shown * _LINE
    few = f" Drawn are {shown} of {every} {what}." if shown < every else ""
    drawing = Drawing(picture.title, f"{picture.explanation}{few}", bottom + 38)
    if few:
        drawing.text((_LEFT, bottom + 33), few.strip(), "quiet")
    return drawing, bottom


def _name(drawing: Drawing, y: float, name: str, figures: str) -> None:
    drawing.rect((0, y + 2), WIDTH, 18, "paper")
    drawing.text((0, y + 16), fitted(name, WIDTH - 12 - 0.6 * _SMALL * len(figures)))
    drawing.text((WIDTH, y + 16), figures, anchor="end", size=_SMALL, bold=True)


def _change(cluster: Any) -> float:
    return abs(float(cluster["current"]) - float(cluster["reference"]))


def _points(cluster: Any) -> str:
    if None in (cluster["reference"], cluster["current"]):
        return number(None)
    return number(100 * (cluster["current"] - cluster["reference"]), signed=True, digits=2)


def _between(one: Any) -> str:
    low, mean, high = (number(one[end], signed=True, digits=2) for end in ("low", "mean", "high"))
    return f"{mean} [{low}, {high}]"
