"""The `holocron` command: thin, the same functions as the assets, for people and for scripts.

Each command is a module here and a line in `COMMANDS`; it is imported when it is used, so that none waits
for another's libraries.
"""

import pkgutil
import sys
from io import TextIOWrapper
from typing import Any

import click

from holocron_assets import __version__
from holocron_assets.errors import ConfigurationError, HolocronError, QuestionError, TransientError

#: Command name -> "module:object" of a click command.
COMMANDS = {
    "ingest": "holocron_assets.cli.ingest:command",
    "plan": "holocron_assets.cli.plan:command",
    "status": "holocron_assets.cli.status:command",
    "search": "holocron_assets.cli.search:command",
    "serve": "holocron_assets.cli.serve:command",
    "evidence": "holocron_assets.cli.evidence:command",
    "evaluate": "holocron_assets.cli.evaluate:command",
    "drift": "holocron_assets.cli.drift:command",
    "verify": "holocron_assets.cli.verify:command",
    "retry": "holocron_assets.cli.retry:command",
    "lineage": "holocron_assets.cli.lineage:command",
    "export": "holocron_assets.cli.export:command",
    "ensure": "holocron_assets.cli.ensure:command",
    "preflight": "holocron_assets.cli.preflight:command",
    "jobs": "holocron_assets.cli.jobs:command",
    "spaces": "holocron_assets.cli.spaces:command",
    "artefacts": "holocron_assets.cli.artefacts:command",
}

#: Exit codes: something is wrong with the data or the run; wrong usage or settings; try again later.
FAILED, MISUSED, BUSY = 1, 2, 75


class _Commands(click.Group):
    """Commands that are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = pkgutil.resolve_name(COMMANDS[cmd_name])
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Our own errors end the command with one clear line instead of a traceback."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                # A Windows console's encoding lacks most of the characters that texts are made of.
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except HolocronError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(_exit_code(error))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="holocron")
def main() -> None:
    """Raw web records become embeddings you can trust.

    Settings come from ./holocron.yaml, or from the file that HOLOCRON_CONFIG names. Exit codes: 0 fine,
    1 something is wrong, 2 wrong usage or settings, 75 the store is busy: try again.
    """


def _exit_code(error: HolocronError) -> int:
    if isinstance(error, ConfigurationError | QuestionError):
        return MISUSED
    return BUSY if isinstance(error, TransientError) else FAILED
