"""From rows of a user's query to records: what is stored of them, and when nothing is."""

import pytest

from holocron_assets.errors import MassChangeError, StoreBusyError
from holocron_assets.sections import SqlSource
from holocron_assets.stages.ingest_rows import ingest_sql_sources
from resources.stores import open_store
from resources.stores.base import SqlStore
from tests.notes import QUERY, SOURCE, Notes
from tests.world import ORIGIN, World, prose, silent


@pytest.fixture
def notes(world: World) -> Notes:
    """A table with two rows."""
    notes = Notes(world)
    notes.put(1, "One", prose("one", 300))
    notes.put(2, "Two", prose("two", 300))
    return notes


def records(world: World) -> list[tuple[str, str]]:
    rows = world.rows("select resource_id, payload from ingest.IngestRecords")
    return sorted((key, payload) for key, payload in rows)


def test_rows_become_records(world: World, notes: Notes) -> None:
    """Each row is a record of its own, whose text begins with its title."""
    report = notes.ingest()
    world.extract()

    assert (report.rows_read, report.records_stored, report.rows_gone, report.failure) == (2, 2, 0, None)
    assert {text.partition("\n")[0] for text in world.texts().values()} == {"One", "Two"}
    assert {source_id.partition("sha/")[0] for source_id in world.texts()} == {"sql:notes:"}


def test_unchanged_rows_write_nothing(world: World, notes: Notes) -> None:
    """A result that is as it was leaves neither a record nor a run."""
    notes.ingest()
    runs = world.rows("select count(*) from vector.run")

    report = notes.ingest()

    assert (report.rows_read, report.records_stored, report.run_id) == (2, 0, None)
    assert world.rows("select count(*) from vector.run") == runs


def test_a_changed_row_is_a_new_record_of_its_source(world: World, notes: Notes) -> None:
    """Only the row that differs is stored, and its source has the new text; the old record stays."""
    notes.ingest()
    world.extract()
    notes.run("update ingest.Notes set body = 'rewritten' where note_id = 2")

    report = notes.ingest()
    world.extract()

    assert report.records_stored == 1
    assert len(records(world)) == 3
    assert sorted(world.texts().values())[1] == "Two\n\nrewritten"
    assert len(world.texts()) == 2


def test_a_row_that_vanished_retires_its_source_until_it_is_back(world: World, notes: Notes) -> None:
    """A row that the query no longer gives is recorded as gone, once; the same row again is current again."""
    notes.ingest()
    world.run()
    before = world.current_chunks()

    gone = notes.ingest(f"{QUERY} where note_id <> 2")
    again = notes.ingest(f"{QUERY} where note_id <> 2")
    world.run()
    without = world.current_chunks()
    back = notes.ingest()
    world.run()

    assert (gone.rows_gone, gone.records_stored, again.records_stored, back.records_stored) == (1, 1, 0, 1)
    assert len(without) == len(before) - 1
    assert world.current_chunks() == before


def test_a_row_without_text_is_an_empty_source(world: World, notes: Notes) -> None:
    """NULL and white space are no text, whatever the title says: the source is there, and nothing of it is served."""
    notes.put(3, "Three", None)
    notes.put(4, "Four", "  ")
    notes.put(5, None, "without a title")
    notes.ingest()
    world.run()

    outcomes = dict(world.rows("select coalesce(title, '-'), outcome from vector.ingest_seen"))
    assert outcomes == {"One": "text", "Two": "text", "Three": "empty", "Four": "empty", "-": "text"}
    assert len(world.texts()) == 3


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (f"{QUERY} union all {QUERY} order by 1", "gives id '1' more than once"),
        ("select null as id, heading as title, body as text from ingest.Notes", "a row without an id"),
        ("select '' as id, heading as title, body as text from ingest.Notes", "a row without an id"),
        ("select note_id as id, body as text from ingest.Notes", "gives the columns id, text; it must give id, title"),
        ("select note_id as id, heading as title, body as text, 1 as n from ingest.Notes", "id, title, text, n; it"),
        ("select note_id, heading, body from ingest.Notes where 1 = 0", "gives the columns note_id, heading, body"),
        ("select id, title, text from ingest.Nowhere", "Nowhere"),
        (f"{QUERY} where", "yntax"),
    ],
)
def test_a_query_that_fails_changes_nothing(world: World, notes: Notes, query: str, reason: str) -> None:
    """A result that cannot be used is a failure that says why; no row of it is stored, and none counts as gone."""
    notes.ingest()
    before = records(world)
    notes.run("update ingest.Notes set body = 'rewritten' where note_id = 1")

    report = notes.ingest(query)

    assert report.failure is not None
    assert report.failure.startswith("nothing was stored of SQL source notes: ")
    assert reason in report.failure
    assert records(world) == before


def test_a_result_that_breaks_off_changes_nothing(world: World, notes: Notes) -> None:
    """An error at the last of thousands of rows leaves none of those before it behind."""
    for n in range(3, 71):
        notes.put(n, "Note", "1")

    report = notes.ingest(
        "select a.note_id * 1000 + b.note_id as id, a.heading as title, "
        "cast(case when a.note_id = 70 and b.note_id = 70 then 'x' else '1' end as int) as text "
        "from ingest.Notes as a cross join ingest.Notes as b"
    )

    assert report.failure is not None
    assert records(world) == []


def test_an_id_that_no_store_can_hold_as_it_is_is_recognised_again(world: World, notes: Notes) -> None:
    """An id with a NUL in it is stored in another spelling, and is the same row at the next reading."""
    if world.store.dialect != "duckdb":
        pytest.skip("the function is called otherwise there")
    query = "select 'a' || chr(0) as id, null as title, 'text' as text"

    first, again = notes.ingest(query), notes.ingest(query)

    assert (first.records_stored, again.records_stored, again.rows_gone) == (1, 0, 0)


def test_one_failure_stops_no_other_source(world: World, notes: Notes) -> None:
    """The sources are read one after the other, each on its own."""
    broken = SqlSource(name="broken", query="select 1 as nothing")

    reports = ingest_sql_sources(world.store, [broken, SOURCE], ORIGIN, silent)

    assert [(one.name, one.failure is None, one.records_stored) for one in reports] == [
        ("broken", False, 0),
        ("notes", True, 2),
    ]


def test_sources_of_other_names_are_left_alone(world: World, notes: Notes) -> None:
    """Two sources may give the same ids; rows of one are no rows of the other."""
    notes.ingest()
    other = SqlSource(name="others", query=f"{QUERY} where note_id = 1")
    ingest_sql_sources(world.store, [other], ORIGIN, silent)
    world.extract()

    assert len(world.texts()) == 3
    assert notes.ingest().records_stored == 0


def test_a_row_that_is_too_long_is_named(world: World, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row whose id or text is longer than the store takes fails its source, and is named."""
    monkeypatch.setattr(type(world.store), "largest_record_bytes", 1000)
    notes.put(3, "Three", prose("three", 1500))

    long_text = notes.ingest()
    long_id = notes.ingest("select body as id, heading as title, null as text from ingest.Notes where note_id = 3")

    assert long_text.failure is not None
    assert long_text.failure.endswith("row out, or cut its text in the query")
    assert "id '3': longer than the 1,000 bytes" in long_text.failure
    assert long_id.failure is not None
    assert "id 'Fact 0 about three" in long_id.failure
    assert "at most 500 are allowed" in long_id.failure
    assert records(world) == []


def test_an_empty_result_is_warned_of_and_guarded(world: World, notes: Notes) -> None:
    """A query that gives nothing any more is named, and chunking stops before it retires what search serves."""
    for n in range(3, 40):
        notes.put(n, f"Note {n}", prose(f"note {n}", 300))
    notes.ingest()
    world.run()
    before = world.current_chunks()
    notes.run("delete from ingest.Notes")

    report = notes.ingest()
    world.extract()

    assert (report.rows_read, report.rows_gone) == (0, 39)
    assert report.warning is not None
    assert "gives no rows at all, and 39 that were there are recorded as gone" in report.warning
    with pytest.raises(MassChangeError, match="39 of 39 sources would lose all their chunks"):
        world.chunk()
    assert world.current_chunks() == before


def test_a_busy_store_is_an_error_that_passes(world: World, store: SqlStore) -> None:
    """What a later attempt may clear is raised, so that the step is tried again, and no failure of the source."""
    impatient = open_store(world.settings, wait_seconds=0)
    held = impatient.session()

    with held, pytest.raises(StoreBusyError):
        ingest_sql_sources(impatient, [SOURCE], ORIGIN, silent)


def test_many_changes_are_stored_in_batches(world: World, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changed is committed batch by batch, all of it as read at one time."""
    monkeypatch.setattr("holocron_assets.stages.ingest_rows._BATCH_RECORDS", 2)
    for n in range(3, 8):
        notes.put(n, f"Note {n}", "text")

    report = notes.ingest()

    assert report.records_stored == len(records(world)) == 7
    assert len(world.rows("select distinct fetched_at_utc from ingest.IngestRecords")) == 1
