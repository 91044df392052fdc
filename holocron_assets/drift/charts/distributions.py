"""Charts of how values are spread: overlaps of neighbours, and one figure on both sides in common bins. Pure."""

from itertools import pairwise

from holocron_assets.drawing import WIDTH, Drawing, Scale, across, number_of, upright
from holocron_assets.drift.charts.legends import KEY, Sign, key, nothing
from holocron_assets.drift.charts.tables import Table
from holocron_assets.drift.figures import number, share
from holocron_assets.drift.report import Picture

_LEFT, _RIGHT, _HIGH = 44, WIDTH - 14, 190
_NO_COUNT = "There are no values to show."


def draw_overlap(picture: Picture) -> Drawing:
    """A bar for each share of neighbours that can be kept; the mean, and what chance alone would keep, as lines."""
    data = picture.data
    counts, shares = data["counts"], data["shares"]
    if not sum(counts):
        return nothing(picture, _NO_COUNT)
    top, bottom = 2 * KEY - 6, 2 * KEY - 6 + _HIGH
    drawing = Drawing(picture.title, f"{picture.explanation} {_summary(picture)}", bottom + 38)
    half = 0.5 / max(len(counts) - 1, 1)
    scale = Scale(-half, 1 + half, _LEFT, _RIGHT)
    height = Scale(0, max(counts), bottom, top)
    upright(drawing, height, _LEFT, _RIGHT)
    across(drawing, scale, bottom, bottom, f"share of {data['k']} neighbours kept, of {sum(counts):,} queries")
    for at, count in zip(shares, counts, strict=True):
        left, right = scale(at - half) + 1.5, scale(at + half) - 1.5
        if count:
            corner = (left, height(count))
            drawing.rect(corner, right - left, bottom - height(count), "soft", "current", f"{number(at)}: {count:,}")
    drawing.line((_LEFT, bottom), (_RIGHT, bottom), "quiet")
    for value, name, y, dash in ((data["chance"], "chance", KEY + 8, "2 4"), (data["mean"], "mean", 12, "")):
        if value is not None:
            x = scale(value)
            drawing.line((x, y + 4), (x, bottom), "paper", 5)
            drawing.line((x, y + 4), (x, bottom), "ink", 2.5, dash)
            drawing.text(
                (min(max(x, 60), WIDTH - 50), y), f"{name} {number(value, digits=2)}", anchor="middle", bold=True
            )
    return drawing


def tabulate_overlap(picture: Picture) -> Table:
    """A row for each share that is kept."""
    counts = picture.data["counts"]
    whole = sum(counts) or 1
    rows = [
        (number(at), f"{count:,}", share(count / whole))
        for at, count in zip(picture.data["shares"], counts, strict=True)
    ]
    return Table(("Share of neighbours kept", "Queries", "Of all queries"), rows)


def draw_histograms(picture: Picture) -> Drawing:
    """The current side as bars, the reference as a line around its own; both as shares, so that sizes may differ.

    Without a reference, bars alone.
    """
    data = picture.data
    has_reference = data["reference"] is not None
    after = _shares(data["current"])
    before = _shares(data["reference"]) if has_reference else [0.0] * len(after)
    if not any([*before, *after]) or None in data["edges"]:
        return nothing(picture, _NO_COUNT)
    top, bottom = KEY + 6, KEY + 6 + _HIGH
    drawing = Drawing(picture.title, picture.explanation, bottom + 38)
    scale = Scale(data["edges"][0], data["edges"][-1], _LEFT, _RIGHT)
    if scale.high <= scale.low:
        scale = Scale.over([scale.low], _LEFT, _RIGHT)
    height = Scale(0, max(*before, *after), bottom, top)
    upright(drawing, height, _LEFT, _RIGHT, times=100)
    across(drawing, scale, bottom, bottom, f"{data['unit']}; upwards, % of {'a side' if has_reference else 'all'}")
    steps = [f"M{number_of(_LEFT)} {number_of(bottom)}"]
    for (low, high), old, new in zip(pairwise(data["edges"]), before, after, strict=True):
        left, right = scale(low), scale(high)
        if new:
            shares = f"reference {share(old)}, current {share(new)}" if has_reference else share(new)
            about = f"{number(low)} to {number(high)}: {shares}"
            drawing.rect((left, height(new)), right - left, bottom - height(new), "soft", "current", about)
        steps.append(f"V{number_of(height(old))}H{number_of(right)}")
    if has_reference:
        drawing.path("".join([*steps, f"V{number_of(bottom)}"]), "", "reference", 3)
        key(drawing, [(Sign("line", "reference"), "reference"), (Sign("bar", "current"), "current")])
    drawing.line((_LEFT, bottom), (_RIGHT, bottom), "quiet")
    return drawing


def tabulate_histograms(picture: Picture) -> Table:
    """A row a bin."""
    data = picture.data
    bins = [f"{number(low)} to {number(high)}" for low, high in pairwise(data["edges"])]
    sides = {name: data[name.lower()] for name in ("Reference", "Current") if data[name.lower()] is not None}
    counts = [[f"{n:,}" for n in one] for one in sides.values()]
    shares = [[share(part) for part in _shares(one)] for one in sides.values()]
    names = [*sides, *(f"{name}, share" for name in sides)] if len(sides) > 1 else ["How many", "Share"]
    return Table((data["unit"], *names), list(zip(bins, *counts, *shares, strict=True)))


def _shares(counts: list[int]) -> list[float]:
    whole = sum(counts) or 1
    return [count / whole for count in counts]


def _summary(picture: Picture) -> str:
    low, mean = picture.data["low"], picture.data["mean"]
    return f"On average {number(mean)} are kept; one query in twenty keeps {number(low)} or less."
