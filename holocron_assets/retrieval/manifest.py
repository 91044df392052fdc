"""What a published search index consists of: one small file, replaced whole, that names all the others."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holocron_assets.errors import IndexDamagedError

MANIFEST = "index.json"
#: Counts up with every change of what the files hold; an index of another one is built anew.
FORMAT = 3


class SegmentEntry(BaseModel):
    """A segment of the index: its folder, how many of its rows still count, and the file that says which do not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    row_count: int
    live_count: int
    retired: str | None
    #: bytes of each file, by its path below the index's folder
    files: Mapping[str, int]


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
        return sum(sum(segment.files.values()) for segment in self.segments)


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


def sizes(folder: Path, *paths: Path) -> dict[str, int]:
    """The bytes of each file in or at `paths`, by its path below `folder`."""
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.iterdir()))]
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}


def is_whole(folder: Path, manifest: Manifest) -> bool:
    """Whether every file is there and as long as it was; reading a mapped file that was cut off ends the process."""
    try:
        return all(
            (folder / name).stat().st_size == size
            for segment in manifest.segments
            for name, size in segment.files.items()
        )
    except OSError:
        return False
