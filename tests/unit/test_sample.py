"""The bundled sample: that it is current, complete, consistent, original, and shaped as the ingest contract says."""

import gzip
import json
import re
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
import yaml

from holocron_assets.evaluation.collections import read_collection
from holocron_assets.identity import payload_sha256
from holocron_assets.sample import JUDGED, RECORDS, SOURCE_NAME
from sample.build import MISSING_TITLE, build_rows, judged, ndjson
from sample.mediawiki import html_payload, raw_payload, record
from sample.openalex import inverted_index, read_works
from sample.pages import PAGES, deliberate_red_links, linked_titles, read_pages
from sample.wikitext import redirect_target, render

COLUMNS = [
    *("ingest_id", "source_system", "source_name", "resource_type", "resource_id", "variant", "request_uri"),
    *("request_method", "request_headers", "status_code", "response_headers", "payload", "content_type"),
    *("content_length", "fetched_at_utc", "hash_sha256", "run_id", "work_item_id", "attempt", "error_message"),
    *("duration_ms", "rank"),
]
PAGE_LANGUAGE_KEYS = ["contentmodel", "pagelanguage", "pagelanguagehtmlcode", "pagelanguagedir"]
PAGE_KEYS = ["pageid", "ns", "title", "revisions", *PAGE_LANGUAGE_KEYS, "touched", "lastrevid", "length"]
REVISION_KEYS = ["revid", "parentid", "timestamp", "slots"]
SLOT_KEYS = ["contentmodel", "contentformat", "content"]
PARSE_KEYS = ["title", "pageid", "revid", "text", "categories", "sections", "showtoc", "displaytitle"]
SECTION_KEYS = ["toclevel", "level", "line", "number", "index", "fromtitle", "byteoffset", "anchor"]
WORK_KEYS = [
    *("id", "doi", "title", "display_name", "publication_year", "publication_date", "ids", "language"),
    *("primary_location", "type", "type_crossref", "indexed_in", "open_access", "authorships"),
    *("corresponding_author_ids", "has_fulltext", "cited_by_count", "biblio", "is_retracted", "is_paratext"),
    *("primary_topic", "topics", "keywords", "concepts", "locations_count", "locations", "best_oa_location"),
    *("referenced_works_count", "referenced_works", "related_works", "abstract_inverted_index"),
    *("cited_by_api_url", "counts_by_year", "updated_date", "created_date"),
]
OTHER_WORLDS = re.compile(
    r"\b(star wars|jedi|sith|wookiee?|skywalker|tatooine|coruscant|droids?|holocron|starfleet|klingon|vulcan|romulan|"
    r"hobbit|mordor|gandalf|gondor|elves|orcs?|hogwarts|muggle|quidditch|westeros|targaryen|arrakis|atreides|narnia|"
    r"aslan|cthulhu|tardis|dalek|pok[eé]mon|pikachu|hyrule|azeroth|earthsea|discworld|bas-lag|warhammer|marvel)\b",
    re.IGNORECASE,
)
WIKITEXT_LEFTOVER = re.compile(r"&lt;|\[\[|\]\]|\{\{|\}\}|'''|''|\x7f|<ref|^==|\{\|", re.MULTILINE)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """The committed records."""
    with gzip.open(RECORDS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _payloads(rows: list[dict[str, Any]], variant: str | None) -> list[dict[str, Any]]:
    return [json.loads(row["payload"]) for row in rows if row["variant"] == variant]


def _pages(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [payload["query"]["pages"][0] for payload in _payloads(rows, "raw")]


def test_committed_records_are_what_the_sources_build() -> None:
    """Nobody forgot `python -m sample.build`, building is deterministic, and the result is small enough to ship."""
    committed = gzip.decompress(RECORDS.read_bytes()).decode()

    assert ndjson(build_rows()) == committed
    assert RECORDS.stat().st_size < 500_000


def test_counts(rows: list[dict[str, Any]]) -> None:
    """Enough pages, each as raw and html; one of each special kind; works of the other source system."""
    fetches = Counter((row["source_system"], row["variant"]) for row in rows)
    pages = _pages(rows)
    present = {page["title"] for page in pages if "missing" not in page}
    revisions = Counter(page["title"] for page in pages if page.get("revisions"))
    disambiguations = [
        payload["parse"]["title"]
        for payload in _payloads(rows, "html")
        if any(category["category"] == "Disambiguation_pages" for category in payload["parse"]["categories"])
    ]

    assert len(present) >= 66
    assert fetches["mediawiki", "raw"] == fetches["mediawiki", "html"] + 1  # the missing title has no rendering
    assert [page["title"] for page in pages if "missing" in page] == [MISSING_TITLE]
    assert [page["title"] for page in pages if "redirect" in page] == ["Lamp-beast"]
    assert disambiguations == ["Ninth Mark"]
    assert {title for title, count in revisions.items() if count == 2} == {"Hodd's Tooth", "Lumbrel"}
    assert 6 <= fetches["openalex", None] <= 8
    assert {row["source_name"] for row in rows} == {SOURCE_NAME}


def test_one_page_was_edited_between_fetches(rows: list[dict[str, Any]]) -> None:
    """The second revision follows the first, was fetched after it, and says something else."""
    fetched = [
        (row["fetched_at_utc"], json.loads(row["payload"])) for row in rows if row["resource_id"] == "Hodd's Tooth"
    ]
    first, second = (
        payload["query"]["pages"][0]["revisions"][0]
        for _, payload in sorted(fetched, key=lambda pair: pair[0])
        if "query" in payload
    )

    assert second["parentid"] == first["revid"] < second["revid"]
    assert "Brandt Osier (since 397)" in first["slots"]["main"]["content"]
    assert "Sanna Leck (since 412)" in second["slots"]["main"]["content"]


def test_a_page_fetched_twice_unchanged_differs_only_in_its_comments(rows: list[dict[str, Any]]) -> None:
    """A payload hash is volatile where the text is not: the parser writes the time into the page."""
    texts = [payload["parse"]["text"] for payload in _payloads(rows, "html") if payload["parse"]["title"] == "Lumbrel"]
    hashes = {row["hash_sha256"] for row in rows if row["resource_id"] == "Lumbrel" and row["variant"] == "html"}

    assert len(texts) == len(hashes) == 2
    assert len({re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL) for text in texts}) == 1


def test_every_link_leads_somewhere_or_is_red_on_purpose() -> None:
    """A page that is linked to exists, or stands in `red_links.txt`; nothing stands there without need."""
    pages = read_pages()
    titles = {page.title for page in pages}
    targets = {title for page in pages for title in linked_titles(page.wikitext)}

    assert targets - titles == deliberate_red_links()
    assert MISSING_TITLE in deliberate_red_links()
    assert {redirect_target(page.wikitext) for page in pages} - {None} <= titles


def test_ids_are_unique(rows: list[dict[str, Any]]) -> None:
    """No two records, pages or revisions share an id."""
    pages = read_pages()
    titles_of = {page.page_id: page.title for page in pages}

    assert len({row["ingest_id"] for row in rows}) == len(rows)
    assert len({page.revision for page in pages}) == len(pages) == len(list(PAGES.glob("*.wiki")))
    assert all(titles_of[page.page_id] == page.title for page in pages)
    assert len(set(titles_of.values())) == len(titles_of)


def test_rows_have_the_columns_of_the_contract(rows: list[dict[str, Any]]) -> None:
    """Every column, in order, with the values that a successful fetch has."""
    for row in rows:
        assert list(row) == COLUMNS
        assert (row["status_code"], row["request_method"], row["attempt"]) == (200, "GET", 1)
        assert row["content_type"] == "application/json; charset=utf-8"
        assert row["hash_sha256"] == payload_sha256(row["payload"])
        assert datetime.fromisoformat(row["fetched_at_utc"]).tzinfo is None
        assert re.match(r"https://[a-z.]+\.example/", row["request_uri"])


def test_raw_payloads_have_the_shape_of_the_contract(rows: list[dict[str, Any]]) -> None:
    """`action=query`, `formatversion=2`: a list of pages, the wikitext in a slot."""
    for payload in _payloads(rows, "raw"):
        page = payload["query"]["pages"][0]
        assert list(payload) == ["batchcomplete", "query"]
        if "missing" in page:
            assert list(page) == ["ns", "title", "missing", *PAGE_LANGUAGE_KEYS]
            continue
        revision = page["revisions"][0]
        assert [key for key in page if key not in {"redirect", "new"}] == PAGE_KEYS
        assert ("new" in page) == (revision["parentid"] == 0)
        assert list(revision) == REVISION_KEYS
        assert list(revision["slots"]["main"]) == SLOT_KEYS
        assert page["length"] == len(revision["slots"]["main"]["content"].encode())


def test_html_payloads_have_the_shape_of_the_contract(rows: list[dict[str, Any]]) -> None:
    """`action=parse`: rendered text that ends with the parser's report, categories, sections."""
    for payload in _payloads(rows, "html"):
        parse = payload["parse"]
        assert (list(payload), list(parse)) == (["parse"], PARSE_KEYS)
        assert all(list(section) == SECTION_KEYS for section in parse["sections"])
        assert all(list(category) == ["sortkey", "category", "missing"] for category in parse["categories"])
        assert parse["text"].startswith('<div class="mw-parser-output">')
        assert "NewPP limit report" in parse["text"]
        assert f"and revision id {parse['revid']}." in parse["text"]


def test_work_payloads_have_the_fields_of_openalex(rows: list[dict[str, Any]]) -> None:
    """Field names in OpenAlex's order, ids in a range of their own, and an abstract that can be put together again."""
    works = _payloads(rows, None)
    ids = {work["id"] for work in works}
    authored = {work["title"]: work["abstract"] for work in read_works()}

    for work in works:
        assert list(work) == WORK_KEYS
        assert re.fullmatch(r"https://openalex\.org/W99[0-9]{8}", work["id"])
        assert work["doi"].startswith("https://doi.org/10.5555/")
        assert set(work["referenced_works"]) <= ids
        expected = authored[work["title"]]
        assert work["abstract_inverted_index"] == (inverted_index(expected) if expected else None)
    assert [work["title"] for work in works if work["abstract_inverted_index"] is None] == ["Books received"]


def test_sections_agree_with_text_and_source(rows: list[dict[str, Any]]) -> None:
    """Each section's anchor is in the page, its offset is where its heading starts, and four make a contents list."""
    sources = {(page["pageid"], page["lastrevid"]): page for page in _pages(rows) if "missing" not in page}
    for payload in _payloads(rows, "html"):
        parse = payload["parse"]
        content = sources[parse["pageid"], parse["revid"]]["revisions"][0]["slots"]["main"]["content"]
        for section in parse["sections"]:
            assert f'class="mw-headline" id="{section["anchor"]}"'.replace("'", "&#39;") in parse["text"]
            assert content[section["byteoffset"] :].startswith("=" * int(section["level"]))
        assert parse["showtoc"] == (len(parse["sections"]) >= 4) == ('id="toc"' in parse["text"])


def test_no_wikitext_is_left_in_the_html(rows: list[dict[str, Any]]) -> None:
    """The renderer knows everything that the pages use."""
    for payload in _payloads(rows, "html"):
        assert WIKITEXT_LEFTOVER.search(payload["parse"]["text"]) is None, payload["parse"]["title"]


def test_pages_in_other_languages_say_so(rows: list[dict[str, Any]]) -> None:
    """One page is in German, one in Arabic, which runs from right to left."""
    languages = {page["pagelanguage"]: page["pagelanguagedir"] for page in _pages(rows)}

    assert languages == {"en": "ltr", "de": "ltr", "ar": "rtl"}


def test_no_page_mentions_a_well_known_world() -> None:
    """The universe is our own."""
    texts = [path.read_text(encoding="utf-8") for path in PAGES.glob("*.wiki")]
    texts += [f"{work['title']} {work['abstract']}" for work in read_works()]

    assert [match.group() for text in texts for match in OTHER_WORLDS.finditer(text)] == []


def test_questions_are_answered_by_pages_of_the_sample() -> None:
    """Each question is asked once, and names a page or work that exists."""
    questions = yaml.safe_load((PAGES.parent / "questions.yaml").read_text(encoding="utf-8"))
    titles = {page.title for page in read_pages()} | {work["title"] for work in read_works()}

    assert 60 <= len({question["question"] for question in questions}) == len(questions) <= 100
    assert {title for question in questions for title in [question["title"], *question.get("also", [])]} <= titles


def test_committed_judgements_are_what_the_questions_say() -> None:
    """Nobody forgot to build them; each query has one source that answers best."""
    found = read_collection(JUDGED)

    assert judged() == {name: (JUDGED / name).read_text(encoding="utf-8") for name in judged()}
    assert len(found.judged) == len(found.queries) >= 60
    assert {sorted(gains.values()).count(2.0) for gains in found.judgements.values()} == {1}


def test_records_can_be_made_from_plain_arguments() -> None:
    """Tests and benchmarks build pages of their own, with every link blue when no titles are given."""
    fetched_at = datetime.fromisoformat("2025-01-02T03:04:05")
    page = {"title": "A Page", "page_id": 7, "revision": 9, "wikitext": "Text with a [[link]]s.\n[[Category:C]]"}
    rendered = json.loads(html_payload(**page, fetched_at=fetched_at))["parse"]
    raw = raw_payload(**page, timestamp="2025-01-01T00:00:00Z")
    row = record(title="A Page", variant="raw", payload=raw, fetched_at=fetched_at, source_name="other")

    assert '<p>Text with a <a href="/wiki/Link" title="Link">links</a>.\n</p>' in rendered["text"]
    assert rendered["categories"] == [{"sortkey": "", "category": "C", "missing": True}]
    assert (row["source_name"], row["fetched_at_utc"]) == ("other", "2025-01-02T03:04:05.000000")
    assert row == record(title="A Page", variant="raw", payload=raw, fetched_at=fetched_at, source_name="other")


@pytest.mark.parametrize(
    ("wikitext", "html"),
    [
        ("a\nb\n\nc", "<p>a\nb\n</p><p>c\n</p>"),
        ("* a\n** b\n* c", "<ul><li>a\n<ul><li>b</li></ul></li>\n<li>c</li></ul>"),
        ("# a\n# b", "<ol><li>a</li>\n<li>b</li></ol>"),
        ("; a : b\n: c", "<dl><dt>a</dt>\n<dd>b</dd>\n<dd>c</dd></dl>"),
        (
            "'''''a''''' ''b'' <small>c</small> & <x>",
            "<p><i><b>a</b></i> <i>b</i> <small>c</small> &amp; &lt;x&gt;\n</p>",
        ),
        ("[[Own|me]]", '<p><a class="mw-selflink selflink">me</a>\n</p>'),
        ("[[known thing#A b]]", '<p><a href="/wiki/Known_thing#A_b" title="Known thing">known thing#A b</a>\n</p>'),
        (
            "[[Who's?]]",
            '<p><a href="/index.php?title=Who%27s%3F&amp;action=edit&amp;redlink=1" class="new" '
            'title="Who&#39;s? (page does not exist)">Who\'s?</a>\n</p>',
        ),
        (
            '{| class="wikitable"\n! a !! b\n|-\n| c || \n|}',
            '<table class="wikitable">\n\n<tbody><tr>\n<th>a</th>\n<th>b\n</th></tr>\n'
            "<tr>\n<td>c</td>\n<td>\n</td></tr></tbody></table>",
        ),
        (
            'a<ref name="n_1">b</ref><ref name="n_1" />',
            '<p>a<sup id="cite&#95;ref-n&#95;1&#95;1-0" class="reference">'
            '<a href="#cite_note-n_1-1">&#91;1&#93;</a></sup>'
            '<sup id="cite&#95;ref-n&#95;1&#95;1-1" class="reference">'
            '<a href="#cite_note-n_1-1">&#91;1&#93;</a></sup>\n</p>\n'
            '<div class="mw-references-wrap"><ol class="references">\n<li id="cite&#95;note-n&#95;1-1">'
            '<span class="mw-cite-backlink">↑ <sup><a href="#cite_ref-n_1_1-0">1.0</a></sup> '
            '<sup><a href="#cite_ref-n_1_1-1">1.1</a></sup></span> '
            '<span class="reference-text">b</span>\n</li>\n</ol></div>',
        ),
    ],
)
def test_wikitext_renders_as_mediawiki_does(wikitext: str, html: str) -> None:
    """Small pieces of the subset, byte for byte."""
    assert render(wikitext, title="Own", titles={"Own", "Known thing"}).html == html


def test_an_unknown_template_is_an_error() -> None:
    """A page that uses what the renderer does not know fails the build instead of looking odd."""
    with pytest.raises(KeyError, match="Nonesuch"):
        render("{{Nonesuch}}", title="Own")
