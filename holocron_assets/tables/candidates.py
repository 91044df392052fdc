"""Everything that could be embedded, through the view `vector.vw_source_candidates`."""

from dataclasses import dataclass
from enum import StrEnum

from holocron_assets.ports import Session


class CandidateState(StrEnum):
    """What stands between a candidate and search. See the view."""

    PENDING = "pending"
    CHANGED = "changed"
    CURRENT = "current"
    ERROR = "error"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCandidate:
    """A source, or a resource that was fetched and of which no source is known."""

    source_id: str | None
    source_system: str | None
    source_name: str | None
    resource_type: str | None
    resource_id: str | None
    title: str | None
    state: str
    reason: str


def count_source_candidates(session: Session) -> dict[CandidateState, int]:
    """How many candidates there are in each state; every state is there."""
    found = {CandidateState(row["state"]): int(row["n"]) for row in session.rows("count_source_candidates")}
    return {state: found.get(state, 0) for state in CandidateState}


def list_source_candidates(session: Session, limit: int, state: CandidateState | None = None) -> list[SourceCandidate]:
    """Some candidates, in one state or in any."""
    rows = session.rows("list_source_candidates", limit=limit, state=state and state.value)
    return [SourceCandidate(**row) for row in rows]
