"""`holocron ingest`: load records from files, and from the rows of queries."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from holocron_assets.cli.origin import command_origin
from holocron_assets.cli.output import json_option, print_json, progress_bar, say
from holocron_assets.composition import command_store
from holocron_assets.errors import ConfigurationError
from holocron_assets.next_steps import EVERYTHING
from holocron_assets.preflight import prepare
from holocron_assets.sections import SqlSource
from holocron_assets.settings import Settings, load_settings
from holocron_assets.stages.ingest import IngestReport, ingest
from holocron_assets.stages.ingest_rows import SqlSourceReport, ingest_sql_sources
from holocron_assets.stages.lake import TABLE

_SHOWN = 10


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--lake", is_flag=True, help="Also, or instead of PATHS, from the table lake.RawExchangeRecord.")
@click.option("--sql", "names", multiple=True, metavar="NAME", help="Run this query of sql_sources:; may be repeated.")
@json_option
@click.pass_context
def command(
    context: click.Context, paths: tuple[Path, ...], names: tuple[str, ...], *, lake: bool, as_json: bool
) -> None:
    """Load ingest records from PATHS: NDJSON files (also .gz), and folders of HTML, text or JSON files.

    An NDJSON line has the columns of ingest.IngestRecords, or is an exchange record; a folder may be a
    snapshot that `holocron export` wrote. Records that are stored already are skipped, and files that did
    not change since are not opened. Lines that are no records are quarantined, with their
    numbers; they, and files that are damaged, make the exit code 1. Everything else is loaded.

    With --lake the exchange records in the table lake.RawExchangeRecord of the store's own database are
    loaded too, where it exists. With --sql, a query of the settings is run, and its rows are loaded that
    are new, changed or gone.
    """
    if not paths and not names and not lake:
        raise click.UsageError(
            "from where? Name files or folders as PATHS, a query with --sql, or say --lake for lake.RawExchangeRecord."
        )
    settings = load_settings()
    sources = _sources(settings, names)
    store = command_store(settings)
    prepare(store, settings)
    origin = command_origin("ingest", settings)
    with progress_bar("records read", quiet=as_json) as progress:
        report = ingest(store, paths, origin, progress, lake=lake)
        rows = ingest_sql_sources(store, sources, origin, progress)
    if as_json:
        print_json(asdict(report) | {"sql_sources": rows})
    else:
        if paths or lake:
            _say_records(report, of_files=bool(paths), of_lake=lake)
        _say_rows(rows)
        say(f"Next: {EVERYTHING}")
    if report.rejected or report.failures or any(one.failure for one in rows):
        context.exit(1)


def _sources(settings: Settings, names: Sequence[str]) -> list[SqlSource]:
    known = {source.name: source for source in settings.sql_sources}
    if unknown := [name for name in names if name not in known]:
        raise ConfigurationError(
            f"there is no SQL source {unknown[0]!r}. Known: {', '.join(known) or 'none'}. Add it to sql_sources: in "
            "holocron.yaml."
        )
    return [known[name] for name in dict.fromkeys(names)]


def _say_records(report: IngestReport, *, of_files: bool, of_lake: bool) -> None:
    read = f"{report.records_stored:,} new records of {report.records_read:,} read"
    from_lake = f"{report.lake_rows:,} rows of {TABLE}"
    if of_files:
        read += f" from {report.files:,} files" + (f" and {from_lake}" if of_lake else "")
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


def _say_rows(rows: Sequence[SqlSourceReport]) -> None:
    for one in rows:
        if one.failure:
            say(one.failure, "red")
            continue
        say(f"{one.name}: {one.records_stored:,} new records of {one.rows_read:,} rows; {one.rows_gone:,} are gone.")
        if one.warning:
            say(one.warning, "yellow")
