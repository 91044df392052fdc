"""The hash of an exchange record's content: a rule of other software, kept to the byte."""

import hashlib
import json
import math
import unicodedata
from collections.abc import Mapping
from typing import Any

#: What is hashed; when it was observed is not.
CONTENT_KEYS = ("exchange_type", "source_system", "entity_type", "natural_key", "request", "response")

#: A fixed limit, so that what one process could hash never depends on how deep another one's stack is.
_DEEPEST = 200


def content_sha256(envelope: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical content as lower-case hex; a missing key counts as null.

    Raises `RecursionError` for what is nested more than 200 levels deep.
    """
    content = _canonical({name: envelope.get(name) for name in CONTENT_KEYS})
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise RecursionError(f"nested more than {_DEEPEST} levels deep")
    match value:
        case str():
            return unicodedata.normalize("NFC", value)
        case None | bool() | int():
            return value
        case float():
            return _number(value)
        case Mapping():
            return {unicodedata.normalize("NFC", str(key)): _canonical(part, depth + 1) for key, part in value.items()}
        case list() | tuple():
            return [_canonical(part, depth + 1) for part in value]
    return unicodedata.normalize("NFC", str(value))


def _number(value: float) -> float | str:
    """The number to 15 significant digits, because the last ones differ between languages."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(f"{value:.15g}")
