"""The search page over a real store: what it shows, what it refuses, and how it waits."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest
from starlette.testclient import TestClient

from holocron_assets.json_documents import json_text
from holocron_assets.promotion import promote
from holocron_assets.retrieval.hits import Mode
from holocron_assets.search import Question
from holocron_assets.sections import SearchSettings
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.indexing import IndexPlace
from holocron_assets.tables import spaces
from holocron_assets.transactions import read
from holocron_assets.web.asking import read_query
from tests.derived import derived, fill
from tests.evaluated import won
from tests.graph.test_interruptions import held
from tests.web.pages import HOSTILE_TITLE, OVERRIDE, SCRIPT, Page, Read
from tests.world import World, page_row, prose


def test_a_search_shows_its_hits(page: Page, filled: World) -> None:
    """Titles, named scores, marked words, and links to passage and lineage; the query stays in its box."""
    answer = page.get("/", q="where the tides moved", top_k=3)
    read_ = Read(answer.text)

    assert answer.status_code == 200
    hits = filled.search("where the tides moved", top_k=3, mode=Mode.HYBRID).hits
    assert [one["aria-labelledby"] for one in read_.all("article")] == ["hit-1", "hit-2", "hit-3"]
    for hit in hits:
        assert hit.title
        assert hit.title in read_.text
        assert f"{hit.scores.rrf:.4f}" in read_.text
        assert hit.chunk_id[:12] in read_.text
    assert "ranked by rrf" in read_.text
    assert "tides" in read_.marked
    assert next(one for one in read_.all("input") if one["name"] == "q")["value"] == "where the tides moved"


def test_without_a_query_there_is_a_form(page: Page) -> None:
    """Every field has a label, the names of spaces are offered, and empty fields ask for nothing."""
    for path in ("/", "/compare"):
        read_ = Read(page.get(path).text)

        labelled = {one["for"] for one in read_.all("label")}
        fields = [one["id"] for tag in ("input", "select") for one in read_.all(tag)]
        assert sorted(fields) == sorted(set(fields))
        assert set(fields) == labelled
        assert [one["value"] for one in read_.all("option") if "value" in one]
        assert list(read_.all("article")) == []
    assert page.get("/", q="tides", space="", tag="", top_k="").status_code == 200


def test_the_api_answers_as_the_command_does(page: Page, filled: World) -> None:
    """The same parameters give the document that `holocron search --json` prints."""
    answer = page.get("/api/search", q="the tides", mode="lexical", top_k=4, title="tide")

    result = page.get("/api/search", q="the tides", mode="lexical", top_k=4)
    expected = filled.search("the tides", top_k=4, mode=Mode.LEXICAL)
    assert answer.headers["content-type"] == "application/json"
    assert result.text == json_text(expected) + "\n"
    assert {hit["title"] for hit in answer.json()["hits"]} == {"Tides"}


def test_what_ranks_best_is_what_an_evaluation_says(page: Page, filled: World) -> None:
    """Where no way of ranking is said, page and API search as the command does: by that which won the evaluation."""
    won(filled, "lexical")
    expected = filled.searcher().search(Question(query="the tides", top_k=3))

    answer = page.get("/api/search", q="the tides", top_k=3)
    shown = page.get("/", q="the tides", mode="", fusion="", vector_weight="")
    compared = page.get("/compare", q="the tides", mode="", fusion="", other_mode="vector", other_fusion="")

    assert answer.text == json_text(expected) + "\n"
    assert answer.json()["ranked_by"] == "bm25"
    assert "ranked by bm25" in Read(shown.text).text
    assert "One side: lexical in" in Read(compared.text).text
    assert "The other side: vector in" in Read(compared.text).text
    assert page.get("/api/search", q="the tides", fusion="rrf").json()["ranked_by"] == "rrf"


def test_the_form_says_nothing_of_its_own(page: Page, filled: World) -> None:
    """Sent as it is, it asks for what is evaluated best, and offers the names and aliases of spaces."""
    promoted = promote(
        filled.store, filled.providers, CanaryPolicy(), filled.searcher().space().slug, "prod", dry_run=False
    )
    for path in ("/", "/compare"):
        options = [one.get("value") for one in Read(page.get(path).text).all("option")]

        assert options.count("") == (2 if path == "/" else 4)
        assert not [one for one in Read(page.get(path).text).all("option") if "selected" in one]
        assert {promoted.space.slug, "prod", "default"} <= set(options)
    text = page.get("/compare", q="tides", mode="hybrid", fusion="weighted", other_mode="lexical").text
    assert "The other side: lexical in" in Read(text).text


def test_filters_of_the_page_are_those_of_a_search(page: Page) -> None:
    """Each is taken, several of one name are one or the other, and times may have a zone."""
    hits = page.get("/api/search", q="tides lamps", source_id=["files:notes:sha/0", "mediawiki:testwiki:page/2"]).json()
    assert {hit["title"] for hit in hits["hits"]} == {"Lamps"}
    for name, value in {
        "source_system": "mediawiki",
        "source_name": "testwiki",
        "resource_type": "page",
        "tag": "none",
        "since": "2026-01-01T02:00+02:00",
        "until": "2025-12-31",
    }.items():
        answer = page.get("/api/search", q="tides", **{name: value}).json()
        assert list(answer["filters"]) == [name]
    assert page.get("/api/search", q="tides", mode="hybrid", min_score="0.001").json()["hits"]
    assert page.get("/api/search", q="tides", mode="hybrid", min_score="1.1").json()["hits"] == []
    assert page.get("/api/search", q="tides", since="2026-01-01T02:00+02:00").json()["hits"]
    assert page.get("/api/search", q="tides", until="2026-01-01").json()["hits"] == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"q": "tides", "mode": "best"}, "mode cannot be 'best': it is one of vector, lexical, hybrid"),
        ({"q": "tides", "mode": "lexical", "fusion": "rrf"}, "belong to a hybrid search, and this one is lexical"),
        ({"q": "tides", "top_k": "0"}, "ask for 1 to 1,000"),
        ({"q": "tides", "top_k": "9" * 5000}, "it is a whole number"),
        ({"q": "tides", "min_score": "nan"}, "it is a number"),
        ({"q": "tides", "min_score": "0.4"}, "say the mode, too"),
        ({"q": "tides", "vector_weight": "2"}, "a share from 0 to 1"),
        ({"q": "tides", "since": "0001-01-01T00:00+14:00"}, "it is a time"),
        ({"q": "tides", "since": "' or 1=1 --"}, "it is a time"),
        ({"q": ["tides", "lamps"]}, "q is given 2 times"),
        ({"q": "tides", "sorce_system": "x"}, "nothing is called 'sorce_system' here"),
        ({"q": "tides", "space": "nowhere"}, "no space is called 'nowhere'"),
        ({"q": "tides", "alias": "nobody"}, "no space is promoted to the alias 'nobody'"),
        ({"q": "t" * 20_001}, "ask with at most 20,000"),
    ],
)
def test_what_cannot_be_answered_is_said(page: Page, asked: dict[str, str], said: str) -> None:
    """Bad input is a readable page with the form, or a JSON object, and status 400."""
    shown, told = page.get("/", **asked), page.get("/api/search", **asked)

    assert (shown.status_code, told.status_code) == (400, 400)
    assert said in Read(shown.text).text
    assert said in told.json()["error"]
    assert "Traceback" not in shown.text
    assert any(one.get("id") == "q" for one in Read(shown.text).all("input"))


@pytest.mark.parametrize("path", ["/", "/compare", "/context", "/lineage", "/api/search"])
@pytest.mark.parametrize("parameters", ["foo=1", "foo=", "q=tides&sorce_system=", "chunk=x&space=y&source=z&foo=1"])
def test_what_no_address_knows_is_refused(page: Page, path: str, parameters: str) -> None:
    """Also without a value, and beside no query: nobody would notice that it was dropped."""
    answer = page.client.get(f"{path}?{parameters}")

    assert answer.status_code == 400
    assert "nothing is called" in answer.text


@pytest.mark.parametrize("path", ["/", "/compare", "/context", "/lineage", "/api/search"])
@pytest.mark.parametrize("text", ["%ED%A0%80", "%ff", "tides%C3", "a%E9"])
def test_what_is_no_utf_8_is_refused(page: Page, path: str, text: str) -> None:
    """As by the command: in a filter it would silently find nothing."""
    for name in ("q", "title", "chunk"):
        answer = page.client.get(f"{path}?{name}={text}")

        assert answer.status_code == 400
        assert "no valid UTF-8" in answer.text


def test_bytes_that_nobody_quoted_are_read() -> None:
    """As some programs send them."""
    assert read_query("q=潮汐+मद&tag=%C3%A9".encode(), ("q", "tag")) == {"q": ["潮汐 मद"], "tag": ["é"]}


def test_the_api_needs_a_query(page: Page) -> None:
    """Without one it says so."""
    assert "the query is empty" in page.get("/api/search").json()["error"]
    assert page.get("/api/search", q=" ").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        SCRIPT,
        "\"'><svg onload=alert(1)>",
        f"tides {OVERRIDE}",
        "tides\x00\x07 lamps",
        "'; delete from vector.chunk; --",
        "{{ 7 * 7 }}{% raw %}",
        "😀 潮汐 مد",
        "%00%ff&lt;",
    ],
)
def test_hostile_queries_are_words(page: Page, query: str) -> None:
    """Whatever is asked, no element and no attribute comes of it, and the query is shown as it is."""
    calm, answer = Read(page.get("/", q="tides").text), page.get("/", q=query)
    read_ = Read(answer.text)

    assert answer.status_code == 200
    tags = {tag for tag, _ in calm.elements}
    assert {tag for tag, _ in read_.elements} <= tags | {"mark", "bdi"}
    assert not [one for _, attributes in read_.elements for one in attributes if one.startswith("on")]
    box = next(one for one in read_.all("input") if one["name"] == "q")
    assert box["value"] == query.replace("\x00", "\ufffd").replace("\x07", "\ufffd")
    assert "\x00" not in answer.text


def test_hostile_filters_find_nothing(page: Page) -> None:
    """SQL and HTML in filters are values that nothing has."""
    for name in ("source_system", "tag", "title", "chunk_id"):
        answer = page.get("/", q="tides", **{name: f"' or 1=1; drop table vector.chunk; {SCRIPT}"})

        assert answer.status_code == 200
        assert "answers that" in Read(answer.text).text
        assert SCRIPT not in answer.text
    assert page.get("/api/search", q="tides").json()["hits"]


def test_hostile_texts_are_shown_as_they_are(page: Page) -> None:
    """Title and text of a hit are text, on every page that shows them, and no link runs a script."""
    found = page.get("/api/search", q="hostile lantern", mode="lexical").json()["hits"]
    hostile, evil = (next(hit for hit in found if part in hit["title"]) for part in ("onerror", "Evil"))
    place = {"space": page.get("/api/search", q="lantern").json()["space"], "q": "hostile lantern"}
    context = page.get("/context", source=hostile["source_id"], chunk=hostile["chunk_id"], **place)
    answers = [
        page.get("/", q="hostile lantern", mode="lexical"),
        page.get("/compare", q="hostile lantern", other_mode="lexical"),
        context,
        page.get("/lineage", chunk=hostile["chunk_id"]),
    ]

    for answer in answers:
        read_ = Read(answer.text)
        assert answer.status_code == 200
        assert [one["src"] for one in read_.all("script")] == ["/static/page.js"]
        assert list(read_.all("img")) == []
        assert not [one for one in read_.all("a") if one["href"] and not one["href"].startswith(("/", "#", "http"))]
        assert hostile["title"] in read_.text
    assert SCRIPT in Read(context.text).text
    assert "{{ 7 * 7 }}" in Read(context.text).text
    assert HOSTILE_TITLE.split()[0] in hostile["title"]
    assert evil["url"] == "javascript:alert(1)"


def test_a_passage_is_shown_in_its_text(page: Page, filled: World) -> None:
    """All chunks of the source are there, what overlaps once, and the passage that was found stands out."""
    result = filled.search("tides", top_k=20, mode=Mode.LEXICAL)
    chunks = [hit for hit in result.hits if hit.title == "Tides"]
    second = sorted(chunks, key=lambda hit: hit.start_offset)[1]

    answer = page.get("/context", space=result.space, source=second.source_id, chunk=second.chunk_id, q="the year 340")

    assert len(chunks) > 2
    parts = re.findall(r'<(?:div class="around"|section id="hit")[^>]*>(.*?)</(?:div|section)>', answer.text, re.S)
    assert [Read(part).marked != [] for part in parts] == [False, True, False]
    assert Read(parts[1]).text == second.text
    assert "340" in Read(parts[1]).marked
    assert "".join(Read(part).text for part in parts) == filled.texts()[second.source_id]


def test_a_passage_that_is_gone_is_told(page: Page, filled: World) -> None:
    """A chunk that is not current any more is not shown as if it were; a source without chunks is not found."""
    result = filled.search("tides", top_k=1)
    place = {"space": result.space, "source": result.hits[0].source_id}

    assert "no longer among" in Read(page.get("/context", **place, chunk="0" * 64).text).text
    gone = page.get("/context", **(place | {"source": "nobody"}), chunk="0" * 64)
    assert (gone.status_code, "search again" in gone.text) == (404, True)
    assert page.get("/context", **place).status_code == 400
    assert page.get("/nowhere").status_code == 404
    assert page.get("/lineage", chunk="0" * 64).status_code == 404
    assert page.get("/lineage", chunk="0").status_code == 400


@pytest.mark.parametrize("wrong", [b"TIDES", b"\x8d\x8d\x8d\x8d\x8d"])
def test_damaged_files_are_mended_while_it_answers(page: Page, filled: World, wrong: bytes) -> None:
    """A text that somebody wrote over in the files is never shown, neither as a hit nor in its source."""
    hit = page.get("/api/search", q="tides").json()["hits"][0]
    parameters = {"space": filled.search("tides", top_k=1).space, "source": hit["source_id"], "chunk": hit["chunk_id"]}
    for address, asked in (("/api/search", {"q": "tides", "top_k": 99}), ("/context", parameters)):
        (path,) = filled.settings.path(filled.settings.search.folder).rglob("rows.arrow")
        content = path.read_bytes()
        assert b"tides" in content
        path.write_bytes(content.replace(b"tides", wrong))

        answer = page.get(address, **asked)

        assert answer.status_code == 200
        assert "TIDES" not in answer.text
        assert "tides" in answer.text


def test_lineage_is_what_the_command_prints(page: Page, filled: World) -> None:
    """The chain of a chunk: its records, texts, versions, vectors and runs."""
    (hit,) = filled.search("tides", top_k=1).hits

    text = Read(page.get("/lineage", chunk=hit.chunk_id).text).text

    for said in (
        "ingest records",
        "extracted texts",
        f"chunk {hit.chunk_id}",
        "embeddings",
        "by hashing ngram",
        "runs",
    ):
        assert said in text
    assert hit.content_sha256[:12] in text


def test_two_ways_of_ranking_are_compared(page: Page, filled: World) -> None:
    """Both sides are what a search finds, and each hit says where it stands on the other side."""
    query = "the hostile lantern of the tides"
    left = filled.search(query, top_k=4, mode=Mode.LEXICAL)
    right = filled.search(query, top_k=4, mode=Mode.VECTOR)

    answer = page.get("/compare", q=query, top_k=4, mode="lexical", other_mode="vector")

    both = {hit.chunk_id for hit in left.hits} & {hit.chunk_id for hit in right.hits}
    text = " ".join(Read(answer.text).text.split())
    assert f"{len(both)} of the {len(left.hits)} and {len(right.hits)} hits are on both sides." in text
    assert text.count("not among those of the other side") == len(left.hits) + len(right.hits) - 2 * len(both)
    for hit in left.hits:
        there = next((other.rank for other in right.hits if other.chunk_id == hit.chunk_id), None)
        if there is not None and there != hit.rank:
            assert f"rank {there} on the other side, {abs(there - hit.rank)} " in text


def test_one_side_may_have_another_space(page: Page, filled: World) -> None:
    """What the other side does not say is as on the one side; its alias counts even where the one side has a name."""
    slug = filled.search("tides", top_k=1).space

    assert page.get("/compare", q="tides", other_space="nowhere").status_code == 400
    assert page.get("/compare", q="tides", space=slug, other_alias="nobody").status_code == 400
    assert page.get("/compare", q="tides", other_space=slug, other_mode="vector").status_code == 200
    assert page.get("/", q="tides", other_mode="vector").status_code == 400


def test_while_nothing_changed_a_held_store_is_searched(
    page: Page, filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may hold the file: searches and contexts go on, and wait for it once in a while at most."""
    monkeypatch.setattr("holocron_assets.search._ANCHOR_SECONDS", 1.0)
    settle(filled)
    found = page.get("/api/search", q="tides").json()
    first = found["hits"][0]
    time.sleep(1.0)

    with held(Path(filled.store.name)):
        seconds = []
        for _ in range(3):
            started = time.monotonic()
            assert page.get("/api/search", q="the tides").json()["hits"]
            seconds.append(time.monotonic() - started)
        context = page.get("/context", space=found["space"], source=first["source_id"], chunk=first["chunk_id"])
        lineage = page.get("/lineage", chunk=first["chunk_id"])

    assert seconds[0] > 0.25 > min(seconds[1:])
    assert context.status_code == 200
    assert lineage.status_code == 503


def settle(world: World) -> None:
    """Wait until the file's time is old enough to tell the next write by."""
    world.closed_file()
    while world.store.stamp() is None:
        time.sleep(0.02)


def test_a_derived_space_of_a_held_store_is_searched(page: Page, filled: World) -> None:
    """What its vectors are made by is known once it was searched."""
    (source,) = read(filled.store, spaces.list_spaces)
    space = derived(filled, source, "matryoshka", 16)
    fill(filled, space)
    settle(filled)
    first = page.get("/api/search", q="tides", space=space.slug)

    with held(filled.closed_file()):
        again = page.get("/api/search", q="tides", space=space.slug)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()


def test_a_held_store_that_changed_is_told_with_its_holder(page: Page, filled: World) -> None:
    """Nothing stale is answered: status 503, when to try again, and who holds the file."""
    page.get("/", q="tides")
    filled.add(page_row("New", 9, prose("new things"), fetched_at=filled.next_day()))
    filled.run()

    with held(filled.closed_file()) as pid:
        answers = [page.get("/", q="tides"), page.get("/api/search", q="tides")]

    for answer in answers:
        assert answer.status_code == 503
        assert f"is in use by process {pid} " in Read(answer.text).text
        assert answer.headers["retry-after"] == "5"
        assert "refresh" not in answer.headers
    after = page.get("/api/search", q="new things", top_k=1).json()["hits"]
    assert after[0]["title"] == "New"


def test_a_build_that_takes_long_is_told_and_goes_on(filled: World) -> None:
    """While an index is built the page says so and looks again; afterwards it answers."""
    page = Page(filled.settings, patience_seconds=1.0)
    (space,) = read(filled.store, spaces.list_spaces)
    folder = IndexPlace.of(filled.settings).folder(filled.store, space)
    folder.mkdir(parents=True)

    with filelock.FileLock(folder / "building.lock"):
        waiting, again = page.get("/", q="tides"), page.get("/", q="other tides")
        form = page.get("/")
    deadline = time.monotonic() + 30
    while (answer := page.get("/", q="tides")).status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.1)

    for told in (waiting, again):
        assert (told.status_code, told.headers["refresh"], told.headers["retry-after"]) == (503, "5", "5")
        assert "is not ready yet" in told.text
        assert "looks again" in told.text
    assert form.status_code == 200
    assert answer.status_code == 200


def test_searches_are_logged_where_the_settings_say_so(filled: World) -> None:
    """`search.log` writes each search of page and API; one that cannot be logged is not answered either."""
    page = Page(filled.settings.model_copy(update={"search": SearchSettings(log=True)}))

    assert page.get("/", q="tides", top_k=2, mode="hybrid", min_score="0.001").status_code == 200
    assert page.get("/compare", q="lamps", other_mode="lexical").status_code == 200
    logged = filled.rows("select query_text, top_k from vector.retrieval order by created_utc")
    assert logged == [("tides", 2), ("lamps", 10), ("lamps", 10)]
    found = page.get("/api/search", q="moved").json()["retrieval_id"]
    ((kept,),) = filled.rows("select retrieval_id from vector.retrieval where query_text = 'moved'")
    assert found == str(kept)
    with held(filled.closed_file()) as pid:
        answer = page.get("/api/search", q="tides")
    assert (answer.status_code, f"process {pid}" in answer.text) == (503, True)
    assert Page(filled.settings).get("/", q="quiet").status_code == 200
    assert filled.rows("select count(*) from vector.retrieval where query_text = 'quiet'") == [(0,)]


def test_a_store_that_is_not_there_is_told(filled: World, tmp_path: Path) -> None:
    """The page is readable and names the next step, and so is the JSON."""
    page = Page(filled.settings.model_copy(update={"store_url": f"duckdb:///{tmp_path}/other.duckdb"}))

    assert page.get("/").status_code == 200
    answer = page.get("/", q="tides")
    assert answer.status_code == 500
    assert "there is no store" in answer.text
    assert json.loads(page.get("/api/search", q="tides").text)["error"]


def test_many_may_ask_at_once(page: Page) -> None:
    """Answers do not mix, and nobody is refused for another's sake."""
    queries = [f"the tides of year {year}" for year in range(300, 312)]
    expected = {query: page.get("/api/search", q=query).text for query in queries}

    def ask(query: str) -> str:
        return str(
            TestClient(page.client.app, base_url="http://localhost").get("/api/search", params={"q": query}).text
        )

    with ThreadPoolExecutor(6) as threads:
        assert dict(zip(queries, threads.map(ask, queries), strict=True)) == expected
