"""Structured events: what happened, as a JSON object a line, in a file that any log shipper can follow.

An event says what ended or failed, with ids and counts: no texts, no vectors, no secrets, and nothing for each row.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from holocron_assets.clock import utc_now
from holocron_assets.environment import struck
from holocron_assets.errors import EventError
from holocron_assets.settings import Settings

if sys.platform != "win32":
    import fcntl

_MAX_TEXT_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFile:
    """Where events go. Past `max_bytes` the file becomes `NAME.1`, in place of the one before, and a new one begins."""

    path: Path
    max_bytes: int

    def append(self, event: Mapping[str, Any]) -> None:
        """Write a line at once, so that processes do not tear each other's; raises `EventError`."""
        line = orjson.dumps(event) + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                written = os.write(file, line)
                if os.fstat(file).st_size > self.max_bytes:
                    self._rotate(file)
            finally:
                os.close(file)
        except OSError as error:
            raise EventError(f"{self.path}: {error.strerror}. Mend it, or set `events.file` elsewhere.") from error
        if written < len(line):
            raise EventError(f"{self.path}: the disk is full; a line ends in its middle. Free some space.")

    def _rotate(self, file: int) -> None:
        """Who holds the lock of a file is the only one to rename it; whoever comes too late finds another there."""
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        if os.path.samestat(os.fstat(file), self.path.stat()):
            self.path.replace(self.path.with_name(self.path.name + ".1"))


def event_file(settings: Settings) -> EventFile | None:
    """Where the settings want events; None where they want none."""
    if settings.events.file is None:
        return None
    return EventFile(path=settings.path(settings.events.file), max_bytes=settings.events.max_bytes)


def event(kind: str, event_id: str, **what: Any) -> dict[str, Any]:
    """An event as it is written: `event_id` is the same whenever the same thing is told again."""
    plain = {name: _plain(value) for name, value in what.items()}
    return {"id": event_id, "kind": kind, "at_utc": _plain(utc_now()), **plain}


def _plain(value: Any) -> Any:
    """A value as JSON has it, long texts cut short and secrets struck out."""
    if isinstance(value, str):
        return struck(value, os.environ)[:_MAX_TEXT_CHARACTERS]
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return value.isoformat(timespec="milliseconds") + "Z" if hasattr(value, "isoformat") else str(value)
