"""The whole way from records to search, on every store: what each stage asks of a database in earnest."""

import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from holocron_assets.clock import utc_now
from holocron_assets.errors import MassChangeError
from holocron_assets.lineage import trace
from holocron_assets.planning import plan
from holocron_assets.records import ItemType
from holocron_assets.retrying import retry
from holocron_assets.stages.ingest import ingest
from holocron_assets.status import status_of
from holocron_assets.tables import embeddings, spaces
from holocron_assets.transactions import read
from holocron_assets.verification import keys
from holocron_assets.verification.finding import Finding
from holocron_assets.verification.repair import repair
from holocron_assets.verification.verify import verify
from tests.notes import Notes
from tests.world import ORIGIN, World, json_row, missing_row, page_row, prose, silent


def written(world: World) -> list[object]:
    """Everything that a run without work must leave as it is."""
    tables = ("ingest_seen", "source_registry", "extracted_text", "chunk", "chunk_version", "embedding", "job", "run")
    return [sorted(map(repr, world.rows(f"select * from vector.{table}"))) for table in tables]


def broken(world: World) -> list[str]:
    """Which facts `holocron verify` finds not to hold."""
    return [finding.claim for finding in verify(world.store).findings if not finding.holds]


def filled(world: World) -> None:
    """A few sources of every kind: pages in two variants, a redirect, a file, and one that cannot be read."""
    world.add(
        page_row("Alpha", 1, prose("alpha", 5000)),
        page_row("Alpha", 1, prose("alpha", 5000), variant="raw"),
        page_row("Beta", 2, prose("b\u00e9ta \U0001f600", 2500)),
        page_row("Gamma", 3, "#REDIRECT [[Alpha]]", variant="raw"),
        json_row("note.txt", {"content_type": "text/plain", "text": prose("notes", 900), "encoding": "utf-8"}),
        json_row("broken", "not JSON"),
    )


def test_records_become_vectors_that_are_found(world: World) -> None:
    """Everything current is embedded, every fact holds, and a sentence finds its own page first."""
    filled(world)
    planned = plan(world.store, world.settings, world.providers, silent)
    report = world.run()

    assert (planned.records, planned.chunks_added) == (6, report.embedded)
    assert planned.spaces[0].to_embed == report.embedded > 5
    assert broken(world) == []
    found = world.search("in year 301 the alpha moved 7 steps", top_k=3)
    assert found.hits[0].source_id == "mediawiki:testwiki:page/1"
    assert found.chunks_not_embedded == 0
    assert [hit.rank for hit in found.hits] == [1, 2, 3]


def test_a_second_run_writes_nothing(world: World) -> None:
    """Running again changes no row of any table."""
    filled(world)
    world.run()
    before = written(world)

    world.run()

    assert written(world) == before


def test_edits_and_deletions_retire_what_they_replace(world: World) -> None:
    """An edited page is cut and embedded anew, a deleted one is not found any more; the history stays."""
    filled(world)
    world.run()
    old = trace(world.store, next(iter(world.current_chunks()))).chunk
    world.add(
        page_row("Alpha", 1, prose("omega", 2100), revision=2, fetched_at=world.next_day()),
        missing_row("Beta", fetched_at=world.next_day()),
    )
    planned = plan(world.store, world.settings, world.providers, silent)
    world.extract()
    world.chunk(allow_mass_change=True)
    report = world.embed()

    assert (planned.sources_changed, planned.sources_vanishing) == (1, 1)
    assert report.embedded == planned.spaces[0].to_embed
    assert not any("alpha" in content or "b\u00e9ta" in content for content in world.current_chunks().values())
    assert broken(world) == []
    status = status_of(world.store, world.settings, listed=5)
    assert (status.counts.vanished_sources, status.counts.retired_texts) == (1, 2)
    assert trace(world.store, old["chunk_id"]).chunk["chunk_id"] == old["chunk_id"]


def test_the_guard_stops_a_mass_change(world: World) -> None:
    """On every store a run that would retire most sources stops before it retires any."""
    world.add(*[page_row(f"Page {n}", n, prose(f"topic {n}", 300)) for n in range(1, 31)])
    world.run()
    world.add(*[missing_row(f"Page {n}", fetched_at=world.next_day()) for n in range(1, 31)])
    world.extract()
    before = world.current_chunks()

    with pytest.raises(MassChangeError):
        world.chunk()

    assert world.current_chunks() == before


def test_what_failed_is_held_back_and_released(world: World) -> None:
    """An unreadable record is quarantined with its reason, and a retry reads it again."""
    world.add(json_row("broken", "not JSON", content_type="application/json"), page_row("Alpha", 1, prose("alpha")))
    world.run()
    held = status_of(world.store, world.settings, listed=5).quarantine

    released = retry(world.store, [], ItemType.RECORD)

    assert released == {"record": len(held)}
    assert world.extract().examined == len(held)


def test_repair_makes_what_is_wrong_pending_again(world: World) -> None:
    """Texts, chunks and vectors that were tampered with are found, and the next run makes them anew."""
    filled(world)
    world.run()
    before = world.current_chunks()
    world.rows(
        "update vector.chunk set content = 'tampered' where chunk_id in (select min(chunk_id) from vector.chunk)"
    )
    world.rows(
        "update vector.embedding set vector_sha256 = 'x' where chunk_id in (select max(chunk_id) from vector.chunk)"
    )

    found = verify(world.store)
    repair(world.store, found)
    world.run()

    assert {finding.claim for finding in found.findings if not finding.holds} >= {
        "chunk_ids_recompute",
        "vectors_are_valid",
    }
    assert world.current_chunks() == before
    assert {"chunk_ids_recompute", "vectors_are_valid"}.isdisjoint(broken(world))


def test_files_are_read_once_and_their_bad_lines_listed(world: World, tmp_path: Path) -> None:
    """A file that did not change is passed over; a line that was mended is let go."""
    file = tmp_path / "records.ndjson"
    file.write_text("{broken\n")
    os.utime(file, (0, 0))
    first = ingest(world.store, [file], ORIGIN, silent)
    second = ingest(world.store, [file], ORIGIN, silent)
    held = [item.item_id for item in status_of(world.store, world.settings, listed=5).quarantine]
    file.write_text("\n\n\n")
    ingest(world.store, [file], ORIGIN, silent)

    assert (first.rejected, second.unchanged_files) == (1, 1)
    assert held == [f"{file}:1"]
    assert status_of(world.store, world.settings, listed=5).quarantine == []


def test_rows_of_a_table_are_found_while_they_are_there(world: World) -> None:
    """What a row of the user's own table says is found; changed, the new; deleted, nothing of it."""
    notes = Notes(world)
    notes.put(1, "Ninth Mark", prose("ninth mark", 300))
    notes.put(2, "Bellhithe", prose("bellhithe", 300))

    def found(query: str) -> list[str | None]:
        hits = world.search(query, top_k=5).hits
        return [hit.title for hit in hits]

    notes.ingest()
    world.run()
    assert found("in year 301 the bellhithe moved 7 steps") == ["Bellhithe", "Ninth Mark"]
    notes.run("update ingest.Notes set heading = 'Ninegauge' where note_id = 1")
    notes.run("delete from ingest.Notes where note_id = 2")
    report = notes.ingest()
    world.run()

    assert (report.records_stored, report.rows_gone) == (2, 1)
    assert found("in year 301 the bellhithe moved 7 steps") == ["Ninegauge"]
    assert broken(world) == []


def test_what_came_while_a_run_embedded_is_no_fault_of_it(world: World) -> None:
    """Chunks that became current since are a warning for that run; those of before, or of the future, block."""
    filled(world)
    space = world.run().space
    since = utc_now()
    world.add(page_row("Delta", 9, prose("delta", 300)))
    world.extract()
    world.chunk()

    def judged(began: datetime | None) -> Finding:
        return read(world.store, keys.every_current_chunk_is_embedded, [space], began)

    late = judged(since)
    world.rows("update vector.chunk_version set valid_from_utc = '2999-01-01' where source_id like '%page/9'")
    future = judged(since)
    world.rows(
        "delete from vector.embedding where chunk_id in (select chunk_id from vector.chunk where "
        "source_id like '%page/2')"
    )

    assert (late.holds, late.blocks) == (False, False)
    assert late.explanation == f"{space.slug}: 1 chunks came while the run embedded. The next run embeds them."
    assert (future.holds, future.blocks) == (False, True)
    both = judged(None)
    assert (both.holds, both.blocks, both.figures[f"{space.slug} missing"]) == (False, True, 3)


def test_vectors_come_back_bit_for_bit(world: World) -> None:
    """What is stored of a vector is exactly what the provider made."""
    world.add(page_row("Alpha", 1, prose("alpha", 300)))
    world.run()
    declared = world.settings.spaces[0]
    provider = world.providers.open(declared.provider, declared.model, declared.options)
    ((key, content),) = world.current_chunks().items()

    with world.store.session(write=False) as session:
        (space,) = spaces.list_spaces(session)
        (batch,) = embeddings.list_current_vectors(session, space.embedding_space_id, np.ones(32, np.float32), 1)

    assert batch.column("chunk_id").to_pylist() == [key]
    stored = np.array(batch.column("vector").to_pylist()[0], np.float32)
    assert stored.tobytes() == provider.embed([content]).values[0].tobytes()
