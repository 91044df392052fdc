"""Who asked for a run, where a command did."""

from holocron_assets.cli.output import warn
from holocron_assets.run_ends import told_when_run_ends
from holocron_assets.runs import Origin, this_process
from holocron_assets.settings import Settings


def command_origin(command: str, settings: Settings) -> Origin:
    """This process as the origin of runs of `holocron COMMAND`, whose artefacts are written when they end."""
    on_end = told_when_run_ends(settings, warn)
    return Origin(kind="cli", reference=f"holocron {command} {this_process()}", on_end=on_end)
