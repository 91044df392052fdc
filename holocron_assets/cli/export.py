"""`holocron export`: write records to where other software reads them."""

import re
from dataclasses import asdict
from pathlib import Path

import click
from click.core import ParameterSource

from holocron_assets.cli.output import json_option, print_json, progress_bar, say
from holocron_assets.composition import command_store
from holocron_assets.settings import load_settings
from holocron_assets.stages.export import ExportReport, export
from holocron_assets.stages.lake import TABLE, LakeExportReport, export_to_lake

_FOLDER_NAME = re.compile(r"\w[\w.-]*")


def _folder_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not _FOLDER_NAME.fullmatch(value):
        raise click.BadParameter("a name of letters, digits, dots, dashes and underscores is needed")
    return value


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--dataset", default="holocron", show_default=True, callback=_folder_name, help="Name of the folder within PATH."
)
@click.option("--lake", is_flag=True, help="Also, or instead of PATH, to the table lake.RawExchangeRecord.")
@click.option("--source-name", help="Only records of this source name.")
@click.option("--resource-type", help="Only records of this resource type.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    path: Path | None,
    *,
    dataset: str,
    lake: bool,
    source_name: str | None,
    resource_type: str | None,
    as_json: bool,
) -> None:
    """Write the ingest records to a snapshot below PATH: NDJSON files of exchange records, with an index.

    What the snapshot holds already is left as it is, so exporting again into the same place adds what is
    new, and an export that was interrupted is completed. `holocron ingest` loads a snapshot into another store.

    With --lake they are inserted, in the same way, into the table lake.RawExchangeRecord of the store's own
    database, where it exists.
    """
    if path is None and not lake:
        raise click.UsageError("where to? Name a folder as PATH, or say --lake for the table lake.RawExchangeRecord.")
    if path is None and context.get_parameter_source("dataset") is not ParameterSource.DEFAULT:
        raise click.UsageError("--dataset names a folder within PATH, and there is no PATH.")
    store = command_store(load_settings())
    inserted: LakeExportReport | None = None
    written: ExportReport | None = None
    with progress_bar("records exported", quiet=as_json) as progress:
        if lake:
            inserted = export_to_lake(store, progress, source_name=source_name, resource_type=resource_type)
        if path is not None:
            folder = path.resolve() / dataset
            written = export(store, folder, progress, source_name=source_name, resource_type=resource_type)
    if as_json:
        print_json((asdict(written) if written else {}) | {"lake": inserted})
        return
    if not any(report.records for report in (inserted, written) if report):
        say("There is no such record in the store.", "yellow")
        return
    if inserted:
        say(f"{inserted.records_written:,} of {inserted.records:,} records added to {TABLE}; it held the others.")
    if written:
        say(
            f"{written.records_written:,} of {written.records:,} records written to {len(written.chunks):,} new files "
            f"in {written.folder}; it held the others."
        )
