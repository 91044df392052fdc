"""Anchors: texts that every space embeds when it is registered, and again later, to tell whether the model moved.

`bundled.ndjson` holds sixty-four, of six kinds, because a model may move for one kind only: a shorter context is seen
in long texts, another tokeniser in code, numbers or other scripts.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from holocron_assets.errors import ConfigurationError

_OWN = "own"
_MOST_OWN = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A text, and what it is an example of."""

    kind: str
    text: str


def anchors(own: Path | None) -> list[Anchor]:
    """The bundled anchors, and those of a file of the user's own: a JSON object with a `text` on each line.

    Raises `ConfigurationError` that names the line.
    """
    bundled = resources.files(__name__).joinpath("bundled.ndjson").read_text(encoding="utf-8")
    found = [Anchor(**json.loads(line)) for line in bundled.splitlines()]
    if own is not None:
        found += _read(own)
    repeated = [text for text, count in Counter(anchor.text for anchor in found).items() if count > 1]
    if repeated:
        raise ConfigurationError(f"canary.anchors: {own} holds {repeated[0][:60]!r} twice, or repeats a bundled anchor")
    return found


def a_short_one(known: Sequence[Anchor]) -> list[Anchor]:
    """Cheap, and enough to tell another model or runtime; not enough for one that reads less of long texts."""
    return sorted(known, key=lambda anchor: len(anchor.text))[len(known) // 4 :][:1]


def one_of_each_kind(known: Sequence[Anchor], turn: int) -> list[Anchor]:
    """A few; others for each `turn`, so that after some turns all were looked at."""
    kinds: dict[str, list[Anchor]] = {}
    for anchor in known:
        kinds.setdefault(anchor.kind, []).append(anchor)
    return [members[turn % len(members)] for members in kinds.values()]


def one_in_turn(known: Sequence[Anchor], turn: int) -> list[Anchor]:
    """One, of another kind for each `turn`; after as many turns as there are kinds each was looked at."""
    kinds = len({anchor.kind for anchor in known})
    return one_of_each_kind(known, turn // max(kinds, 1))[turn % max(kinds, 1) :][:1]


def _read(path: Path) -> list[Anchor]:
    try:
        # Not `splitlines`: JSON may hold the other marks that Unicode ends lines with.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"canary.anchors: cannot read {path}: {error}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise ConfigurationError(f"canary.anchors: {path}, line {number} is not JSON: {error}") from error
        text = entry.get("text") if isinstance(entry, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise ConfigurationError(
                f'canary.anchors: {path}, line {number} is not an object such as {{"text": "..."}}'
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ConfigurationError(f"canary.anchors: {path}, line {number} holds half a surrogate pair") from error
        found.append(Anchor(kind=_OWN, text=text))
    if not 1 <= len(found) <= _MOST_OWN:
        raise ConfigurationError(f"canary.anchors: {path} holds {len(found)} anchors; 1 to {_MOST_OWN} are read")
    return found
