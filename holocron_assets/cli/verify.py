"""`holocron verify`: compute everything anew and compare."""

import click

from holocron_assets.cli.output import json_option, print_json, say
from holocron_assets.composition import command_store
from holocron_assets.next_steps import EVERYTHING
from holocron_assets.settings import load_settings
from holocron_assets.verification.repair import repair
from holocron_assets.verification.verify import verify


@click.command()
@click.option("--repair", "mend", is_flag=True, help="Make what is wrong pending again, so that the next run mends it.")
@json_option
@click.pass_context
def command(context: click.Context, *, mend: bool, as_json: bool) -> None:
    """Recompute every hash and id, and look for what is missing, orphaned, double or not finite.

    Reads the whole store. The exit code is 1 when a fact does not hold; warnings do not count. Ingest
    records are never changed, not by --repair either.
    """
    store = command_store(load_settings())
    found = verify(store)
    repaired = repair(store, found) if mend else {}
    broken = [finding for finding in found.findings if not finding.holds and finding.blocks]
    if as_json:
        print_json({"store": store.name, "findings": found.findings, "repaired": repaired})
    else:
        for finding in found.findings:
            mark, style = (
                ("ok  ", "green") if finding.holds else ("FAIL", "red") if finding.blocks else ("warn", "yellow")
            )
            say(f"{mark} {finding.claim}: {finding.explanation}", style)
            if not finding.holds:
                for offender in finding.offenders:
                    say(f"       {offender}")
        for what, amount in repaired.items():
            say(f"{amount:,} {what}", "bold")
        if repaired:
            say(f"Next: {EVERYTHING}, then verify again.")
    if broken:
        context.exit(1)
