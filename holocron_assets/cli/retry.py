"""`holocron retry`: try quarantined items again, or dismiss them."""

import click

from holocron_assets.cli.output import json_option, print_json, say
from holocron_assets.composition import command_store
from holocron_assets.next_steps import EVERYTHING
from holocron_assets.records import ItemType
from holocron_assets.retrying import retry
from holocron_assets.settings import load_settings


@click.command()
@click.argument("items", nargs=-1)
@click.option(
    "--type",
    "item_type",
    type=click.Choice([item_type.value for item_type in ItemType]),
    help="Only lines, only records, or only chunks.",
)
@json_option
def command(items: tuple[str, ...], *, item_type: str | None, as_json: bool) -> None:
    """Let quarantined ITEMS go, so that the next run tries them again; without ITEMS, all records and chunks.

    ITEMS are ids as `holocron status` lists them. Lines are only dismissed, by name or all with --type line:
    to load them, mend their file and ingest it again.
    """
    released = retry(command_store(load_settings()), items, ItemType(item_type) if item_type else None)
    if as_json:
        print_json({"released": released})
        return
    say(", ".join(f"{kind}s: {amount:,}" for kind, amount in released.items()) + " released.")
    if any(amount for kind, amount in released.items() if kind != ItemType.LINE):
        say(f"Next: {EVERYTHING}")
