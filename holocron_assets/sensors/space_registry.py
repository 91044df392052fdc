"""The sensor `space_registry`: Dagster's partitions mirror the registry, and a space that is new is filled.

A space that is filled once is kept up to date with the others, by `embeddings`; so this looks closely only at spaces
that it has not seen filled since they were registered or made active again.
"""

import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import dagster as dg

from holocron_assets.asset_jobs import INCREMENTAL_JOBS, fill_space
from holocron_assets.partitions import mirror_spaces
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.run_history import RunHistory
from holocron_assets.settings import Settings
from holocron_assets.spaces import transforms_of
from holocron_assets.tables import embeddings, spaces
from holocron_assets.watching import Unseen, look, reason_to_wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Every registered space, and of the active ones those that are filled."""

    registered: list[EmbeddingSpace]
    filled: set[UUID]


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
        registry = look(sensor_store, lambda session: _registry(session, seen_filled))
        if isinstance(registry, Unseen):
            return dg.SkipReason(registry.reason)
        mirror_spaces(context.instance, registry.registered, this_run=None)
        context.update_cursor(json.dumps({"filled": sorted(map(str, registry.filled))}))
        active = [space for space in registry.registered if space.is_active]
        # What others are derived from comes before them.
        waiting = sorted(
            (space for space in active if space.embedding_space_id not in registry.filled),
            key=lambda space: len(transforms_of(space.transform_ref)),
        )
        if not waiting:
            return dg.SkipReason(
                f"{len(registry.registered)} spaces are registered; each of the {len(active)} active ones was filled"
            )
        if under_way:
            return dg.SkipReason(
                f"{waiting[0].slug} lacks vectors; run {under_way[0].run_id} is embedding. This looks again after it"
            )
        return _first_due(history, waiting)

    return sensor


def _registry(session: Session, seen_filled: Collection[UUID]) -> Registry:
    registered = spaces.list_spaces(session)
    filled = set()
    for space in registered:
        if space.is_active:
            key = space.embedding_space_id
            count = None if key in seen_filled else embeddings.count_pending_chunks(session, key)
            if count is None or count.pending == count.quarantined:
                filled.add(key)
    return Registry(registered=registered, filled=filled)


def _first_due(history: RunHistory, waiting: Collection[EmbeddingSpace]) -> dg.RunRequest | dg.SkipReason:
    """One space at a time: there is one place in the pool `embedding`."""
    reasons = []
    for space in waiting:
        failures = history.failures_since_success(fill_space.name, {"dagster/partition": space.slug})
        by_hand = f"materialise the partition {space.slug} of space_embeddings."
        reason = failures and reason_to_wait(failures, time.time(), has_news=False, by_hand=by_hand)
        if not reason:
            return dg.RunRequest(partition_key=space.slug)
        reasons.append(f"{space.slug} lacks vectors: {reason}")
    return dg.SkipReason("; ".join(reasons))


def _cursor_of(text: str | None) -> set[UUID]:
    """The spaces that were seen filled; none where the cursor is empty or was not written here."""
    try:
        return {UUID(one) for one in json.loads(text or "")["filled"]}
    except (ValueError, TypeError, KeyError, AttributeError):
        return set()
