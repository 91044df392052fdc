"""`holocron artefacts`: write the artefacts of runs that have none."""

from collections.abc import Sequence
from uuid import UUID

import click

from holocron_assets.artefacts.folders import RUNS
from holocron_assets.artefacts.writing import missing_runs, run_folders, write_artefacts
from holocron_assets.cli.output import json_option, print_json, progress_bar, say
from holocron_assets.composition import command_store
from holocron_assets.settings import load_settings


@click.command()
@click.argument("run_ids", metavar="[RUN_IDS]...", nargs=-1, type=click.UUID)
@click.option("--missing", is_flag=True, help="Of every run that ended and has none.")
@json_option
def command(run_ids: Sequence[UUID], *, missing: bool, as_json: bool) -> None:
    """Write the artefacts of RUN_IDS, or of every run that has none, to the folder vector_runs of the lake.

    A run writes its own when it ends. They are missing where it could not, where its process was killed
    before that, and of runs from before lake.root was set. What is there is left as it is.
    """
    if bool(run_ids) == missing:
        raise click.UsageError("of which runs? Name them by their ids, or say --missing.")
    settings = load_settings()
    folders = run_folders(settings)
    store = command_store(settings)
    wanted = missing_runs(store, folders) if missing else list(dict.fromkeys(run_ids))
    written = []
    with progress_bar("runs", quiet=as_json) as progress:
        for done, run_id in enumerate(wanted, start=1):
            if write_artefacts(store, folders, run_id):
                written.append(run_id)
            progress(done, len(wanted))
    folder = folders.root / RUNS
    if as_json:
        print_json({"folder": str(folder), "written": written})
    elif not wanted:
        say("Nothing is missing.")
    else:
        say(f"The artefacts of {len(written):,} of {len(wanted):,} runs written to {folder}; it held the others.")
