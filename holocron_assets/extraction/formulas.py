"""How formulas read: as the TeX that their authors wrote, without the wrapper that displays it."""

import re

_DISPLAY_STYLE = re.compile(r"\{\s*\\(?:display|text)style\b(.*)\}|\\(?:display|text)style\b(.*)", re.DOTALL)


def formula_text(source: str) -> str:
    """The formula itself."""
    source = source.strip()
    styled = _DISPLAY_STYLE.fullmatch(source)
    return (styled[1] or styled[2] or "").strip() if styled else source
