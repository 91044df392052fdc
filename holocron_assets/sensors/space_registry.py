"""The sensor `space_registry`: Dagster's partitions mirror the registry, and a space that is new is filled.

A space that is filled once is kept up to date with the others, by `embeddings`; so this looks closely only at spaces
that it has not seen filled since they were registered or made active again.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

import dagster as dg

from holocron_assets.asset_jobs import INCREMENTAL_JOBS, fill_space
from holocron_assets.clock import utc_now
from holocron_assets.partitions import mirror_spaces
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.run_history import RunHistory
from holocron_assets.settings import Settings
from holocron_assets.spaces import transforms_of
from holocron_assets.tables import embeddings, spaces
from holocron_assets.watching import Unseen, look, reason_to_wait

#: Why a space is not filled now, if it lacks vectors; asked with the time at which it was made active again.
Hindrance = Callable[[EmbeddingSpace, datetime | None], str | None]


@dataclass(slots=True, kw_only=True)
class Registry:
    """Every registered space, which of the active ones are filled, since when active, and the first that is to be.

    `hindrances` say why others are not filled now.
    """

    registered: list[EmbeddingSpace]
    filled: dict[UUID, str] = field(default_factory=dict)
    due: EmbeddingSpace | None = None
    hindrances: list[str] = field(default_factory=list)


def space_registry(settings: Settings) -> dg.SensorDefinition:
    """The sensor, looking as often as the settings say."""

    @dg.sensor(
        name="space_registry",
        job_name=fill_space.name,
        minimum_interval_seconds=settings.sensors.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Mirrors the registry of spaces as partitions, and fills a space that is new or active again.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, sensor_store: dg.ResourceParam[Store]
    ) -> dg.RunRequest | dg.SkipReason:
        # Before the registry is read: what a run fills that ends meanwhile is then seen as filled.
        history = RunHistory.of(context, sensor_store)
        under_way = history.under_way(["embeddings", "space_embeddings"], [*INCREMENTAL_JOBS, fill_space.name])
        seen_filled = _cursor_of(context.cursor)
        hindrance = partial(_hindrance, history) if not under_way else None
        registry = look(sensor_store, lambda session: _registry(session, seen_filled, hindrance))
        if isinstance(registry, Unseen):
            return dg.SkipReason(registry.reason)
        mirror_spaces(context.instance, registry.registered, this_run=None)
        context.update_cursor(json.dumps({"filled": {str(key): since for key, since in registry.filled.items()}}))
        if registry.due and under_way:
            return dg.SkipReason(
                f"{registry.due.slug} may lack vectors; run {under_way[0].run_id} is embedding. This looks after it"
            )
        if registry.due:
            return dg.RunRequest(partition_key=registry.due.slug)
        if registry.hindrances:
            return dg.SkipReason("; ".join(registry.hindrances))
        known, filled = len(registry.registered), len(registry.filled)
        return dg.SkipReason(f"{known} spaces are registered; each of the {filled} active ones was filled")

    return sensor


def _registry(session: Session, seen_filled: Mapping[UUID, str], hindrance: Hindrance | None) -> Registry:
    """Looks into the spaces that were not seen filled, up to the first that is to be; into none without `hindrance`."""
    registry = Registry(registered=spaces.list_spaces(session))
    activated = spaces.list_activations(session)
    # What others are derived from comes before them. One at a time: there is one place in the pool `embedding`.
    active = [space for space in registry.registered if space.is_active]
    for space in sorted(active, key=lambda space: len(transforms_of(space.transform_ref))):
        key = space.embedding_space_id
        since = str(activated.get(key, ""))
        if seen_filled.get(key) == since:
            registry.filled[key] = since
        elif registry.due is not None:
            continue
        elif hindrance is None:
            registry.due = space
        elif embeddings.get_pending_chunk(session, key) is None:
            registry.filled[key] = since
        elif why := hindrance(space, activated.get(key)):
            registry.hindrances.append(why)
        else:
            registry.due = space
    return registry


def _hindrance(history: RunHistory, space: EmbeddingSpace, activated: datetime | None) -> str | None:
    """Failures of a space; those of before it was made active again count no more, nor does a time of the future."""
    since = activated if activated and activated <= utc_now() else None
    failures = history.failures_since_success(fill_space.name, {"dagster/partition": space.slug}, since=since)
    by_hand = f"materialise the partition {space.slug} of space_embeddings."
    reason = failures and reason_to_wait(failures, time.time(), has_news=False, by_hand=by_hand)
    return f"{space.slug} lacks vectors: {reason}" if reason else None


def _cursor_of(text: str | None) -> dict[UUID, str]:
    """The spaces that were seen filled, since when active; none where the cursor is empty or was not written here."""
    try:
        return {UUID(key): str(since) for key, since in json.loads(text or "")["filled"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
