"""`holocron lineage`: where a chunk and its vectors come from."""

import click

from holocron_assets.cli.output import json_option, print_json, say
from holocron_assets.composition import command_store
from holocron_assets.lineage import chain, trace
from holocron_assets.settings import load_settings


@click.command()
@click.argument("chunk_id")
@json_option
def command(chunk_id: str, *, as_json: bool) -> None:
    """Print the whole chain of a chunk: ingest records, texts, versions, vectors, with runs and hashes.

    CHUNK_ID may be shortened to its first characters. Hashes and ids are shortened too; --json has them whole.
    """
    found = trace(command_store(load_settings()), chunk_id)
    if as_json:
        print_json(found)
        return
    for heading, lines in chain(found).items():
        say(heading, "bold")
        for line in lines:
            say(f"  {line}")
