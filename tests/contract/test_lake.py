"""Exchange records in a table of other software, on every store: what goes there, what comes from there, and when."""

import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.composition import InstalledProviders
from holocron_assets.errors import StoreError
from holocron_assets.intake.rows import record_of
from holocron_assets.interchange.content_hash import content_sha256
from holocron_assets.interchange.envelope import envelope_of
from holocron_assets.stages import lake as stage
from holocron_assets.stages.ingest import IngestReport, ingest
from holocron_assets.stages.lake import TABLE, export_to_lake
from holocron_assets.tables import lake
from holocron_assets.tables.lake import ExchangeRecord
from resources.stores import open_store
from tests.conftest import SQLSERVER_URL
from tests.scratch_database import scratch_database
from tests.tsql_on_duckdb import Driver
from tests.world import ORIGIN, START, World, json_row, missing_row, page_row, prose, silent

NOW = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - times are naive UTC throughout
EVERY_COLUMN = "select * from ingest.IngestRecords order by ingest_id"
LAKE = f"select * from {TABLE} order by exchange_id"
HELD = "select item_id, reason from vector.quarantine where released_utc is null order by item_id"
#: As its own scripts make the table, apart from the indexes that keep nothing unique.
DEFINITIONS = {
    "duckdb": """
        create schema lake;
        create table lake.RawExchangeRecord (
            exchange_id uuid primary key, exchange_type varchar not null, source_system varchar not null,
            entity_type varchar not null, natural_key varchar, observed_at_utc timestamp not null,
            content_sha256 varchar not null unique check (length(content_sha256) = 64), payload_json varchar not null,
            schema_version integer not null default 1, created_at_utc timestamp not null default now(),
            updated_at_utc timestamp not null default now()
        );
    """,
    "tsql": """
create schema lake;
GO
create table lake.RawExchangeRecord (
    exchange_id uniqueidentifier not null primary key,
    exchange_type nvarchar(50) not null,
    source_system nvarchar(100) not null,
    entity_type nvarchar(100) not null,
    natural_key nvarchar(500) null,
    observed_at_utc datetime2(7) not null,
    content_sha256 char(64) not null check (len(content_sha256) = 64) unique,
    payload_json nvarchar(max) not null,
    schema_version int not null default 1,
    created_at_utc datetime2(7) not null default sysutcdatetime(),
    updated_at_utc datetime2(7) not null default sysutcdatetime()
);
GO
""",
}
#: As other software writes it: a response that is the payload itself.
FOREIGN: dict[str, Any] = {
    "exchange_id": "0b7e7c52-5a0e-4c0e-9a86-1f64d2a0a001",
    "exchange_type": "http",
    "source_system": "shop",
    "entity_type": "order",
    "natural_key": "7",
    "request": {"url": "https://shop.example/orders/7"},
    "response": {"total": 1.1},
    "observed_at_utc": "2026-01-01T10:00:00Z",
    "schema_version": 1,
}


@pytest.fixture
def world(world: World) -> World:
    """A world whose database has the table."""
    with world.store.session() as session:
        session.run_script(DEFINITIONS[world.store.dialect])
    return world


@pytest.fixture
def other(world: World, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A second database of the same kind, with an empty table."""
    (tmp_path / "other").mkdir()
    with ExitStack() as ended:
        changes: dict[str, Any] = {"base_dir": tmp_path / "other"}
        if backend == "translated":
            monkeypatch.setitem(sys.modules, "pyodbc", Driver(tmp_path / "other"))
        elif backend == "sqlserver":
            changes["store_url"] = ended.enter_context(scratch_database(str(SQLSERVER_URL)))
        settings = world.settings.model_copy(update=changes)
        store = open_store(settings, wait_seconds=60)
        store.migrate()
        with store.session() as session:
            session.run_script(DEFINITIONS[store.dialect])
        yield World(store=store, settings=settings, providers=InstalledProviders(settings))


def load(world: World, *paths: Path) -> IngestReport:
    return ingest(world.store, paths, ORIGIN, silent, lake=True)


def sealed(**changes: Any) -> dict[str, Any]:
    """The foreign envelope with other keys, and the hash of what it then holds."""
    envelope = FOREIGN | changes
    return envelope | {"content_sha256": content_sha256(envelope)}


def row_of(envelope: dict[str, Any], **columns: Any) -> ExchangeRecord:
    """The row that other software makes of an envelope."""
    row = ExchangeRecord(
        exchange_id=uuid.UUID(envelope.get("exchange_id", FOREIGN["exchange_id"])),
        exchange_type=envelope["exchange_type"],
        source_system=envelope["source_system"],
        entity_type=envelope["entity_type"],
        natural_key=envelope["natural_key"],
        observed_at_utc=NOW,
        content_sha256=envelope["content_sha256"],
        payload_json=json.dumps(envelope),
        schema_version=1,
    )
    return replace(row, **columns)


def put(world: World, *rows: ExchangeRecord) -> int:
    """Insert rows as they are, past the exporter."""
    with world.store.session() as session:
        return lake.insert_exchange_records(session, rows, NOW)


def copied(world: World, other: World) -> None:
    """Copy the table from one database to another."""
    names = list(ExchangeRecord.__dataclass_fields__)
    rows = world.rows(f"select {', '.join(names)} from {TABLE}")
    put(other, *(ExchangeRecord(**dict(zip(names, row, strict=True))) for row in rows))


def rewrite(world: World, key: str, payload_json: str) -> None:
    """Replace an envelope, as its owner would."""
    assert "'" not in payload_json
    world.rows(
        f"update {TABLE} set payload_json = '{payload_json}', updated_at_utc = '2026-03-02 12:00:00' "
        f"where exchange_id = '{key}'"
    )


def ledger(world: World) -> list[object]:
    """What a load that found nothing to do must leave as it is."""
    tables = ("ingest.IngestRecords", "vector.ingest_file", "vector.quarantine", "vector.job", "vector.run", TABLE)
    return [sorted(map(repr, world.rows(f"select * from {table}"))) for table in tables]


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError("an envelope was read again")

    monkeypatch.setattr(lake, "list_envelopes", read)


def varied(world: World) -> int:
    """Records of many shapes; returns how many."""
    day = world.next_day()
    return world.add(
        page_row("Tides", 1, prose("the tides", 4000)),
        page_row("Tides", 1, prose("the tides", 3000), revision=2, variant="raw", fetched_at=day),
        page_row("Lamps", 2, prose("lamps \u00e9 e\u0301 \U0001f600", 300)),
        missing_row("Gone"),
        json_row("x", {"text": "one"}),
        json_row("x", {"text": "one"}, fetched_at=day + timedelta(microseconds=123456)),
        json_row("broken", '{"parse": \\ud800', status_code=500, response_headers="A: b"),
        json_row("pretty", '{\n  "text": "it\'s caf\\u00e9?"\n}', rank=3, attempt=2, error_type="Slow"),
    )


def test_records_travel_through_the_table(world: World, other: World) -> None:
    """What is exported to the table and loaded from it elsewhere is the same, column by column."""
    count = varied(world)

    report = export_to_lake(world.store, silent)
    copied(world, other)
    loaded = load(other)

    assert (report.records, report.records_written) == (count, count)
    assert (loaded.records_stored, loaded.lake_rows, loaded.rejected, loaded.warnings) == (count, count, 0, [])
    assert other.rows(EVERY_COLUMN) == world.rows(EVERY_COLUMN)


def test_a_row_is_what_the_envelope_says(world: World) -> None:
    """A row holds the whole envelope as its NDJSON line has it, and in its columns what it is searched by."""
    record = record_of(json_row("caf\u00e9", {"a": "\u00e9"}, ingest_id=str(uuid.UUID(int=5)))).record
    world.add(json_row("caf\u00e9", {"a": "\u00e9"}, ingest_id=str(uuid.UUID(int=5))))

    export_to_lake(world.store, silent)

    ((key, kind, system, entity, natural, observed, digest, envelope, version, created, updated),) = world.rows(LAKE)
    assert str(key) == str(record.ingest_id)
    assert (kind, system, entity, natural, version) == ("file", "notes", "file", "caf\u00e9", 1)
    assert (observed, digest) == (START, envelope_of(record)["content_sha256"])
    assert created == updated
    assert json.loads(envelope) == envelope_of(record)
    assert "\u00e9" in envelope
    assert not envelope.endswith("\n")


def test_exporting_again_writes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second export reads no record and changes no row; a third inserts what is new."""
    count = varied(world)
    export_to_lake(world.store, silent)
    before = world.rows(LAKE)
    with monkeypatch.context() as patch:
        patch.setattr(stage, "_row_of", None)
        again = export_to_lake(world.store, silent)
    world.add(json_row("new", {}))
    third = export_to_lake(world.store, silent)

    assert (again.records, again.records_written) == (count, 0)
    assert (third.records, third.records_written) == (count + 1, 1)
    assert [row for row in world.rows(LAKE) if row in before] == before


def test_only_what_is_asked_for_is_exported(world: World) -> None:
    """Source name and resource type choose records."""
    world.add(json_row("a", {}), json_row("b", {}, source_name="s"), json_row("c", {}, source_name="s", variant="v"))
    world.add(json_row("d", {}, source_name="s", resource_type="page"))

    reports = [
        export_to_lake(world.store, silent, source_name="s", resource_type="page"),
        export_to_lake(world.store, silent, source_name="s"),
        export_to_lake(world.store, silent),
    ]

    assert [(report.records, report.records_written) for report in reports] == [(1, 1), (3, 2), (4, 1)]


def test_pages_and_batches_leave_nothing_out(world: World, other: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few keys and rows travel at once, and whatever the order of ids, each record is there once."""
    monkeypatch.setattr(stage, "_KEYS_AT_ONCE", 3)
    monkeypatch.setattr(stage, "_ROWS_AT_ONCE", 2)
    monkeypatch.setattr(stage, "_BYTES_AT_ONCE", 3000)
    keys = [uuid.UUID(int=0), *(uuid.uuid4() for _ in range(11))]
    world.add(*(json_row(str(key), {"n": "x" * 900}, ingest_id=str(key)) for key in keys))
    done: list[int] = []

    report = export_to_lake(world.store, lambda count, _: done.append(count))
    copied(world, other)
    loaded = load(other)

    assert (report.records_written, loaded.records_stored, loaded.rejected) == (12, 12, 0)
    assert done[-1] == 12
    assert len(done) > 3
    assert other.rows(EVERY_COLUMN) == world.rows(EVERY_COLUMN)


def test_content_that_is_there_by_another_id_is_left_alone(world: World) -> None:
    """A hash that the table has is not inserted again, whatever its id; the other records are."""
    row, other_row = json_row("a", {"n": 1}), json_row("b", {"n": 2})
    envelope = envelope_of(record_of(row).record)
    put(world, row_of(envelope | {"exchange_id": str(uuid.UUID(int=9))}))
    world.add(row, other_row)
    before = world.rows(LAKE)

    report = export_to_lake(world.store, silent)

    assert (report.records, report.records_written) == (2, 1)
    assert [one for one in world.rows(LAKE) if one in before] == before


def test_an_id_that_is_there_with_another_content_is_left_alone(world: World) -> None:
    """What either side holds by an id stays as it is."""
    world.add(json_row("a", {"n": 1}, ingest_id=FOREIGN["exchange_id"]))
    put(world, row_of(sealed()))
    before = ledger(world)

    exported, loaded = export_to_lake(world.store, silent), load(world)

    assert (exported.records_written, loaded.lake_rows, loaded.records_stored) == (0, 0, 0)
    assert ledger(world) == before


def test_foreign_rows_are_loaded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An envelope of other software becomes a record of its id; a second load reads nothing and writes nothing."""
    put(world, row_of(sealed(shelf="b")))
    first = load(world)
    before = ledger(world)
    forbid_reading(monkeypatch)

    second = load(world)
    exported = export_to_lake(world.store, silent)

    assert (first.records_stored, first.lake_rows, first.rejected) == (1, 1, 0)
    assert first.warnings == ["ignored columns that the contract does not know: shelf"]
    ((key, uri, payload),) = world.rows("select ingest_id, request_uri, payload from ingest.IngestRecords")
    assert (str(key), uri, payload) == (FOREIGN["exchange_id"], FOREIGN["request"]["url"], '{"total": 1.1}')
    assert (second.run_id, second.lake_rows, exported.records_written) == (None, 0, 0)
    assert ledger(world) == before


def test_a_row_without_an_id_in_its_envelope_is_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record whose id is not its row's, or that is undated, is not taken for a new one at the next load."""
    envelope = sealed()
    put(
        world,
        row_of({key: value for key, value in envelope.items() if key != "exchange_id"}),
        row_of(sealed(natural_key="8", observed_at_utc=None, exchange_id=str(uuid.UUID(int=4)))),
    )
    first = load(world)
    forbid_reading(monkeypatch)

    second = load(world)

    assert (first.records_stored, first.rejected) == (2, 0)
    assert (second.run_id, second.records_stored) == (None, 0)


def test_rows_that_are_no_records_are_held_until_mended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken envelope, and one that does not have its hash, are quarantined by their place and read when changed."""
    broken, forged, good = (sealed(natural_key=str(n), exchange_id=str(uuid.UUID(int=n))) for n in (1, 2, 3))
    put(
        world,
        row_of(broken, payload_json="{broken"),
        row_of(forged, payload_json=json.dumps(forged | {"response": {"total": 2}})),
        row_of(good),
    )
    first = load(world)
    held = world.rows(HELD)
    with monkeypatch.context() as patch:
        forbid_reading(patch)
        again = load(world)
    rewrite(world, broken["exchange_id"], json.dumps(broken))
    mended = load(world)

    assert (first.records_stored, first.rejected) == (1, 2)
    assert [place for place, _ in held] == [f"{TABLE}/{uuid.UUID(int=1)}", f"{TABLE}/{uuid.UUID(int=2)}"]
    assert "not JSON" in held[0][1]
    assert "its content was changed or damaged" in held[1][1]
    assert (again.run_id, again.rejected) == (None, 0)
    assert (mended.lake_rows, mended.records_stored, mended.rejected) == (1, 1, 0)
    assert [place for place, _ in world.rows(HELD)] == [f"{TABLE}/{uuid.UUID(int=2)}"]


def test_redacted_rows_are_counted_in_a_warning(world: World) -> None:
    """An envelope that lost its hash to a redaction is stored, and said."""
    envelope = sealed() | {"response": {"total": "***"}, "redactions_applied": ["total"]}
    put(world, row_of(envelope))

    report = load(world)

    assert report.records_stored == 1
    assert [warning.partition(", e.g.")[0] for warning in report.warnings] == [
        "records that were redacted after they were hashed: 1"
    ]


def test_rows_that_are_too_long_are_never_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that the store could not take is held without being read, and loaded once the limit allows it."""
    put(world, row_of(sealed(response={"text": "x" * 5000})))
    with monkeypatch.context() as patch:
        patch.setattr(type(world.store), "largest_record_bytes", 1000)
        forbid_reading(patch)
        refused = load(world)
    held = world.rows(HELD)

    loaded = load(world)

    assert (refused.rejected, refused.records_stored) == (1, 0)
    assert held[0][1].startswith("longer than the 1,000 bytes that the store takes")
    assert (loaded.records_stored, world.rows(HELD)) == (1, [])


def test_files_and_the_table_are_loaded_together(world: World, tmp_path: Path) -> None:
    """One run loads both; what both hold is stored once."""
    put(world, row_of(sealed()))
    path = tmp_path / "records.ndjson"
    path.write_text(json.dumps(json_row("a", {})) + "\n" + json.dumps(sealed()))

    report = load(world, path)

    assert (report.files, report.lake_rows, report.records_read, report.records_stored) == (1, 1, 3, 2)
    assert len(world.rows("select run_id from vector.run")) == 1


@pytest.mark.parametrize("direction", [load, lambda world: export_to_lake(world.store, silent)])
def test_without_the_table_nothing_is_done(world: World, direction: Any) -> None:
    """A database that does not have the table is told so, with what to do; it is never created."""
    world.add(json_row("a", {}))
    world.rows(f"drop table {TABLE}")
    before = world.rows("select run_id from vector.run")

    with pytest.raises(StoreError, match=r"has no table lake\.RawExchangeRecord, or this user may not see it\. Ask"):
        direction(world)

    assert world.rows("select run_id from vector.run") == before
    with pytest.raises(StoreError):
        world.rows(LAKE)
