"""What `holocron status` shows, as lines and tables for a terminal."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

from rich.console import RenderableType
from rich.text import Text

from holocron_assets.cli.output import rows_table, shortened
from holocron_assets.next_steps import EVERYTHING
from holocron_assets.runs import stage_of
from holocron_assets.status import SpaceStatus, Status
from holocron_assets.tables.runs import RecordedRun

#: Metrics for people who look closer; `--json` has them.
_INTERNAL = ("api_", "bytes_")
_UNITS = ((86400 * 3, 86400, "d"), (3600 * 3, 3600, "h"), (60 * 3, 60, "min"), (0, 1, "s"))


def screen(status: Status, now: datetime) -> Iterator[RenderableType]:
    """Everything, from the most important to the last runs."""
    yield from _lines(status, now)
    kinds = [
        (
            f"{kind.source_system}:{kind.source_name}",
            " ".join(filter(None, [kind.resource_type, kind.variant])),
            kind.n,
            f"{kind.newest_fetch_utc:%Y-%m-%d %H:%M}",
        )
        for kind in status.kinds
    ]
    yield rows_table("Records", ("from", "type", "records", "newest fetch (UTC)"), kinds)
    columns = ("space", "vectors", "pending", "held", "state")
    yield rows_table("Embedding spaces", columns, [_space(space, now) for space in status.spaces], prose="state")
    if status.quarantine:
        yield Text(f"\nQuarantine (newest {len(status.quarantine)} of {status.quarantined:,})", "bold")
        for one in status.quarantine:
            yield Text(f"{one.item_type:<6}  {one.item_id}  {one.title}".rstrip())
            yield Text(f"    {shortened(one.reason)}", "yellow")
    if status.recent_runs:
        slugs = {space.space_id: space.slug for space in status.spaces}
        runs = [_run(run, slugs, now) for run in status.recent_runs]
        yield rows_table("Last runs with work", ("started", "stage", "status", "seconds", "what"), runs, prose="what")


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in the unit that a person would say."""
    seconds = (now - then).total_seconds()
    if seconds < 0:
        return f"at {then:%Y-%m-%d %H:%M}, which is in the future"
    count, unit = next((round(seconds / size), name) for least, size, name in _UNITS if seconds >= least)
    return f"{count:,} {unit} ago"


def _lines(status: Status, now: datetime) -> Iterator[Text]:
    counts = status.counts
    yield Text(status.store, "bold")
    if status.pending_migrations:
        yield Text(f"schema upgrades wait: {', '.join(status.pending_migrations)}; run `holocron ensure`", "yellow")
    yield Text(
        f"{counts.records:,} ingest records, {counts.present_sources:,} sources "
        f"({counts.vanished_sources:,} vanished, {counts.redirects:,} redirects, "
        f"{counts.sources_in_error:,} in error), "
        f"{counts.current_chunks:,} current chunks ({counts.retired_chunks:,} retired), "
        f"{counts.embeddings:,} embeddings"
    )
    yield _waiting(status)
    if counts.records:
        done = ", ".join(f"{one.stage} {ago(one.completed_utc, now)}" for one in status.last_successes)
        newest = "none before now" if status.newest_fetch_utc is None else ago(status.newest_fetch_utc, now)
        yield Text(f"newest fetch {newest}; last run that succeeded: {done or 'none of any stage'}")
    if status.future_fetches:
        yield Text(f"{status.future_fetches:,} records say that they were fetched in the future", "yellow")
    yield _queue(status.queue)
    if status.disk is not None:
        yield Text(f"disk: {_bytes(status.disk.store_bytes)}, {_bytes(status.disk.free_bytes)} free")


def _waiting(status: Status) -> Text:
    to_embed = sum(space.pending for space in status.spaces if space.is_active)
    if status.records_to_extract or status.sources_to_chunk or to_embed:
        return Text(
            f"waiting: {status.records_to_extract:,} records to extract, {status.sources_to_chunk:,} sources to chunk, "
            f"{to_embed:,} chunks to embed. Bring everything up to date: {EVERYTHING}",
            "yellow",
        )
    if status.quarantined or status.counts.sources_in_error:
        return Text(
            f"nothing waits, but {status.quarantined:,} items are held back, and {status.counts.sources_in_error:,} "
            "sources keep an older text because their newest record cannot be read",
            "yellow",
        )
    return Text("everything is up to date", "green")


def _queue(jobs: Mapping[str, int]) -> Text:
    said = ", ".join(f"{n:,} {status}" for status, n in jobs.items())
    return Text(f"queue: {said or 'no jobs'}", "red" if jobs.get("DEADLETTER") else "")


def _space(space: SpaceStatus, now: datetime) -> tuple[object, ...]:
    canary = "no canary"
    if space.canary is not None:
        told = f"canary {ago(space.canary.recorded_utc, now)}"
        canary = told if space.canary.is_complete else "vectors are being replaced"
    state = "active" if space.is_active else "inactive"
    return (space.slug, space.embeddings, space.pending, space.quarantined, f"{state}, {canary}")


def _run(run: RecordedRun, slugs: Mapping[UUID, str], now: datetime) -> tuple[object, ...]:
    metrics = json.loads(run.metrics_json or "{}")
    seconds = metrics.pop("duration_ms", 0) / 1000 if run.completed_utc else (now - run.started_utc).total_seconds()
    done = ", ".join(f"{name} {value:,}" for name, value in metrics.items() if value and not name.startswith(_INTERNAL))
    slug = slugs.get(run.embedding_space_id) if run.embedding_space_id else None
    what = ": ".join(filter(None, [slug, run.error or done]))
    return (ago(run.started_utc, now), stage_of(run.input_json), run.status, seconds, what)


def _bytes(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"
