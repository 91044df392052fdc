"""The pictures of a drift report as SVG, for pages and for Dagster's metadata, and the same figures as tables. Pure.

The two sides differ by shape before they differ by colour: the reference is hollow or a line, the current side filled
or crossed.
"""

from collections.abc import Callable
from typing import NamedTuple

from holocron_assets.drawing import Drawing
from holocron_assets.drift import pictures
from holocron_assets.drift.charts import distributions, lines, planes
from holocron_assets.drift.charts.tables import Table
from holocron_assets.drift.report import Picture


class _Kind(NamedTuple):
    draw: Callable[[Picture], Drawing]
    tabulate: Callable[[Picture], Table]


_KINDS = {
    pictures.OCCUPANCY: _Kind(lines.draw_occupancy, lines.tabulate_occupancy),
    pictures.INTERVALS: _Kind(lines.draw_intervals, lines.tabulate_intervals),
    pictures.OVERLAP: _Kind(distributions.draw_overlap, distributions.tabulate_overlap),
    pictures.HISTOGRAMS: _Kind(distributions.draw_histograms, distributions.tabulate_histograms),
    pictures.PROJECTION: _Kind(planes.draw_projection, planes.tabulate_projection),
    pictures.HISTORY: _Kind(planes.draw_history, planes.tabulate_history),
}


def svg(picture: Picture, *, headed: bool = True) -> str:
    """A picture as an SVG element; `headed` with its title drawn above it."""
    return _KINDS[picture.kind].draw(picture).svg(headed=headed)


def table(picture: Picture) -> Table:
    """The same figures in rows, for those who do not see the picture or want the digits."""
    return _KINDS[picture.kind].tabulate(picture)
