"""`holocron preflight`: whether the database is fit to be written to."""

import click

from holocron_assets.cli.output import json_option, print_json, rows_table, say, show
from holocron_assets.composition import command_store
from holocron_assets.estimate import Estimate
from holocron_assets.observations import Severity
from holocron_assets.preflight import inspect
from holocron_assets.settings import load_settings

_STYLES = {Severity.ESSENTIAL: "red", Severity.WARNING: "yellow", Severity.NOTE: None}


@click.command()
@json_option
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """Compare the database with what is needed: tables, columns, keys, collation, permissions, sizes.

    Reads only. The exit code is 1 when something essential is missing: then no run writes either.
    """
    settings = load_settings()
    found = inspect(command_store(settings), settings)
    if as_json:
        print_json(found)
    else:
        say(f"{found.store}: {found.version or 'not there yet'}", "bold")
        if found.collation:
            say(f"Collation {found.collation}, compatibility level {found.compatibility_level}")
        say(f"Migrations to apply: {', '.join(found.pending_migrations) or 'none'}")
        if found.rows:
            show(rows_table("Rows", ("table", "rows, about"), list(found.rows.items())))
        if found.estimate:
            _show_estimate(found.estimate)
        for one in found.observations:
            say(f"{one.severity.value}: {one.subject}: {one.message}", _STYLES[one.severity])
        if not found.essential:
            say("Nothing stands in the way of a run.", "green")
    if found.essential:
        context.exit(1)


def _show_estimate(estimate: Estimate) -> None:
    say(f"Still to be written, about: {_size(estimate.text_and_chunk_bytes)} of texts and {estimate.chunks:,} chunks")
    for space, amount in estimate.vector_bytes.items():
        say(f"  {space}: {_size(amount)} of vectors")
    say(f"  a space that is not registered yet: {estimate.bytes_per_chunk_and_dimension} bytes a chunk and dimension")


def _size(amount: int) -> str:
    return f"{amount / 1e9:,.1f} GB" if amount >= 1e9 else f"{amount / 1e6:,.1f} MB"
