"""Examining records: which of a resource's records is read, and every outcome that a record can have."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from holocron_assets import identity
from holocron_assets.extraction import EXTRACTORS, STATUS, versions
from holocron_assets.extraction.examination import examine, judge_without_payload
from holocron_assets.extraction.resource import normal_resource, resource_key
from holocron_assets.records import Outcome, RawRecord
from tests.unit.extraction_records import FETCHED, examined, parse_response, query_response, raw_record

DEEP = "[" * 100_000
PROSE = "The ferry crosses the Sound."


def html(revision: int | None = 7, text: Any = f"<p>{PROSE}</p>", **fields: Any) -> RawRecord:
    """The html variant; `text` may be no text, and then it cannot be read."""
    return raw_record(parse_response(text, revid=revision), variant="html", **fields)


def raw(revision: int = 7, text: str = PROSE, **fields: Any) -> RawRecord:
    return raw_record(query_response(text, revision), variant="raw", **fields)


def outcomes(*records: RawRecord) -> list[Outcome]:
    return [examination.outcome for examination in examine(records)]


@pytest.fixture
def unreadable_html(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendered pages are recognised and cannot be read."""

    def fail(*_: object) -> str:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr("holocron_assets.extraction.mediawiki_html.text", fail)


def test_html_is_preferred_at_the_same_revision() -> None:
    """Of two variants of one revision the rendered one is read; the answers keep the records' order."""
    assert outcomes(raw(), html()) == [Outcome.IDENTIFIED, Outcome.TEXT]
    assert outcomes(html(), raw()) == [Outcome.TEXT, Outcome.IDENTIFIED]


def test_the_highest_revision_is_preferred() -> None:
    """A newer revision is read although its variant is the lesser one and it was fetched earlier."""
    earlier = FETCHED - timedelta(days=1)

    assert outcomes(html(7), raw(8, fetched_at_utc=earlier)) == [Outcome.IDENTIFIED, Outcome.TEXT]


def test_without_revisions_html_is_preferred_then_the_newest() -> None:
    """`action=parse` without revision ids: variants decide first, then fetch times, then ids."""
    old, new = FETCHED, FETCHED + timedelta(days=1)

    assert outcomes(raw(9, fetched_at_utc=new), html(None, fetched_at_utc=old)) == [Outcome.IDENTIFIED, Outcome.TEXT]
    assert outcomes(html(None, fetched_at_utc=new), html(None, fetched_at_utc=old)) == [
        Outcome.TEXT,
        Outcome.IDENTIFIED,
    ]
    assert outcomes(html(None, ingest_id=uuid.UUID(int=1)), html(None, ingest_id=uuid.UUID(int=2))) == [
        Outcome.IDENTIFIED,
        Outcome.TEXT,
    ]


def test_wanted_records_are_read_besides_the_preferred_one() -> None:
    """A record that the store asked for is read whatever else is pending."""
    assert outcomes(html(7), raw(6, wanted=True), raw(5)) == [Outcome.TEXT, Outcome.TEXT, Outcome.IDENTIFIED]


@pytest.mark.usefixtures("unreadable_html")
def test_the_other_variant_of_a_revision_stands_in_for_one_that_fails() -> None:
    """When the preferred record cannot be read, the same revision's other variant is, and no other revision."""
    assert outcomes(html(7), raw(7), raw(6)) == [Outcome.FAILED, Outcome.TEXT, Outcome.IDENTIFIED]
    assert outcomes(html(8), raw(7)) == [Outcome.FAILED, Outcome.IDENTIFIED]
    assert outcomes(html(None), raw(7)) == [Outcome.FAILED, Outcome.TEXT]


@pytest.mark.usefixtures("unreadable_html")
def test_a_failure_names_extractor_and_exception_and_keeps_the_identity() -> None:
    """A record that was recognised and could not be read says by whom and why, and which source it is about."""
    (examination,) = examine([html()])

    assert examination.reason == "mediawiki_html 1 raised RecursionError: maximum recursion depth exceeded"
    assert (examination.source_id, examination.revision, examination.text) == ("mediawiki:harbour:page/311", 7, None)


def test_a_record_that_is_not_recognised_leaves_the_others_in_peace() -> None:
    """A broken record fails without an identity, and the next best record is read."""
    broken, sound = examine([raw_record('{"parse": {"title"', variant="html"), raw()])

    assert (broken.outcome, broken.source_id) == (Outcome.FAILED, None)
    assert sound.outcome is Outcome.TEXT


@pytest.mark.parametrize(
    ("payload", "fields", "outcome", "said"),
    [
        (parse_response("<p>Text</p>"), {}, Outcome.TEXT, None),
        (parse_response(" <p> </p> "), {}, Outcome.EMPTY, None),
        (query_response("{{stub}}"), {}, Outcome.EMPTY, None),
        ({"error": {"code": "missingtitle", "info": "no"}}, {}, Outcome.MISSING, None),
        ({"error": {"code": "ratelimited", "info": "slow down"}}, {}, Outcome.FAILED, "ratelimited: slow down"),
        ({"query": {"pages": {"-1": {"title": "X", "missing": ""}}}}, {}, Outcome.MISSING, None),
        ({"query": {"pages": [{"title": "<>", "invalid": True}]}}, {}, Outcome.MISSING, None),
        ({"query": {"pages": []}}, {}, Outcome.FAILED, "holds 0 pages"),
        (
            {"query": {"pages": [{"title": "A", "revisions": []}, {"title": "B", "revisions": []}]}},
            {},
            Outcome.FAILED,
            "holds 2 pages",
        ),
        ({"query": {"pages": [{"title": "A", "revisions": []}]}}, {}, Outcome.FAILED, "no revision"),
        (
            {"query": {"pages": [{"title": "A", "revisions": [{"revid": 3, "texthidden": True}]}]}},
            {},
            Outcome.FAILED,
            "no text",
        ),
        (
            {"query": {"pages": {"5": {"pageid": 5, "ns": 0, "title": "A", "links": [{"title": "B"}]}}}},
            {"resource_type": "page"},
            Outcome.IGNORED,
            "carries links, no text",
        ),
        (
            {"batchcomplete": True, "query": {"allpages": [{"title": "A"}]}},
            {},
            Outcome.IGNORED,
            "carries links, no text",
        ),
        ({"parse": {"title": "A", "links": []}}, {}, Outcome.IGNORED, "carries links, no text"),
        ({"parse": {"title": "A"}}, {}, Outcome.FAILED, "parse.text"),
        ("anything", {"status_code": 500}, Outcome.IGNORED, "HTTP 500"),
        ("anything", {"status_code": 301}, Outcome.IGNORED, "HTTP 301"),
        ("anything", {"status_code": 404}, Outcome.GONE, "HTTP 404"),
        ("anything", {"status_code": 410}, Outcome.GONE, "HTTP 410"),
        ("%PDF-1.7", {"content_type": "application/pdf"}, Outcome.FAILED, "no extractor reads application/pdf"),
        ({"results": []}, {"source_system": "openalex"}, Outcome.MISSING, None),
        (
            {"results": [{"id": "https://openalex.org/W1"}, {"id": "https://openalex.org/W2"}]},
            {},
            Outcome.FAILED,
            "2 works; store one work per record",
        ),
    ],
)
def test_outcomes(payload: Any, fields: dict[str, Any], outcome: Outcome, said: str | None) -> None:
    """Every way in which a record can end, with what it says of itself."""
    examination = examined(payload, **fields)

    assert examination.outcome is outcome
    assert (said or "") in (examination.reason or "")
    assert (examination.text is not None) == (outcome is Outcome.TEXT)
    if outcome in (Outcome.MISSING, Outcome.IGNORED, Outcome.GONE):
        assert examination.source_id is None


@pytest.mark.parametrize(
    ("payload", "target"),
    [
        (query_response("#REDIRECT [[Lamp]]"), "Lamp"),
        (query_response("#redirect: [[:lamp_house#Door|x]]"), "lamp house"),
        (query_response("#ПЕРЕНАПРАВЛЕНИЕ [[Маяк]]"), "Маяк"),
        (query_response("see [[Lamp]]", redirect=True), "Lamp"),
        (query_response("#Item [[Lamp]]"), None),
        (
            parse_response('<div class="redirectMsg"><p>To:</p><ul><li><a href="x">A &amp; B</a></li></ul></div>'),
            "A & B",
        ),
    ],
)
def test_redirects(payload: Any, target: str | None) -> None:
    """A page that only points to another is no text, in whichever language it says so."""
    examination = examined(payload)

    assert examination.redirect_target == target
    assert (examination.outcome is Outcome.REDIRECT) == (target is not None)
    assert examination.source_id == "mediawiki:harbour:page/311"


def test_statuses_are_judged_without_payload() -> None:
    """What the status says is an examination by `status`; a success must be read."""
    judged = judge_without_payload(raw_record("", status_code=503).key)

    assert judged is not None
    assert (judged.extractor, judged.extractor_version) == STATUS
    assert judge_without_payload(raw_record("", status_code=204).key) is None


def test_versions_name_everything_that_examines() -> None:
    """Names are unique, and what judges statuses is among them."""
    names = [name for name, _ in versions()]

    assert names == [*(extractor.name for extractor in EXTRACTORS), "status"]
    assert len(set(names)) == len(names)


def test_a_text_says_where_it_comes_from() -> None:
    """The reference always names the record, and says what the payload knows of the page."""
    payload = query_response("Text. [[Category:Two_words]]", pagelanguage="en", canonicalurl="https://h.example/wiki/F")

    examination = examined(payload, variant="raw")

    assert examination.source_ref == {
        "source_id": "mediawiki:harbour:page/311",
        "source_system": "mediawiki",
        "source_name": "harbour",
        "resource_type": "content",
        "resource_id": "Lantern Ferry",
        "ingest_id": str(uuid.UUID(int=1)),
        "variant": "raw",
        "request_uri": "https://harbour.example/api.php",
        "title": "Lantern Ferry",
        "revision": 7,
        "page_id": 311,
        "language": "en",
        "url": "https://h.example/wiki/F",
    }
    assert examination.tags == ("Two words",)
    assert examination.text == "Lantern Ferry\n\nText."
    assert examination.text_sha256 == identity.text_sha256(examination.text)


def test_hidden_categories_are_no_tags() -> None:
    """Categories about the page's upkeep are left out, in either format of the API."""
    categories = [{"category": "Ferries"}, {"category": "Stubs", "hidden": True}, {"*": "All_stubs", "hidden": ""}]

    assert examined(parse_response("<p>Text</p>", categories=categories)).tags == ("Ferries",)


def test_a_payload_without_page_id_speaks_for_its_resource() -> None:
    """Without a page id the source is the resource, the same for every variant and every seeder."""
    sources = {
        examined(parse_response("<p>Text</p>", pageid=0), variant="html").source_id,
        examined(parse_response("<p>Text</p>", pageid=None), resource_type="content_html").source_id,
        identity.resource_source_id("mediawiki", "harbour", "content", "Lantern Ferry"),
    }

    assert len(sources) == 1


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        (("content", "raw"), ("content", "raw")),
        (("content_raw", None), ("content", "raw")),
        (("content_html", ""), ("content", "html")),
        (("content_html", "html"), ("content_html", "html")),
        (("page", None), ("page", "")),
    ],
)
def test_older_names_of_resources(given: tuple[str, str | None], normal: tuple[str, str]) -> None:
    """The older seeder's types are today's types with a variant."""
    assert normal_resource(*given) == normal


def test_all_variants_have_one_resource_key() -> None:
    """Records of one resource are recognised as such across variants and seeders."""
    keys = [
        raw_record("", resource_type="content", variant="html").key,
        raw_record("", resource_type="content", variant="raw").key,
        raw_record("", resource_type="content_raw").key,
    ]

    assert len({resource_key(key) for key in keys}) == 1
    assert examined("text", resource_type="content_raw").variant == "raw"


def test_wrapped_responses_are_opened() -> None:
    """A response that was no JSON is read as what its wrapper says it is, its encoding repaired."""
    page = "<html><title>Fähre</title><p>Größe</p></html>"
    mangled = page.encode().decode("latin-1")

    wrapped = examined({"content_type": "text/html", "text": mangled, "encoding": "ISO-8859-1"})
    latin = examined({"content_type": "text/html", "text": page, "encoding": "ISO-8859-1"})
    inner = examined({"content_type": "text/plain", "text": json.dumps(query_response("Text")), "encoding": None})

    assert (wrapped.extractor, wrapped.text) == ("web_page", "Fähre\n\nGröße")
    assert latin.text == wrapped.text
    assert inner.extractor == "mediawiki_wikitext"


def test_works_are_recognised_by_their_id() -> None:
    """A work's id is a URL that says so, or, in records of OpenAlex, the bare number."""
    assert examined({"id": "https://openalex.org/W12", "title": "T"}).source_id == "openalex:harbour:work/W12"
    assert examined({"id": "W12", "title": "T"}, source_system="openalex").extractor == "openalex_work"
    assert examined({"id": "W12", "title": "T"}).extractor == "json_text"


def test_json_is_read_to_its_bottom() -> None:
    """However deep a value is nested, it is read."""
    payload: Any = "the deepest"
    for level in range(300):
        payload = {"a": payload} if level % 2 else [payload, {"b": level}]

    text = examined(payload).text or ""

    assert "the deepest" in text
    assert "b: 298" in text


@pytest.mark.parametrize("index", [{"a": [10**9]}, {"a": [-1]}, {"a": ["0"]}, {"a": [True]}, {"a": 1}, ["a"], "a"])
def test_a_broken_abstract_fails(index: Any) -> None:
    """An inverted index that is none is a failure, and costs no memory."""
    examination = examined({"id": "https://openalex.org/W12", "title": "T", "abstract_inverted_index": index})

    assert examination.outcome is Outcome.FAILED
    assert "inverted index" in (examination.reason or "")


def test_gaps_in_an_abstract_are_tolerated() -> None:
    """Words stand in the order of their positions, whether or not these are dense."""
    work = {"id": "https://openalex.org/W12", "abstract_inverted_index": {"last": [900], "first": [3], "then": [4, 5]}}

    assert examined(work).text == "first then then last"
