"""`holocron status`: what there is, what waits, what failed; with `--watch` again and again."""

import time
from contextlib import nullcontext

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from holocron_assets.cli.output import console, json_option, print_json
from holocron_assets.cli.status_screen import screen
from holocron_assets.clock import utc_now
from holocron_assets.composition import command_store, sensor_store
from holocron_assets.errors import StoreError
from holocron_assets.ports import Store
from holocron_assets.settings import Settings, load_settings
from holocron_assets.status import status_of

_WATCH_SECONDS = 5.0


@click.command()
@click.option(
    "--quarantined",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many quarantined items to list, the newest first.",
)
@click.option(
    "--watch",
    type=click.FloatRange(min=0.2),
    is_flag=False,
    flag_value=_WATCH_SECONDS,
    metavar="[SECONDS]",
    help=f"Show it again every so many seconds, {_WATCH_SECONDS:g} unless said, until Ctrl-C.",
)
@json_option
def command(quarantined: int, watch: float | None, *, as_json: bool) -> None:
    """Show what the store holds, what is pending per space, what is quarantined, the queue, and the last runs."""
    settings = load_settings()
    if watch is not None:
        if as_json:
            raise click.UsageError("--watch is for people; ask for --json as often as you like instead.")
        _watch(sensor_store(settings), settings, quarantined, watch)
        return
    status = status_of(command_store(settings), settings, listed=quarantined)
    if as_json:
        print_json(status)
    else:
        _print(list(screen(status, utc_now())), console())


def _watch(store: Store, settings: Settings, listed: int, seconds: float) -> None:
    """Show the screen in place; while the store is busy or away, the last one, and why it is not newer."""
    out = console()
    shown: list[RenderableType] = [Text("looking ...")]
    live = Live(Group(*shown), console=out, screen=True, auto_refresh=False) if out.is_terminal else None
    try:
        with live or nullcontext():
            while True:
                try:
                    status = status_of(store, settings, listed=listed)
                    shown = [Text(f"as of {utc_now():%H:%M:%S} UTC", "dim"), *screen(status, utc_now())]
                    trouble = []
                except StoreError as error:
                    trouble = [Text(f"{utc_now():%H:%M:%S} UTC: {error}", "yellow")]
                if live is None:
                    _print([*trouble, *shown], out)
                else:
                    live.update(Group(*trouble, *shown), refresh=True)
                time.sleep(seconds)
    except KeyboardInterrupt:
        if out.is_terminal:
            _print(shown, out)


def _print(shown: list[RenderableType], out: Console) -> None:
    """Lines are never broken by us: a path or a number in one may be copied or searched for."""
    for one in shown:
        out.print(one, soft_wrap=isinstance(one, Text), crop=False)
