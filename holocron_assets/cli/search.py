"""`holocron search`: the chunks nearest to a query."""

import textwrap

import click

from holocron_assets.cli.output import json_option, print_json, say
from holocron_assets.composition import command_store, installed_providers
from holocron_assets.promotion import DEFAULT
from holocron_assets.search import search
from holocron_assets.settings import load_settings
from holocron_assets.stages.canary import CanaryPolicy

_SHOWN_CHARACTERS = 320
_LINE_CHARACTERS = 76


@click.command()
@click.argument("query")
@click.option("--space", help="Embedding space, by any unmistakable part of its name.")
@click.option("--alias", default=DEFAULT, show_default=True, help="The space that was promoted to this name.")
@click.option("--top-k", "-k", default=5, show_default=True, type=click.IntRange(1, 1000), help="How many hits.")
@click.option("--full", is_flag=True, help="Show the whole text of each hit.")
@json_option
def command(query: str, *, space: str | None, alias: str, top_k: int, full: bool, as_json: bool) -> None:
    """Find the chunks nearest in meaning to QUERY, by exact cosine in one embedding space.

    Only what is current is searched: nothing retired, nothing stale.
    """
    if not query.strip():
        raise click.BadParameter("it is empty; ask for something", param_hint="QUERY")
    settings = load_settings()
    providers, canary = installed_providers(settings), CanaryPolicy.of(settings)
    result = search(command_store(settings), providers, canary, query, space=space, alias=alias, top_k=top_k)
    if as_json:
        print_json(result)
        return
    for hit in result.hits:
        text = hit.text if full else textwrap.shorten(hit.text, _SHOWN_CHARACTERS, placeholder=" ...")
        say(f"{hit.rank}. {hit.title or hit.source_id}  cosine {hit.cosine_similarity:.3f}", "bold")
        say(f"   {hit.url or hit.source_id}  chunk {hit.chunk_id[:12]}", "dim")
        say(textwrap.indent(text if full else textwrap.fill(text, _LINE_CHARACTERS), "   ") + "\n")
    if not result.hits:
        say(f"Nothing is embedded in {result.space} yet.")
    if result.chunks_not_embedded:
        say(f"{result.space} lacks {result.chunks_not_embedded:,} current chunks; they were not searched.", "yellow")
