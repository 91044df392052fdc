"""How commands speak: tables and bars for people, one JSON document for scripts."""

import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from rich import box
from rich.console import Console
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
from holocron_assets.ports import Progress as ReportProgress

_COMMANDS = {code: " " for code in (*range(32), *range(127, 160)) if code != ord("\n")}

dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


def console() -> Console:
    """Where people read tables."""
    return Console(highlight=False, emoji=False)


def say(text: str, style: str | None = None) -> None:
    """A line for people, never broken by us: a path or a number in it may be copied or searched for."""
    console().print(printable(text), style=style, markup=False, soft_wrap=True)


def printable(text: str) -> str:
    """The text as a terminal may have it: what would command it, other than to end a line, is a space."""
    return text.translate(_COMMANDS)


def warn(text: str) -> None:
    """A warning for people, beside whatever a command answers."""
    click.echo(f"warning: {text}", err=True)


def print_json(value: Any) -> None:
    """One JSON document: dataclasses as objects, times in ISO 8601, UTC."""
    click.echo(json_text(value))


def json_text(value: Any) -> str:
    """The same, as a text."""
    return json.dumps(value, default=_plain, ensure_ascii=False, indent=2)


def rows_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table of plain values; numbers to the right, the first column never broken, because names are copied."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


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


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, set | tuple):
        return list(value)
    raise TypeError(f"cannot show {type(value).__name__} as JSON")
