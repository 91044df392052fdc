"""The registry of embedding spaces."""

import json
from datetime import datetime
from uuid import UUID

from holocron_assets.identity import canonical_json
from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace
from holocron_assets.spaces import slug_of


def insert_space(session: Session, space: EmbeddingSpace, now: datetime) -> bool:
    """Register a space; False when it is registered already, active or not."""
    inserted = session.execute(
        "insert_space",
        embedding_space_id=space.embedding_space_id,
        provider=space.provider,
        model_name=space.model_name,
        model_tag=space.model_tag,
        model_digest=space.model_digest,
        dimensions=space.dimensions,
        normalize_flag=space.normalize,
        distance_metric=space.distance_metric,
        preprocess_policy_json=canonical_json(dict(space.preprocess_policy)),
        transform_ref=space.transform_ref,
        description=space.description,
        now=now,
    )
    return inserted > 0


def update_space_activity(session: Session, space_id: UUID, now: datetime, *, is_active: bool) -> int:
    """Have a space filled and searched, or not; returns 1 where that is a change."""
    return session.execute("update_space_activity", embedding_space_id=space_id, is_active=is_active, now=now)


def list_activations(session: Session) -> dict[UUID, datetime]:
    """When spaces were last made active again, those that were inactive in between."""
    return {row["embedding_space_id"]: row["activated_utc"] for row in session.rows("list_activations")}


def list_spaces(session: Session) -> list[EmbeddingSpace]:
    """Every registered space, the oldest first."""
    return [
        EmbeddingSpace(
            embedding_space_id=row["embedding_space_id"],
            slug=slug_of(row["model_name"], row["embedding_space_id"], row["transform_ref"]),
            provider=row["provider"],
            model_name=row["model_name"],
            model_tag=row["model_tag"],
            model_digest=row["model_digest"],
            dimensions=row["dimensions"],
            normalize=row["normalize_flag"],
            distance_metric=row["distance_metric"],
            preprocess_policy=json.loads(row["preprocess_policy_json"] or "{}"),
            transform_ref=row["transform_ref"],
            description=row["description"],
            is_active=row["is_active"],
        )
        for row in session.rows("list_spaces")
    ]
