"""`holocron export`: write records to files that other software reads."""

import re
from pathlib import Path

import click

from holocron_assets.cli.output import json_option, print_json, progress_bar, say
from holocron_assets.composition import command_store
from holocron_assets.settings import load_settings
from holocron_assets.stages.export import export

_FOLDER_NAME = re.compile(r"\w[\w.-]*")


def _folder_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not _FOLDER_NAME.fullmatch(value):
        raise click.BadParameter("a name of letters, digits, dots, dashes and underscores is needed")
    return value


@click.command()
@click.argument("path", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--dataset", default="holocron", show_default=True, callback=_folder_name, help="Name of the folder within PATH."
)
@click.option("--source-name", help="Only records of this source name.")
@click.option("--resource-type", help="Only records of this resource type.")
@json_option
def command(path: Path, *, dataset: str, source_name: str | None, resource_type: str | None, as_json: bool) -> None:
    """Write the ingest records to a snapshot below PATH: NDJSON files of exchange records, with an index.

    What the snapshot holds already is left as it is, so exporting again into the same place adds what is
    new, and an export that was interrupted is completed. `holocron ingest` loads a snapshot into another store.
    """
    store = command_store(load_settings())
    folder = path.resolve() / dataset
    with progress_bar("records exported", quiet=as_json) as progress:
        report = export(store, folder, progress, source_name=source_name, resource_type=resource_type)
    if as_json:
        print_json(report)
        return
    if not report.records:
        say("There is no such record in the store.", "yellow")
        return
    say(
        f"{report.records_written:,} of {report.records:,} records written to {len(report.chunks):,} new files in "
        f"{report.folder}; it held the others."
    )
