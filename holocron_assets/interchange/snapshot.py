"""The folder that exchange records are kept in: chunks of a thousand, an index, a manifest.

    {dataset}/records/YYYY/YYYY-MM-DD/chunk-0001.ndjson   the records, under the date of the first of them
    {dataset}/index.jsonl                                 a line for each: hash, key, id, time, file
    {dataset}/manifest.json                               how much there is

Chunks are the truth and never change; index and manifest can be made of them. They are written in this order, so what
a killed export leaves is known by what is missing, and the next one completes it.
"""

import json
import os
import platform
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Self

from holocron_assets.clock import utc_now
from holocron_assets.errors import ExportError
from holocron_assets.interchange.claim import Claim
from holocron_assets.interchange.content_hash import content_sha256
from holocron_assets.interchange.envelope import SCHEMA_VERSION, line_of

CHUNK_RECORDS = 1000

INDEX, MANIFEST, RECORDS = "index.jsonl", "manifest.json", "records"
_ENTRY_KEYS = {"h", "k", "id", "t", "f"}
_BEGINNING = b'{"h"'
_CHUNK = re.compile(r"chunk-(\d+)\.ndjson")


def index_files(folder: Path) -> set[str]:
    """The names in `folder` that hold no records although they look so, because it is a snapshot; usually none."""
    if not (folder / RECORDS).is_dir():
        return set()
    with suppress(OSError), (folder / INDEX).open("rb") as lines:
        if _entry(lines.readline()) is not None:
            return {INDEX, MANIFEST}
    with suppress(OSError, ValueError):
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if isinstance(manifest, dict) and "chunk_records" in manifest:
            return {MANIFEST}
    return set()


def broken_chunks(folder: Path) -> list[str]:
    """Files that the index of a snapshot names and that are missing, or end in the middle of a line."""
    named: set[str] = set()
    with suppress(OSError), (folder / INDEX).open("rb") as lines:
        named = {_place(entry["f"]) for line in lines if (entry := _entry(line)) is not None}
    return _broken(folder, named)


class Snapshot:
    """A snapshot that is being added to. What is added is there when the block that `with` opens has ended.

    One export at a time writes to a folder. The index is held in memory: some 300 bytes a record.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = self.bytes_written = 0
        self.chunks: list[str] = []
        self._ids: set[str] = set()
        self._hashes: set[str] = set()
        self._records = 0
        self._indexed_chunks: set[str] = set()
        self._last_indexed: str | None = None
        self._part = folder / f".chunk-{platform.node()}-{os.getpid()}.part"
        self._claim = Claim(folder)
        self._open: IO[bytes] | None = None
        self._entries: list[dict[str, str]] = []

    def __enter__(self) -> Self:
        with _named_errors(self.folder):
            if self.folder.is_dir():
                self._claim.take()
                for leftover in self.folder.glob(".chunk-*.part"):
                    leftover.unlink()
            try:
                self._read_index()
                if broken := _broken(self.folder, self._indexed_chunks):
                    raise ExportError(
                        f"{self.folder / broken[0]} is missing or was cut short (and {len(broken) - 1} more that the "
                        f"index names). Restore it; or move {INDEX} away: it is made anew of the chunks, and what they "
                        "lack is exported again."
                    )
                self._complete_index()
            except BaseException:
                self._claim.let_go()
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with _named_errors(self.folder):
            try:
                if kind is None:
                    self._end_chunk()
                    self._write_manifest()
            finally:
                if self._open is not None:
                    self._open.close()
                with suppress(OSError):
                    self._part.unlink(missing_ok=True)
                self._claim.let_go()

    def holds(self, exchange_id: str) -> bool:
        """Whether a record of this id is there."""
        return exchange_id in self._ids

    def add(self, envelope: Mapping[str, Any]) -> bool:
        """Add a record, unless its content is there already."""
        if envelope["content_sha256"] in self._hashes:
            return False
        line = line_of(envelope)
        with _named_errors(self.folder):
            if self._open is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                if not self._claim.is_taken:
                    self._claim.take()
                self._open = self._part.open("xb")
            self._open.write(line)
        entry = _entry_of(envelope)
        self._note(entry)
        self._entries.append(entry)
        self.written += 1
        self.bytes_written += len(line)
        if len(self._entries) == CHUNK_RECORDS:
            with _named_errors(self.folder):
                self._end_chunk()
        return True

    def _end_chunk(self) -> None:
        if self._open is None:
            return
        _close_durably(self._open)
        self._open = None
        chunk = self._next_chunk(self._entries[0]["t"][:10])
        if chunk.exists():
            raise ExportError(f"{chunk} was written meanwhile. Let one export at a time write to {self.folder}.")
        self._part.rename(chunk)
        name = chunk.relative_to(self.folder).as_posix()
        self._append([entry | {"f": name} for entry in self._entries])
        self.chunks.append(name)
        self._entries = []

    def _next_chunk(self, date: str) -> Path:
        folder = self.folder / RECORDS / date[:4] / date
        folder.mkdir(parents=True, exist_ok=True)
        numbers = [int(found[1]) for path in folder.iterdir() if (found := _CHUNK.match(path.name))]
        return folder / f"chunk-{max(numbers, default=0) + 1:04d}.ndjson"

    def _append(self, entries: list[dict[str, str]]) -> None:
        with (self.folder / INDEX).open("ab") as index:
            for entry in entries:
                index.write(line_of(entry))
            _close_durably(index)

    def _note(self, entry: Mapping[str, str]) -> None:
        self._ids.add(entry["id"].lower())
        self._hashes.add(entry["h"])
        self._records += 1

    def _read_index(self) -> None:
        """Read the index, and mend the end of its last line if a killed export did not finish it."""
        path, end = self.folder / INDEX, 0
        if not path.exists():
            return
        with path.open("r+b") as index:
            for number, line in enumerate(index, 1):
                entry = _entry(line)
                if entry is None and not line.endswith(b"\n") and _BEGINNING.startswith(line[: len(_BEGINNING)]):
                    index.truncate(end)
                    break
                if entry is None:
                    raise ExportError(
                        f"{path}:{number} is no line of an index. Move the file away: it is made anew of the chunks."
                    )
                end += len(line)
                if not line.endswith(b"\n"):
                    index.write(b"\n")
                self._note(entry)
                self._last_indexed = _place(entry["f"])
                self._indexed_chunks.add(self._last_indexed)

    def _complete_index(self) -> None:
        """Index the records of chunks that the index does not know, or stopped in the middle of."""
        for chunk in sorted((self.folder / RECORDS).glob("*/*/*.ndjson")):
            name = chunk.relative_to(self.folder).as_posix()
            if _place(name) in self._indexed_chunks - {self._last_indexed}:
                continue
            for entry in _entries_in(chunk):
                if entry["h"] not in self._hashes:
                    self._note(entry)
                    self._entries.append(entry | {"f": name})
            self._append(self._entries)
            self._entries = []

    def _write_manifest(self) -> None:
        if not self._records:
            return
        path = self.folder / MANIFEST
        known: Any = None
        with suppress(OSError, ValueError):
            known = json.loads(path.read_bytes())
        manifest: dict[str, Any] = known if isinstance(known, dict) else {}
        if manifest.get("record_count") == self._records:
            return
        manifest |= {
            "dataset": self.folder.name,
            "schema_version": SCHEMA_VERSION,
            "record_count": self._records,
            "chunk_records": CHUNK_RECORDS,
            "updated_at_utc": utc_now().isoformat() + "+00:00",
        }
        part = self.folder / f".{MANIFEST}.part"
        with part.open("wb") as file:
            file.write(json.dumps(manifest, ensure_ascii=False, indent=2).encode() + b"\n")
            _close_durably(file)
        part.replace(path)


def _entry_of(envelope: Mapping[str, Any]) -> dict[str, str]:
    """A record's line in the index, still without its file."""
    key = "|".join(str(envelope.get(name) or "") for name in ("source_system", "entity_type", "natural_key"))
    return {
        "h": str(envelope.get("content_sha256") or content_sha256(envelope)),
        "k": key,
        "id": str(envelope.get("exchange_id")),
        "t": str(envelope.get("observed_at_utc")),
    }


def _entry(line: bytes) -> dict[str, str] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_entry = isinstance(entry, dict) and entry.keys() >= _ENTRY_KEYS
    return {name: str(entry[name]) for name in _ENTRY_KEYS} if is_entry else None


def _entries_in(chunk: Path) -> Iterator[dict[str, str]]:
    with chunk.open("rb") as lines:
        for line in lines:
            with suppress(ValueError, RecursionError):
                envelope = json.loads(line)
                if isinstance(envelope, dict):
                    yield _entry_of(envelope)


def _broken(folder: Path, places: Iterable[str]) -> list[str]:
    return [f"{RECORDS}/{place}" for place in sorted(places) if not _is_whole(folder / RECORDS / place)]


def _is_whole(chunk: Path) -> bool:
    """Whether a chunk is there and ends with a record: with its line's end, unless other software leaves that out."""
    try:
        with chunk.open("rb") as lines:
            lines.seek(-1, os.SEEK_END)
            if lines.read(1) == b"\n":
                return True
            lines.seek(0)
            (last,) = deque(lines, maxlen=1)
            json.loads(last)
    except (OSError, ValueError):
        return False
    return True


def _place(name: str) -> str:
    """A chunk's file as year, date and name: whatever folder and slashes the writer of an index began with."""
    return "/".join(name.replace("\\", "/").split("/")[-3:])


@contextmanager
def _named_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(
            f"cannot write to {folder}: {error.strerror}. Mend that and export again: what is written is not repeated."
        ) from error


def _close_durably(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
