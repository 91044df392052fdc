"""The JSON that programs read: the same document from a command and from the search page. Pure."""

import dataclasses
import json
from datetime import datetime
from typing import Any
from uuid import UUID

#: Levels of lists and objects; a document of ours has fewer.
DEEPEST = 64


def json_text(value: Any) -> str:
    """One document: dataclasses as objects, times in ISO 8601, UTC, and null for what is no finite number."""
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False, indent=2, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value, default=_plain), parse_constant=lambda name: None)
    return json.dumps(finite, ensure_ascii=False, indent=2)


def is_deep(value: Any) -> bool:
    """Whether lists and objects are nested so deeply that whoever follows them could run out of stack."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(level)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, set | tuple):
        return list(value)
    raise TypeError(f"cannot show {type(value).__name__} as JSON")
