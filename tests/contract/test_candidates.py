"""What could be embedded, and asking for it, on every store."""

from holocron_assets.queueing import enqueue_missing
from holocron_assets.tables import candidates
from holocron_assets.tables.candidates import CandidateState
from tests.world import World, json_row, missing_row, page_row, prose


def states(world: World) -> dict[str, tuple[str, str]]:
    """State and reason of each candidate, by what was asked for."""
    found = world.rows("select resource_id, state, reason from vector.vw_source_candidates")
    with world.store.session(write=False) as session:
        counts = candidates.count_source_candidates(session)
    assert counts == {state: sum(one == state for _, one, _ in found) for state in CandidateState}
    return {resource_id: (state, reason) for resource_id, state, reason in found}


def test_every_candidate_has_a_state_and_a_reason(world: World) -> None:
    """From fetched to searchable, and what is left out or failed on the way, each says where it stands and why."""
    world.add(
        page_row("Alpha", 1, prose("alpha")),
        page_row("Beta", 2, "#REDIRECT [[Alpha]]", variant="raw"),
        json_row("broken", "not JSON", content_type="application/octet-stream"),
        json_row("refused", "{}", status_code=500),
        missing_row("Nobody"),
    )
    fetched = states(world)
    world.extract()
    read = states(world)
    world.chunk()
    cut = states(world)["Alpha"]
    world.embed()
    embedded = states(world)["Alpha"]

    assert set(fetched.values()) == {("pending", "a record of it was fetched and not read yet")}
    assert len(fetched) == 5
    assert read["Alpha"] == ("pending", "its text is not cut into chunks yet")
    assert read["Beta"] == ("excluded", "it is a redirect")
    assert read["refused"] == ("excluded", "HTTP 500")
    assert read["Nobody"][0] == "excluded"
    assert read["broken"][0] == "error"
    assert cut == ("pending", "an active space lacks vectors of its chunks")
    assert embedded == ("current", "every active space has its chunks")


def test_a_change_shows_until_it_is_embedded(world: World) -> None:
    """A new text makes its source changed, a deletion too, until the chunks follow."""
    world.add(page_row("Alpha", 1, prose("alpha")), page_row("Beta", 2, prose("beta")))
    world.run()
    world.add(
        page_row("Alpha", 1, prose("omega"), revision=2, fetched_at=world.next_day()),
        missing_row("Beta", fetched_at=world.next_day()),
    )
    world.extract()
    changed = states(world)
    world.chunk(allow_mass_change=True)
    world.embed()

    assert changed == {
        "Alpha": ("changed", "its chunks are of an earlier text"),
        "Beta": ("changed", "it is gone, and its chunks are still there"),
    }
    assert {name: state for name, (state, _) in states(world).items()} == {"Alpha": "current", "Beta": "excluded"}


def test_what_is_missing_is_asked_for_once(world: World) -> None:
    """One job to read and cut, one for each active space; none twice, and none where nothing is missing."""
    world.add(page_row("Alpha", 1, prose("alpha")))
    first = enqueue_missing(world.store, world.settings)
    second = enqueue_missing(world.store, world.settings)
    world.extract()
    world.chunk()
    space = world.embed().space
    world.add(page_row("Beta", 2, prose("beta")))
    third = enqueue_missing(world.store, world.settings)
    world.run()

    assert [(job.job_type, job.items, job.is_duplicate) for job in first.jobs] == [("CHUNK_SOURCE", 1, False)]
    assert [(job.job_id, job.is_duplicate) for job in second.jobs] == [(first.jobs[0].job_id, True)]
    assert [(job.job_type, job.subject, job.is_duplicate) for job in third.jobs] == [
        ("CHUNK_SOURCE", "sources", True),
        ("EMBED_CHUNKS", space.slug, False),
    ]
    assert enqueue_missing(world.store, world.settings).jobs == []
    assert enqueue_missing(world.store, world.settings).candidates[CandidateState.CURRENT] == 2
