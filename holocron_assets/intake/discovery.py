"""Finding the files behind the names that a user gives."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from holocron_assets.errors import InputError
from holocron_assets.intake.documents import CONTENT_TYPES
from holocron_assets.intake.ndjson import SUFFIXES


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file to load; `root` is the folder within which its name is its identity."""

    path: Path
    root: Path
    kind: Literal["ndjson", "document"]
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The files below a path, and how many others were passed over."""

    files: tuple[FoundFile, ...]
    skipped: tuple[Path, ...]


def discover(path: Path) -> Discovery:
    """Every file to load at or below `path`, in a stable order; hidden ones are left alone.

    Raises `InputError` when there is nothing of the kind.
    """
    path = path.resolve()
    if path.is_file():
        found = _found(path, path.parent)
        if found is None:
            raise InputError(
                f"{path}: do not know how to load this; known are {', '.join((*SUFFIXES, *CONTENT_TYPES))}"
            )
        return Discovery(files=(found,), skipped=())
    if not path.is_dir():
        raise InputError(f"there is no file or folder {path}")
    files: list[FoundFile] = []
    skipped: list[Path] = []
    for file in _walk(path):
        found = _found(file, path)
        if found is None:
            skipped.append(file)
        else:
            files.append(found)
    if not files:
        raise InputError(f"{path} holds no file of a known kind ({', '.join((*SUFFIXES, *CONTENT_TYPES))})")
    return Discovery(files=tuple(files), skipped=tuple(skipped))


def _walk(folder: Path) -> Iterator[Path]:
    for current, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(current, name)


def _found(path: Path, root: Path) -> FoundFile | None:
    name = path.name.lower()
    kind: Literal["ndjson", "document"]
    if name.endswith(SUFFIXES):
        kind = "ndjson"
    elif path.suffix.lower() in CONTENT_TYPES:
        kind = "document"
    else:
        return None
    status = path.stat()
    return FoundFile(path=path, root=root, kind=kind, size_bytes=status.st_size, modified_ns=status.st_mtime_ns)
