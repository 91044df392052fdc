"""Exchange records: their hash, and that nothing is lost between them and ingest records."""

import copy
import json
import unicodedata
import uuid
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holocron_assets.extraction.examination import examine
from holocron_assets.identity import payload_sha256
from holocron_assets.intake.ndjson import IgnoredColumns, Reject, read_ndjson
from holocron_assets.intake.rows import ReadRow, record_of, storable
from holocron_assets.interchange.content_hash import CONTENT_KEYS, content_sha256
from holocron_assets.interchange.envelope import KEYS, envelope_of, line_of
from holocron_assets.interchange.opening import EnvelopeError, is_envelope, open_envelope
from holocron_assets.records import IngestRecord, Outcome, RawRecord, RecordKey
from sample.mediawiki import html_payload, raw_payload

NOW = datetime(2026, 1, 2)  # noqa: DTZ001 - times are naive UTC throughout
#: An envelope as other software writes it, with the hash that this software gave it.
GOLDEN: dict[str, Any] = {
    "exchange_id": "0b7e7c52-5a0e-4c0e-9a86-1f64d2a0a001",
    "exchange_type": "mediawiki",
    "source_system": "wookieepedia",
    "entity_type": "page",
    "natural_key": "Luke Skywalker",
    "request": {"url": "https://x/api.php", "params": {"b": 2, "a": 1}},
    "response": {"v": 1.10, "s": "e\u0301"},
    "observed_at_utc": "2026-01-01T10:00:00Z",
    "provenance": {"runner_name": "r", "host": "h", "git_sha": None, "connector_version": "1"},
    "content_sha256": "2a8fa05e181e617f9f0afe5533a5be4a7af52e1156eb081985ca748d4398129d",
    "schema_version": 1,
    "tags": [],
    "redactions_applied": [],
    "response_ref": None,
}
FULL = IngestRecord(
    ingest_id=uuid.UUID(int=1),
    source_system="mediawiki",
    source_name="wookieepedia",
    resource_type="content",
    resource_id="Luke Skywalker",
    variant="html",
    request_uri="https://wiki.example/api.php?page=Luke%20Skywalker",
    request_method="GET",
    request_headers='{"Accept": "*/*"}',
    request_body="a=b",
    status_code=200,
    response_headers='{"Date": "Thu, 01 Jan 2026 10:00:00 GMT"}',
    payload='{"parse": {"title": "Luke Skywalker", "text": "<p>é</p>"}}',
    content_type="application/json",
    content_length=7,
    fetched_at_utc=datetime(2026, 1, 1, 10, 0, 0, 123456),  # noqa: DTZ001 - naive UTC
    hash_sha256="a" * 64,
    run_id=uuid.UUID(int=2),
    work_item_id=uuid.UUID(int=3),
    attempt=2,
    error_message="late",
    error_type="Late",
    duration_ms=70,
    file_path="/lake/luke.json",
    request_timestamp=datetime(2026, 1, 1, 9, 59),  # noqa: DTZ001 - naive UTC
    response_timestamp=datetime(2026, 1, 1, 10, 0),  # noqa: DTZ001 - naive UTC
    rank=-4,
)

texts = st.text(max_size=12)
storable_texts = st.text(max_size=40).map(storable)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)
payloads = st.one_of(
    storable_texts,
    values.map(json.dumps).map(storable),
    values.map(lambda value: storable(json.dumps(value, ensure_ascii=False))),
    values.map(lambda value: json.dumps(value, indent=2)),
    st.sampled_from(['{"a": 1, "a": 2}', '{"a": 1e999}', "[1.10]", '{"a": "\\uD800"}', "[" * 900 + "]" * 900, "-0"]),
    st.integers(190, 210).map(lambda depth: "[" * depth + "]" * depth),
)


def sealed(**changes: Any) -> dict[str, Any]:
    """The golden envelope with other keys, and the hash of what it then holds."""
    envelope = GOLDEN | changes
    return envelope | {"content_sha256": content_sha256(envelope)}


def opened(envelope: dict[str, Any]) -> IngestRecord:
    """The record that is read from an envelope's line."""
    return record_of(open_envelope(json.loads(json.dumps(envelope))).columns, NOW).record


def read_line(folder: Path, line: str | bytes) -> Any:
    """What the one line of a file is read as."""
    path = folder / "r.ndjson"
    path.write_bytes(line if isinstance(line, bytes) else line.encode())
    (item,) = read_ndjson(path, NOW, 10_000_000)
    return item


def test_the_golden_hash_comes_out() -> None:
    """The content of a known exchange record has the hash that the other software gives it."""
    assert content_sha256(GOLDEN) == GOLDEN["content_sha256"]


@given(values, values)
def test_the_order_of_keys_does_not_change_the_hash(request: Any, response: Any) -> None:
    """An object is its keys and values, in whatever order."""
    envelope = GOLDEN | {"request": {"a": request, "b": request}, "response": response}
    other = dict(reversed(envelope.items())) | {"request": {"b": request, "a": request}}

    assert content_sha256(envelope) == content_sha256(other)


@given(st.text())
def test_the_spelling_of_accents_does_not_change_the_hash(text: str) -> None:
    """Composed and decomposed characters are the same, in keys and in values."""
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))

    assert content_sha256({"response": {composed: composed}}) == content_sha256({"response": {decomposed: decomposed}})


def test_only_content_is_hashed() -> None:
    """Everything that a fetch is about changes the hash; when it was observed and by whom does not."""
    changed = {name for name in KEYS if content_sha256(GOLDEN | {name: "other"}) != GOLDEN["content_sha256"]}

    assert changed == set(CONTENT_KEYS)


@pytest.mark.parametrize(
    ("value", "same"),
    [
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (0.1 + 0.2, 0.3),
        (("a", 1), ["a", 1]),
        ({1: "x"}, {"1": "x"}),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
    ],
)
def test_what_json_cannot_say_is_hashed_as_what_stands_for_it(value: Any, same: Any) -> None:
    """Numbers that are none are words, the last digits of a float do not count, other types are their text."""
    assert content_sha256({"response": value}) == content_sha256({"response": same})


def test_values_that_differ_hash_differently() -> None:
    """Truth is no number, a number is no text, and a float is no integer."""
    found = {content_sha256({"response": value}) for value in (True, 1, 1.0, "1", None, "None", [], {})}

    assert len(found) == 8


def test_every_column_of_a_record_comes_back() -> None:
    """A record with every column filled is the same after its envelope; so is one with only what is required."""
    bare = replace(FULL, **{field.name: field.default for field in fields(FULL) if field.default is None})

    assert all(getattr(FULL, field.name) is not None for field in fields(FULL))
    assert opened(envelope_of(FULL)) == FULL
    assert opened(envelope_of(bare)) == bare


@settings(deadline=None)  # the first example loads what others do not
@given(
    payload=payloads,
    headers=st.none() | payloads,
    name=storable_texts,
    system=st.sampled_from(["mediawiki", "openalex", "files", "http", "llm", ""]),
    resource_type=st.sampled_from(["content", "content_raw", "page", "work", "contents", ""]),
    method=st.sampled_from(["GET", "get", ""]),
    status=st.integers(0, 999),
)
def test_records_survive_the_round_trip(
    payload: str, headers: str | None, name: str, system: str, resource_type: str, method: str, status: int
) -> None:
    """Whatever a record holds, byte for byte: from record to line and back nothing changes, and its hash is right."""
    record = replace(
        FULL,
        payload=payload,
        request_headers=headers,
        response_headers=headers,
        resource_id=name,
        request_uri=name,
        source_system=system,
        resource_type=resource_type,
        request_method=method,
        status_code=status,
    )
    line = line_of(envelope_of(record))

    assert line.count(b"\n") == 1
    assert not open_envelope(json.loads(line)).redacted
    assert opened(json.loads(line)) == record


def test_an_envelope_has_the_keys_and_words_of_the_other_software() -> None:
    """A wiki page is exchanged as the other software names it, its JSON payload as a value."""
    envelope = envelope_of(FULL)

    assert tuple(envelope) == KEYS
    assert tuple(GOLDEN) == KEYS
    assert (envelope["exchange_type"], envelope["source_system"]) == ("mediawiki", "wookieepedia")
    assert (envelope["entity_type"], envelope["natural_key"]) == ("page", "Luke Skywalker")
    assert envelope["exchange_id"] == str(FULL.ingest_id)
    assert envelope["observed_at_utc"] == "2026-01-01T10:00:00.123456+00:00"
    assert envelope["provenance"].keys() == GOLDEN["provenance"].keys()
    assert envelope["response"]["payload"] == json.loads(FULL.payload)
    assert "payload_text" not in envelope["response"]
    assert envelope["request"]["headers"] == {"Accept": "*/*"}


@pytest.mark.parametrize(
    ("system", "uri", "expected"),
    [
        ("openalex", "https://api.example/works/W1", "openalex"),
        ("files", "file:///notes/a.txt", "file"),
        ("shop", "https://shop.example/", "http"),
        ("shop", "/orders/1", "generic"),
    ],
)
def test_the_exchange_type_is_one_of_the_known(system: str, uri: str, expected: str) -> None:
    """A source system that is no exchange type is exchanged as what its address says, and comes back by its name."""
    record = replace(FULL, source_system=system, request_uri=uri)
    envelope = envelope_of(record)

    assert envelope["exchange_type"] == expected
    assert opened(envelope) == record


def test_two_fetches_of_one_content_are_two_exchange_records() -> None:
    """Which was fetched last decides what is current, so a hash must not make one of two fetches."""
    again = replace(FULL, ingest_id=uuid.UUID(int=9))

    assert envelope_of(FULL)["content_sha256"] != envelope_of(again)["content_sha256"]


def test_a_foreign_page_is_the_page_that_a_crawler_fetches() -> None:
    """What other software exchanged of a page belongs to the resource and the variant that the contract knows."""
    raw = json.loads(
        raw_payload(title="T", page_id=7, revision=3, wikitext="Some *words*.", timestamp="2026-01-01T00:00:00Z")
    )
    html = json.loads(html_payload(title="T", page_id=7, revision=3, wikitext="Some words.", fetched_at=NOW))
    records = [opened(sealed(natural_key="T", response=response)) for response in (raw, html, {"error": "x"})]

    assert {(one.source_system, one.source_name, one.resource_type, one.resource_id) for one in records} == {
        ("mediawiki", "wookieepedia", "content", "T")
    }
    assert [one.variant for one in records] == ["raw", "html", None]
    keys = [RecordKey(**{field.name: getattr(one, field.name) for field in fields(RecordKey)[:-1]}) for one in records]
    found = examine([RawRecord(key=key, payload=one.payload) for key, one in zip(keys, records, strict=True)][:2])
    assert [one.source_id for one in found] == ["mediawiki:wookieepedia:page/7"] * 2
    assert found[1].outcome == Outcome.TEXT


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ({}, {"payload": '{"v": 1.1, "s": "é"}', "request_uri": "https://x/api.php?b=2&a=1", "status_code": 200}),
        ({"exchange_type": "llm", "request": {"model": "m", "prompt": "Why?"}, "response": "Because."},
         {"payload": "Because.", "request_body": '{"model": "m", "prompt": "Why?"}', "source_system": "llm",
          "request_uri": "exchange:llm/wookieepedia/page", "resource_type": "page"}),
        ({"exchange_type": "http", "natural_key": None}, {"resource_id": "https://x/api.php?b=2&a=1"}),
        ({"request": "https://x/a", "natural_key": None}, {"request_uri": "https://x/a", "resource_id": "https://x/a"}),
        ({"request": None, "natural_key": ""}, {"resource_id": "", "request_body": None}),
        ({"request": ["a"]}, {"request_body": '["a"]'}),
        ({"request": {"url": "https://x/?q=1", "params": {"a": ["b", "ü"]}, "method": "POST", "body": {"k": 1}}},
         {"request_uri": "https://x/?q=1&a=b&a=%C3%BC", "request_method": "POST", "request_body": '{"k": 1}'}),
        ({"request": {"url": 5, "ingest_record": "no"}}, {"request_uri": "exchange:mediawiki/wookieepedia/page"}),
        ({"response": {"status_code": 404, "headers": {"A": "b"}, "body": None}},
         {"status_code": 404, "payload": "", "response_headers": '{"A": "b"}'}),
        ({"response": {"status_code": 200, "content": "<p>x</p>", "content_type": "text/html"}},
         {"payload": "<p>x</p>", "content_type": "text/html"}),
        ({"response": {"status_code": "ok", "body": 1}}, {"payload": '{"status_code": "ok", "body": 1}'}),
        ({"response": {"status_code": 200}}, {"payload": '{"status_code": 200}', "status_code": 200}),
        ({"response": [1, None]}, {"payload": "[1, null]"}),
        ({"response": 0}, {"payload": "0"}),
        ({"exchange_id": "42"}, {"resource_id": "Luke Skywalker"}),
        ({"exchange_id": None, "schema_version": 1.0}, {"resource_id": "Luke Skywalker"}),
    ],
)  # fmt: skip
def test_foreign_envelopes_are_understood(changes: dict[str, Any], columns: dict[str, Any]) -> None:
    """Whatever shape request and response have, the record is what they say, and the same at every reading."""
    record = opened(sealed(**changes))

    expected = {name: unicodedata.normalize("NFD", v) if name == "payload" else v for name, v in columns.items()}
    assert {name: getattr(record, name) for name in columns} == expected
    assert record == opened(sealed(**changes))
    assert record.hash_sha256 == payload_sha256(record.payload)


def test_an_envelope_without_what_is_optional_is_read() -> None:
    """Of an envelope, type, system, entity and response are needed, and nothing else."""
    needed = {name: GOLDEN[name] for name in ("exchange_type", "source_system", "entity_type", "response")}

    record = opened(needed)

    assert (record.fetched_at_utc, record.attempt) == (NOW, 1)
    assert record.resource_id == content_sha256(needed)
    assert record.ingest_id == opened(needed).ingest_id


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exchange_type": None}, "exchange_type is missing"),
        ({"entity_type": 5}, "entity_type must be a string"),
        ({"natural_key": ["a"]}, "natural_key must be a string"),
        ({"natural_key": "x" * 501}, "column resource_id has 501 characters"),
        ({"schema_version": 2}, "schema_version 2 is not known; known is 1"),
        ({"schema_version": "one"}, "schema_version 'one' is not known"),
        ({"response": None}, "response is missing"),
        ({"response": None, "response_ref": "lake/a.json"}, "its response is elsewhere and not read: 'lake/a.json'"),
        ({"observed_at_utc": "yesterday"}, "column fetched_at_utc must be an ISO 8601 time"),
        ({"response": {"status_code": 1200, "body": "x"}}, "column status_code must be from 0 to 999"),
        ({"request": {"ingest_record": {"attempt": "one"}}}, "column attempt must be an integer"),
    ],
)
def test_what_is_no_record_is_rejected_with_its_reason(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    """A line that is meant as an exchange record and is none is rejected by what is wrong with it."""
    item = read_line(tmp_path, json.dumps(sealed(**changes)))

    assert isinstance(item, Reject)
    assert item.place.endswith(":1")
    assert reason in item.reason


@pytest.mark.parametrize("given_hash", ["0" * 64, 7, "", {}])
def test_a_wrong_hash_is_rejected(tmp_path: Path, given_hash: Any) -> None:
    """An envelope whose content does not have the hash that it says is not stored."""
    item = read_line(tmp_path, json.dumps(GOLDEN | {"content_sha256": given_hash}))

    assert isinstance(item, Reject)
    assert item.reason.startswith("its content was changed or damaged: content_sha256 says")


@pytest.mark.parametrize("name", CONTENT_KEYS)
def test_tampering_is_noticed(name: str) -> None:
    """To change anything that was fetched breaks the hash."""
    envelope = envelope_of(FULL)
    envelope[name] = envelope[name] | {"x": 1} if isinstance(envelope[name], dict) else envelope[name] + "x"

    with pytest.raises(EnvelopeError, match="changed or damaged"):
        open_envelope(envelope)


def test_redacted_content_keeps_its_hash_and_is_taken(tmp_path: Path) -> None:
    """The other software keeps the hash of what was there before a redaction: such a record is marked, not rejected."""
    secret = replace(FULL, payload='{"parse":{"text":"secret"}}')
    envelope = copy.deepcopy(envelope_of(secret))
    envelope["response"]["payload"]["parse"]["text"] = "***"
    envelope["redactions_applied"] = ["text"]

    item = read_line(tmp_path, line_of(envelope))

    assert isinstance(item, ReadRow)
    assert item.redacted
    assert item.record.payload == '{"parse": {"text": "***"}}'
    assert item.record.hash_sha256 == payload_sha256(item.record.payload)
    assert not read_line(tmp_path, line_of(envelope_of(secret))).redacted


def test_a_hash_in_capitals_is_the_same_hash() -> None:
    """Databases give hex in either case."""
    assert not open_envelope(GOLDEN | {"content_sha256": GOLDEN["content_sha256"].upper()}).redacted


def test_numbers_that_are_none_are_read(tmp_path: Path) -> None:
    """Python writes NaN and Infinity into JSON; their hash is known, and the payload says what was there."""
    item = read_line(tmp_path, json.dumps(sealed(response={"a": float("nan"), "b": float("-inf")})))

    assert isinstance(item, ReadRow)
    assert item.record.payload == '{"a": NaN, "b": -Infinity}'
    assert opened(envelope_of(item.record)) == item.record


def test_half_surrogates_and_nul_survive(tmp_path: Path) -> None:
    """What no database can hold is kept as an escape, and travels."""
    item = read_line(tmp_path, json.dumps(sealed(response={"a": "x\ud800\0"}, natural_key="k\0\udfff")))

    assert isinstance(item, ReadRow)
    assert json.loads(item.record.payload) == {"a": "x\ud800\0"}
    assert item.record.resource_id == "k\\u0000\\udfff"
    assert read_line(tmp_path, line_of(envelope_of(item.record))).record == item.record


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (json.dumps(GOLDEN)[:-30], "not JSON"),
        (json.dumps(GOLDEN).encode("utf-16"), "not UTF-8"),
        (json.dumps({"exchange_type": "http", "response": 1})[:-1] + "1" * 5000 + "}", "not JSON that can be read"),
        ('{"exchange_type":"a","source_system":"b","entity_type":"c","response":' + "[" * 300 + "]" * 300 + "}",
         "nested too deeply"),
        ('{"exchange_type":"a","response":' + "[" * 100_000, "nested too deeply"),
    ],
)  # fmt: skip
def test_damaged_lines_are_rejected(tmp_path: Path, line: str | bytes, reason: str) -> None:
    """A line that was cut, garbled or made to hurt is one rejected line."""
    item = read_line(tmp_path, line)

    assert isinstance(item, Reject)
    assert reason in item.reason


@given(st.dictionaries(st.sampled_from(KEYS), values))
def test_no_envelope_is_too_odd(envelope: dict[str, Any]) -> None:
    """Whatever the keys of an envelope hold, it is a record or it is refused."""
    line = json.loads(json.dumps(envelope))
    if is_envelope(line):
        try:
            columns = open_envelope(line).columns
        except EnvelopeError:
            return
        assert isinstance(columns["payload"], str)


def test_keys_that_nobody_knows_are_told(tmp_path: Path) -> None:
    """What an envelope says beyond its keys is not stored, and that is said; its tags may be anything."""
    path = tmp_path / "r.ndjson"
    path.write_text(json.dumps(GOLDEN | {"colour": "red", "tags": {"a": [1]}}))

    record, ignored = read_ndjson(path, NOW, 10_000_000)

    assert isinstance(record, ReadRow)
    assert ignored == IgnoredColumns(names=("colour",))


def test_rows_are_not_taken_for_envelopes() -> None:
    """A row with a payload column is one, whatever else it carries."""
    assert not is_envelope({"payload": "{}", "exchange_type": "http"})
    assert not is_envelope([])
    assert is_envelope({"exchange_id": None})
