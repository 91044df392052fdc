"""`holocron ingest`: load records from files."""

from pathlib import Path

import click

from holocron_assets.cli.output import json_option, print_json, progress_bar, say
from holocron_assets.composition import command_store
from holocron_assets.next_steps import EVERYTHING
from holocron_assets.preflight import prepare
from holocron_assets.runs import Origin, this_process
from holocron_assets.settings import load_settings
from holocron_assets.stages.ingest import ingest
from holocron_assets.stages.lake import TABLE

_SHOWN = 10


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--lake", is_flag=True, help="Also, or instead of PATHS, from the table lake.RawExchangeRecord.")
@json_option
@click.pass_context
def command(context: click.Context, paths: tuple[Path, ...], *, lake: bool, as_json: bool) -> None:
    """Load ingest records from PATHS: NDJSON files (also .gz), and folders of HTML, text or JSON files.

    An NDJSON line has the columns of ingest.IngestRecords, or is an exchange record; a folder may be a
    snapshot that `holocron export` wrote. Records that are stored already are skipped, and files that did
    not change since are not opened. Lines that are no records are quarantined, with their
    numbers; they, and files that are damaged, make the exit code 1. Everything else is loaded.

    With --lake the exchange records in the table lake.RawExchangeRecord of the store's own database are
    loaded too, where it exists.
    """
    if not paths and not lake:
        raise click.UsageError("from where? Name files or folders as PATHS, or say --lake for lake.RawExchangeRecord.")
    settings = load_settings()
    store = command_store(settings)
    prepare(store, settings)
    origin = Origin(kind="cli", reference=f"holocron ingest {this_process()}")
    with progress_bar("records read", quiet=as_json) as progress:
        report = ingest(store, paths, origin, progress, lake=lake)
    if as_json:
        print_json(report)
    else:
        read = f"{report.records_stored:,} new records of {report.records_read:,} read"
        from_lake = f"{report.lake_rows:,} rows of {TABLE}"
        if paths:
            read += f" from {report.files:,} files" + (f" and {from_lake}" if lake else "")
            say(f"{read}; {report.unchanged_files:,} files had not changed.")
        else:
            say(f"{read} from {from_lake}.")
        if report.records_conflicting:
            say(
                f"{report.records_conflicting:,} records carry an id that is stored with another content; "
                f"the stored ones were kept: {', '.join(map(str, report.conflicts[:_SHOWN]))}",
                "yellow",
            )
        for warning in report.warnings:
            say(warning, "yellow")
        for reject in report.rejects[:_SHOWN]:
            say(f"{reject.place}: {reject.reason}", "red")
        if report.rejected > _SHOWN:
            more = report.rejected - _SHOWN
            say(f"... and {more:,} more; `holocron status --quarantined {report.rejected}` lists them.", "red")
        for failure in report.failures:
            say(failure, "red")
        say(f"Next: {EVERYTHING}")
    if report.rejected or report.failures:
        context.exit(1)
