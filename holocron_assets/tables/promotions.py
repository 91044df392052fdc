"""Aliases of spaces, as the history of their promotions."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from holocron_assets.ports import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """From when on an alias meant a space, and until when, if that was undone."""

    alias: str
    ordinal: int
    promotion_id: uuid.UUID
    embedding_space_id: uuid.UUID
    promoted_utc: datetime
    rolled_back_utc: datetime | None = None


def list_promotions(session: Session) -> list[Promotion]:
    """The promotions of every alias, the oldest first."""
    return [Promotion(**row) for row in session.rows("list_promotions")]


def insert_promotion(session: Session, promotion: Promotion) -> None:
    """Let an alias mean a space from now on."""
    session.execute(
        "insert_promotion",
        alias=promotion.alias,
        ordinal=promotion.ordinal,
        promotion_id=promotion.promotion_id,
        embedding_space_id=promotion.embedding_space_id,
        now=promotion.promoted_utc,
    )


def update_promotion_rolled_back(session: Session, promotion_id: uuid.UUID, now: datetime) -> int:
    """Undo a promotion; returns 1 unless it was undone before."""
    return session.execute("update_promotion_rolled_back", promotion_id=promotion_id, now=now)
