"""Small pictures for Dagster's metadata: SVG in a data URI, which needs no plotting library and stays small."""

import base64
from collections.abc import Mapping, Sequence
from html import escape

import dagster as dg

from holocron_assets.tables.overview import LengthCount

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 220, 56, 28, 34
_MAX_BARS = 40
_ROW, _NAMES = 22, 220


def bars(title: str, unit: str, counts: Sequence[LengthCount]) -> dg.MetadataValue:
    """A bar chart of how many things there are of each length; readable on a light and a dark page."""
    shown = counts[:_MAX_BARS]
    highest = max((one.n for one in shown), default=1)
    step = (_WIDTH - _LEFT) / max(len(shown), 1)
    floor = _HEIGHT - _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="16" font-size="13" fill="#222">{escape(title)}</text>',
        f'<line x1="{_LEFT}" y1="{floor}" x2="{_WIDTH}" y2="{floor}" stroke="#888"/>',
        f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end" fill="#444">{highest:,}</text>',
        f'<text x="{_LEFT - 6}" y="{floor}" text-anchor="end" fill="#444">0</text>',
    ]
    label_every = max(1, len(shown) // 10)
    for index, one in enumerate(shown):
        x = _LEFT + index * step
        height = (floor - _TOP) * one.n / highest
        parts.append(
            f'<rect x="{x + 1:.1f}" y="{floor - height:.1f}" width="{max(step - 2, 1):.1f}" height="{height:.1f}" '
            f'fill="#4f6bed"><title>{one.length:,}: {one.n:,}</title></rect>'
        )
        if index % label_every == 0:
            parts.append(f'<text x="{x:.1f}" y="{floor + 14}" fill="#444">{one.length:,}</text>')
    parts.append(f'<text x="{_WIDTH - 4}" y="{_HEIGHT - 4}" text-anchor="end" fill="#444">{escape(unit)}</text></svg>')
    return _picture(title, parts)


def shares(title: str, values: Mapping[str, float]) -> dg.MetadataValue:
    """A bar from 0 to 1 for each of some named values, with its figure."""
    height = _TOP + _ROW * len(values)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="4" y="16" font-size="13" fill="#222">{escape(title)}</text>',
    ]
    room = _WIDTH - _NAMES - _LEFT
    for row, (name, value) in enumerate(values.items()):
        y = _TOP + row * _ROW
        parts.append(
            f'<text x="{_NAMES - 6}" y="{y + 13}" text-anchor="end" fill="#444">{escape(name)}</text>'
            f'<rect x="{_NAMES}" y="{y + 2}" width="{room}" height="{_ROW - 8}" fill="#e8eaf6"/>'
            f'<rect x="{_NAMES}" y="{y + 2}" width="{room * value:.1f}" height="{_ROW - 8}" fill="#4f6bed"/>'
            f'<text x="{_WIDTH - _LEFT + 6}" y="{y + 13}" fill="#222">{value:.3f}</text>'
        )
    return _picture(title, [*parts, "</svg>"])


def _picture(title: str, parts: Sequence[str]) -> dg.MetadataValue:
    encoded = base64.b64encode("".join(parts).encode()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{encoded})")
