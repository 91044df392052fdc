"""What a published search index consists of: one small file, replaced whole, that names all the others."""

import hashlib
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tokenize import TokenError
from typing import Annotated

import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holocron_assets.errors import IndexDamagedError

MANIFEST = "index.json"
#: Counts up with every change of what the files hold; an index of another one is built anew.
FORMAT = 4
#: What numpy and Arrow raise for bytes that are not what they wrote.
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    SyntaxError,
    TokenError,
    pa.ArrowException,
)


class FileEntry(BaseModel):
    """A file as it was written: its bytes, and their SHA-256 in hex."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    sha256: str


class SegmentEntry(BaseModel):
    """A segment of the index: its folder, how many of its rows still count, and the file that says which do not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    row_count: int
    live_count: int
    retired: str | None
    #: by their paths below the index's folder
    files: Mapping[str, FileEntry]


class Manifest(BaseModel):
    """The index of one space as it was published.

    `state` is what the store said of the space when the rows were read: as long as it says the same, nothing is stale.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT
    #: counts what was published in the folder, also through rebuilds
    version: int
    embedding_space_id: uuid.UUID
    slug: str
    dimensions: int
    language: str
    store: str
    state: Mapping[str, str]
    #: what the store looked like from outside just before (`holocron_assets.ports.Store.stamp`)
    stamp: str | None
    chunks_not_embedded: int
    #: whether graphs lead to the candidates where there are enough rows
    approximate: bool
    #: what who searches should know of how it was built
    note: str | None
    built_utc: datetime
    segments: tuple[SegmentEntry, ...]

    @property
    def live_count(self) -> int:
        """How many chunks can be found."""
        return sum(segment.live_count for segment in self.segments)

    @property
    def size_bytes(self) -> int:
        """What the index takes of the disk."""
        return sum(file.size for file in self.files.values())

    @property
    def files(self) -> dict[str, FileEntry]:
        """The files of all segments, by their paths below the index's folder."""
        return {name: file for segment in self.segments for name, file in segment.files.items()}


def read_manifest(folder: Path) -> Manifest | None:
    """What is published there, or None; raises `IndexDamagedError` for anything but a manifest of this format."""
    try:
        text = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IndexDamagedError(f"{folder / MANIFEST} cannot be read: {error.strerror}") from error
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise IndexDamagedError(f"{folder / MANIFEST} is no index of this version") from error


def last_version(folder: Path) -> int:
    """The version of what is published there, whether or not it can be used; 0 where nothing says."""
    try:
        version = orjson.loads((folder / MANIFEST).read_bytes())["version"]
    except (OSError, ValueError, TypeError, KeyError):
        return 0
    return version if isinstance(version, int) and version > 0 else 0


def publish(folder: Path, manifest: Manifest) -> None:
    """Make a manifest the one that readers see: at once, and whole."""
    fresh = folder / f"{MANIFEST}.{uuid.uuid4().hex[:8]}"
    fresh.write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    fresh.replace(folder / MANIFEST)


def described(folder: Path, *paths: Path, known: Mapping[str, FileEntry]) -> dict[str, FileEntry]:
    """Each file in or at `paths`, by its path below `folder`; what is `known` of one is not read again."""
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.iterdir()))]
    names = [file.relative_to(folder).as_posix() for file in files]
    return {
        name: known.get(name) or FileEntry(size=file.stat().st_size, sha256=_sha256(file))
        for name, file in zip(names, files, strict=True)
    }


def changed_files(folder: Path, files: Mapping[str, FileEntry]) -> list[str]:
    """Those files that are not, byte for byte, what was written. Reads all of them."""
    changed = []
    for name, file in files.items():
        try:
            found = _sha256(folder / name)
        except OSError:
            found = ""
        if found != file.sha256:
            changed.append(name)
    return changed


def examined_files(folder: Path) -> dict[str, bool]:
    """Of each published file, by its path below the index's folder, whether it is what was written; reads all."""
    try:
        manifest = read_manifest(folder)
    except IndexDamagedError:
        return {MANIFEST: False}
    files = manifest.files if manifest else {}
    changed = changed_files(folder, files)
    return {name: name not in changed for name in files}


def looks(folder: Path, manifest: Manifest) -> dict[str, tuple[int, int, int]]:
    """Size, time of change and number of each file: one that is written to, or replaced, looks otherwise.

    Raises `IndexDamagedError` where one is missing or of another size: reading a mapped file that was cut off ends the
    process.
    """
    seen = {}
    for name, file in manifest.files.items():
        try:
            found = (folder / name).stat()
        except OSError as error:
            raise IndexDamagedError(f"{folder / name} cannot be read: {error.strerror}") from error
        if found.st_size != file.size:
            raise IndexDamagedError(f"{folder / name} is cut off, or longer than it was")
        seen[name] = (found.st_size, found.st_mtime_ns, found.st_ino)
    return seen


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
