"""Reading what users hand over: rows, NDJSON files, folders of documents."""

import gzip
import json
import os
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holocron_assets.errors import InputError
from holocron_assets.identity import payload_sha256
from holocron_assets.intake.discovery import discover
from holocron_assets.intake.documents import read_document
from holocron_assets.intake.ndjson import IgnoredColumns, Reject, read_ndjson
from holocron_assets.intake.rows import ReadRow, RowError, record_of, storable

NOW = datetime(2026, 1, 2)  # noqa: DTZ001 - times are naive UTC throughout
LIMIT = 10_000_000
ROW: dict[str, Any] = {
    "ingest_id": "84de81d9-0000-0000-0000-000000000001",
    "source_system": "mediawiki",
    "source_name": "wiki",
    "resource_type": "content",
    "resource_id": "Title",
    "variant": "html",
    "request_uri": "https://wiki.example/api.php",
    "request_method": "GET",
    "status_code": 200,
    "payload": '{"parse": {}}',
    "fetched_at_utc": "2026-01-01T10:00:00",
}


def write(path: Path, *lines: str | bytes, newline: bytes = b"\n") -> Path:
    content = newline.join(line if isinstance(line, bytes) else line.encode() for line in lines) + newline
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def read(path: Path) -> list[Any]:
    return list(read_ndjson(path, NOW, LIMIT))


def without(*columns: str) -> dict[str, Any]:
    return {name: value for name, value in ROW.items() if name not in columns}


def test_a_row_becomes_a_record() -> None:
    """Every column of a row is in its record, the hash computed where it is missing."""
    read_row = record_of(ROW)

    assert read_row.record.ingest_id == uuid.UUID(ROW["ingest_id"])
    assert read_row.record.hash_sha256 == payload_sha256(ROW["payload"])
    assert not read_row.undated


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (without("payload"), "column payload is missing"),
        (without("payload", "status_code"), "columns status_code, payload are missing"),
        (ROW | {"status_code": "200"}, "column status_code must be an integer, this is a string"),
        (ROW | {"status_code": True}, "column status_code must be an integer, this is true or false"),
        (ROW | {"status_code": 1000}, "from 0 to 999, this is 1000"),
        (ROW | {"payload": {"parse": 1}}, "column payload must be a string, this is an object"),
        (ROW | {"source_name": 7}, "column source_name must be a string, this is a number"),
        (ROW | {"resource_id": "x" * 501}, "has 501 characters, at most 500"),
        (ROW | {"fetched_at_utc": "yesterday"}, "column fetched_at_utc must be an ISO 8601 time"),
        (ROW | {"fetched_at_utc": 5}, "column fetched_at_utc must be an ISO 8601 time"),
        (ROW | {"ingest_id": "42"}, "column ingest_id must be a UUID"),
        ([1], "must be a JSON object, this is a list"),
    ],
)
def test_a_wrong_row_is_refused_by_name(row: Any, message: str) -> None:
    """A row that cannot be a record says which column is wrong, and how."""
    with pytest.raises(RowError, match=message):
        record_of(row)


def test_times_become_utc_without_a_zone() -> None:
    """A time with an offset is stored as UTC; SQL Server's seven digits are cut to microseconds."""
    zoned = record_of(ROW | {"fetched_at_utc": "2026-01-01T12:00:00.1234567+02:00"})

    assert zoned.record.fetched_at_utc.isoformat() == "2026-01-01T10:00:00.123456"


def test_a_row_without_id_gets_the_same_one_every_time() -> None:
    """An id is derived from what the record is, so that loading it again stores nothing."""
    first, again = (record_of(without("ingest_id")).record for _ in range(2))
    other = record_of(without("ingest_id") | {"payload": "{}"}).record

    assert first.ingest_id == again.ingest_id != other.ingest_id


def test_a_row_without_fetch_time_is_undated() -> None:
    """Without a fetch time the time of reading stands in, and the record is marked for it."""
    read_row = record_of(without("fetched_at_utc"), NOW)

    assert read_row.undated
    assert read_row.record.fetched_at_utc == NOW


def test_half_surrogates_and_nul_are_kept_as_escapes() -> None:
    """What UTF-8 cannot hold is escaped, which inside JSON text means the same."""
    payload = json.dumps({"text": "a\ud800b\0c"}, ensure_ascii=False).replace("\\u0000", "\0")

    stored = record_of(ROW | {"payload": payload}).record.payload

    assert json.loads(stored) == {"text": "a\ud800b\0c"}
    stored.encode()


@given(st.text(alphabet=st.characters(categories=["Cs", "Cc", "L", "So"])))
def test_storable_text_is_always_utf8_without_nul(text: str) -> None:
    """Whatever the text, what is stored can be encoded."""
    assert b"\0" not in storable(text).encode()


def test_good_lines_are_read_and_bad_ones_named(tmp_path: Path) -> None:
    """One bad line does not stop the others; its number and its fault are told."""
    path = write(
        tmp_path / "r.ndjson",
        json.dumps(ROW),
        '{"broken": ',
        "",
        json.dumps(without("payload")),
        b'{"a": "\xff"}',
        "[" * 100_000,
        json.dumps(ROW),
    )

    items = read(path)

    assert [type(item).__name__ for item in items] == ["ReadRow", *["Reject"] * 4, "ReadRow"]
    places = [item.place.rpartition(":")[2] for item in items if isinstance(item, Reject)]
    reasons = [item.reason for item in items if isinstance(item, Reject)]
    assert places == ["2", "4", "5", "6"]
    assert reasons[0].startswith("not JSON: Expecting value at character")
    assert reasons[1] == "column payload is missing"
    assert reasons[2] == "not UTF-8 at byte 7 of the line"
    assert "nested too deeply" in reasons[3]


@pytest.mark.parametrize("name", ["r.ndjson", "r.jsonl", "r.ndjson.gz", "r.jsonl.gz"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_plain_and_gzipped_files_are_read(tmp_path: Path, name: str, newline: bytes) -> None:
    """NDJSON is read plain or gzipped, with either line end, with or without a byte order mark."""
    path = write(tmp_path / name, "\ufeff" + json.dumps(ROW), json.dumps(ROW), newline=newline)

    assert [type(item) for item in read(path)] == [ReadRow, ReadRow]


def test_what_is_too_long_is_refused_unread(tmp_path: Path) -> None:
    """A line or a document longer than the store takes is refused by name, and the lines after it are read."""
    long = json.dumps(ROW | {"payload": "x" * 2000})
    path = write(tmp_path / "r.ndjson", long, json.dumps(ROW))
    page = write(tmp_path / "page.html", "x" * 2000)

    refused, record = read_ndjson(path, NOW, 1000)
    document = read_document(page, tmp_path, NOW, 1000)

    assert isinstance(refused, Reject)
    assert refused.place == f"{path}:1"
    assert refused.reason.startswith("longer than the 1,000 bytes that the store takes")
    assert isinstance(record, ReadRow)
    assert isinstance(document, Reject)


def test_a_truncated_file_gives_what_came_before(tmp_path: Path) -> None:
    """A gzip file that ends in the middle gives its good lines, then says where it ended."""
    path = write(tmp_path / "r.ndjson.gz", *[json.dumps(ROW | {"payload": str(n) * 3000}) for n in range(500)])
    path.write_bytes(path.read_bytes()[:-200])
    items = []

    with pytest.raises(InputError, match=r"is incomplete: .* \(after line \d+\)"):
        items.extend(read_ndjson(path, NOW, LIMIT))

    assert len(items) > 400


def test_nothing_of_a_damaged_file_is_given(tmp_path: Path) -> None:
    """One flipped bit can turn records into other records, so its checksum is read before any of them."""
    path = write(tmp_path / "r.ndjson.gz", *[json.dumps(ROW | {"payload": str(n) * 3000}) for n in range(500)])
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # within the checksum at the end
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"is damaged: CRC check failed .* Nothing of it was stored"):
        next(iter(read_ndjson(path, NOW, LIMIT)))


@pytest.mark.skipif(os.name == "nt", reason="such files are POSIX's")
def test_what_is_no_readable_file_is_named(tmp_path: Path) -> None:
    """A pipe would be waited for, and a name that is not UTF-8 cannot be stored: both are refused by name."""
    write(tmp_path / "good.txt", "text")
    os.mkfifo(tmp_path / "pipe.txt")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.txt")).write_text("text")

    found = discover(tmp_path)

    assert [file.path.name for file in found.files] == ["good.txt"]
    assert sorted(reject.reason for reject in found.rejects) == ["is no regular file", "its name is not UTF-8"]


def test_a_file_that_is_no_gzip_is_refused(tmp_path: Path) -> None:
    """A file that only calls itself gzip is an error with its name."""
    path = tmp_path / "r.ndjson.gz"
    path.write_text("{}")

    with pytest.raises(InputError, match=r"r\.ndjson\.gz is damaged"):
        read(path)


def test_unknown_columns_are_told_once(tmp_path: Path) -> None:
    """Columns outside the contract are not stored, and that is said once per file."""
    path = write(tmp_path / "r.ndjson", *[json.dumps(ROW | {"colour": "red"})] * 3)

    assert [item.names for item in read(path) if isinstance(item, IgnoredColumns)] == [("colour",)]


@pytest.mark.parametrize(
    ("name", "content", "payload"),
    [
        (
            "a.html",
            b"<p>caf\xc3\xa9</p>",
            {"content_type": "text/html", "text": "<p>caf\u00e9</p>", "encoding": "utf-8"},
        ),
        ("a.txt", b"\xef\xbb\xbfhello", {"content_type": "text/plain", "text": "hello", "encoding": "utf-8"}),
        ("a.json", b'{"a": 1}', {"a": 1}),
    ],
)
def test_documents_are_wrapped_as_the_crawler_wraps_them(
    tmp_path: Path, name: str, content: bytes, payload: Any
) -> None:
    """A file's record has its name within the folder, and its content in the crawler's wrapper."""
    path = tmp_path / "sub" / name
    path.parent.mkdir()
    path.write_bytes(content)

    item = read_document(path, tmp_path, NOW, LIMIT)

    assert isinstance(item, ReadRow)
    assert item.record.resource_id == f"sub/{name}"
    assert json.loads(item.record.payload) == payload
    assert item.undated


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Documents of one name in two folders of one name are two resources, the same at every reading."""
    names = set()
    for parent in ("x", "y", "x"):
        folder = tmp_path / parent / "notes"
        folder.mkdir(parents=True, exist_ok=True)
        item = read_document(write(folder / "a.txt", "hello"), folder, NOW, LIMIT)
        assert isinstance(item, ReadRow)
        names.add(item.record.source_name)

    assert len(names) == 2
    assert all(re.fullmatch(r"notes-[0-9a-f]{8}", name) for name in names)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ('<meta charset="iso-8859-1"><p>Die Fähre – über Land'.encode("windows-1252"), "windows-1252"),
        (
            '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><p>море'.encode("cp1251"),
            "windows-1251",
        ),
        ("<p>море".encode("utf-16"), "utf-16"),
    ],
)
def test_documents_in_declared_encodings_are_read(tmp_path: Path, content: bytes, encoding: str) -> None:
    """A page in another encoding is read if it says which; the encoding is recorded."""
    path = tmp_path / "old.html"
    path.write_bytes(content)

    item = read_document(path, tmp_path, NOW, LIMIT)

    assert isinstance(item, ReadRow)
    wrapper = json.loads(item.record.payload)
    assert any(word in wrapper["text"] for word in ("Die Fähre – über Land", "море"))
    assert wrapper["encoding"] == encoding


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("Die Fähre".encode("cp1252"), "not UTF-8 at byte 5, and declares no other encoding; convert it to UTF-8"),
        (b'<meta charset="utf-8">\xff', "cannot be read in the encoding that it declares"),
        (b'<meta charset="gibberish">\xff', "unknown encoding: gibberish"),
    ],
)
def test_encodings_are_never_guessed(tmp_path: Path, content: bytes, reason: str) -> None:
    """A file whose encoding cannot be known is rejected with the reason: a wrong guess would be stored as text."""
    path = tmp_path / "b.txt"
    path.write_bytes(content)

    item = read_document(path, tmp_path, NOW, LIMIT)

    assert isinstance(item, Reject)
    assert reason in item.reason


def test_discovery_finds_known_files_in_order(tmp_path: Path) -> None:
    """A folder gives its known files by name, passes over others and leaves hidden ones alone."""
    for name in ("b.html", "a.ndjson.gz", "x.exe", ".hidden.txt", "sub/c.md", ".git/d.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")

    found = discover(tmp_path)

    assert [(file.path.name, file.kind) for file in found.files] == [
        ("a.ndjson.gz", "ndjson"),
        ("b.html", "document"),
        ("c.md", "document"),
    ]
    assert [path.name for path in found.skipped] == ["x.exe"]


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    """A file that cannot even be looked at is rejected with its name, and the others are found."""
    (tmp_path / "a.html").symlink_to(tmp_path / "nowhere.html")
    write(tmp_path / "b.html", "x")

    found = discover(tmp_path)

    assert found.rejects == (Reject(place=f"{tmp_path}/a.html", reason="cannot be read: No such file or directory"),)
    assert [file.path.name for file in found.files] == ["b.html"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nothing", "there is no file or folder"),
        (lambda folder: folder, "holds no file of a known kind"),
        (lambda folder: write(folder / "a.exe", "x"), "do not know how to load this"),
    ],
)
def test_nothing_to_load_is_an_error(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    """A path that gives nothing is a mistake, and is called one."""
    with pytest.raises(InputError, match=message):
        discover(make(tmp_path))
