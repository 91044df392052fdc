"""Small pictures for Dagster's metadata: SVG in a data URI, which needs no plotting library and stays small."""

import base64
from collections.abc import Mapping, Sequence

import dagster as dg

from holocron_assets.drawing import WIDTH, Drawing, Scale, fitted, upright
from holocron_assets.tables.overview import LengthCount

_LEFT, _RIGHT, _HIGH, _BELOW = 56, WIDTH - 4, 170, 38
_MOST_BARS = 40
_ROW, _NAMES, _FIGURE = 22, 170, 48


def bars(title: str, unit: str, counts: Sequence[LengthCount]) -> dg.MetadataValue:
    """A bar chart of how many things there are of each length."""
    shown = counts[:_MOST_BARS]
    drawing = Drawing(title, f"How many there are of each; {unit}.", _HIGH + _BELOW)
    height = Scale(0, max((one.n for one in shown), default=1) or 1, _HIGH, 8)
    upright(drawing, height, _LEFT, _RIGHT)
    step = (_RIGHT - _LEFT) / max(len(shown), 1)
    label_every = max(1, len(shown) // 8)
    for index, one in enumerate(shown):
        x, top = _LEFT + index * step, height(one.n)
        about = f"{one.length:,}: {one.n:,}"
        drawing.rect((x + 1, top), max(step - 2, 1), _HIGH - top, "soft", "current", about)
        if index % label_every == 0:
            drawing.text((x, _HIGH + 16), f"{one.length:,}", "quiet")
    drawing.text((_RIGHT, _HIGH + 33), fitted(unit, WIDTH), "quiet", "end")
    return embedded(title, drawing.svg(headed=True))


def shares(title: str, values: Mapping[str, float]) -> dg.MetadataValue:
    """A bar from 0 to 1 for each of some named values, with its figure."""
    drawing = Drawing(title, "; ".join(f"{name}: {value:.3f}" for name, value in values.items()), _ROW * len(values))
    width = Scale(0, 1, _NAMES, WIDTH - _FIGURE)
    for row, (name, value) in enumerate(values.items()):
        y = row * _ROW
        drawing.text((_NAMES - 6, y + 14), fitted(name, _NAMES - 6), anchor="end")
        drawing.rect((_NAMES, y + 2), width(1) - _NAMES, _ROW - 7, "grid")
        drawing.rect((_NAMES, y + 2), width(value) - _NAMES, _ROW - 7, "reference")
        drawing.text((width(1) + 6, y + 14), f"{value:.3f}")
    return embedded(title, drawing.svg(headed=True))


def embedded(title: str, svg: str) -> dg.MetadataValue:
    """An SVG picture, and its title for those who do not see it."""
    encoded = base64.b64encode(svg.encode()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{encoded})")
