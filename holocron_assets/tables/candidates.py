"""Everything that could be embedded, through the view `vector.vw_source_candidates`."""

from enum import StrEnum

from holocron_assets.ports import Session


class CandidateState(StrEnum):
    """What stands between a candidate and search. See the view."""

    PENDING = "pending"
    CHANGED = "changed"
    CURRENT = "current"
    ERROR = "error"
    EXCLUDED = "excluded"


def count_source_candidates(session: Session) -> dict[CandidateState, int]:
    """How many candidates there are in each state; every state is there."""
    found = {CandidateState(row["state"]): int(row["n"]) for row in session.rows("count_source_candidates")}
    return {state: found.get(state, 0) for state in CandidateState}
