"""How commands speak: tables and bars for people, one JSON document for scripts."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from holocron_assets.errors import ConfigurationError
from holocron_assets.json_documents import json_text
from holocron_assets.ports import Progress as ReportProgress

_COMMANDS = {code: " " for code in (*range(32), *range(127, 160)) if code != ord("\n")}
_PIPED_WIDTH = 10_000
_SHORT = 160

dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


def console() -> Console:
    """Where people read tables; what is piped on is as wide as it must be, so that a row stays a line."""
    shown = Console(highlight=False, emoji=False)
    if not shown.is_terminal and "COLUMNS" not in os.environ:
        shown.width = _PIPED_WIDTH
    return shown


def show(table: RenderableType, width: int | None = None) -> None:
    """A table for people; where it does not fit, the terminal may break its lines: words in it may be copied.

    What is piped on has no spaces at the ends of its lines.
    """
    shown = console()
    if shown.is_terminal:
        shown.print(table, crop=False, width=width)
        return
    with shown.capture() as captured:
        shown.print(table, crop=False, width=width)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def say(text: str, style: str | None = None) -> None:
    """A line for people, never broken by us: a path or a number in it may be copied or searched for."""
    console().print(printable(text), style=style, markup=False, soft_wrap=True)


def counted(count: int, one: str, several: str) -> str:
    """How many there are of what, such as `1 query` and `2,000 queries`."""
    return f"{count:,} {one if count == 1 else several}"


def printable(text: str) -> str:
    """The text as a terminal may have it: what would command it, other than to end a line, is a space."""
    return text.translate(_COMMANDS)


def warn(text: str) -> None:
    """A warning for people, beside whatever a command answers."""
    click.echo(f"warning: {text}", err=True)


def print_json(value: Any) -> None:
    """One JSON document: dataclasses as objects, times in ISO 8601, UTC."""
    click.echo(json_text(value))


def rows_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, prose: str | None = None
) -> Table:
    """A table of plain values; numbers to the right. Only the column `prose` is broken into lines, between words."""
    table = Table(
        title=f"\n{title}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        cells = [column, *(_cell(row[index]) for row in rows)]
        unbroken = [word for cell in cells for word in cell.split()] if column == prose else cells
        table.add_column(
            column,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=column != prose,
            min_width=max(map(cell_len, unbroken)),
        )
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row))
    return table


def shortened(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else f"{line[:_SHORT]} ..."


@contextmanager
def progress_bar(what: str, *, quiet: bool) -> Iterator[ReportProgress]:
    """A bar on standard error while a stage works; nothing when it is no terminal or `quiet`."""
    shown = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=shown, transient=True, disable=quiet or not shown.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield report


def write_file(path: Path, text: str) -> None:
    """The text and a line end. A file is replaced in one step, so that nobody reads half of it."""
    content = f"{text}\n".encode()
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)  # a device or a pipe
            return
        target = path.resolve()
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            partial.write_bytes(content)
            partial.replace(target)
        finally:
            with suppress(OSError):
                partial.unlink()
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}. Name another file.") from error


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)
