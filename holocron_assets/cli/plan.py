"""`holocron plan`: what a run would do."""

import click

from holocron_assets.cli.output import json_option, print_json, progress_bar, rows_table, say, show
from holocron_assets.composition import command_store, installed_providers
from holocron_assets.planning import plan
from holocron_assets.settings import load_settings


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """Show what a run would add, change, retire and embed, per space. Writes nothing.

    Exact, because pending records are read as a run would read them; only embedding is left out.
    """
    settings = load_settings()
    with progress_bar("records read", quiet=as_json) as progress:
        found = plan(command_store(settings), settings, installed_providers(settings), progress)
    if as_json:
        print_json(found)
        return
    outcomes = ", ".join(f"{amount:,} {name}" for name, amount in sorted(found.outcomes.items())) or "none"
    say(f"Records to examine: {found.records:,} ({outcomes})")
    say(
        f"Sources: {found.sources_new:,} new, {found.sources_changed:,} changed, {found.sources_recut:,} cut anew, "
        f"{found.sources_vanishing:,} vanishing, {found.sources_unreadable:,} unreadable"
    )
    say(
        f"Chunks: {found.chunks_added:,} to add, {found.chunks_changed:,} to change, {found.chunks_retired:,} to retire"
    )
    rows = [
        (
            space.slug if space.is_registered else f"{space.slug} (new)",
            space.to_embed,
            "unknown" if space.seconds is None else f"about {space.seconds:,.0f} s",
        )
        for space in found.spaces
    ]
    show(rows_table("Embeddings", ("space", "to embed", "at the last run's speed"), rows))
    for name, why in found.unavailable_spaces.items():
        say(f"{name}: {why}", "red")
    if found.guard:
        say(f"The mass-change guard would stop this: {found.guard}", "red")
