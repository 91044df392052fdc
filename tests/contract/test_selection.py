"""Choosing pages by what `sem` says of them, on every store."""

import json
import uuid
from typing import Any

import pytest

from holocron_assets.errors import ConfigurationError
from holocron_assets.planning import plan
from holocron_assets.retrieval.filters import Filters
from holocron_assets.sections import SourceSettings
from holocron_assets.stages.index_recall import count_differences
from holocron_assets.stages.indexing import IndexPlace, refresh_index
from holocron_assets.status import status_of
from tests.indexes import only_space
from tests.world import World, page_row, prose, silent

TABLES = """
create table sem.SourcePage (
    source_page_id {key} not null primary key, source_system {text} not null, resource_id {text} not null,
    variant {text} null, continuity_hint {text} null, latest_ingest_id {key} null, source_registry_id {text} null,
    is_active {flag} not null, updated_utc {time} not null
);
create table sem.PageClassification (
    page_classification_id {key} not null primary key, source_page_id {key} not null, primary_type {text} not null,
    is_current {flag} not null
);
"""
TYPES = {
    "duckdb": {"key": "uuid", "text": "varchar", "flag": "boolean", "time": "timestamp"},
    "tsql": {"key": "uniqueidentifier", "text": "nvarchar(500)", "flag": "bit", "time": "datetime2(7)"},
}
TIME = "2026-01-01 00:00:00"


@pytest.fixture
def classified(world: World) -> World:
    """Three pages in a database that classifies pages, as it does before the first classification."""
    world.rows("create schema sem")
    for table in TABLES.format(**TYPES[world.store.dialect]).strip().split(";\n"):
        world.rows(table.strip().rstrip(";") + ";")
    for number, title in enumerate(("Alpha", "alpha", "Gamma"), start=1):
        world.add(page_row(title, number, prose(f"topic {number}", 600)))
        world.rows(
            "insert into sem.SourcePage (source_page_id, source_system, resource_id, continuity_hint, is_active, "
            f"updated_utc) values ('{uuid.UUID(int=number)}', 'mediawiki', '{title}', 'canon', 1, '{TIME}')"
        )
    return world


def classify(world: World, number: int, primary_type: str) -> None:
    world.rows(f"update sem.PageClassification set is_current = 0 where source_page_id = '{uuid.UUID(int=number)}'")
    world.rows(
        "insert into sem.PageClassification (page_classification_id, source_page_id, primary_type, is_current) "
        f"values ('{uuid.uuid4()}', '{uuid.UUID(int=number)}', '{primary_type}', 1)"
    )


def select(world: World, **chosen: Any) -> None:
    world.settings = world.settings.model_copy(update={"sources": SourceSettings(**chosen)})


def embedded(world: World) -> list[int]:
    """The numbers of the pages whose text is current and cut."""
    world.extract()
    world.chunk(allow_mass_change=True)
    world.embed()
    return sorted(
        int(source_id.rpartition("/")[2])
        for (source_id,) in world.rows("select distinct source_id from vector.chunk where retired_utc is null")
    )


def test_unclassified_pages_are_sources_too(classified: World) -> None:
    """By default everything is embedded, and what is known of a page is kept with its source and its chunks."""
    classify(classified, 1, "PersonCharacter")

    assert embedded(classified) == [1, 2, 3]
    references = [
        json.loads(text) for (text,) in classified.rows("select source_ref_json from vector.chunk order by source_id")
    ]
    assert [one.get("primary_type") for one in references] == ["PersonCharacter", None, None]
    assert references[1]["source_page_id"] == str(uuid.UUID(int=2))
    assert {one["continuity"] for one in references} == {"canon"}


def test_only_pages_of_the_chosen_types_are_embedded(classified: World) -> None:
    """A page of another type, or one not classified, is left out unread; titles that differ in case are two pages."""
    classify(classified, 1, "PersonCharacter")
    classify(classified, 2, "Droid")
    select(classified, primary_types=("PersonCharacter",), unclassified=False)
    planned = plan(classified.store, classified.settings, classified.providers, silent)

    assert embedded(classified) == [1]
    assert planned.outcomes == {"ignored": 2, "text": 1}
    reasons = [
        reason for (reason,) in classified.rows("select reason from vector.ingest_seen order by reason") if reason
    ]
    assert reasons == ["not selected: its page is a Droid", "not selected: its page is not classified"]


def test_what_is_classified_later_comes_in_and_goes_out(classified: World) -> None:
    """A new classification is noticed without a new fetch, whichever way it goes, and costs what it changes."""
    classify(classified, 1, "PersonCharacter")
    select(classified, primary_types=("PersonCharacter",), unclassified=False)
    assert embedded(classified) == [1]
    assert status_of(classified.store, classified.settings, listed=1).records_to_extract == 0

    classify(classified, 3, "PersonCharacter")
    assert status_of(classified.store, classified.settings, listed=1).records_to_extract == 1
    assert embedded(classified) == [1, 3]

    classify(classified, 1, "TechnicalSitePage")
    assert embedded(classified) == [3]
    assert classified.extract().run_id is None


def test_a_wider_selection_brings_back_what_was_left_out(classified: World) -> None:
    """Taking the filter away, or changing it, needs no other step."""
    classify(classified, 1, "PersonCharacter")
    select(classified, primary_types=("PersonCharacter",), unclassified=False)
    embedded(classified)
    select(classified, primary_types=("Droid",))
    assert embedded(classified) == [2, 3]
    select(classified)
    assert embedded(classified) == [1, 2, 3]


def test_continuities_are_chosen(classified: World) -> None:
    """Classified pages of another continuity are left out."""
    classify(classified, 1, "PersonCharacter")
    select(classified, continuities=("legends",))

    assert embedded(classified) == [2, 3]


def test_a_selection_needs_classes(world: World) -> None:
    """Where the database does not classify pages, asking for a type is an error that says so."""
    world.add(page_row("Alpha", 1, prose("alpha")))
    select(world, primary_types=("Droid",))

    with pytest.raises(ConfigurationError, match="does not classify pages"):
        world.extract()


def test_words_are_compared_as_they_are_written(classified: World) -> None:
    """A type in another case is another type, whatever the database's collation; and the run comes to its end."""
    classify(classified, 1, "Droid")
    select(classified, primary_types=("droid",), unclassified=False)

    assert embedded(classified) == []
    assert status_of(classified.store, classified.settings, listed=1).records_to_extract == 0


def links(world: World) -> list[tuple[str, str | None]]:
    """What each page says of its source."""
    return sorted(world.rows("select resource_id, source_registry_id from sem.SourcePage"), key=repr)


def test_pages_are_linked_to_their_sources_when_asked(classified: World) -> None:
    """Nothing is written to the pages unless the settings say so; then each names its source, once."""
    classified.extract()
    assert {link for _, link in links(classified)} == {None}

    select(classified, link_pages=True)
    assert classified.extract().linked_pages == 3
    assert links(classified) == [
        ("Alpha", "mediawiki:testwiki:page/1"),
        ("Gamma", "mediawiki:testwiki:page/3"),
        ("alpha", "mediawiki:testwiki:page/2"),
    ]
    assert classified.extract().linked_pages == 0


def test_a_page_is_linked_to_the_record_that_it_names(classified: World) -> None:
    """Two wikis may have a page of one title; the page's own record tells which is meant, however old."""
    classified.add(page_row("Alpha", 7, prose("elsewhere"), source_name="otherwiki", fetched_at=classified.next_day()))
    classified.rows(
        "update sem.SourcePage set latest_ingest_id = (select ingest_id from ingest.IngestRecords "
        "where resource_id = 'Alpha' and source_name = 'testwiki') "
        f"where source_page_id = '{uuid.UUID(int=1)}'"
    )
    select(classified, link_pages=True)
    classified.extract()

    assert ("Alpha", "mediawiki:testwiki:page/1") in links(classified)


def test_without_pages_there_is_nothing_to_link(world: World) -> None:
    """A database without the tables is told apart from one whose pages are linked already."""
    select(world, link_pages=True)

    with pytest.raises(ConfigurationError, match="Leave `link_pages` out"):
        world.extract()


def found(world: World, page_type: str) -> list[str]:
    """The titles of what a search finds on pages of a type."""
    result = world.search("topic", top_k=9, filters=Filters(page_type=(page_type,)))
    return sorted({str(hit.title) for hit in result.hits})


def test_a_search_filters_by_what_a_page_is_called_now(classified: World) -> None:
    """Classified, called something else, or not classified any more after it was cut: the index follows by itself."""
    classify(classified, 3, "Droid")
    embedded(classified)
    assert found(classified, "Droid") == ["Gamma"]

    classify(classified, 1, "Droid")
    assert found(classified, "droid") == ["Alpha", "Gamma"]
    classify(classified, 3, "Starship")
    assert (found(classified, "Droid"), found(classified, "Starship")) == (["Alpha"], ["Gamma"])
    classified.rows("update sem.PageClassification set is_current = 0")
    assert (found(classified, "Droid"), found(classified, "Starship")) == ([], [])


def test_pages_that_are_called_something_else_together_are_noticed(classified: World) -> None:
    """Two that go from one type to the same other are two changes, and not none."""
    classify(classified, 1, "Droid")
    classify(classified, 3, "Droid")
    embedded(classified)
    assert found(classified, "Droid") == ["Alpha", "Gamma"]

    classify(classified, 1, "Starship")
    classify(classified, 3, "Starship")
    assert (found(classified, "Droid"), found(classified, "Starship")) == ([], ["Alpha", "Gamma"])


def test_an_index_is_not_read_anew_for_the_class_of_one_page(classified: World) -> None:
    """Only the chunks of the page that was classified come in again."""
    embedded(classified)
    space, place = only_space(classified), IndexPlace.of(classified.settings)
    before = refresh_index(classified.store, space, place)

    classify(classified, 2, "Droid")
    after = refresh_index(classified.store, space, place)

    assert 0 < after.added == after.retired < before.added
    assert count_differences(classified.store, space, after.index) == (0, 0)
