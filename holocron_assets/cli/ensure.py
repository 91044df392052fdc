"""`holocron ensure`: bring the store's schema up to date."""

import click

from holocron_assets.cli.output import json_option, print_json, say
from holocron_assets.composition import command_store
from holocron_assets.preflight import prepare
from holocron_assets.settings import load_settings


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say which migrations would be applied.")
@json_option
def command(*, dry_run: bool, as_json: bool) -> None:
    """Create or upgrade the tables that are needed. Running it again does nothing."""
    settings = load_settings()
    store = command_store(settings)
    migrations = store.pending_migrations() if dry_run else prepare(store, settings)
    if as_json:
        print_json({"store": store.name, "dry_run": dry_run, "migrations": migrations})
        return
    said = "would be applied" if dry_run else "applied"
    say(f"{store.name}: {len(migrations)} migrations {said}{': ' if migrations else ''}{', '.join(migrations)}")
