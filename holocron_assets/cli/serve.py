"""`holocron serve`: the search page."""

import os
import socket
import sys
from contextlib import suppress

import click

from holocron_assets.cli.output import json_option, print_json, printable, say, warn
from holocron_assets.clock import utc_now
from holocron_assets.composition import page_store, searcher, sensor_store
from holocron_assets.retrieval.words import Analyzer
from holocron_assets.settings import load_settings
from holocron_assets.web.application import Services, search_page
from holocron_assets.web.guarding import Hosts, is_loopback
from holocron_assets.web.serving import listening, prepare, serve, url_of
from holocron_assets.web.spaces_known import SpacesKnown
from holocron_assets.web.waiting import Desk


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The name or address to listen at.")
@click.option("--port", default=8321, show_default=True, type=click.IntRange(0, 65535), help="0 is any that is free.")
@click.option("--verbose", is_flag=True, help="Log what is searched for, too.")
@json_option
def command(host: str, port: int, *, verbose: bool, as_json: bool) -> None:
    """Show the search page to browsers, until Ctrl-C.

    It is only read, and has no log-in: whoever reaches it reads every text of the store. Each request is logged as a
    line on standard error, without what was searched for.
    """
    settings = load_settings()
    store = page_store(settings)
    services = Services(
        searcher=searcher(settings, store),
        store=store,
        spaces=SpacesKnown(sensor_store(settings)),
        analyzer=Analyzer(settings.search.language),
        desk=Desk(),
    )
    with suppress(KeyboardInterrupt):
        # Whoever finds it listening finds it ready.
        prepare(services, warn)
        with listening(host, port) as listener:
            if not is_loopback(listener.getsockname()[0]):
                warn(f"whoever reaches {host} can read every text of {store.name}: the page has no log-in")
            url = url_of(listener)
            page = search_page(services, Hosts(host, socket.gethostname()), _log, verbose=verbose)
            serve(page, listener, lambda: print_json({"url": url}) if as_json else say(f"{url} (Ctrl-C ends it)"))
    if services.desk.is_busy:
        # An index that is being built is left as by a kill, and the next search begins where it can.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _log(line: str) -> None:
    click.echo(f"{utc_now():%Y-%m-%d %H:%M:%S} {printable(line)}", err=True)
