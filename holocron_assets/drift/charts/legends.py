"""What stands around every chart: the key of its shapes, and what is said where nothing can be drawn. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from holocron_assets.drawing import SIZE, WIDTH, Drawing, mark
from holocron_assets.drift.report import Picture

#: Room for a line of the key.
KEY = 24


class Sign(NamedTuple):
    """A shape, hollow or filled, in a tone; a `line` and a `bar` are parts of a chart, not points on it."""

    shape: str
    tone: str
    is_filled: bool = False


REFERENCE = Sign("circle", "reference")
CURRENT = Sign("diamond", "current", is_filled=True)


def put(drawing: Drawing, sign: Sign, x: float, y: float, radius: float = 5) -> None:
    """A shape at a point; a hollow one covers what is behind it, but for a cross."""
    if sign.shape == "line":
        drawing.line((x - 8, y), (x + 8, y), sign.tone, 3)
    elif sign.shape == "bar":
        drawing.rect((x - 6, y - 6), 12, 12, "soft", sign.tone)
    else:
        fill = sign.tone if sign.is_filled else "" if sign.shape == "cross" else "paper"
        drawing.path(mark(sign.shape, x, y, radius), fill, sign.tone, 2)


def key(drawing: Drawing, entries: Sequence[tuple[Sign, str]], note: str = "") -> None:
    """The key, on the first line of a chart, and a note at its end."""
    x = 9.0
    for sign, name in entries:
        put(drawing, sign, x, 10)
        drawing.text((x + 13, 14.5), name)
        x += 36 + 0.56 * SIZE * len(name)
    drawing.text((WIDTH - 2, 14.5), note, "quiet", "end")


def nothing(picture: Picture, why: str) -> Drawing:
    """A chart without any data says so."""
    drawing = Drawing(picture.title, f"{why} {picture.explanation}", 40)
    drawing.text((WIDTH / 2, 25), why, "quiet", "middle")
    return drawing
