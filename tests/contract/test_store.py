"""What every store keeps: sessions, transactions, migrations, and the meaning of the named queries."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest

from holocron_assets.chunking import POLICIES
from holocron_assets.errors import SchemaError, StoreBusyError, StoreError
from holocron_assets.identity import embedding_id, text_sha256
from holocron_assets.intake.rows import record_of
from holocron_assets.ports import Session
from holocron_assets.records import (
    Chunk,
    ChunkedSource,
    Embedding,
    EmbeddingSpace,
    ItemType,
    JobType,
    QuarantinedItem,
)
from holocron_assets.settings import Settings
from holocron_assets.tables import (
    checks,
    chunks,
    embeddings,
    ingest_records,
    lineage,
    overview,
    planning,
    quarantine,
    runs,
    sources,
    spaces,
)
from holocron_assets.tables.ingest_records import FetchedRecord, IngestHint
from holocron_assets.transactions import read
from holocron_assets.vectors import nearest, vector_sha256
from holocron_assets.verification import keys
from resources.stores import open_store
from resources.stores.base import SqlStore
from tests.world import START, World, json_row, page_row, prose, raw

NOW = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - times are naive UTC throughout
RUN = uuid.UUID(int=7)
SPACE = EmbeddingSpace(
    embedding_space_id=uuid.UUID(int=99),
    slug="ngram-00000000",
    provider="hashing",
    model_name="ngram",
    model_tag="1",
    model_digest="d" * 64,
    dimensions=3,
    normalize=True,
    distance_metric="cosine",
    preprocess_policy={"a": 1},
    transform_ref=None,
)


def test_a_fresh_store_wants_every_migration(empty_store: SqlStore) -> None:
    """Before the first migration all are pending, and looking writes nothing."""
    pending = empty_store.pending_migrations()

    assert [name[:4] for name in pending] == [f"{number:04d}" for number in range(1, len(pending) + 1)]
    assert empty_store.pending_migrations() == pending


def test_migrating_twice_does_nothing_the_second_time(empty_store: SqlStore) -> None:
    """Migrations are applied once, and recorded."""
    first = empty_store.migrate()

    assert first
    assert empty_store.migrate() == []
    assert empty_store.pending_migrations() == []


def test_an_edited_migration_is_refused(store: SqlStore) -> None:
    """A migration that was changed after it was applied is an error that names it."""
    with store.session() as session:
        raw(session, "update vector.schema_migration set sha256 = 'x' where version = 2")

    with pytest.raises(SchemaError, match="migration 0002_create_vector_tables was changed after it was applied"):
        store.migrate()


def test_a_store_from_the_future_is_refused(store: SqlStore) -> None:
    """A schema that this version does not know is not touched."""
    with store.session() as session:
        session.execute("insert_applied_migration", version=999, name="later", sha256="x", now=NOW)

    with pytest.raises(SchemaError, match="schema is at version 999"):
        store.migrate()


def test_migrations_resume_where_they_were_interrupted(empty_store: SqlStore) -> None:
    """After an interruption between two migrations, the rest is applied."""
    _first, *rest = empty_store.migrate()
    with empty_store.session() as session:
        raw(session, "delete from vector.schema_migration where version > 1")

    assert empty_store.migrate() == rest


def test_migrations_keep_what_is_stored(store: SqlStore) -> None:
    """Applied over a filled store, they change none of its rows."""
    tables = ("vector.chunk", "vector.chunk_version", "vector.embedding")
    with chunked(store, {"a": "alpha", "b": "beta"}) as session:
        embed(session, {"a": "alpha"}, [[1.0, 0.0, 0.0]])
        before = [raw(session, f"select * from {table}") for table in tables]
        raw(session, "delete from vector.schema_migration where version > 1")
    again = store.pending_migrations()

    assert store.migrate() == again != []
    with store.session() as session:
        assert [raw(session, f"select * from {table}") for table in tables] == before
    assert all(before)


def test_an_exception_rolls_everything_back(store: SqlStore) -> None:
    """A transaction that fails leaves nothing behind."""

    def fail_half_way() -> None:
        with store.session() as session:
            spaces.insert_space(session, SPACE, NOW)
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    with store.session(write=False) as session:
        assert spaces.list_spaces(session) == []


def test_a_store_that_is_not_there_cannot_be_read(empty_store: SqlStore) -> None:
    """Reading creates nothing, and says how to fill the store."""
    with (
        pytest.raises(StoreError, match=r"there is no store at .* yet|run `holocron ensure`"),
        empty_store.session(write=False) as session,
    ):
        overview.get_counts(session)

    assert len(empty_store.pending_migrations()) > 1


def test_a_store_that_is_kept_open_shows_what_is_written(store: SqlStore) -> None:
    """Sessions that share what opening costs still see what one of them wrote, and what is staged is one's own."""
    with store.kept_open():
        for planned in (1, 2):
            with store.session(write=False) as session:
                planning.stage_planned_chunks(session, [], [(str(n), "h") for n in range(planned)])
                assert planning.count_chunks_to_embed(session, SPACE.embedding_space_id) == planned
                assert overview.get_counts(session).records == 0
        with store.session() as session:
            ingest_records.insert_ingest_records(session, [record_of(json_row("a", {})).record])
        with store.session(write=False) as session:
            assert overview.get_counts(session).records == 1


def test_a_reading_session_cannot_write(store: SqlStore) -> None:
    """A session opened for reading refuses to write."""
    with pytest.raises(StoreError), store.session(write=False) as session:
        spaces.insert_space(session, SPACE, NOW)


def test_two_threads_take_turns(store: SqlStore) -> None:
    """Sessions of one process wait for each other instead of failing."""

    def work(number: int) -> None:
        with store.session() as session:
            session.execute("create_migration_log")
            time.sleep(0.01)
            record = record_of(json_row(f"r{number}", {"n": number})).record
            ingest_records.insert_ingest_records(session, [record])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with store.session(write=False) as session:
        assert ingest_records.count_ingest_records(session, "").records == 8


def test_the_hint_follows_records_and_runs(world: World) -> None:
    """The hint counts records and recorded runs and names the newest fetch; of an empty store it says so."""
    with world.store.session(write=False) as session:
        empty = ingest_records.get_ingest_hint(session)
    world.add(
        page_row("Page", 1, prose("topic")), page_row("Other", 2, prose("other"), fetched_at=START + timedelta(days=1))
    )
    world.run()
    with world.store.session(write=False) as session:
        filled = ingest_records.get_ingest_hint(session)

    assert empty == IngestHint(records=0, newest_fetch_utc=None, recorded_runs=0)
    assert filled == IngestHint(records=2, newest_fetch_utc=START + timedelta(days=1), recorded_runs=3)


def test_fetches_of_the_future_hide_no_others(world: World) -> None:
    """The newest fetch is the newest that can be, and the others are counted."""
    world.add(page_row("Page", 1, "text"), page_row("Page", 1, "text", fetched_at=START + timedelta(days=9)))

    found = [read(world.store, ingest_records.get_fetch_freshness, START + timedelta(days=days)) for days in (-1, 0, 9)]

    assert [(one.newest_fetch_utc, one.future_fetches) for one in found] == [
        (None, 2),
        (START, 1),
        (START + timedelta(days=9), 0),
    ]


def test_a_thread_that_waits_too_long_is_told(settings: Settings, store: SqlStore) -> None:
    """Whoever cannot wait gets an error that may pass."""
    impatient = open_store(settings, wait_seconds=0)
    held = impatient.session()

    with held, pytest.raises(StoreBusyError), impatient.session():
        pass


def test_staged_rows_are_seen_by_their_transaction_only(store: SqlStore) -> None:
    """What is staged is gone with its session."""
    with store.session() as session:
        ingest_records.insert_ingest_records(session, [record_of(json_row("a", {})).record])
        assert ingest_records.list_conflicting_records(session) == []

    with pytest.raises(StoreError), store.session() as session:
        ingest_records.list_conflicting_records(session)


def test_records_are_stored_once_and_never_changed(store: SqlStore) -> None:
    """An id that is stored already keeps its first content; the conflict is named."""
    row = json_row("a", {"n": 1}) | {"ingest_id": str(uuid.UUID(int=1))}
    changed = row | {"payload": '{"n": 2}'}
    with store.session() as session:
        assert ingest_records.insert_ingest_records(session, [record_of(row).record]) == 1
    with store.session() as session:
        assert ingest_records.insert_ingest_records(session, [record_of(row).record]) == 0
        assert ingest_records.list_conflicting_records(session) == []
    with store.session() as session:
        assert ingest_records.insert_ingest_records(session, [record_of(changed).record]) == 0
        assert ingest_records.list_conflicting_records(session) == [uuid.UUID(int=1)]
        (payload,) = ingest_records.list_payloads(session, [uuid.UUID(int=1)], 1000)

    assert payload.payload == row["payload"]


def test_a_record_comes_back_as_it_went_in(store: SqlStore) -> None:
    """Unicode of every plane, quotes and newlines survive; sizes are measured; large payloads are only measured."""
    payload = '{"t": "\u00e9\u6f22\U0001f600\\n\'\\"\\\\ \u05e9"}'
    record = record_of(json_row("\U0001f600 ' \" title ", payload)).record
    with store.session() as session:
        ingest_records.insert_ingest_records(session, [record])
        (key,) = ingest_records.list_pending_records(session, [], limit=10)
        (whole,) = ingest_records.list_payloads(session, [key.ingest_id], 10_000)
        (measured,) = ingest_records.list_payloads(session, [key.ingest_id], 5)

    assert (key.resource_id, key.fetched_at_utc) == (record.resource_id, record.fetched_at_utc)
    assert whole.payload == payload
    assert measured.payload is None
    assert len(payload) <= measured.payload_bytes <= len(payload.encode())


def test_records_are_listed_in_the_order_of_their_fetch(store: SqlStore) -> None:
    """Pages of ids lead through all records, or those of a source name or a resource type, each once."""
    rows = [
        json_row(
            f"{n}", {}, fetched_at=NOW + timedelta(hours=n // 3), source_name=f"n{n % 2}", resource_type=f"t{n % 3}"
        )
        for n in range(12)
    ]
    records = [record_of(row).record for row in rows]
    expected = [one.ingest_id for one in sorted(records, key=lambda one: (one.fetched_at_utc, str(one.ingest_id)))]

    def listed(session: Session, source_name: str | None = None, resource_type: str | None = None) -> list[uuid.UUID]:
        found: list[FetchedRecord] = []
        after = FetchedRecord(ingest_id=uuid.UUID(int=0), fetched_at_utc=datetime.min)  # noqa: DTZ901
        while page := ingest_records.list_exportable_records(session, source_name, resource_type, after=after, limit=5):
            found += page
            after = page[-1]
        assert ingest_records.count_exportable_records(session, source_name, resource_type) == len(found)
        return [one.ingest_id for one in found]

    with store.session() as session:
        ingest_records.insert_ingest_records(session, records)
        assert listed(session) == expected
        assert len(listed(session, "n1")) == 6
        assert len(listed(session, None, "t2")) == 4
        assert len(listed(session, "n1", "t2")) == 2
        assert listed(session, "n2") == []


def test_whole_records_come_back(store: SqlStore) -> None:
    """Every column of a record is read as it was written; one with a larger payload than asked for is left out."""
    full = record_of(
        json_row("a", {"t": "\u00e9"}, variant="html", request_headers="h", request_body="b", response_headers="r")
        | {"content_type": "c", "content_length": 2**40, "run_id": str(RUN), "work_item_id": str(RUN), "attempt": 3}
        | {"error_message": "e", "error_type": "E", "duration_ms": 7, "file_path": "f", "rank": -1}
        | {"request_timestamp": "2026-01-01T00:00:00.000001", "response_timestamp": "2026-01-02"}
    ).record
    large = record_of(json_row("b", "x" * 1000)).record
    with store.session() as session:
        ingest_records.insert_ingest_records(session, [full, large])
        ids = [full.ingest_id, large.ingest_id, uuid.UUID(int=5)]
        assert ingest_records.list_ingest_records(session, ids, 999) == [full]
        assert len(ingest_records.list_ingest_records(session, ids, 1000)) == 2


def test_the_newest_hash_of_a_resource_is_found(store: SqlStore) -> None:
    """For undated records the store says what it saw of a resource last."""
    rows = [json_row("a", {"n": n}, fetched_at=NOW + timedelta(hours=h)) for n, h in ((1, 0), (2, 5), (3, 2))]
    with store.session() as session:
        records = [record_of(row).record for row in rows]
        ingest_records.insert_ingest_records(session, records)
        (newest,) = ingest_records.list_newest_hashes(session, ["a", "b"])

    assert newest.hash_sha256 == records[1].hash_sha256


def test_spaces_are_registered_once(store: SqlStore) -> None:
    """Registering a space again changes nothing, and it comes back whole."""
    with store.session() as session:
        assert spaces.insert_space(session, SPACE, NOW)
        assert not spaces.insert_space(session, SPACE, NOW)
        (back,) = spaces.list_spaces(session)

    assert back == SPACE


def test_a_space_says_when_it_was_made_active_again(store: SqlStore) -> None:
    """Only where it was inactive in between, and the last time only."""
    key = SPACE.embedding_space_id
    with store.session() as session:
        spaces.insert_space(session, SPACE, NOW)
        assert spaces.update_space_activity(session, key, NOW, is_active=True) == 0
        assert spaces.update_space_activity(session, key, NOW, is_active=False) == 1
        assert spaces.list_activations(session) == {}
        assert spaces.update_space_activity(session, key, NOW + timedelta(days=1), is_active=True) == 1
        assert spaces.update_space_activity(session, key, NOW + timedelta(days=2), is_active=False) == 1
        assert spaces.list_activations(session) == {key: NOW + timedelta(days=1)}


def test_runs_are_recorded_with_their_jobs(store: SqlStore) -> None:
    """A run names its job, and ends with metrics or an error; it is found by its stage, its end and who began it."""
    job = uuid.uuid4()
    later = NOW + timedelta(seconds=1)
    of_stage = partial(runs.list_runs_of_stage, locked_by="another")
    with store.session() as session:
        runs.insert_job(session, job, JobType.CHUNK_SOURCE, {"stage": "chunk"}, None, "dagster-1", NOW)
        runs.insert_run(session, RUN, job, "host/1/2", None, {"k": 1}, NOW)
        assert [run.run_id for run in runs.list_running_runs(session)] == [RUN]
        assert of_stage(session, "chunk", since=later) == of_stage(session, "chunk", since=None) == [RUN]
        assert of_stage(session, "embed", since=None) == []
        runs.finish_run(session, RUN, "FAILED", {"duration_ms": 5}, "why", NOW)
        runs.finish_job(session, job, "FAILED", "why")
        assert runs.list_running_runs(session) == []
        assert of_stage(session, "chunk", since=NOW) == of_stage(session, "chunk", since=None) == [RUN]
        assert of_stage(session, "chunk", since=later) == []
        assert of_stage(session, "chunk", since=later, locked_by="dagster-1") == [RUN]
        (recent,) = runs.list_recent_runs(session, 5)

    assert (recent.status, recent.error, recent.metrics_json) == ("FAILED", "why", '{"duration_ms":5}')


def test_quarantine_counts_up_opens_again_and_releases(store: SqlStore) -> None:
    """An item that fails again is the same entry with another attempt; released entries are not listed."""
    item = QuarantinedItem(item_type=ItemType.RECORD, item_id="r", stage="extract", reason="first")
    with store.session() as session:
        quarantine.upsert_quarantined(session, [item], RUN, NOW)
        assert quarantine.release_quarantined(session, ItemType.RECORD, ["r", "other"], NOW) == 1
        assert quarantine.list_quarantined(session, 5) == []
        quarantine.upsert_quarantined(session, [item], RUN, NOW + timedelta(hours=1))
        (entry,) = quarantine.list_quarantined(session, 5)
        (count,) = quarantine.count_quarantined(session)

    assert (entry.attempt_count, entry.first_failed_utc, count.n) == (2, NOW, 1)


def test_quarantine_is_listed_by_type(store: SqlStore) -> None:
    """However many items of one type failed later, those of another are found, and named by their check."""
    old = QuarantinedItem(item_type=ItemType.RECORD, item_id="r", stage="extract", reason="old")
    lines = [
        QuarantinedItem(item_type=ItemType.LINE, item_id=f"f:{number}", stage="ingest", reason="new")
        for number in range(1001)
    ]
    with store.session() as session:
        quarantine.upsert_quarantined(session, [old], RUN, NOW)
        quarantine.upsert_quarantined(session, lines, RUN, NOW + timedelta(hours=1))
        found = keys.nothing_is_quarantined(session, ItemType.RECORD)
        listed = quarantine.list_quarantined(session, 2000)

    assert (found.figures, found.offenders) == ({"quarantined": 1}, ["r: old"])
    assert len(listed) == 1002


# Chunks and embeddings need a source to belong to.


@contextmanager
def chunked(store: SqlStore, contents: dict[str, str], *, source: str = "s", text: str = "t") -> Iterator[Any]:
    """A session in which a source was just cut into chunks of these ids and contents."""
    with store.session() as session:
        if sources.list_source_states(session, [source]):
            raw(session, f"update vector.source_registry set text_sha256 = '{text}' where source_id = '{source}'")
        else:
            raw(
                session,
                "insert into vector.source_registry (source_id, source_type, source_ref_json, text_sha256, title, "
                f"ingest_id, created_utc, updated_utc) values ('{source}', 'x', '{{}}', '{text}', 'Title', '{RUN}', "
                f"'{NOW}', '{NOW}')",
            )
        write_chunks(session, contents, source=source, text=text)
        yield session


def write_chunks(
    session: Any, contents: dict[str, str], *, source: str = "s", text: str | None = "t"
) -> tuple[int, ...]:
    made = [
        Chunk(
            chunk_id=key,
            source_id=source,
            source_type="x",
            source_ref_json="{}",
            offsets_json='{"chunk_index":0}',
            content=content,
            content_sha256=text_sha256(content),
            byte_count=len(content),
            policy_json="{}",
            text_sha256=text or "",
            extractor="e",
            extractor_version="1",
        )
        for key, content in contents.items()
    ]
    cut = ChunkedSource(source_id=source, text_sha256=text, chunk_count=len(made), omitted_character_count=0)
    chunks.stage_chunks(session, [cut], made)
    counts = (
        chunks.retire_chunks(session, NOW),
        chunks.close_chunk_versions(session, NOW),
        chunks.update_chunks(session, RUN),
        chunks.insert_chunks(session, RUN, NOW),
        chunks.insert_chunk_versions(session, "2.0", RUN, NOW),
    )
    chunks.update_chunked_sources(session, "2.0", NOW)
    return counts


def embed(session: Any, contents: dict[str, str], vectors: list[list[float]]) -> int:
    spaces.insert_space(session, SPACE, NOW)
    if not runs.list_recent_runs(session, 1):
        runs.insert_job(session, RUN, JobType.EMBED_CHUNKS, {}, SPACE.embedding_space_id, "test", NOW)
        runs.insert_run(session, RUN, RUN, "test", SPACE, {}, NOW)
    matrix = np.array(vectors, np.float32)
    keys = [
        Embedding(
            embedding_id=embedding_id(key, SPACE.embedding_space_id, text_sha256(content)),
            chunk_id=key,
            input_content_sha256=text_sha256(content),
            vector_sha256=vector_sha256(vector),
        )
        for (key, content), vector in zip(contents.items(), matrix, strict=True)
    ]
    return embeddings.insert_embeddings(session, keys, matrix, SPACE.embedding_space_id, RUN, NOW)


def test_chunks_are_added_changed_retired_and_come_back(store: SqlStore) -> None:
    """One transaction takes a source from one cut to another, and the history keeps every state."""
    with chunked(store, {"a": "one", "b": "two"}):
        pass
    with chunked(store, {"a": "one!", "c": "three"}, text="u") as session:
        states = {state.chunk_id: state.is_current for state in chunks.list_chunk_states(session, ["s"])}
        assert states == {"a": True, "b": False, "c": True}
    with chunked(store, {"a": "one", "b": "two"}, text="v") as session:
        states = {state.chunk_id: state.is_current for state in chunks.list_chunk_states(session, ["s"])}
        versions = raw(
            session, "select chunk_id, case when valid_to_utc is null then 1 else 0 end from vector.chunk_version"
        )
        assert checks.list_version_disagreements(session) == []
        assert checks.list_count_disagreements(session) == []

    assert states == {"a": True, "b": True, "c": False}
    assert sorted(versions) == [("a", 0), ("a", 0), ("a", 1), ("b", 0), ("b", 1), ("c", 0)]


def test_writing_the_same_cut_again_changes_nothing(store: SqlStore) -> None:
    """A cut that is stored already touches no row."""
    with chunked(store, {"a": "one"}) as session:
        assert write_chunks(session, {"a": "one"}) == (0, 0, 0, 0, 0)


def test_a_policy_version_keeps_its_first_parameters(store: SqlStore) -> None:
    """A version is bound once."""
    with store.session() as session:
        chunks.insert_chunk_policy(session, POLICIES["2.0"], NOW)
        first = chunks.get_chunk_policy(session, "2.0")
        chunks.insert_chunk_policy(session, POLICIES["2.0"], NOW)

        assert chunks.get_chunk_policy(session, "2.0") == first
        assert chunks.get_chunk_policy(session, "3.0") is None


def test_pending_is_what_is_current_minus_what_is_embedded(store: SqlStore) -> None:
    """Embedding takes a chunk off the list; a change of content, or of nothing else, puts it back."""
    contents = {"a": "one", "b": "two", "c": "three"}
    with chunked(store, contents) as session:
        page = embeddings.list_pending_chunks(session, SPACE.embedding_space_id, after=None, limit=2)
        assert [chunk.chunk_id for chunk in page] == ["a", "b"]
        rest = embeddings.list_pending_chunks(session, SPACE.embedding_space_id, after=page[-1].position, limit=2)
        assert [chunk.chunk_id for chunk in rest] == ["c"]
        assert [one.content for one in embeddings.list_chunk_contents(session, page)] == ["one", "two"]
        assert embed(session, {"a": "one", "b": "two"}, [[1, 0, 0], [0, 1, 0]]) == 2
        assert embeddings.count_pending_chunks(session, SPACE.embedding_space_id).pending == 1
        assert embeddings.get_pending_chunk(session, SPACE.embedding_space_id) is not None
    with chunked(store, {"a": "one", "b": "TWO"}, text="u") as session:
        pending = embeddings.list_pending_chunks(session, SPACE.embedding_space_id, after=None, limit=9)
        assert [chunk.chunk_id for chunk in pending] == ["b"]
        other = embeddings.count_pending_chunks(session, uuid.UUID(int=1))
        assert other.pending == 2


def test_an_embedding_is_stored_once_and_only_for_the_content_of_now(store: SqlStore) -> None:
    """A second copy, and a vector of a content that the chunk no longer has, are not stored."""
    with chunked(store, {"a": "one"}) as session:
        assert embed(session, {"a": "one"}, [[1, 0, 0]]) == 1
        assert embed(session, {"a": "one"}, [[1, 0, 0]]) == 0
        assert embed(session, {"a": "older"}, [[1, 0, 0]]) == 0
        assert embed(session, {"unknown": "x"}, [[1, 0, 0]]) == 0


#: The content "one" of chunk "a", held back in SPACE.
HELD = QuarantinedItem(
    item_type=ItemType.CHUNK,
    item_id="a",
    item_version=text_sha256("one"),
    scope=str(SPACE.embedding_space_id),
    stage="embed",
    reason="no",
)


def test_quarantined_chunks_are_not_pending_until_released(store: SqlStore) -> None:
    """A chunk that one space cannot embed is held back there, in that content, and counted."""
    with chunked(store, {"a": "one"}) as session:
        quarantine.upsert_quarantined(session, [HELD], RUN, NOW)
        count = embeddings.count_pending_chunks(session, SPACE.embedding_space_id)
        assert (count.pending, count.quarantined) == (1, 1)
        assert embeddings.list_pending_chunks(session, SPACE.embedding_space_id, after=None, limit=9) == []
        assert embeddings.get_pending_chunk(session, SPACE.embedding_space_id) is None
        assert embeddings.count_pending_chunks(session, uuid.UUID(int=1)).quarantined == 0
    with chunked(store, {"a": "two"}, text="u") as session:
        assert len(embeddings.list_pending_chunks(session, SPACE.embedding_space_id, after=None, limit=9)) == 1
        assert quarantine.list_quarantined(session, 9) == []


def test_nearest_is_exact_ordered_and_current_only(store: SqlStore) -> None:
    """Nearest first, ties by chunk id; retired chunks and vectors of older contents are never found."""
    contents = {"b": "1", "a": "1", "c": "2", "d": "3"}
    with chunked(store, contents) as session:
        embed(session, contents, [[1, 0, 0], [1, 0, 0], [0.6, 0.8, 0], [0, 0, 1]])
    with chunked(store, {"b": "1", "a": "1", "c": "2 changed"}, text="u") as session:
        query = np.array([1, 0, 0], np.float32)
        near = nearest(embeddings.list_current_vectors(session, SPACE.embedding_space_id, query, 10), query, 10)

    assert [(hit.chunk_id, round(hit.cosine_similarity, 6)) for hit in near] == [("a", 1.0), ("b", 1.0)]


def test_sources_are_indexed_when_every_active_space_has_them(store: SqlStore) -> None:
    """A source is pending until each active space has a vector of each of its chunks."""
    with chunked(store, {"a": "one", "b": "two"}) as session:
        spaces.insert_space(session, SPACE, NOW)
        embed(session, {"a": "one"}, [[1, 0, 0]])
        assert embeddings.mark_indexed_sources(session, NOW) == 0
        embed(session, {"b": "two"}, [[0, 1, 0]])
        assert embeddings.mark_indexed_sources(session, NOW) == 1
        assert embeddings.mark_indexed_sources(session, NOW) == 0


def test_sources_are_not_indexed_without_an_active_space(store: SqlStore) -> None:
    """Where no space is active nothing can be searched, so every source stays pending."""
    with chunked(store, {"a": "one"}) as session:
        spaces.insert_space(session, SPACE, NOW)
        embed(session, {"a": "one"}, [[1, 0, 0]])
        raw(session, "update vector.embedding_space set is_active = 0")

        assert embeddings.mark_indexed_sources(session, NOW) == 0


def test_a_quarantined_chunk_does_not_keep_its_source_pending(store: SqlStore) -> None:
    """A chunk held back in a space counts as present there: only in that space and content, and until released."""
    with chunked(store, {"a": "one"}) as session:
        spaces.insert_space(session, SPACE, NOW)
        for other in (replace(HELD, scope=str(uuid.UUID(int=1))), replace(HELD, item_version=text_sha256("older"))):
            quarantine.upsert_quarantined(session, [other], RUN, NOW)
        assert embeddings.mark_indexed_sources(session, NOW) == 0
        quarantine.upsert_quarantined(session, [HELD], RUN, NOW)
        raw(session, "update vector.quarantine set released_utc = last_failed_utc")
        assert embeddings.mark_indexed_sources(session, NOW) == 0
        quarantine.upsert_quarantined(session, [HELD], RUN, NOW)

        assert embeddings.mark_indexed_sources(session, NOW) == 1


def test_planned_chunks_are_counted_per_space(store: SqlStore) -> None:
    """What a space would have to embed: of untouched sources what is missing, of planned ones what is new."""
    with chunked(store, {"a": "one", "b": "two"}) as session:
        embed(session, {"a": "one"}, [[1, 0, 0]])
        planning.stage_planned_chunks(session, [], [])
        assert planning.count_chunks_to_embed(session, SPACE.embedding_space_id) == 1
        planning.stage_planned_chunks(session, ["s"], [("a", text_sha256("one")), ("z", text_sha256("new"))])
        assert planning.count_chunks_to_embed(session, SPACE.embedding_space_id) == 1
        assert planning.count_chunks_to_embed(session, uuid.UUID(int=1)) == 2


def test_counts_count(store: SqlStore) -> None:
    """The overview counts current and retired apart."""
    with chunked(store, {"a": "one", "b": "two"}):
        pass
    with chunked(store, {"a": "one"}, text="u") as session:
        counts = overview.get_counts(session)

    assert (counts.current_chunks, counts.retired_chunks, counts.present_sources) == (1, 1, 1)


def test_samples_are_cut_short(store: SqlStore) -> None:
    """People see the beginnings of the newest chunks, cut between characters, and how long chunks are."""
    with chunked(store, {"a": "\U0001f600" * 300, "b": "short"}) as session:
        samples = {sample.chunk_id: sample.beginning for sample in overview.list_sample_chunks(session, 5)}
        lengths = overview.list_chunk_lengths(session)

    assert samples == {"a": "\U0001f600" * 160, "b": "short"}
    assert [(one.length, one.n) for one in lengths] == [(0, 1), (200, 1)]


def test_a_chunk_is_found_by_the_beginning_of_its_id(store: SqlStore) -> None:
    """Lineage takes an abbreviation, in which nothing is a wildcard."""
    with chunked(store, {"abc": "one", "abd": "two", "b": "three"}) as session:
        found = {
            prefix: len(lineage.list_chunks_by_prefix(session, prefix)) for prefix in ("ab", "abc", "b", "a%", "x")
        }

    assert found == {"ab": 2, "abc": 1, "b": 1, "a%": 0, "x": 0}
