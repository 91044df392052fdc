"""Whole runs against a server that speaks as OpenAI does, over HTTP."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from holocron_assets.composition import InstalledProviders
from holocron_assets.errors import ProviderError, ProviderUnavailableError, SpaceMismatchError
from holocron_assets.model_servers import OpenAISettings
from holocron_assets.sections import SpaceDeclaration
from tests.http_double import answer
from tests.openai_double import OpenAIDouble, error
from tests.world import World, page_row, prose


@pytest.fixture
def double() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as server:
        yield server


@pytest.fixture
def served(world: World, double: OpenAIDouble, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world of eight pages, whose one space is the server's model, asked for four texts at a time."""
    monkeypatch.setattr("holocron_assets.stages.calling._RETRY_SECONDS", (0.0, 0.0))
    monkeypatch.setattr("holocron_assets.stages.calling._PART_RETRY_SECONDS", (0.0,))
    served = at(world, double.base_url)
    served.add(*[page_row(f"Page {n}", n, prose(f"topic {n}", 400)) for n in range(1, 9)])
    served.extract()
    served.chunk()
    return served


def at(world: World, base_url: str) -> World:
    """The same world with its one server elsewhere."""
    settings = world.settings.model_copy(
        update={
            "openai": OpenAISettings(base_url=base_url, batch_size=4, concurrency=1),
            "spaces": (SpaceDeclaration(provider="openai", model="text-embedding-3-small"),),
        }
    )
    return replace(world, settings=settings, providers=InstalledProviders(settings))


def quarantined(world: World) -> list[str]:
    return [str(reason) for (reason,) in world.rows("select reason from vector.quarantine")]


def test_pages_are_embedded_and_found(served: World, double: OpenAIDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server embeds is stored under its name, a query finds its page, and the key is nowhere in the store."""
    double.key = "sk-unmistakable"
    monkeypatch.setenv("OPENAI_API_KEY", double.key)
    served = at(served, double.base_url)

    report = served.embed()

    assert (report.embedded, report.still_pending) == (8, 0)
    found = served.search("in year 301 the topic 5 moved 7 steps", top_k=1)
    assert found.hits[0].source_id == "mediawiki:testwiki:page/5"
    (kept,) = served.rows("select model_name, model_tag, model_digest from vector.embedding_space")
    assert kept == ("text-embedding-3-small", double.url.removeprefix("http://"), "")
    runs = str(served.rows("select * from vector.run")) + str(served.rows("select * from vector.embedding_space"))
    assert '"engine":"openai"' in runs
    assert "unmistakable" not in runs


def test_a_long_text_is_quarantined_with_the_servers_words(served: World, double: OpenAIDouble) -> None:
    """Nothing is cut: the others are embedded, the long one is listed with what the server said of it."""
    served.add(page_row("Page 9", 9, prose("topic 9", 1500)))
    served.extract()
    served.chunk()
    double.longest = 150

    report = served.embed()

    assert (report.embedded, report.rejected, report.truncated_texts) == (8, 1, 0)
    (reason,) = quarantined(served)
    assert reason.endswith("HTTP 400: Invalid 'input': maximum context length is 150 tokens.")


def test_a_rate_limit_is_no_texts_fault(served: World, double: OpenAIDouble) -> None:
    """Even where single short texts pass: the run stops with the server's words, and the next one does the rest."""
    limited = answer(429, {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}})
    double.poison, double.poison_answer = "topic ", limited

    with pytest.raises(ProviderUnavailableError, match="HTTP 429: Rate limit reached"):
        served.embed()
    assert quarantined(served) == []

    double.poison = None
    assert served.embed().embedded == 8


def test_an_empty_account_stops_at_once(served: World, double: OpenAIDouble) -> None:
    """It is asked no second time, and what was embedded before is stored."""
    double.poison = "topic 7 "
    double.poison_answer = error(429, "You exceeded your current quota", "insufficient_quota", "insufficient_quota")

    with pytest.raises(ProviderError, match="nothing left to spend"):
        served.embed()

    assert quarantined(served) == []
    assert len([one for one in double.requests if "topic 7 " in str(one["input"])]) == 1
    double.poison = None
    assert served.embed().still_pending == 0


def test_another_server_does_not_serve_the_space(served: World) -> None:
    """Neither is it filled from there, nor is a query embedded there: its model may be any."""
    served.embed()
    with OpenAIDouble() as other:
        moved = at(served, other.base_url)
        with pytest.raises(SpaceMismatchError, match=r"model_tag is '127\.0\.0\.1:"):
            moved.search("topic 5", top_k=1)
