"""`holocron spaces derive`: a space whose vectors are made of those of another, without its model."""

import click

from holocron_assets.cli.output import dry_run_option, json_option, print_json, say
from holocron_assets.composition import command_store
from holocron_assets.derivation import SAMPLE, derive
from holocron_assets.preflight import prepare
from holocron_assets.settings import load_settings
from holocron_assets.transforms import KINDS


@click.command("derive")
@click.argument("space")
@click.option("--transform", "kind", type=click.Choice(list(KINDS)), required=True, help="What makes the new vectors.")
@click.option("--dimensions", type=click.IntRange(min=1), help="How many pca and matryoshka leave.")
@click.option("--sample", type=click.IntRange(min=1), help=f"How many vectors pca and int8 are fitted on: {SAMPLE:,}.")
@dry_run_option
@json_option
def command(space: str, *, kind: str, dimensions: int | None, sample: int | None, dry_run: bool, as_json: bool) -> None:
    """Register a space that is derived from SPACE, fitted on vectors it has now. The next run fills it."""
    settings = load_settings()
    store = command_store(settings)
    if not dry_run:
        prepare(store, settings)
    found = derive(store, space, kind, dimensions=dimensions, sample=sample, dry_run=dry_run)
    if as_json:
        print_json(found)
        return
    if found.is_new:
        say(f"{found.space.slug} {'would be' if dry_run else 'is'} registered: {found.transform.transform_ref}")
    else:
        say(f"{found.space.slug} is registered already: {found.transform.transform_ref}")
    say(f"  derived from: {found.source}")
    for name, value in found.transform.sample.items():
        say(f"  sample {name}: {value}")
