"""From texts to chunks: the switch, the history and the guard."""

import json
from typing import Any

import pytest

from holocron_assets.errors import ConfigurationError, MassChangeError
from holocron_assets.sections import ChunkingSettings, GuardSettings
from holocron_assets.settings import Settings
from holocron_assets.stages.chunk import chunks_of
from tests.world import World, missing_row, page_row, prose

PAGE = "mediawiki:testwiki:page/1"


def with_pages(world: World, count: int, characters: int = 300) -> None:
    world.add(*[page_row(f"Page {n}", n, prose(f"topic {n}", characters)) for n in range(1, count + 1)])
    world.extract()


def recut(world: World, settings: Settings, **chunking: object) -> None:
    world.settings = settings.model_copy(update={"chunking": ChunkingSettings(**chunking)})  # type: ignore[arg-type]


def test_every_text_is_cut(world: World) -> None:
    """Each current text gets its chunks, and the registry their number."""
    with_pages(world, 3, characters=4500)

    report = world.chunk()

    assert (report.sources, report.added, report.retired) == (3, 9, 0)
    assert world.rows("select distinct chunk_count from vector.source_registry") == [(3,)]


def test_nothing_pending_writes_nothing(world: World) -> None:
    """A second chunking finds nothing to do, and records no run."""
    with_pages(world, 2)
    world.chunk()
    runs = world.rows("select count(*) from vector.run")

    assert world.chunk().run_id is None
    assert world.rows("select count(*) from vector.run") == runs


def test_an_edit_replaces_chunks_in_one_transaction(world: World) -> None:
    """Chunks at the same offsets change in place; what a shorter text no longer has is retired."""
    world.add(page_row("Alpha", 1, prose("alpha", 5000)))
    world.extract()
    world.chunk()
    before = world.current_chunks()
    world.add(page_row("Alpha", 1, prose("gamma", 2500), revision=2, fetched_at=world.next_day()))
    world.extract()

    report = world.chunk()

    after = world.current_chunks()
    assert report.retired > 0
    assert all("alpha" not in content for content in after.values())
    assert set(before) - set(after) == {
        key for (key,) in world.rows("select chunk_id from vector.chunk where retired_utc is not null")
    }


def test_a_vanished_page_loses_its_chunks(world: World) -> None:
    """The chunks of a page that is gone are retired, and its count is nought."""
    with_pages(world, 2)
    world.chunk()
    world.add(missing_row("Page 1", fetched_at=world.next_day()))
    world.extract()

    report = world.chunk()

    assert report.retired == 1
    assert world.rows(f"select chunk_count, content_sha256 from vector.source_registry where source_id = '{PAGE}'") == [
        (0, None)
    ]


def test_earlier_contents_can_be_recovered(world: World) -> None:
    """What a chunk held before is the characters between its offsets in the text it was cut from then."""
    world.add(page_row("Alpha", 1, prose("alpha", 2500)))
    world.extract()
    world.chunk()
    before = world.current_chunks()
    world.add(page_row("Alpha", 1, prose("omega", 2500), revision=2, fetched_at=world.next_day()))
    world.extract()
    world.chunk()

    rows = world.rows(
        "select v.chunk_id, t.content, c.offsets_json from vector.chunk_version v "
        "join vector.extracted_text t on t.source_id = v.source_id and t.text_sha256 = v.text_sha256 "
        "join vector.chunk c on c.chunk_id = v.chunk_id where v.valid_to_utc is not null"
    )

    assert rows
    for key, text, offsets in rows:
        span = json.loads(offsets)
        assert text[span["start_offset"] : span["end_offset"]] == before[key]


def test_a_run_that_was_overtaken_brings_nothing_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When another run brings a newer text between reading a text and writing its chunks, the newer chunks stay."""
    world.add(page_row("Page 1", 1, prose("old", 2500)))
    world.extract()

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.undo()
        world.add(page_row("Page 1", 1, prose("new", 2500), revision=2, fetched_at=world.next_day()))
        world.extract()
        world.chunk()
        return chunks_of(*arguments)

    monkeypatch.setattr("holocron_assets.stages.chunk.chunks_of", overtaken)

    assert world.chunk().added == 0
    assert all("about new" in content for content in world.current_chunks().values())


def test_more_sources_than_a_page_are_all_cut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paging and batching leave no source out."""
    monkeypatch.setattr("holocron_assets.stages.chunk._PAGE_SOURCES", 4)
    monkeypatch.setattr("holocron_assets.stages.chunk._BATCH_CHARACTERS", 700)
    with_pages(world, 11)

    assert world.chunk().sources == 11
    assert len(world.current_chunks()) == 11


def test_the_cap_is_counted(world: World, settings: Settings) -> None:
    """Characters that the cap of a policy leaves out are counted in the registry and the report."""
    recut(world, settings, version="capped", max_chunks_per_source=1)
    world.add(page_row("Alpha", 1, prose("alpha", 5000)))
    world.extract()

    report = world.chunk()

    assert report.omitted_characters > 2500
    assert world.rows("select omitted_character_count from vector.source_registry") == [(report.omitted_characters,)]


def test_the_guard_stops_a_mass_disappearance(world: World) -> None:
    """When more than a fifth of the sources, and more than twenty, would vanish, nothing is retired."""
    with_pages(world, 40)
    world.chunk()
    before = world.current_chunks()
    for number in range(1, 22):
        world.add(missing_row(f"Page {number}", fetched_at=world.next_day()))
    world.extract()

    with pytest.raises(MassChangeError, match=r"21 of 40 sources would lose all their chunks \(allowed: 20\)"):
        world.chunk()

    assert world.current_chunks() == before
    assert world.chunk(allow_mass_change=True).retired == 21


def test_the_guard_lets_small_changes_pass(world: World) -> None:
    """Twenty sources may always vanish, however few there are."""
    with_pages(world, 25)
    world.chunk()
    for number in range(1, 21):
        world.add(missing_row(f"Page {number}", fetched_at=world.next_day()))
    world.extract()

    assert world.chunk().retired == 20


def test_the_guard_follows_the_settings(world: World, settings: Settings) -> None:
    """Share and floor are settings."""
    world.settings = settings.model_copy(update={"guard": GuardSettings(max_retired_share=0.0, always_allowed=0)})
    with_pages(world, 3)
    world.chunk()
    world.add(missing_row("Page 1", fetched_at=world.next_day()))
    world.extract()

    with pytest.raises(MassChangeError):
        world.chunk()


def test_the_guard_stops_a_change_of_policy(world: World, settings: Settings) -> None:
    """Cutting everything anew although no text changed needs an explicit word."""
    with_pages(world, 30)
    world.chunk()
    recut(world, settings, version="small", chunk_size=200, overlap=20)

    with pytest.raises(MassChangeError, match="30 of 30 chunks would be replaced although"):
        world.chunk()

    report = world.chunk(allow_mass_change=True)
    assert report.retired == 30
    assert report.added > 30


def test_edits_are_not_a_mass_change(world: World) -> None:
    """Texts that changed are replaced without asking, however many."""
    with_pages(world, 30)
    world.chunk()
    for number in range(1, 31):
        world.add(page_row(f"Page {number}", number, prose("news"), revision=2, fetched_at=world.next_day()))
    world.extract()

    assert world.chunk().sources == 30


def test_a_version_means_one_set_of_sizes(world: World, settings: Settings) -> None:
    """Using a policy's version with other sizes is refused before anything is cut."""
    recut(world, settings, version="mine", chunk_size=500, overlap=50)
    with_pages(world, 1)
    world.chunk()
    recut(world, settings, version="mine", chunk_size=600, overlap=50)
    world.add(page_row("New", 9, prose("new")))
    world.extract()

    with pytest.raises(ConfigurationError, match="'mine' was used before with other parameters"):
        world.chunk()


def test_a_version_is_not_used_up_by_an_attempt(world: World, settings: Settings) -> None:
    """What the guard stopped has bound nothing: the version may still get other sizes."""
    with_pages(world, 30, characters=1000)
    world.chunk()
    recut(world, settings, version="mine", chunk_size=500, overlap=50)
    with pytest.raises(MassChangeError):
        world.chunk()

    recut(world, settings, version="mine", chunk_size=600, overlap=50)

    assert world.chunk(allow_mass_change=True).sources == 30


def test_another_size_under_a_used_version_is_refused_at_once(world: World, settings: Settings) -> None:
    """Also while nothing waits to be cut, because the next page would be."""
    recut(world, settings, version="mine", chunk_size=500, overlap=50)
    with_pages(world, 1)
    world.chunk()
    recut(world, settings, version="mine", chunk_size=600, overlap=50)

    with pytest.raises(ConfigurationError, match="was used before with other parameters"):
        world.chunk()


def test_policy_1_is_available(world: World, settings: Settings) -> None:
    """The existing database's policy can be chosen, and its chunks have its version in their ids."""
    recut(world, settings, version="1.0")
    with_pages(world, 1, characters=2500)

    assert world.chunk().added == 2
    assert '"version":"1.0"' in world.rows("select policy_json from vector.chunk")[0][0]
