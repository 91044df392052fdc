"""Finding the files behind the names that a user gives."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Literal

from holocron_assets.errors import InputError
from holocron_assets.intake.documents import CONTENT_TYPES
from holocron_assets.intake.ndjson import SUFFIXES, Reject
from holocron_assets.interchange.snapshot import broken_chunks, index_files

_KNOWN = ", ".join((*SUFFIXES, *CONTENT_TYPES))


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
    """The files below a path, those that cannot be looked at, and those that were passed over."""

    files: tuple[FoundFile, ...]
    rejects: tuple[Reject, ...]
    skipped: tuple[Path, ...]


def discover(path: Path) -> Discovery:
    """Every file to load at or below `path`, in a stable order; hidden ones are left alone.

    Raises `InputError` when there is nothing of the kind.
    """
    path = path.resolve()
    candidates: Iterable[Path]
    rejects: list[Reject] = []
    if path.is_dir():
        root, candidates, nothing = path, _walk(path, rejects), f"{path} holds no file of a known kind ({_KNOWN})"
    elif path.is_file():
        root, candidates, nothing = path.parent, [path], f"{path}: do not know how to load this; known are {_KNOWN}"
    else:
        raise InputError(f"there is no file or folder {path}")
    files: list[FoundFile] = []
    skipped: list[Path] = []
    for candidate in candidates:
        match _found(candidate, root):
            case FoundFile() as file:
                files.append(file)
            case Reject() as reject:
                rejects.append(reject)
            case None:
                skipped.append(candidate)
    if not files and not rejects:
        raise InputError(nothing)
    return Discovery(files=tuple(files), rejects=tuple(rejects), skipped=tuple(skipped))


def _walk(folder: Path, closed: list[Reject]) -> Iterator[Path]:
    """Every file below a folder that is not hidden, nor about a snapshot instead of in it.

    Folders that cannot be looked into go to `closed`.
    """

    def note(error: OSError) -> None:
        closed.append(Reject(place=str(error.filename), reason=f"cannot be read: {error.strerror}"))

    for current, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        closed += [
            Reject(place=str(Path(current, chunk)), reason="its snapshot's index names it; it is missing or cut short")
            for chunk in broken_chunks(Path(current))
        ]
        for name in sorted(set(names) - index_files(Path(current))):
            if not name.startswith("."):
                yield Path(current, name)


def _found(path: Path, root: Path) -> FoundFile | Reject | None:
    name = path.name.lower()
    kind: Literal["ndjson", "document"]
    if name.endswith(SUFFIXES):
        kind = "ndjson"
    elif path.suffix.lower() in CONTENT_TYPES:
        kind = "document"
    else:
        return None
    try:
        str(path).encode()
        status = path.stat()
    except UnicodeEncodeError:
        return Reject(place=os.fsencode(path).decode(errors="backslashreplace"), reason="its name is not UTF-8")
    except OSError as error:  # a link that leads nowhere, or a file that was removed meanwhile
        return Reject(place=str(path), reason=f"cannot be read: {error.strerror}")
    if not S_ISREG(status.st_mode):
        return Reject(place=str(path), reason="is no regular file")
    return FoundFile(path=path, root=root, kind=kind, size_bytes=status.st_size, modified_ns=status.st_mtime_ns)
