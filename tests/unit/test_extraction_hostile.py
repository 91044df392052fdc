"""Hostile payloads: nothing raises, nothing takes long, and whatever comes out is clean text."""

import json
import re
import sys
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holocron_assets.extraction.cleaning import clean
from holocron_assets.extraction.examination import examine
from holocron_assets.identity import canonical_json
from holocron_assets.records import Outcome
from tests.unit.extraction_records import examined, parse_response, query_response, raw_record

#: CPU seconds for about a megabyte: far above what it takes, far below what anything quadratic takes. Measuring
#: coverage slows everything down.
PATIENCE = 10 if sys.gettrace() is None else 60

DEEP_HTML = "<div>" * 100_000 + "bottom" + "</div>" * 100_000
STRAY_ENDS = "<div>" * 100_000 + "</b>" * 100_000 + "bottom"

PAGES = {
    "nested 100,000 deep": DEEP_HTML,
    "stray end tags at every depth": STRAY_ENDS,
    "five million brackets": "<" * 5_000_000,
    "tables never closed": "<table><tr><td>a" * 50_000,
    "tables around many lines": "<table><tr><td>" * 160 + "<p>a" * 100_000,
    "cells without end": "<table>" + "<td>a" * 100_000,
    "lists never closed": "<ul><li>a" * 50_000,
    "attributes without end": "<a " + " ".join(f"a{i}=1" for i in range(200_000)) + ">x",
    "comments never closed": "<!--" * 250_000,
    "headings without text": "<h2>a</h2>" * 100_000,
    "scripts never closed": "<script>" * 100_000,
    "open parentheses": " (,; " * 200_000,
    "redirect far below": "<div>" * 100_000 + '<div class="redirectMsg">',
}

SOURCES = {
    "braces": "{" * 1_000_000,
    "six braces": "{{{{{{" * 10_000,
    "templates never closed": "{{a|" * 100_000,
    "templates closed late": "{{nowrap|" * 50_000 + "x" + "}}" * 50_000,
    "links never closed": "[[" * 10_000 + "[[a|" * 100_000,
    "templates and links crossed": "{{a|[[" * 100_000 + "}}" * 100_000,
    "quotes": "'" * 1_000_000,
    "nested tables": "{|\n|a\n" * 50_000,
    "table cells": "{|\n" + "|" * 200_000,
    "references never closed": '<ref name="' * 50_000 + "<ref>" * 50_000,
    "nowiki never closed": "<nowiki>" * 100_000,
    "external links never closed": "[http://a.b " * 50_000 + "[http://" + "a" * 500_000,
    "equal signs": "=" * 500_000 + "\n" + "=a" * 200_000,
    "list marks": "*" * 500_000 + "a\n" + "* a\n" * 50_000,
    "redirect with room": "#REDIRECT" + " " * 1_000_000,
    "links with room": ("[[" + " " * 1000 + "\n") * 500,
    "gallery lines": "<gallery>x.jpg|" + "alt=a|" * 100_000,
    "argument with room": "{{nowrap|" + " " * 500_000 + "}}",
}

WEB_PAGES = {
    "nested 100,000 deep": f"<html><body>{DEEP_HTML}",
    "stray end tags at every depth": f"<html><body>{STRAY_ENDS}",
    "attributes without end": "<html><a " + " ".join(f"a{i}=1" for i in range(200_000)) + ">x",
    "paragraphs never closed": "<html>" + "<p>abc" * 150_000,
    "nested tables": "<html>" + "<table><tr><td>abc" * 70 + "<p>abc" * 15_000,
    "comments before": "<!-- --> " * 50_000 + "x",
}

BROKEN = {
    "truncated JSON": '{"parse": {"title": "Lantern Ferry", "text": "<p>The',
    "JSON nested 100,000 deep": "[" * 100_000 + "]" * 100_000,
    "objects nested 100,000 deep": '{"a":' * 100_000,
    "an integer that is too long": '{"a": ' + "9" * 5000 + "}",
}


def examined_in_time(payload: Any, **fields: Any) -> str:
    """The text of a payload ("" for none), examined without failure or delay."""
    start = time.process_time()
    examination = examined(payload, **fields)
    seconds = time.process_time() - start

    assert seconds < PATIENCE, f"{seconds:.1f} s"
    assert examination.outcome is not Outcome.FAILED, examination.reason
    return examination.text or ""


def assert_clean(text: str) -> None:
    """What every stored text may rely on."""
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200b\ufeff\u00a0]", text)
    assert not re.search(r"[ \t]$", text, re.MULTILINE)
    assert "\n\n\n" not in text
    assert text == text.strip()
    text.encode()


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_rendered_pages(page: str) -> None:
    """A rendered page of any shape is read in linear time."""
    text = examined_in_time(parse_response(page))

    assert_clean(text)
    assert ("bottom" in text) == ("bottom" in page)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_wikitext(source: str) -> None:
    """Wikitext of any shape is read in linear time."""
    assert_clean(examined_in_time(query_response(source)))


@pytest.mark.parametrize("page", WEB_PAGES.values(), ids=WEB_PAGES)
def test_web_pages(page: str) -> None:
    """A web page that its extractor could not take is read all the same."""
    text = examined_in_time(page, content_type="text/html")

    assert_clean(text)
    assert ("bottom" in text) == ("bottom" in page)


@pytest.mark.parametrize("payload", BROKEN.values(), ids=BROKEN)
def test_broken_json_is_no_text(payload: str) -> None:
    """What begins as JSON and is none fails: it is never embedded as if it were text."""
    examination = examined(payload)

    assert examination.outcome is Outcome.FAILED
    assert "cannot be read as JSON" in (examination.reason or "")


@pytest.mark.parametrize("payload", ["", " \n", "null", "[]", "{}", "true", '""', '{"a": null}', "[" * 900 + "]" * 900])
def test_payloads_without_anything_are_empty(payload: str) -> None:
    """A payload that says nothing is empty, not broken."""
    assert examined(payload).outcome is Outcome.EMPTY


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ("12345", "12345"),
        ("[1, 2.5, true]", "1, 2.5"),
        ('"\\u0000\\u0007caf\\u00e9\\u200b \\u00a0x"', "café x"),
        ('"\\ud800 and \\ud83d\\ude00"', "\ufffd and 😀"),
        ("a\r\nb\rc\x0bd\u2028e\n\n\n\nf \t g", "a\nb\nc\nd\ne\n\nf g"),
        (parse_response("<p>a\0b&#0;c&#8203;d\x85e\ud800</p>"), "Lantern Ferry\n\nab\ufffdcd e\ufffd"),
        (query_response("a\0b\ud800&#x200b;c"), "Lantern Ferry\n\nab\ufffdc"),
    ],
)
def test_characters(payload: Any, text: str) -> None:
    """Control characters, lone surrogates and invisible blanks never reach a text."""
    assert examined(payload).text == text


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**400, 1.5, True, "7", None])
def test_numbers_that_are_no_ids(number: Any) -> None:
    """A page id or revision that the database could not hold counts as absent."""
    examination = examined(parse_response("<p>a</p>", pageid=number, revid=number))

    assert examination.revision is None
    assert (examination.source_id or "").startswith("mediawiki:harbour:sha/")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
#: the words that extractors look for, so that random payloads come near them
FIELDS = st.sampled_from(
    "parse text * title pageid revid displaytitle categories query pages revisions slots main content missing links"
    " pagelanguage canonicalurl redirect language doi topics error code id results abstract_inverted_index"
    " display_name concepts content_type encoding".split()
)
MARKUP = st.lists(
    st.text(max_size=6)
    | st.sampled_from(
        "<p> </p> <table> <tr> <td> </table> <ul> <li> </ul> <pre> </pre> <h2> </h2> <br> <sup> <div> </div> <!-- -->"
        " {{ }} {{{ }}} [[ ]] | || |- {| |} ! == * # : ; '' ''' <ref> </ref> <nowiki> </nowiki> &amp; &#0; \n \t".split(
            " "
        )
    ),
    max_size=40,
).map("".join)
NEAR_PAYLOADS = st.recursive(
    JSON_VALUES | MARKUP,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=20,
)

few = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(*payloads: str, content_type: str | None = None) -> None:
    """One examination per record, deterministic, and clean."""
    records = [raw_record(payload, content_type=content_type) for payload in payloads]

    examinations = examine(records)

    assert [examination.ingest_id for examination in examinations] == [record.key.ingest_id for record in records]
    assert examinations == examine(records)
    for examination in examinations:
        assert_clean(examination.text or "")
        assert_clean(examination.title or "")
        assert "raised" not in (examination.reason or "")
        canonical_json([examination.source_ref, examination.tags, examination.redirect_target]).encode()


@few
@given(JSON_VALUES | NEAR_PAYLOADS, NEAR_PAYLOADS)
def test_any_json_is_examined(one: Any, other: Any) -> None:
    """Whatever JSON comes, each record gets one examination, the same each time."""
    check(json.dumps(one), json.dumps(other))


@few
@given(st.text() | MARKUP, st.sampled_from([None, "text/html", "text/plain", "application/json"]))
def test_any_text_is_examined(text: str, content_type: str) -> None:
    """Whatever text comes, each record gets one examination, the same each time."""
    check(text, content_type=content_type)


@few
@given(MARKUP)
def test_any_markup_is_examined(markup: str) -> None:
    """Whatever a page holds, rendered or not, it is read and reads clean."""
    check(json.dumps(parse_response(markup)), json.dumps(query_response(markup)))


@few
@given(st.text())
def test_cleaning_is_idempotent(text: str) -> None:
    """A clean text stays as it is."""
    assert_clean(clean(text))
    assert clean(clean(text)) == clean(text)
