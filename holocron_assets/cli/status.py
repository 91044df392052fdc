"""`holocron status`: what there is, what waits, what failed."""

import json

import click
from rich.console import Console

from holocron_assets.cli.output import console, json_option, print_json, rows_table, say
from holocron_assets.composition import command_store
from holocron_assets.next_steps import EVERYTHING
from holocron_assets.runs import stage_of
from holocron_assets.settings import load_settings
from holocron_assets.status import Status, status_of

#: Metrics for people who look closer; `--json` has them.
_INTERNAL = ("api_", "bytes_")


@click.command()
@click.option(
    "--quarantined",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many quarantined items to list, the newest first.",
)
@json_option
def command(quarantined: int, *, as_json: bool) -> None:
    """Show what the store holds, what is pending per space, what is quarantined, and the last runs."""
    settings = load_settings()
    status = status_of(command_store(settings), settings, listed=quarantined)
    if as_json:
        print_json(status)
    else:
        _show(status, console())


def _show(status: Status, out: Console) -> None:
    counts = status.counts
    say(status.store, "bold")
    if status.pending_migrations:
        say(f"schema upgrades wait: {', '.join(status.pending_migrations)}; run `holocron ensure`", "yellow")
    say(
        f"{counts.records:,} ingest records, {counts.present_sources:,} sources "
        f"({counts.vanished_sources:,} vanished, {counts.redirects:,} redirects, "
        f"{counts.sources_in_error:,} in error), "
        f"{counts.current_chunks:,} current chunks ({counts.retired_chunks:,} retired), "
        f"{counts.embeddings:,} embeddings"
    )
    to_embed = sum(space.pending for space in status.spaces if space.is_active)
    if status.records_to_extract or status.sources_to_chunk or to_embed:
        say(
            f"waiting: {status.records_to_extract:,} records to extract, {status.sources_to_chunk:,} sources to chunk, "
            f"{to_embed:,} chunks to embed. Bring everything up to date: {EVERYTHING}",
            "yellow",
        )
    elif status.quarantined or counts.sources_in_error:
        say(
            f"nothing waits, but {status.quarantined:,} items are held back, and {counts.sources_in_error:,} sources "
            "keep an older text because their newest record cannot be read",
            "yellow",
        )
    else:
        say("everything is up to date", "green")
    kinds = [
        (kind.source_system, kind.source_name, kind.resource_type, kind.variant, kind.n, kind.newest_fetch_utc)
        for kind in status.kinds
    ]
    out.print(rows_table("Records", ("system", "name", "type", "variant", "records", "newest fetch (UTC)"), kinds))
    spaces = [
        (
            space.slug,
            "active" if space.is_active else "inactive",
            space.dimensions,
            space.embeddings,
            space.pending,
            space.quarantined,
        )
        for space in status.spaces
    ]
    columns = ("space", "state", "dims", "vectors", "pending", "quarantined")
    out.print(rows_table("Embedding spaces", columns, spaces))
    if status.quarantine:
        held = [(one.item_id, one.item_type, one.title, one.reason) for one in status.quarantine]
        title = f"Quarantine (newest {len(held)} of {status.quarantined:,})"
        out.print(rows_table(title, ("item", "type", "title", "reason"), held))
    if status.recent_runs:
        runs = []
        for run in status.recent_runs:
            metrics = json.loads(run.metrics_json or "{}")
            seconds = metrics.pop("duration_ms", 0) / 1000
            done = ", ".join(
                f"{name} {value:,}" for name, value in metrics.items() if value and not name.startswith(_INTERNAL)
            )
            runs.append((run.started_utc, stage_of(run.input_json), run.status, seconds, run.error or done))
        out.print(rows_table("Last runs with work", ("started (UTC)", "stage", "status", "seconds", "what"), runs))
