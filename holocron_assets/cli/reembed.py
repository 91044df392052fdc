"""`holocron spaces reembed`: compare what is stored with what the model answers now, and replace it if told to."""

from functools import partial

import click

from holocron_assets.cli.origin import command_origin
from holocron_assets.cli.output import json_option, print_json, progress_bar, say
from holocron_assets.composition import command_store, installed_providers
from holocron_assets.preflight import prepare
from holocron_assets.settings import load_settings
from holocron_assets.spaces import named_space
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.embed import index_space
from holocron_assets.stages.reembed import reembed_space
from holocron_assets.tables import planning, reembedding, spaces
from holocron_assets.transactions import read


@click.command("reembed")
@click.argument("space")
@click.option("--source", "source_prefix", default="", metavar="PREFIX", help="Only sources whose id begins so.")
@click.option("--replace", is_flag=True, help="Replace vectors that differ, instead of stopping.")
@click.option("--dry-run", is_flag=True, help="Only say how many there are, and how long it would take.")
@json_option
def command(space: str, *, source_prefix: str, replace: bool, dry_run: bool, as_json: bool) -> None:
    """Embed the current chunks of SPACE again, and compare with what is stored.

    Equal vectors are left alone. The first that differ stop the command, with --replace they are replaced. One that
    was interrupted is gone on with by the next.
    """
    settings = load_settings()
    store = command_store(settings)
    chosen = named_space(read(store, spaces.list_spaces), space)
    if dry_run:
        key = chosen.embedding_space_id
        count = read(store, reembedding.count_current_embeddings, key, source_prefix, after=None)
        speed = read(store, planning.get_last_throughput, key)
        seconds = count / speed if speed else None
        if as_json:
            print_json({"space": chosen.slug, "to_compare": count, "seconds": seconds})
        else:
            time = "an unknown time" if seconds is None else f"about {seconds:,.0f} s at the last run's speed"
            say(f"{count:,} vectors of {chosen.slug} would be compared, in {time}.")
        return
    prepare(store, settings)
    origin = command_origin("spaces reembed", settings)
    opened = partial(installed_providers(settings).reopen, chosen)
    with progress_bar("vectors compared", quiet=as_json) as progress:
        report = reembed_space(
            store,
            opened,
            chosen,
            CanaryPolicy.of(settings),
            origin,
            progress,
            source_prefix=source_prefix,
            replace=replace,
        )
    index_space(store, chosen)
    if as_json:
        print_json(report)
        return
    resumed = f", after {report.resumed_after:,} that an earlier run did" if report.resumed_after else ""
    say(f"{report.compared:,} vectors of {chosen.slug} compared{resumed}: {report.replaced:,} replaced.")
    if not report.compared and not report.resumed_after:
        of_these = f" of sources whose id begins with {source_prefix!r}" if source_prefix else ""
        say(f"  there are none{of_these}", "yellow")
    if report.compared:
        say(f"  the farthest was {report.largest_distance:.2g} of its length away")
    if report.rejected:
        say(f"  {report.rejected:,} texts are rejected now; they are quarantined, and no longer found", "yellow")
