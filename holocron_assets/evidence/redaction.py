"""Taking out of a text what looks like personal data or a secret. What is known of it afterwards is where it stood.

Neither what was taken out nor its length is recorded anywhere. No pattern reads a run of characters again from each of
its places, so a text takes time in proportion to its length, whatever it holds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The rules by name, the widest first: where two begin at one place, the first one counts.
#:
#: A secret ends at the next space, quote or `<`. After a mere space it must hold a digit, because "secret societies" is
#: prose. An email address may have letters of any script. Numbers are those of the United States, and cards of four
#: groups of four; a longer number is none of them.
RULES: Mapping[str, str] = {
    "secret": r"""
        (?:password|passwd|api[_\ -]?key|secret|token)
        (?: ["']?\s*+[:=]\s*+["']?+ | \s++(?:is\s++)?(?=[^\s"'<\d]*+\d) )
        [^\s"'<]{8,}
    """,
    "email": r"(?<![\w.%+-])[\w.%+-]++@(?:[\w-]++\.)+[^\W\d_]{2,}",
    "card": r"(?<!\d)\d{4}(?:[-\s]?\d{4}){3}(?!\d)",
    "ssn": r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)",
    "phone": r"(?<!\d)(?:\+?1[-.\s]?)?(?:\(\d{3}\)\s?|\d{3}[-.\s]?)\d{3}[-.\s]?\d{4}(?!\d)",
}
_ANY = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in RULES.items()), re.IGNORECASE | re.VERBOSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """Something was taken out; `start` and `end` are of what stands there now, half-open, in the redacted text."""

    rule: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A text after redaction, and where in it something was taken out, in order."""

    text: str
    redactions: tuple[Redaction, ...]


def redact(text: str) -> Redacted:
    """The text with `[EMAIL_REDACTED]` and the like in place of what the rules find."""
    parts: list[str] = []
    redactions: list[Redaction] = []
    length = end = 0
    for found in _ANY.finditer(text):
        rule = str(found.lastgroup)
        kept, mark = text[end : found.start()], f"[{rule.upper()}_REDACTED]"
        start = length + len(kept)
        length = start + len(mark)
        end = found.end()
        parts += [kept, mark]
        redactions.append(Redaction(rule=rule, start=start, end=length))
    return Redacted(text="".join([*parts, text[end:]]), redactions=tuple(redactions))


def redact_all(value: Any) -> Any:
    """A value as JSON has it, every text in it redacted, names of members included."""
    if isinstance(value, str):
        return redact(value).text
    if isinstance(value, Mapping):
        return {redact_all(name): redact_all(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [redact_all(one) for one in value]
    return value
