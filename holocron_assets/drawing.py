"""Drawings as SVG by our own code: shapes, texts and scales, for pages and for Dagster's metadata alike. Pure.

A colour is a custom property with a value of its own: a page gives it another for dark screens or for paper, and a
picture that stands alone is drawn on white.
"""

import math
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

#: The colours, on white; a page sets the custom properties of these names.
TONES = {
    "paper": "#ffffff",
    "ink": "#1c2330",
    "quiet": "#545f70",
    "grid": "#d3d9e2",
    "reference": "#14508f",
    "current": "#a8410b",
    "soft": "#f6d3bd",
}
WIDTH = 480
SIZE = 13
_HEADING = 26
#: Widths of letters in ems: enough for most words of Latin script in a sans-serif face; capitals take more, and the
#: widest of them, as those of other scripts that are wide, are squares.
_LETTER, _CAPITAL, _WIDE_LETTER = 0.56, 0.72, 1.0
_WIDEST = frozenset("mwMW@%…—")
#: What no page may hold, or what turns or hides what stands around it: control characters, halves of surrogate pairs,
#: the signs that override the direction of writing (Unicode Standard Annex 9, section 2), what XML has no place for.
_UNSEEN = {
    code: "\ufffd"
    for code in (
        *range(32),
        *range(127, 160),
        *range(0xD800, 0xE000),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        0xFFFE,
        0xFFFF,
    )
    if code not in (9, 10, 13)
}


def readable(text: object, most: int = 300) -> str:
    """A text as it may be shown: what is unseen is marked, and what is longer than `most` characters is cut."""
    shown = str(text).translate(_UNSEEN)
    return shown if len(shown) <= most else f"{shown[: most - 1].rstrip()}…"


def fitted(text: object, room: float, size: float = SIZE) -> str:
    """As much of a text as fits into so much room, on one line."""
    words = " ".join(readable(text).split())
    left = room
    for index, letter in enumerate(words):
        left -= size * _width(letter)
        if left < 0:
            return f"{words[: max(index - 1, 0)].rstrip()}…"
    return words


def _width(letter: str) -> float:
    if letter in _WIDEST or unicodedata.east_asian_width(letter) in "WF":
        return _WIDE_LETTER
    return _CAPITAL if letter.isupper() else _LETTER


class Drawing:
    """An SVG picture with a title and a description for those who do not see it; (0, 0) is its upper left corner."""

    def __init__(self, title: str, description: str, height: float) -> None:
        self._title, self._description, self._height = title, description, height
        self._parts: list[str] = []

    def line(
        self, start: tuple[float, float], end: tuple[float, float], tone: str = "grid", width: float = 1, dash: str = ""
    ) -> None:
        """A straight line; `dash` is its pattern."""
        (x1, y1), (x2, y2) = start, end
        self._add("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2} | _stroke(tone, width, dash))

    def rect(
        self, corner: tuple[float, float], width: float, height: float, fill: str, stroke: str = "", about: str = ""
    ) -> None:
        """A rectangle, filled, and outlined with `stroke`; `about` is said where a pointer rests on it."""
        x, y = corner
        outline = _stroke(stroke, 1.2, "") if stroke else {}
        inside = f"<title>{escape(readable(about))}</title>" if about else ""
        box: dict[str, object] = {"x": x, "y": y, "width": width, "height": height, "fill": _paint(fill)}
        self._add("rect", box | outline, inside)

    def path(self, d: str, fill: str = "", stroke: str = "", width: float = 1.5, dash: str = "") -> None:
        """Any outline, in the words of SVG paths."""
        outline = _stroke(stroke, width, dash) if stroke else {}
        self._add("path", {"d": d, "fill": _paint(fill) if fill else "none"} | outline)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        tone: str = "ink",
        anchor: str = "start",
        size: float = SIZE,
        *,
        bold: bool = False,
    ) -> None:
        """A line of text; `at` is where its base begins, ends or has its middle, by `anchor`."""
        x, y = at
        where: dict[str, object] = {"x": x, "y": y, "text-anchor": anchor, "font-size": size, "fill": _paint(tone)}
        self._add("text", where | ({"font-weight": "bold"} if bold else {}), escape(readable(text)))

    def svg(self, *, headed: bool) -> str:
        """The picture; with its title drawn above it where nothing else says it."""
        heading = Drawing("", "", 0)
        above = _HEADING if headed else 0
        heading.rect((0, -above), WIDTH, self._height + above, "paper")
        if headed:
            heading.text((0, 16 - above), fitted(self._title, WIDTH, SIZE + 1), size=SIZE + 1, bold=True)
        whole = self._height + above
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-above} {WIDTH} {number_of(whole)}" '
            f'width="{WIDTH}" height="{number_of(whole)}" role="img" font-family="system-ui, sans-serif">'
            f"<title>{escape(readable(self._title))}</title><desc>{escape(readable(self._description, 1000))}</desc>"
            f"{''.join(heading._parts)}{''.join(self._parts)}</svg>"
        )

    def _add(self, tag: str, attributes: Mapping[str, object], inside: str = "") -> None:
        said = " ".join(
            f'{name}="{number_of(value) if isinstance(value, (int, float)) else escape(str(value))}"'
            for name, value in attributes.items()
        )
        self._parts.append(f"<{tag} {said}>{inside}</{tag}>" if inside else f"<{tag} {said}/>")


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values from `low` to `high` stand between the coordinates `start` and `end`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float, margin: float = 0.0) -> "Scale":
        """Wide enough for all values that are numbers, and a share of their range as margin on both sides."""
        known = [one for one in values if math.isfinite(one)] or [0.0]
        low, high = min(known), max(known)
        # All alike, or told apart by rounding alone.
        if high - low <= 1e-9 * max(abs(low), abs(high)):
            room = abs(high) / 10 or 0.5
            return cls(low - room, high + room, start, end)
        room = margin * (high - low)
        return cls(low - room, high + room, start, end)

    def __call__(self, value: float) -> float:
        """The coordinate of a value; what is outside stands at the edge."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, most: int = 7) -> list[tuple[float, str]]:
        """At most so many round values of the scale, with their names; there is one at least where four may be."""
        step = 10 ** math.floor(math.log10((self.high - self.low) / most))
        step *= next(
            factor for factor in (1, 2, 5, 10, 20) if (self.high - self.low) / (factor * step) < most - 1 + 1e-9
        )
        # Rounding lets a value be a hair beside the end that it is equal to.
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        exponent = math.floor(math.log10(step) + 1e-9)
        largest = max(abs(self.low), abs(self.high))
        is_far = largest >= 1e7 or exponent < -6
        digits = max(0, math.floor(math.log10(largest)) - exponent) if is_far else None
        return [(n * step, _tick(n * step, max(0, -exponent), digits)) for n in range(first, last + 1)]


def across(drawing: Drawing, scale: Scale, top: float, bottom: float, unit: str = "", times: float = 1) -> None:
    """A scale below an area: a line up at every tick, and what is measured. Names are those of `times` the values."""
    shown = Scale(scale.low * times, scale.high * times, scale.start, scale.end)
    for value, name in shown.ticks():
        drawing.line((shown(value), top), (shown(value), bottom))
        middle = min(shown(value), WIDTH - 0.3 * SIZE * len(name))
        drawing.text((middle, bottom + 16), name, "quiet", "middle")
    drawing.text((scale.end, bottom + 33), fitted(unit, scale.end), "quiet", "end")


def upright(drawing: Drawing, scale: Scale, left: float, right: float, most: int = 6, times: float = 1) -> None:
    """A scale at the left of an area: a line across it at every tick. Names are those of `times` the values."""
    shown = Scale(scale.low * times, scale.high * times, scale.start, scale.end)
    for value, name in shown.ticks(most):
        drawing.line((left, shown(value)), (right, shown(value)))
        drawing.text((left - 6, shown(value) + 4), name, "quiet", "end")


def mark(shape: str, x: float, y: float, radius: float) -> str:
    """The outline of a `circle`, `cross`, `diamond`, `square` or `triangle` around a point."""
    r, x, y = radius, round(x, 1), round(y, 1)
    where = f"M{number_of(x)} {number_of(y)}"
    if shape == "circle":
        return f"{where}m{-r} 0a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0z"
    if shape == "cross":
        return f"{where}m{-r} {-r}l{2 * r} {2 * r}m0 {-2 * r}l{-2 * r} {2 * r}"
    if shape == "diamond":
        return f"{where}m0 {-r}l{r} {r}l{-r} {r}l{-r} {-r}z"
    if shape == "triangle":
        return f"{where}m0 {-r}l{r} {2 * r}h{-2 * r}z"
    return f"{where}m{-r} {-r}h{2 * r}v{2 * r}h{-2 * r}z"


def number_of(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{round(value, 1):g}" if abs(value) < 1e5 else f"{value:.0f}"


def _tick(value: float, decimals: int, digits: int | None) -> str:
    """A value with so many decimals, or as a power of ten with so many digits after the first."""
    if not value:
        return "0"
    return (f"{value:,.{decimals}f}" if digits is None else f"{value:.{digits}e}").replace("-", "−")


def _paint(tone: str) -> str:
    return f"var(--{tone},{TONES[tone]})"


def _stroke(tone: str, width: float, dash: str) -> dict[str, object]:
    return {"stroke": _paint(tone), "stroke-width": width} | ({"stroke-dasharray": dash} if dash else {})
