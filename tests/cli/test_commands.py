"""The commands, as a user types them: what they print, what they exit with."""

import gzip
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from holocron_assets.cli import BUSY, COMMANDS, FAILED, MISUSED, main
from holocron_assets.cli.spaces import _options
from holocron_assets.cli.status_screen import ago
from holocron_assets.clock import utc_now
from holocron_assets.composition import InstalledProviders
from holocron_assets.settings import load_settings
from holocron_assets.tables import queue
from resources.stores import open_store
from tests.conftest import Templates
from tests.contract.test_lake import DEFINITIONS
from tests.graph.test_interruptions import held
from tests.world import START, World, page_row, prose, raw

SETTINGS = """
ingest: []
extraction: {workers: 1}
spaces: [{provider: hashing, model: ngram, options: {dimensions: 64}}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, with settings and nothing else."""
    (tmp_path / "holocron.yaml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def filled(folder: Path, templates: Templates) -> World:
    """A store of two pages, everything up to date."""
    settings = load_settings()
    world = World(store=open_store(settings, wait_seconds=5), settings=settings, providers=InstalledProviders(settings))

    def fill() -> None:
        world.store.migrate()
        world.add(page_row("Tides", 1, prose("the tides", 4000)), page_row("Lamps", 2, prose("miners' lamps", 300)))
        world.run()

    templates.fill(settings, "two pages", fill)
    return world


def holocron(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def parsed(*arguments: str) -> Any:
    result = holocron(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def spoken() -> list[tuple[str, ...]]:
    """Every command as it is typed; of a group, its commands."""
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in COMMANDS}
    return [
        (name, *rest)
        for name, command in commands.items()
        for rest in ([(one,) for one in command.commands] if isinstance(command, click.Group) else [()])
    ]


@pytest.mark.parametrize("command", spoken(), ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    """Each command has help that says more than its name, and can answer in JSON."""
    result = holocron(*command, "--help")

    assert result.exit_code == 0
    assert len(result.output) > 200
    assert "--json" in result.output


def test_jobs_asks_for_what_is_missing(filled: World, folder: Path) -> None:
    """`jobs enqueue --missing` asks once for what is pending, and for nothing where nothing is."""
    assert parsed("jobs", "enqueue", "--missing")["jobs"] == []
    filled.add(page_row("Newcomer", 99, prose("newcomer")))

    first = parsed("jobs", "enqueue", "--missing")
    second = holocron("jobs", "enqueue", "--missing")

    assert [job["job_type"] for job in first["jobs"]] == ["CHUNK_SOURCE", "EMBED_CHUNKS"]
    assert first["candidates"]["pending"] == 1
    assert second.output.count("waits already") == 2
    assert holocron("jobs", "enqueue").exit_code == 2


def test_ingest_loads_and_skips(folder: Path) -> None:
    """`ingest` loads a file once; the same file again is not opened, the same records again are not stored."""
    path = folder / "records.ndjson"
    path.write_text(json.dumps(page_row("Page", 1, prose("topic"))))
    os.utime(path, (1_700_000_000,) * 2)

    first, again = parsed("ingest", str(path)), parsed("ingest", str(path))
    os.utime(path, (1_700_000_001,) * 2)
    touched = parsed("ingest", str(path))

    assert (first["records_stored"], again["unchanged_files"], touched["records_read"]) == (1, 1, 1)
    assert (again["records_stored"], touched["records_stored"]) == (0, 0)


def test_ingest_names_bad_lines_and_exits_with_one(folder: Path) -> None:
    """A bad line is told with file and number, the good ones are loaded, and the exit code is 1."""
    path = folder / "records.ndjson"
    path.write_text("{}\n" + json.dumps(page_row("Page", 1, prose("topic"))))

    result = holocron("ingest", str(path))

    assert result.exit_code == 1
    assert f"{path}:1: columns source_system, source_name, " in result.output
    assert "1 new records of 1 read" in result.output
    assert parsed("status")["quarantine"][0]["item_type"] == "line"


@pytest.mark.slow
def test_a_page_of_200_megabytes_stops_nothing(folder: Path) -> None:
    """A page that no store of this size could hold is quarantined; the pages around it are stored and read."""
    path = folder / "records.ndjson"
    rows = [page_row(f"Page {number}", number, prose("topic")) for number in range(1, 3)]
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(rows[0]) + "\n")
        file.write('{"payload": "' + "word " * 40_000_000 + '"}\n')
        file.write(json.dumps(rows[1]) + "\n")

    result = holocron("ingest", str(path), "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["records_stored"] == 2
    assert [item["item_id"] for item in parsed("status")["quarantine"]] == [f"{path}:2"]


def test_a_damaged_file_is_named_beside_what_was_loaded(folder: Path) -> None:
    """A damaged file makes the exit code 1; the report still tells what the other files brought."""
    (folder / "records").mkdir()
    whole = gzip.compress(json.dumps(page_row("Page 1", 1, prose("alpha"))).encode())
    (folder / "records" / "a.ndjson.gz").write_bytes(whole[:-20])
    (folder / "records" / "b.ndjson.gz").write_bytes(whole)

    result = holocron("ingest", "records", "--json")

    report = json.loads(result.stdout)
    assert (result.exit_code, report["records_stored"]) == (1, 1)
    assert [failure.partition(" is ")[0].endswith("a.ndjson.gz") for failure in report["failures"]] == [True]
    assert parsed("status")["recent_runs"][0]["status"] == "FAILED"


def test_status_lists_as_many_quarantined_items_as_asked(folder: Path) -> None:
    """Every quarantined item can be listed, not only the newest twenty."""
    (folder / "records.ndjson").write_text("not json\n" * 30)
    holocron("ingest", "records.ndjson")

    assert len(parsed("status")["quarantine"]) == 20
    assert len(parsed("status", "--quarantined", "100")["quarantine"]) == 30


def test_a_mended_line_leaves_quarantine(folder: Path) -> None:
    """When the file is mended and ingested again, its lines are no longer held."""
    path = folder / "records.ndjson"
    path.write_text("not json\n")
    holocron("ingest", str(path))
    path.write_text(json.dumps(page_row("Page", 1, prose("topic"))))

    parsed("ingest", str(path))

    assert parsed("status")["quarantine"] == []


def test_ingest_of_nothing_is_an_error(folder: Path) -> None:
    """A path that does not exist is one clear line."""
    result = holocron("ingest", "nowhere.ndjson")

    assert result.exit_code == FAILED
    assert "error: there is no file or folder" in result.stderr


def test_ingest_runs_the_queries_that_are_named(folder: Path) -> None:
    """`ingest --sql` stores the rows of a query once; the other queries of the settings are not run."""
    (folder / "holocron.yaml").write_text(
        SETTINGS
        + "sql_sources: [{name: notes, query: 'select 1 as id, null as title, ''One'' as text'},"
        + "{name: broken, query: select 1 as id}]"
    )

    first, again = holocron("ingest", "--sql", "notes"), parsed("ingest", "--sql", "notes")
    failed = holocron("ingest", "--sql", "broken", "--sql", "notes")

    assert "notes: 1 new records of 1 rows; 0 are gone." in first.stdout
    (row,) = again["sql_sources"]
    assert (row["name"], row["rows_read"], row["records_stored"], row["failure"]) == ("notes", 1, 0, None)
    assert failed.exit_code == FAILED
    assert "nothing was stored of SQL source broken: the query gives the columns id; it must" in failed.stdout
    assert "notes: 0 new records of 1 rows" in failed.stdout


def test_ingest_warns_of_a_query_that_gives_nothing_any_more(folder: Path) -> None:
    """A result without rows is named, where there were some before."""
    query = "sql_sources: [{name: notes, query: 'select 1 as id, null as title, ''One'' as text where 1 = %s'}]"
    (folder / "holocron.yaml").write_text(SETTINGS + query % 1)
    holocron("ingest", "--sql", "notes")
    (folder / "holocron.yaml").write_text(SETTINGS + query % 0)

    result = holocron("ingest", "--sql", "notes")

    assert "notes: 1 new records of 0 rows; 1 are gone." in result.stdout
    assert "gives no rows at all, and 1 that were there" in result.stdout


def test_ingest_needs_something_to_ingest(folder: Path) -> None:
    """Neither a path nor a query is a misuse, and so is a query that the settings do not name."""
    nothing, unknown = holocron("ingest"), holocron("ingest", "--sql", "notes")

    assert nothing.exit_code == unknown.exit_code == MISUSED
    assert "Name files or folders as PATHS, a query with --sql" in nothing.stderr
    assert "there is no SQL source 'notes'. Known: none." in unknown.stderr


def test_status_before_anything(folder: Path) -> None:
    """Without a store, `status` says how to fill it, and creates nothing."""
    result = holocron("status")

    assert result.exit_code == FAILED
    assert "there is no store at" in result.stderr
    assert not (folder / ".holocron" / "store.duckdb").exists()


def test_status_tells_what_there_is(filled: World) -> None:
    """`status` counts sources, chunks and vectors per space, and lists the last runs."""
    status = parsed("status")

    assert status["counts"]["present_sources"] == 2
    (space,) = status["spaces"]
    assert (space["pending"], space["embeddings"]) == (0, status["counts"]["current_chunks"])
    assert [run["status"] for run in status["recent_runs"]] == ["SUCCEEDED"] * 3
    assert {one["stage"] for one in status["last_successes"]} == {"extract", "chunk", "embed"}
    assert (status["newest_fetch_utc"], status["queue"]) == ("2026-01-01T00:00:00Z", {})
    assert space["canary"]["is_complete"]
    assert status["disk"]["store_bytes"] == Path(filled.store.name).stat().st_size
    shown = holocron("status").output
    assert "everything is up to date" in shown
    assert "queue: no jobs" in shown
    assert "newest fetch" in shown


def test_status_tells_what_the_queue_holds(filled: World) -> None:
    """`status` counts the queue's own jobs by status, and not those that record what Dagster or a command did."""
    with filled.store.session() as session:
        for number in range(3):
            queue.enqueue_job(session, "EMBED_CHUNKS", {"dedupe_key": str(number)}, utc_now(), max_attempts=1)
    with filled.store.session() as session:
        job = queue.claim_next_job(session, "worker", utc_now())
    assert job is not None
    with filled.store.session() as session:
        queue.fail_job(session, job.job_id, "worker", "no", utc_now())

    assert parsed("status")["queue"] == {"DEADLETTER": 1, "NEW": 2}
    assert "queue: 1 DEADLETTER, 2 NEW" in holocron("status").output


def test_status_is_as_fresh_as_what_was_fetched(filled: World) -> None:
    """A record of the future is told of, and does not stand for the newest."""
    filled.add(page_row("Tomorrow", 9, "text", fetched_at=datetime(2999, 1, 1)))  # noqa: DTZ001

    shown = holocron("status").output

    assert "newest fetch" in shown
    assert "which is in the future" not in shown
    assert "1 records say that they were fetched in the future" in shown


def test_tables_break_no_word_in_80_columns(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of spaces and sources, states and types of jobs stand in one piece, and prose is broken between words."""
    slug = parsed("spaces", "derive", "ngram", "--transform", "matryoshka", "--dimensions", "8")["space"]["slug"]
    filled.add(page_row("Lost", 5, "text", source_name="memory-alpha-and-beta") | {"payload": "not JSON"})
    filled.extract()
    refused = f"the space {slug} is not active: `holocron spaces activate {slug}`"
    with filled.store.session() as session:
        job = queue.enqueue_job(session, "REEMBED_SPACE", {"dedupe_key": "a"}, utc_now())
        raw(
            session,
            f"update vector.job set status = 'DEADLETTER', last_error = '{refused}' where job_id = '{job.job_id}'",
        )
    monkeypatch.setenv("COLUMNS", "80")

    status, jobs, listed, planned = (
        holocron(*one).output for one in (["status"], ["jobs", "list"], ["spaces", "list"], ["plan"])
    )

    for word in (slug, "mediawiki:memory-alpha-and-beta", "SUCCEEDED", "records_examined", "embeddings_created"):
        assert word in status
    assert f"{job.job_id}  DEADLETTER  REEMBED_SPACE  tried 0 of 3\n    {refused}\n" in jobs
    assert all(slug in one for one in (listed, planned))
    assert max(len(line) for one in (jobs, listed, planned) for line in one.splitlines() if refused not in line) <= 80
    monkeypatch.delenv("COLUMNS")
    whole = next(line for line in holocron("status").output.splitlines() if " ago  embed  " in line)
    assert "embeddings_created" in whole, "what is piped on has a row in a line"


def test_status_is_watched_or_parsed(filled: World) -> None:
    """A script that wants JSON asks for one document at a time."""
    result = holocron("status", "--watch", "--json")

    assert result.exit_code == MISUSED
    assert "--watch is for people" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s ago"),
        (179, "179 s ago"),
        (7200, "120 min ago"),
        (86400, "24 h ago"),
        (86400 * 400, "400 d ago"),
        (-90, "at 2026-01-01 00:00, which is in the future"),
    ],
)
def test_ages_are_said_as_people_say_them(seconds: int, said: str) -> None:
    """The unit grows with the age, and a clock that went back is told."""
    assert ago(START, START + timedelta(seconds=seconds)) == said


def test_search_finds_and_explains(filled: World) -> None:
    """`search` gives title, source, score and text of the nearest chunks."""
    result = parsed("search", "facts about miners' lamps", "-k", "2")

    best = result["hits"][0]
    assert (best["title"], best["source_id"], best["rank"]) == ("Lamps", "mediawiki:testwiki:page/2", 1)
    assert best["scores"]["rrf"] > result["hits"][1]["scores"]["rrf"]
    assert "miners' lamps" in best["text"]
    fused = holocron("search", "lamps", "--mode", "lexical", "--fusion", "rrf")
    assert (fused.exit_code, "this one is lexical" in fused.output) == (MISUSED, True)
    assert "say the mode, too" in holocron("search", "lamps", "--min-score", "0.4").output
    unasked = [("",), ("x" * 20_001,), ("\udcff",), ("lamps", "--mode", "vector", "--min-score", "nan")]
    assert {holocron("search", *one).exit_code for one in unasked} == {MISUSED}
    assert "rrf 0.0" in holocron("search", "lamps", "--fusion", "rrf", "--min-score", "0.001").output
    assert "1. Lamps  rrf 0.0" in holocron("search", "facts about miners' lamps").output
    assert parsed("search", "lamps", "--since", "2020-01-31T12:00")["filters"] == {"since": "2020-01-31T12:00:00"}
    piped = holocron("search", "facts about miners' lamps").output
    assert not [line for line in piped.splitlines() if line != line.rstrip()]
    assert "…\n" in piped
    assert "…" not in holocron("search", "facts about miners' lamps", "--full").output
    nearest = holocron("search", "facts about miners' lamps", "--mode", "vector").output
    assert "1. Lamps  cosine 0." in nearest


def test_search_says_what_it_could_not_search(filled: World) -> None:
    """Chunks that the space lacks are counted, and not passed over in silence."""
    filled.add(page_row("New", 3, prose("news", 300)))
    filled.extract()
    filled.chunk()

    assert parsed("search", "news")["chunks_not_embedded"] == 1
    assert "lacks 1 current chunk, not searched" in holocron("search", "news").output


@pytest.mark.parametrize(("space", "message"), [("nonsense", "no space is called 'nonsense'; there are: ngram-")])
def test_search_in_an_unknown_space(filled: World, space: str, message: str) -> None:
    """An unknown space is a misuse, answered with the known ones."""
    result = holocron("search", "x", "--space", space)

    assert result.exit_code == MISUSED
    assert message in result.stderr


def test_spaces_are_listed_and_described(filled: World) -> None:
    """Each space with what it has and lacks, and everything its vectors depend on."""
    filled.add(page_row("New", 3, prose("news", 300)))
    filled.extract()
    filled.chunk()

    (state,) = parsed("spaces", "list")
    slug = state["space"]["slug"]

    assert (state["vectors"], state["lacking"], state["quarantined"]) == (len(filled.current_chunks()) - 1, 1, 0)
    assert slug in holocron("spaces", "list").output
    assert parsed("spaces", "describe", "ngram") == state
    described = holocron("spaces", "describe", slug).output
    assert f"digest: {state['space']['model_digest']}" in described
    assert f"policy dimensions: {state['space']['dimensions']}" in described


def test_a_space_is_added_once_and_not_for_trying(filled: World) -> None:
    """`--dry-run` says what it would be and registers nothing; doing it twice registers once."""
    arguments = ("spaces", "add", "hashing", "ngram", "-o", "dimensions=128")
    tried = parsed(*arguments, "--dry-run")
    assert (tried["is_new"], tried["is_registered"], len(parsed("spaces", "list"))) == (True, False, 1)

    assert "is registered: hashing ngram v1+" in holocron(*arguments).output
    assert parsed(*arguments)["is_new"] is False
    assert [state["space"]["dimensions"] for state in parsed("spaces", "list")] == [64, 128]


def test_an_inactive_space_is_neither_filled_nor_searched(filled: World) -> None:
    """Deactivating takes effect at once and is undone by activating; neither happens for trying."""
    assert parsed("spaces", "deactivate", "ngram", "--dry-run")["changes"] is True
    assert holocron("search", "tides").exit_code == 0

    assert "is inactive now" in holocron("spaces", "deactivate", "ngram").output
    assert "is inactive already" in holocron("spaces", "deactivate", "ngram").output
    assert "every embedding space of the store is inactive" in holocron("search", "tides").stderr

    assert parsed("spaces", "activate", "ngram")["changes"] is True
    assert holocron("search", "tides").exit_code == 0


def test_options_are_taken_as_they_are_written() -> None:
    """A prefix keeps its colon and its last space, and what is no YAML is text; numbers and flags are read."""
    given = (
        "document_prefix=search_document: ",
        "query_prefix=passage ",
        "note={",
        "dimensions=64",
        "flag=true",
        "none=",
    )
    assert _options(given) == {
        "document_prefix": "search_document: ",
        "query_prefix": "passage ",
        "note": "{",
        "dimensions": 64,
        "flag": True,
        "none": "",
    }


def test_searches_are_cut_over_and_back(filled: World) -> None:
    """A complete space is promoted and the promotion undone; an incomplete one is refused with what it lacks."""
    (first,) = parsed("spaces", "list")
    assert first["aliases"] == ["default"]
    added = parsed("spaces", "add", "hashing", "ngram", "-o", "dimensions=32")["space"]["slug"]
    refused = holocron("spaces", "promote", added)
    assert refused.exit_code == FAILED
    assert f"{added} is not fit to be searched" in refused.stderr
    assert "Materialise embeddings again" in refused.stderr

    assert "default means" in holocron("spaces", "promote", first["space"]["slug"]).output
    assert "means ngram" in holocron("spaces", "promote", first["space"]["slug"], "--alias", "trial").output
    found = parsed("search", "tides", "--alias", "trial")
    assert found["space"] == first["space"]["slug"]
    assert "already" in holocron("spaces", "promote", first["space"]["slug"], "--dry-run").output

    assert parsed("spaces", "rollback")["space"] == first["space"]["slug"]
    assert holocron("spaces", "rollback").exit_code == FAILED


def test_a_space_is_compared_with_its_model(filled: World) -> None:
    """`reembed` says how many vectors are as the model makes them, and what that would take before it does it."""
    planned = parsed("spaces", "reembed", "ngram", "--dry-run")
    (count,) = filled.rows("select count(*) from vector.embedding")[0]
    assert planned["to_compare"] == count
    assert (
        f"{count} vectors of ngram-a8fbd6cf would be compared, in"
        in holocron("spaces", "reembed", "ngram", "--dry-run").output
    )

    assert f"{count} vectors of" in holocron("spaces", "reembed", "ngram").output
    filled.rows("update vector.embedding set vector = [1.0]::float[]")
    refused = holocron("spaces", "reembed", "ngram")
    assert refused.exit_code == FAILED
    assert "embed elsewhere than they are stored" in refused.stderr
    assert parsed("spaces", "reembed", "ngram", "--replace")["replaced"] == count
    nobody = holocron("spaces", "reembed", "ngram", "--source", "files:")
    assert (nobody.exit_code, "no source is registered whose id begins with 'files:'" in nobody.stderr) == (2, True)


def test_a_space_is_derived_and_described(filled: World) -> None:
    """`derive` registers what `--dry-run` foretold; `describe` then shows source, hash and sample."""
    arguments = ("spaces", "derive", "ngram", "--transform", "pca", "--dimensions", "2")
    tried = parsed(*arguments, "--dry-run")
    assert (tried["is_new"], tried["is_registered"], len(parsed("spaces", "list"))) == (True, False, 1)

    made = holocron(*arguments)
    assert f"{tried['space']['slug']} is registered: pca-2/1:" in made.output
    assert f"derived from: {tried['source']}" in made.output
    assert parsed("spaces", "derive", tried["source"], *arguments[3:])["is_new"] is False
    described = holocron("spaces", "describe", tried["space"]["slug"]).output
    assert f"derived from: {tried['source']}" in described
    assert f"transform's hash: {tried['transform']['artefact_sha256']}" in described
    assert f"sample vectors: {len(filled.current_chunks())}" in described
    assert parsed("spaces", "describe", "pca-2")["transform"]["sample"] == tried["transform"]["sample"]
    assert "sample" not in holocron("spaces", "describe", tried["source"]).output


def test_a_space_that_is_no_longer_served_is_told(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`probe` compares what the provider says with the registry, and ends with 1 when it is another space."""
    found = parsed("spaces", "probe", "ngram")
    assert (found["mismatch"], found["runtime"]["engine"]) == (None, "numpy")

    monkeypatch.setattr("resources.providers.hashing._ALGORITHM", "another one")
    result = holocron("spaces", "probe", "ngram")
    assert result.exit_code == FAILED
    assert "no longer serves it" in result.output
    assert "model_digest is" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("describe", "nonsense"), MISUSED, "no space is called 'nonsense'"),
        (("add", "nonsense", "model"), MISUSED, "there is no embedding provider 'nonsense'"),
        (("add", "hashing", "ngram", "-o", "dimensions"), MISUSED, "'dimensions' is not NAME=VALUE"),
        (("add", "hashing", "ngram", "-o", "ngram=4", "-o", "ngram=5"), MISUSED, "'ngram=5' is given twice"),
        (("add", "hashing", "ngram", "-o", "dimension=64"), MISUSED, "Known options: dimensions, ngram"),
        (("derive", "nonsense", "--transform", "binary"), MISUSED, "no space is called 'nonsense'"),
        (("derive", "ngram"), MISUSED, "Missing option '--transform'"),
        (("derive", "ngram", "--transform", "pca"), MISUSED, "pca needs --dimensions, from 1 to 63"),
        (("derive", "ngram", "--transform", "pca", "--dimensions", "9"), MISUSED, "too few for 9 dimensions"),
    ],
)
def test_misused_spaces_commands_say_how(filled: World, arguments: tuple[str, ...], code: int, message: str) -> None:
    """Unknown names and malformed options are answered with what there is."""
    result = holocron("spaces", *arguments)

    assert result.exit_code == code
    assert message in result.stderr


def test_plan_writes_nothing_and_is_exact(filled: World) -> None:
    """`plan` foretells what the next run does, per space, and changes no row."""
    filled.add(
        page_row("Tides", 1, prose("the tides", 2500), revision=2, fetched_at=filled.next_day()),
        page_row("New", 3, prose("news", 300)),
    )
    before = filled.rows("select count(*) from vector.ingest_seen"), filled.rows("select count(*) from vector.run")

    plan = parsed("plan")

    assert before == (
        filled.rows("select count(*) from vector.ingest_seen"),
        filled.rows("select count(*) from vector.run"),
    )
    extraction, chunking = filled.extract(), filled.chunk()
    report = filled.embed()
    assert plan["outcomes"] == extraction.outcomes
    assert (plan["chunks_added"], plan["chunks_changed"], plan["chunks_retired"]) == (
        chunking.added,
        chunking.changed,
        chunking.retired,
    )
    assert [space["to_embed"] for space in plan["spaces"]] == [report.embedded]
    assert (plan["sources_new"], plan["sources_changed"]) == (1, 1)


def test_verify_exits_with_one_when_something_is_wrong(filled: World) -> None:
    """`verify` is silent success on a healthy store, and exit code 1 with the fault on another; repair mends it."""
    assert holocron("verify").exit_code == 0
    filled.rows("update vector.embedding set vector = list_transform(vector, lambda x: x * 2)")

    broken = holocron("verify")
    repaired = holocron("verify", "--repair")
    filled.embed()

    assert broken.exit_code == repaired.exit_code == 1
    assert "FAIL vectors_are_valid" in broken.output
    assert "embeddings deleted" in repaired.output
    assert holocron("verify").exit_code == 0


def test_verify_warns_of_records_that_are_gone(filled: World) -> None:
    """A text whose ingest record was deleted is named; that alone is no failure, because no run can mend it."""
    filled.rows("delete from ingest.IngestRecords where ingest_id = (select min(ingest_id) from vector.extracted_text)")

    told = holocron("verify")

    assert told.exit_code == 0
    assert "warn texts_have_their_records: The ingest records behind some texts are no longer stored" in told.output


def test_lineage_prints_the_chain(filled: World) -> None:
    """`lineage` leads from the ingest record to the vector, with runs and hashes, by the beginning of a chunk id."""
    chunk = sorted(filled.current_chunks())[0]

    chain = parsed("lineage", chunk[:10])

    assert chain["chunk"]["chunk_id"] == chunk
    (record,) = chain["records"]
    (text,) = chain["texts"]
    (version,) = chain["versions"]
    (embedding,) = chain["embeddings"]
    assert record["ingest_id"] == text["ingest_id"]
    assert text["text_sha256"] == version["text_sha256"]
    assert version["content_sha256"] == embedding["input_content_sha256"]
    runs = {run["run_id"] for run in chain["runs"]}
    assert {record["run_id"], version["run_id"], embedding["run_id"]} <= runs
    assert chunk in holocron("lineage", chunk).output.replace("\n", "")


def test_lineage_recovers_earlier_contents(filled: World) -> None:
    """Of a chunk that changed, the earlier content is shown too."""
    filled.add(page_row("Lamps", 2, prose("sailors' lamps", 300), revision=2, fetched_at=filled.next_day()))
    filled.run()
    chunk = next(key for key, content in filled.current_chunks().items() if "sailors" in content)

    chain = parsed("lineage", chunk)

    assert len(chain["versions"]) in (1, 2)
    if len(chain["versions"]) == 2:
        assert any("miners" in (content or "") for content in chain["earlier_contents"].values())


@pytest.mark.parametrize(("prefix", "message"), [("abc", "at least the first 6"), ("ffffffffff", "no chunk has an id")])
def test_lineage_of_nothing(filled: World, prefix: str, message: str) -> None:
    """An id that names no chunk is one clear line."""
    result = holocron("lineage", prefix)

    assert (result.exit_code, message in result.stderr) == (FAILED, True)


def test_retry_lets_records_go(filled: World) -> None:
    """A quarantined record is tried again after `retry`, by its id or all at once."""
    bad = page_row("Broken", 4, "x")
    filled.add(bad | {"payload": '{"parse": '})
    filled.extract()
    ((item,),) = filled.rows("select item_id from vector.quarantine")

    unknown = holocron("retry", "nonsense")
    released = parsed("retry", item)
    again = filled.extract()

    assert unknown.exit_code == FAILED
    assert released == {"released": {"line": 0, "record": 1, "chunk": 0}}
    assert again.outcomes == {"failed": 1}
    assert filled.rows("select attempt_count, released_utc from vector.quarantine") == [(2, None)]


def test_retry_dismisses_lines(filled: World, folder: Path) -> None:
    """Lines of files are let go by name or by type, and stay held when only a retry of the others is asked for."""
    path = folder / "records.ndjson"
    path.write_text("not json\n" * 3)
    holocron("ingest", str(path))
    path.unlink()

    others = parsed("retry")
    one = parsed("retry", f"{path}:2")
    rest = holocron("retry", "--type", "line")

    assert others == {"released": {"record": 0, "chunk": 0}}
    assert one == {"released": {"line": 1, "record": 0, "chunk": 0}}
    assert rest.output == "lines: 2 released.\n"
    assert parsed("status")["quarantine"] == []


def test_export_writes_what_ingest_reads(filled: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`export` writes a snapshot that another store's `ingest` loads once; what is there is not written again."""
    told = holocron("export", "backup")
    again = parsed("export", "backup")
    monkeypatch.setenv("HOLOCRON_STORE_URL", "duckdb:///other.duckdb")
    loaded, loaded_again = parsed("ingest", "backup"), parsed("ingest", "backup/holocron")

    assert told.exit_code == 0
    assert "2 of 2 records written to 1 new files in " in told.output
    assert (again["folder"], again["records"]) == (str(folder / "backup" / "holocron"), 2)
    assert (again["records_written"], again["chunks"]) == (0, [])
    assert (loaded["records_stored"], loaded_again["records_stored"]) == (2, 0)
    assert parsed("status")["counts"]["records"] == 2


def test_export_takes_a_part(filled: World, folder: Path) -> None:
    """Filters choose records, `--dataset` the folder; a filter that fits nothing writes nothing and says so."""
    nothing = holocron("export", "backup", "--source-name", "nobody")
    part = parsed("export", "backup", "--dataset", "pages", "--source-name", "testwiki", "--resource-type", "content")

    assert (nothing.exit_code, nothing.output) == (0, "There is no such record in the store.\n")
    assert (part["records_written"], part["folder"]) == (2, str(folder / "backup" / "pages"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("backup", "--dataset", "../up"), MISUSED, "a name of letters, digits"),
        (("backup", "--dataset", ".git"), MISUSED, "a name of letters, digits"),
        (("holocron.yaml",), MISUSED, "is a file"),
        (("holocron.yaml/backup",), FAILED, "error: cannot write to"),
    ],
)
def test_export_to_where_it_cannot(filled: World, arguments: tuple[str, ...], code: int, message: str) -> None:
    """A folder that cannot be is a misuse, one that cannot be written a failure; both say so in one line."""
    result = holocron("export", *arguments)

    assert (result.exit_code, message in result.stderr) == (code, True)


def test_export_of_no_store_is_an_error(folder: Path) -> None:
    """Without a store there is nothing to export, and nothing is written."""
    result = holocron("export", "backup")

    assert result.exit_code == FAILED
    assert "there is no store at" in result.stderr
    assert not (folder / "backup").exists()


def test_exchange_records_that_were_changed_are_quarantined(filled: World, folder: Path) -> None:
    """A line whose content does not have its hash is told with file and number, and held as other bad lines are."""
    report = parsed("export", "backup")
    chunk = folder / "backup" / "holocron" / report["chunks"][0]
    first, second = chunk.read_text(encoding="utf-8").splitlines()
    chunk.write_text(first + "\n" + second.replace("in year", "in years"), encoding="utf-8")
    (folder / "holocron.yaml").write_text(SETTINGS + "store_url: duckdb:///other.duckdb")

    result = holocron("ingest", "backup")

    assert result.exit_code == 1
    assert "1 new records of 1 read" in result.output
    assert f"{chunk}:2: its content was changed or damaged: content_sha256 says" in result.output
    assert parsed("status")["quarantine"][0]["item_id"] == f"{chunk}:2"


def test_ensure_shows_and_applies(folder: Path) -> None:
    """`ensure --dry-run` lists the migrations and applies none; `ensure` applies them once."""
    shown = parsed("ensure", "--dry-run")["migrations"]
    assert not (folder / ".holocron" / "store.duckdb").exists()

    applied = parsed("ensure")["migrations"]

    assert shown == applied != []
    assert parsed("ensure")["migrations"] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("nonsense: 1", "nonsense: Extra inputs are not permitted"),
        ("store_url: mysql://x", "there is no store for URLs that begin with 'mysql'"),
        ("store_url: 'duckdb:///:memory:'", "names no file"),
        ("store_url: 'duckdb://data/store.duckdb'", "write duckdb:/// with three slashes"),
        ("chunking: {chunk_size: 5}", "version 2.0 is built in and fixed"),
        ("[1", "cannot read the settings in"),
        ("extraction: {workers: many}", "extraction.workers: Input should be a valid integer"),
    ],
)
def test_wrong_settings_are_named(folder: Path, settings: str, message: str) -> None:
    """A mistake in the settings is told with its place, and is exit code 2."""
    (folder / "holocron.yaml").write_text(settings)

    result = holocron("ensure")

    assert result.exit_code == MISUSED
    assert message in result.stderr


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("{provider: nonsense, model: x}", "there is no embedding provider 'nonsense'. Known: embedded, hashing"),
        ("{provider: hashing, model: x}", "x"),
        ("{provider: hashing, model: ngram, options: {dimension: 3}}", "dimension"),
    ],
)
def test_wrong_spaces_are_named(filled: World, folder: Path, space: str, message: str) -> None:
    """A space that cannot be opened is told with what is wrong, and the others are planned."""
    (folder / "holocron.yaml").write_text(SETTINGS.replace("spaces: [", f"spaces: [{space}, "))

    plan = parsed("plan")

    ((_, why),) = plan["unavailable_spaces"].items()
    assert message in why
    assert len(plan["spaces"]) == 1


def test_a_busy_store_is_exit_code_75(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts can tell "try again" from failure."""
    monkeypatch.setattr("holocron_assets.composition.COMMAND_WAIT_SECONDS", 0.2)
    with held(Path(filled.store.name)):
        result = holocron("status")

    assert result.exit_code == BUSY
    assert "is in use by process" in result.stderr


def test_settings_come_from_where_they_say(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOLOCRON_CONFIG names the file; the environment beats it; relative paths belong to the file's folder."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.yaml").write_text("store_url: duckdb:///mine.duckdb")
    monkeypatch.setenv("HOLOCRON_CONFIG", str(elsewhere / "mine.yaml"))
    from_file = parsed("ensure")["store"]
    monkeypatch.setenv("HOLOCRON_STORE_URL", "duckdb:///other.duckdb")
    from_environment = parsed("ensure")["store"]

    assert from_file == str(elsewhere / "mine.duckdb")
    assert from_environment == str(elsewhere / "other.duckdb")


@pytest.mark.slow
def test_two_first_commands_at_once_create_the_tables_once(folder: Path) -> None:
    """Two processes that find no store both succeed, and each table is created once."""
    code = "from holocron_assets.cli import main; main()"
    command = [sys.executable, "-c", code, "ensure", "--json"]
    processes = [subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) for _ in range(3)]

    outputs = [process.communicate(timeout=60)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert parsed("ensure")["migrations"] == []
    assert any(json.loads(output)["migrations"] for output in outputs)


def test_a_place_that_cannot_be_written_is_named(folder: Path) -> None:
    """A store below a file is an error that says which setting to change."""
    (folder / "holocron.yaml").write_text("store_url: duckdb:///holocron.yaml/new.duckdb")

    result = holocron("ensure")

    assert result.exit_code == 1
    assert "its folder cannot be made" in result.output
    assert "HOLOCRON_STORE_URL" in result.output


def test_text_is_printed_as_it_is(filled: World) -> None:
    """Nothing in a text is taken for an emoji or for markup."""
    filled.add(page_row("Notes", 3, "She wrote :smile: and [bold]loud[/bold] in files:notes:sha."))
    filled.run()

    result = holocron("search", "what did she write", "-k", "1")

    assert ":smile: and [bold]loud[/bold] in files:notes:sha" in " ".join(result.output.split())


def test_a_poor_terminal_is_enough(filled: World) -> None:
    """Characters that the terminal's encoding lacks are escaped, and the command goes on."""
    filled.add(page_row("שלום", 3, "שלום עולם " * 20))
    filled.run()
    code = "from holocron_assets.cli import main; main()"
    command = [sys.executable, "-c", code, "search", "שלום עולם", "--json"]
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}

    done = subprocess.run(command, cwd=filled.settings.base_dir, env=environment, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode(errors="replace")[-500:]


@pytest.fixture
def lake(filled: World) -> World:
    """The store of two pages, whose database has the table of exchange records."""
    with filled.store.session() as session:
        session.run_script(DEFINITIONS["duckdb"])
    return filled


def test_the_lake_is_written_and_read(lake: World, folder: Path) -> None:
    """`export --lake` adds to the table what it lacks, `ingest --lake` loads from it what the store lacks."""
    told, again = holocron("export", "--lake"), parsed("export", "--lake", "--source-name", "testwiki")
    lake.rows("delete from ingest.IngestRecords")
    loaded, nothing = holocron("ingest", "--lake"), holocron("ingest", "--lake")

    assert told.output == "2 of 2 records added to lake.RawExchangeRecord; it held the others.\n"
    assert again == {"lake": {"records": 2, "records_written": 0}}
    assert loaded.output.startswith("2 new records of 2 read from 2 rows of lake.RawExchangeRecord.\n")
    assert nothing.output.startswith("0 new records of 0 read from 0 rows of lake.RawExchangeRecord.\n")


def test_files_and_the_lake_are_named_together(lake: World, folder: Path) -> None:
    """A folder and the table may be written, and read, by one command, which tells of both."""
    (folder / "new.ndjson").write_text(json.dumps(page_row("Reeds", 3, prose("reeds"))))
    both = parsed("export", "backup", "--lake")
    nobody = holocron("export", "backup", "--lake", "--source-name", "nobody")
    told = holocron("export", "backup", "--lake")
    lake.rows("delete from ingest.IngestRecords")
    loaded = holocron("ingest", "new.ndjson", "--lake")

    assert (both["records_written"], both["lake"]) == (2, {"records": 2, "records_written": 2})
    assert nobody.output == "There is no such record in the store.\n"
    assert [line.partition(" of ")[0] for line in told.output.splitlines()] == ["0", "0"]
    assert "3 new records of 3 read from 1 files and 2 rows of lake.RawExchangeRecord; 0 files had" in loaded.output


def test_rows_of_the_lake_are_quarantined_and_dismissed(lake: World) -> None:
    """A row that is no record makes the exit code 1; it is listed by its place, and let go by that."""
    holocron("export", "--lake")
    lake.rows("delete from ingest.IngestRecords")
    lake.rows("update lake.RawExchangeRecord set payload_json = '[1]' where natural_key = 'Lamps'")
    result = holocron("ingest", "--lake")
    (place,) = (item["item_id"] for item in parsed("status")["quarantine"])

    released = parsed("retry", place)

    assert result.exit_code == 1
    assert f"{place}: a record must be a JSON object, this is a list" in result.output
    assert place.startswith("lake.RawExchangeRecord/")
    assert released == {"released": {"line": 1, "record": 0, "chunk": 0}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ingest",), "Error: from where? Name files or folders as PATHS, a query with --sql, or say --lake"),
        (("export",), "Error: where to? Name a folder as PATH, or say --lake"),
        (("export", "--lake", "--dataset", "wiki"), "Error: --dataset names a folder within PATH"),
    ],
)
def test_something_to_read_or_write_must_be_named(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    """Neither a path nor `--lake` is a misuse that says what to name; nothing is created."""
    result = holocron(*arguments)

    assert (result.exit_code, message in result.stderr) == (MISUSED, True)
    assert not (folder / ".holocron").exists()


@pytest.mark.parametrize("arguments", [("ingest", "--lake"), ("export", "--lake"), ("export", "backup", "--lake")])
def test_without_the_lake_one_line_says_so(filled: World, folder: Path, arguments: tuple[str, ...]) -> None:
    """Where the database does not have the table, that and what to do is said, and nothing is written."""
    result = holocron(*arguments)

    assert result.exit_code == FAILED
    assert "has no table lake.RawExchangeRecord" in result.stderr
    assert "Ask its owner" in result.stderr
    assert not (folder / "backup").exists()


def test_artefacts_writes_what_is_missing(filled: World, folder: Path) -> None:
    """`artefacts --missing` writes a folder for each run that has none, named runs get theirs, and once is enough."""
    (folder / "holocron.yaml").write_text(SETTINGS + "lake: {root: lake}\n")
    run_ids = [str(run_id) for (run_id,) in filled.rows("select run_id from vector.run order by started_utc")]

    assert parsed("artefacts", run_ids[1])["written"] == [run_ids[1]]
    assert parsed("artefacts", "--missing") == {
        "folder": str(folder / "lake" / "vector_runs"),
        "written": [run_ids[0], run_ids[2]],
    }
    again = holocron("artefacts", *run_ids)

    assert "0 of 3 runs written" in again.output
    assert "Nothing is missing." in holocron("artefacts", "--missing").output
    assert {path.name for path in (folder / "lake" / "vector_runs").iterdir()} == set(run_ids)


def test_artefacts_says_what_it_cannot_do(filled: World, folder: Path) -> None:
    """Without a lake, without a run or with an unknown one, `artefacts` says so."""
    assert holocron("artefacts", "--missing").exit_code == MISUSED
    assert "`lake.root` is not set" in holocron("artefacts", "--missing").output
    (folder / "holocron.yaml").write_text(SETTINGS + "lake: {root: lake}\n")

    assert holocron("artefacts").exit_code == MISUSED
    assert holocron("artefacts", "--missing", "00000000-0000-0000-0000-000000000000").exit_code == MISUSED
    assert holocron("artefacts", "lake").exit_code == MISUSED
    unknown = holocron("artefacts", "00000000-0000-0000-0000-000000000000")
    assert unknown.exit_code == FAILED
    assert "no run has the id" in unknown.output
    (folder / "lake").write_text("a file")
    assert holocron("artefacts", "--missing").exit_code == FAILED


def test_ingest_leaves_artefacts(folder: Path) -> None:
    """A run of `ingest` has artefacts where the settings want them; where that fails, it warns and loads."""
    (folder / "holocron.yaml").write_text(SETTINGS + "lake: {root: lake}\n")
    records = folder / "records.ndjson"
    records.write_text(json.dumps(page_row("Tides", 1, prose("tides"))) + "\n")
    report = parsed("ingest", str(records))
    assert (folder / "lake" / "vector_runs" / report["run_id"] / "run.json").is_file()

    (folder / "lake").rename(folder / "moved")
    (folder / "lake").write_text("a file")
    records.write_text(json.dumps(page_row("Lamps", 2, prose("lamps"))) + "\n")
    result = holocron("ingest", str(records), "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["records_stored"] == 1
    assert "warning: run" in result.stderr
    assert "`holocron artefacts --missing`" in result.stderr
