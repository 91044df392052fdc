"""Streaming NDJSON files, gzipped or not: one JSON object a line, either a record's columns or an exchange record."""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

from holocron_assets.errors import InputError
from holocron_assets.intake.rows import ReadRow, RowError, record_of, unknown_columns
from holocron_assets.interchange.opening import EnvelopeError, is_envelope, open_envelope, unknown_keys

SUFFIXES = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A line, a file, or a row of another table, that gave no record."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredColumns:
    """Columns of a file that the contract does not know, said once per file."""

    names: tuple[str, ...]


def read_ndjson(path: Path, read_at: datetime, max_bytes: int) -> Iterator[ReadRow | Reject | IgnoredColumns]:
    """The records of a file in its order, with a `Reject` for each line that is none, or is longer than `max_bytes`.

    Raises `InputError` after the last good line when the file ends in the middle or cannot be read.
    """
    number = 0
    ignored: set[str] = set()
    try:
        _require_sound(path)
        with _opened(path) as lines:
            while line := lines.readline(max_bytes):
                number += 1
                if len(line) == max_bytes and not line.endswith(b"\n"):
                    _skip_rest(lines)
                    yield Reject(place=f"{path}:{number}", reason=f"{too_long(max_bytes)}, then touch the file")
                elif line.strip():
                    item = _item(path, number, line, read_at, ignored)
                    yield item
    except EOFError as error:
        raise InputError(
            f"{path} is incomplete: {error} (after line {number}). The records before that are stored. "
            "Fetch the file again and repeat: what is stored already is skipped."
        ) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is damaged: {error}. Nothing of it was stored. Fetch the file again.") from error
    except OSError as error:
        raise InputError(f"cannot read {path} (after line {number}): {error}") from error
    if ignored:
        yield IgnoredColumns(names=tuple(sorted(ignored)))


def too_long(max_bytes: int) -> str:
    """Why a record of more than `max_bytes` is refused."""
    return f"longer than the {max_bytes:,} bytes that the store takes; see docs/configuration.md"


def _require_sound(path: Path) -> None:
    """Read a gzip file to its checksum before anything of it is stored: damaged bytes may still look like records."""
    if path.suffix != ".gz":
        return
    if path.stat().st_size == 0:
        raise gzip.BadGzipFile("it has no bytes")
    with suppress(EOFError), gzip.open(path, "rb") as content:  # what is only cut short is sound as far as it goes
        while content.read(1024 * 1024):
            pass


def _opened(path: Path) -> AbstractContextManager[IO[bytes]]:
    if path.suffix == ".gz":
        return cast(AbstractContextManager[IO[bytes]], gzip.open(path, "rb"))
    return path.open("rb")


def read_line(place: str, line: str, read_at: datetime, ignored: set[str]) -> ReadRow | Reject:
    """The record that a line holds, in either form; names in it that are not stored are added to `ignored`."""
    try:
        result, unknown = _read(json.loads(line), read_at)
    except json.JSONDecodeError as error:
        return Reject(place=place, reason=f"not JSON: {error.msg} at character {error.pos + 1} of the line")
    except RecursionError:
        return Reject(place=place, reason="its JSON is nested too deeply")
    except (RowError, EnvelopeError) as error:
        return Reject(place=place, reason=str(error))
    except ValueError as error:  # e.g. an integer of more digits than Python reads
        return Reject(place=place, reason=f"not JSON that can be read: {error}")
    ignored.update(unknown)
    return result


def _item(path: Path, number: int, line: bytes, read_at: datetime, ignored: set[str]) -> ReadRow | Reject:
    place = f"{path}:{number}"
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        return Reject(place=place, reason=f"not UTF-8 at byte {error.start} of the line")
    return read_line(place, text, read_at, ignored)


def _read(row: Any, read_at: datetime) -> tuple[ReadRow, list[str]]:
    """The record that a line holds, in either form, and the names in it that are not stored."""
    if not is_envelope(row):
        return record_of(row, read_at), unknown_columns(row)
    opened = open_envelope(row)
    return replace(record_of(opened.columns, read_at), redacted=opened.redacted), unknown_keys(row)


def _skip_rest(lines: IO[bytes]) -> None:
    while (part := lines.readline(1024 * 1024)) and not part.endswith(b"\n"):
        pass
