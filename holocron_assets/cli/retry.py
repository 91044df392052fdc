"""`holocron retry`: try quarantined items again."""

import click

from holocron_assets.cli.output import json_option, print_json, say
from holocron_assets.composition import command_store
from holocron_assets.records import ItemType
from holocron_assets.retrying import retry
from holocron_assets.settings import load_settings


@click.command()
@click.argument("items", nargs=-1)
@click.option(
    "--type",
    "item_type",
    type=click.Choice([item_type.value for item_type in ItemType if item_type is not ItemType.LINE]),
    help="Only records, or only chunks.",
)
@json_option
def command(items: tuple[str, ...], *, item_type: str | None, as_json: bool) -> None:
    """Let quarantined ITEMS go, so that the next run tries them again; without ITEMS, all of them.

    ITEMS are ids as `holocron status` lists them. Lines of ingest files come back when their file is
    mended and ingested again.
    """
    released = retry(command_store(load_settings()), items, ItemType(item_type) if item_type else None)
    if as_json:
        print_json({"released": released})
        return
    say(", ".join(f"{kind}s: {amount:,}" for kind, amount in released.items()) + " to be tried again.")
    if any(released.values()):
        say("Next: dagster asset materialize --select '+key:embeddings'")
