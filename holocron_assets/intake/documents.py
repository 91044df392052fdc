"""Files that are documents themselves: HTML, text or JSON on disk, each one record.

A file has no fetch time, so its record is new when its content differs from what was last stored of it.
"""

import codecs
import hashlib
import json
import os
import re
from datetime import datetime
from pathlib import Path

from holocron_assets.intake.ndjson import Reject, too_long
from holocron_assets.intake.rows import ReadRow, RowError, record_of

#: File suffix -> content type; a JSON file is its own payload, the others are wrapped as the crawler wraps them.
CONTENT_TYPES = {
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".json": "application/json",
}
SOURCE_SYSTEM = "files"
RESOURCE_TYPE = "file"


def read_document(path: Path, root: Path, read_at: datetime, max_bytes: int) -> ReadRow | Reject:
    """The record that a file under `root` is; `root`, an absolute path, and its name within it are its identity."""
    content_type = CONTENT_TYPES[path.suffix.lower()]
    try:
        if path.stat().st_size > max_bytes:
            return Reject(place=str(path), reason=f"{too_long(max_bytes)}, then touch the file")
        content = path.read_bytes()
    except OSError as error:
        return Reject(place=str(path), reason=f"cannot be read: {error.strerror}")
    try:
        text, encoding = _decoded(content)
    except ValueError as error:
        return Reject(place=str(path), reason=f"{error}; convert it to UTF-8")
    if content_type == "application/json":
        payload = text
    else:
        payload = json.dumps({"content_type": content_type, "text": text, "encoding": encoding}, ensure_ascii=False)
    row = {
        "source_system": SOURCE_SYSTEM,
        "source_name": _source_name(root),
        "resource_type": RESOURCE_TYPE,
        "resource_id": path.relative_to(root).as_posix(),
        "request_uri": path.as_uri(),
        "request_method": "GET",
        "status_code": 200,
        "content_type": content_type,
        "content_length": len(content),
        "file_path": str(path),
        "payload": payload,
    }
    try:
        return record_of(row, read_at)
    except RowError as error:
        return Reject(place=str(path), reason=str(error))


def _source_name(root: Path) -> str:
    """The folder's name, told apart from other folders of that name by their paths."""
    return f"{root.name[:80] or 'root'}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}"


def _decoded(content: bytes) -> tuple[str, str]:
    """The text and its encoding: UTF-8, or what a byte order mark or an HTML page itself declares.

    Never a guess: a wrong one would be stored as if it were the text. Raises ValueError.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16"), "utf-16"
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError as error:
        declared = _DECLARED.search(content[:_DECLARED_WITHIN])
        if declared is None:
            raise ValueError(f"not UTF-8 at byte {error.start}, and declares no other encoding") from error
    label = declared[1].decode("ascii").lower()
    encoding = _WEB_ENCODINGS.get(label, label)
    try:
        return content.decode(encoding), encoding
    except (LookupError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot be read in the encoding that it declares: {error}") from error


_DECLARED = re.compile(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_DECLARED_WITHIN = 2048
#: Labels that browsers read as something else than Python does (the WHATWG Encoding Standard's table).
_WEB_ENCODINGS = dict.fromkeys(("ascii", "us-ascii", "iso-8859-1", "iso8859-1", "latin1", "l1"), "windows-1252")
