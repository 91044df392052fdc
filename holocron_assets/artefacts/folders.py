"""The folder of a run's artefacts, which is there as a whole or not at all.

    vector_runs/{run_id}/run.json       the run, and the files beside it
    vector_runs/{run_id}/*.ndjson       a JSON object a line

It is written under a hidden name that says who writes it, and renamed when everything in it is on the disk. What a
writer that died left is removed by the next one. A folder that is there is never changed.
"""

import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from holocron_assets.errors import ArtefactError
from holocron_assets.identity import canonical_json
from holocron_assets.runs import is_dead, this_process

RUNS, RUN = "vector_runs", "run.json"

_PART = re.compile(r"\.[0-9a-f-]{36}~(?P<writer>.+~\d+~\d+)~[0-9a-f]{8}\.part")
#: Whether a writer on another machine lives cannot be told, so it is given this long.
_ABANDONED_SECONDS = 24 * 3600
#: More than an entry of `files` and one of `lines_left_out` take.
_ENTRY_BYTES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolders:
    """Where the folders are, and how many bytes one may have."""

    root: Path
    max_bytes: int

    def folder(self, run_id: uuid.UUID) -> Path:
        """Where the folder of a run is, or would be."""
        return self.root / RUNS / str(run_id)

    def holds(self, run_id: uuid.UUID) -> bool:
        """Whether the folder of a run is there; raises `ArtefactError` where nobody may look."""
        with _named_errors(self.folder(run_id)):
            return (self.folder(run_id) / RUN).is_file()

    def write(
        self, run_id: uuid.UUID, run: Mapping[str, Any], files: Mapping[str, Iterable[Mapping[str, Any]]]
    ) -> bool:
        """Write a folder: `run.json`, and each of `files` that has lines; False where another writer was faster.

        Raises `ArtefactError` when the disk or the permissions do not allow it.
        """
        final = self.folder(run_id)
        with _named_errors(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(final.parent)
            part = final.parent / f".{run_id}~{this_process().replace('/', '~')}~{uuid.uuid4().hex[:8]}.part"
            part.mkdir()
            try:
                self._fill(part, f"{RUNS}/{run_id}", run, files)
                return self._put_in_place(part, run_id)
            finally:
                shutil.rmtree(part, ignore_errors=True)

    def _fill(
        self, part: Path, place: str, run: Mapping[str, Any], files: Mapping[str, Iterable[Mapping[str, Any]]]
    ) -> None:
        room = self.max_bytes - len(line_of(run)) - _ENTRY_BYTES * len(files)
        written: list[dict[str, Any]] = []
        left_out: dict[str, int] = {}
        for name, lines in files.items():
            path = f"{place}/{name}"
            entry, lines_left_out = _write_lines(part / name, path, lines, room)
            if entry.line_count:
                written.append(asdict(entry))
                room -= entry.byte_count
            if lines_left_out:
                left_out[path] = lines_left_out
        with (part / RUN).open("xb") as file:
            file.write(line_of({**run, "files": written, "lines_left_out": left_out}))
            _sync(file)
        _sync_folder(part)

    def _put_in_place(self, part: Path, run_id: uuid.UUID) -> bool:
        final = self.folder(run_id)
        try:
            part.rename(final)
        except OSError:
            if self.holds(run_id):
                return False
            raise
        _sync_folder(final.parent)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file of lines; `path` is from the root of the lake, with forward slashes on every system."""

    path: str
    byte_count: int
    line_count: int
    sha256: str


def line_of(value: Mapping[str, Any]) -> bytes:
    """A value as a line of canonical JSON in UTF-8; half a surrogate pair, which UTF-8 has not, becomes an escape."""
    return canonical_json(value).encode(errors="backslashreplace") + b"\n"


def _write_lines(part: Path, path: str, lines: Iterable[Mapping[str, Any]], room: int) -> tuple[_File, int]:
    """Write lines up to the first that does not fit; returns how many were left out, too. Without a line, no file."""
    digest = hashlib.sha256()
    byte_count = line_count = left_out = 0
    with part.open("xb") as file:
        for line in lines:
            encoded = b"" if left_out else line_of(line)
            if left_out or byte_count + len(encoded) > room:
                left_out += 1
                continue
            file.write(encoded)
            digest.update(encoded)
            byte_count += len(encoded)
            line_count += 1
        _sync(file)
    if not line_count:
        part.unlink()
    return _File(path=path, byte_count=byte_count, line_count=line_count, sha256=digest.hexdigest()), left_out


def _remove_leftovers(runs: Path) -> None:
    """Remove what writers left that are dead, or that have not touched it for a day."""
    for path in runs.glob(".*.part"):
        found = _PART.fullmatch(path.name)
        if found and (is_dead(found["writer"].replace("~", "/")) or _is_abandoned(path)):
            shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(part: Path) -> bool:
    touched = 0.0
    with suppress(OSError):  # its writer may rename it just now
        touched = max(path.stat().st_mtime for path in (part, *part.iterdir()))
    return 0 < touched < time.time() - _ABANDONED_SECONDS


@contextmanager
def _named_errors(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArtefactError(
            f"cannot write {final}: {error.strerror or error}. Mend that, then write what is missing with "
            "`holocron artefacts --missing`."
        ) from error


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """So that names outlast a loss of power; Windows and some network file systems know no such thing."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
