"""Charts of points on two axes: both windows projected onto a plane, and a figure over time. Pure."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from holocron_assets.drawing import SIZE, WIDTH, Drawing, Scale, across, mark, number_of, upright
from holocron_assets.drift.charts.legends import KEY, Sign, key, nothing, put
from holocron_assets.drift.charts.tables import Table
from holocron_assets.drift.figures import number, share
from holocron_assets.drift.report import Picture, Verdict

_LEFT, _RIGHT = 52, WIDTH - 14
_PLANE, _TIME = 330, 130
_POINT = 2.4
#: Where a history ends, and the names of its floors begin; the width of a bold letter.
_END, _NOW = WIDTH - 50, 8
_SIGNS = {"reference": Sign("circle", "reference"), "current": Sign("cross", "current")}
_VERDICTS = {
    Verdict.OK: Sign("circle", "reference"),
    Verdict.WATCH: Sign("triangle", "current"),
    Verdict.ALERT: Sign("square", "current", is_filled=True),
    None: Sign("cross", "quiet"),
}


def draw_projection(picture: Picture) -> Drawing:
    """Circles and crosses on the same axes, a unit being as long on both; a large one of each at their centres."""
    sides: dict[str, list[tuple[float, float]]] = {name: picture.data[name] for name in _SIGNS}
    every = [point for points in sides.values() for point in points]
    if not every:
        return nothing(picture, "There are no points to show.")
    top, bottom = KEY + 20, KEY + 20 + _PLANE
    drawing = Drawing(picture.title, picture.explanation, bottom + 38)
    x, y = _square(every, (_LEFT, _RIGHT), (bottom, top))
    across(drawing, x, top, bottom, f"first direction{_explained(picture, 0)}")
    upright(drawing, y, _LEFT, _RIGHT)
    drawing.text((0, KEY + 12), f"second direction{_explained(picture, 1)}", "quiet")
    for name, sign in _SIGNS.items():
        outlines = [mark(sign.shape, x(across_), y(up), _POINT) for across_, up in sides[name]]
        drawing.path("".join(outlines), "", sign.tone, 1.1)
    for name, sign in _SIGNS.items():
        if sides[name]:
            centre = [_mean(values) for values in zip(*sides[name], strict=True)]
            outline = mark(sign.shape, x(centre[0]), y(centre[1]), 9)
            drawing.path(outline, "", "paper", 7)
            drawing.path(outline, "", sign.tone, 4)
    key(drawing, [(sign, name) for name, sign in _SIGNS.items()], "large ones: the centres")
    return drawing


def tabulate_projection(picture: Picture) -> Table:
    """Where the points of each side are, and how far they reach."""
    rows = []
    for name in _SIGNS:
        points = picture.data[name]
        axes = list(zip(*points, strict=True)) or [(), ()]
        figures = [number(statistic(axis) if axis else None) for statistic in (_mean, _spread) for axis in axes]
        rows.append((name.capitalize(), f"{len(points):,}", *figures))
    header = ("Side", "Points drawn", "Centre, first", "Centre, second", "Deviation, first", "Deviation, second")
    return Table(header, rows)


def draw_history(picture: Picture) -> Drawing:
    """A line through the reports, the shape of each point being its verdict; floors as lines of their own."""
    points = [one | {"when": datetime.fromisoformat(one["at"]).timestamp()} for one in picture.data["points"]]
    measured = [one for one in points if one["effect"] is not None]
    if not measured:
        return nothing(picture, "No report has measured this yet.")
    top, bottom = KEY + 10, KEY + 10 + _TIME
    drawing = Drawing(picture.title, picture.explanation, bottom + 24)
    heights = [one[name] for one in points for name in ("effect", "watch", "alert") if one[name] is not None]
    y = Scale.over(heights, bottom, top, margin=0.12)
    x = Scale.over([one["when"] for one in points], _LEFT + 8, _END - 10)
    upright(drawing, y, _LEFT, _END, most=5)
    ends: dict[str, float] = {}
    for name, dash in (("watch", "3 4"), ("alert", "9 4")):
        known = [one for one in points if one[name] is not None]
        if known:
            course = [(_LEFT, y(known[0][name])), *((x(one["when"]), y(one[name])) for one in known)]
            drawing.path(_through([*course, (_END, y(known[-1][name]))]), "", "quiet", 1.6, dash)
            ends[name] = y(known[-1][name])
    for name, at in _apart(ends):
        drawing.text((_END + 5, at + 4), name, "quiet")
    for stretch in _stretches(points):
        drawing.path(_through([(x(one["when"]), y(one["effect"])) for one in stretch]), "", "ink", 1.6)
    for one in measured:
        sign = _VERDICTS[Verdict(one["verdict"]) if one["verdict"] else None]
        put(drawing, sign, x(one["when"]), y(one["effect"]), 7 if one is points[-1] else 3.5)
    if measured[-1] is points[-1]:
        now = f"now {number(points[-1]['effect'])}"
        at = max(y(points[-1]["effect"]) - 14, KEY + 4)
        drawing.rect((_END - _NOW * len(now), at - 11), _NOW * len(now), 14, "paper")
        drawing.text((_END, at), now, anchor="end", bold=True)
    drawing.text((_LEFT, bottom + 18), points[0]["at"][:10], "quiet")
    if len(points) > 1:
        drawing.text((_END, bottom + 18), points[-1]["at"][:10], "quiet", "end")
    key(drawing, [(_VERDICTS[one], one.value) for one in Verdict])
    return drawing


def tabulate_history(picture: Picture) -> Table:
    """A row a report, the newest first."""
    rows = [
        (
            one["at"].replace("T", " "),
            number(one["effect"]),
            number(one["watch"]),
            number(one["alert"]),
            one["verdict"] or "no verdict",
        )
        for one in reversed(picture.data["points"])
    ]
    return Table(("Report of", "Effect", "Watch from", "Alert from", "Verdict"), rows)


def _square(
    points: Sequence[tuple[float, float]], across_: tuple[float, float], up: tuple[float, float]
) -> tuple[Scale, Scale]:
    """Scales on which a unit is as long across as it is up."""
    x, y = (
        Scale.over(values, *ends, margin=0.04)
        for values, ends in zip(zip(*points, strict=True), (across_, up), strict=True)
    )
    unit = max((one.high - one.low) / abs(one.end - one.start) for one in (x, y))
    return _widened(x, unit), _widened(y, unit)


def _widened(scale: Scale, unit: float) -> Scale:
    middle, half = (scale.low + scale.high) / 2, unit * abs(scale.end - scale.start) / 2
    return Scale(middle - half, middle + half, scale.start, scale.end)


def _explained(picture: Picture, axis: int) -> str:
    explained = picture.data["explained"]
    return (
        f", {share(explained[axis])} of the variance" if len(explained) > axis and explained[axis] is not None else ""
    )


def _apart(ends: dict[str, float]) -> list[tuple[str, float]]:
    """The heights of the names of floors, moved where one would cover another."""
    if len(ends) == 2 and abs(ends["watch"] - ends["alert"]) < SIZE:
        upper, lower = sorted(ends, key=lambda name: ends[name])
        middle = (ends[upper] + ends[lower]) / 2
        return [(upper, middle - SIZE / 2), (lower, middle + SIZE / 2)]
    return list(ends.items())


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _spread(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(math.fsum((one - mean) ** 2 for one in values) / len(values))


def _through(course: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{number_of(x)} {number_of(y)}" for x, y in course)


def _stretches(points: Sequence[Any]) -> list[list[Any]]:
    """The points between those that lack the figure."""
    made: list[list[Any]] = [[]]
    for one in points:
        if one["effect"] is None:
            made.append([])
        else:
            made[-1].append(one)
    return [stretch for stretch in made if len(stretch) > 1]
