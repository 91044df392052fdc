"""What a verification found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact, and whether it holds. `offenders` names some of those that break it.

    `blocks` says that the violation would poison what is built on it; otherwise it is a warning.
    """

    claim: str
    holds: bool
    explanation: str
    blocks: bool = True
    figures: Mapping[str, int] = field(default_factory=dict)
    offenders: Sequence[str] = ()
