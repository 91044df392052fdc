"""Which characters a stored text may hold, for every extractor alike.

Characters only: what is a paragraph, a list or a table is decided in `layout.py`.
"""

import re

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_BLANK_LINES = re.compile("\n{3,}")
_SURROGATES = re.compile("[\ud800-\udfff]")

# Zero-width joiners and direction marks stay: Persian, the scripts of India and emoji are spelled with them.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\xad\u180e\u200b\u2060\ufeff]")

#: Stands where something inside a line was left out, until `clean_line` closes the hole.
HOLE = "\x1a"


def utf8(text: str) -> bytes:
    """`text` encoded, each lone half of a surrogate pair replaced."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text).encode()


def clean_line(text: str) -> str:
    """`text` as one line: every run of white space is one blank, nothing invisible is left."""
    line = text.strip()
    # Two fast passes in C, and most lines are done.
    if line.isprintable() and "  " not in line:
        return line
    line = " ".join(line.split())
    if HOLE in line:
        line = _without_holes(line)
    return " ".join(_SURROGATES.sub("\ufffd", _INVISIBLE.sub("", line)).split())


def clean(text: str) -> str:
    """`text` with clean lines, their indentation kept, and at most one empty line in a row."""
    lines = _LINE_ENDS.sub("\n", text).split("\n")
    return _BLANK_LINES.sub("\n\n", "\n".join(map(_clean_indented, lines))).strip()


def _clean_indented(line: str) -> str:
    cleaned = clean_line(line)
    if not cleaned or not line[0].isspace():
        return cleaned
    indent = len(line) - len(line.lstrip())
    return " " * indent + cleaned


def _without_holes(line: str) -> str:
    """`line` as if nothing had been left out: no parentheses around nothing, no blank before a full stop."""
    before, *others = line.split(HOLE)
    closed: list[str] = []
    for after in others:
        left, right = before.rstrip(" ,;"), after.lstrip(" ,;")
        opens, closes = left.endswith(("(", "[")), right.startswith((")", "]"))
        rest = after
        if opens and closes:
            before, rest = left[:-1].rstrip(), right[1:]
        elif opens or closes:
            before, rest = left, right
        elif after.startswith((" ", ".", ",", ";", ":", "!", "?")):
            before = before.rstrip()
        if rest:
            closed.append(before)
            before = rest
    return "".join([*closed, before])
