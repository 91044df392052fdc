"""Whole runs against Ollama, spoken to over HTTP: what goes wrong on the way, and what is left then."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from holocron_assets.composition import InstalledProviders
from holocron_assets.errors import ProviderUnavailableError, SpaceMismatchError
from holocron_assets.model_servers import OllamaSettings
from holocron_assets.sections import SpaceDeclaration
from holocron_assets.settings import Settings, load_settings
from holocron_assets.stages.register import register_spaces
from tests.ollama_double import OllamaDouble
from tests.world import World, page_row, prose

HANG_UP = (0, "", b"", dict[str, str]())


@pytest.fixture
def double() -> Iterator[OllamaDouble]:
    with OllamaDouble() as server:
        yield server


@pytest.fixture
def served(world: World, double: OllamaDouble, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world of eight pages, whose one space is the server's model, asked for four texts at a time."""
    monkeypatch.setattr("holocron_assets.stages.calling._RETRY_SECONDS", (0.0, 0.0))
    monkeypatch.setattr("holocron_assets.stages.calling._PART_RETRY_SECONDS", (0.0,))
    settings = world.settings.model_copy(
        update={
            "ollama": OllamaSettings(base_url=double.url, batch_size=4, concurrency=1),
            "spaces": (SpaceDeclaration(provider="ollama", model="all-minilm"),),
        }
    )
    served = replace(world, settings=settings, providers=InstalledProviders(settings))
    served.add(*[page_row(f"Page {n}", n, prose(f"topic {n}", 400)) for n in range(1, 9)])
    served.extract()
    served.chunk()
    return served


def embedded(world: World) -> int:
    return int(world.rows("select count(*) from vector.embedding")[0][0])


def test_pages_are_embedded_and_found(served: World) -> None:
    """What the server embeds is stored under its name, tag and digest, and a query finds its page."""
    report = served.embed()

    assert (report.embedded, report.still_pending) == (8, 0)
    assert report.space.slug.startswith("all-minilm-")
    found = served.search("in year 301 the topic 5 moved 7 steps", top_k=1)
    assert found.hits[0].source_id == "mediawiki:testwiki:page/5"
    options = served.rows("select options_json from vector.run where options_json like '%ollama%'")
    assert '"version":"0.32.14"' in options[0][0]


def test_no_more_requests_at_once_than_the_settings_say(served: World, double: OllamaDouble) -> None:
    """Threads that read answers do not count: the server sees two requests together, and never three."""
    ollama = OllamaSettings(base_url=double.url, batch_size=1, concurrency=2)
    settings = served.settings.model_copy(update={"ollama": ollama})
    double.seconds_per_request = 0.05

    replace(served, settings=settings, providers=InstalledProviders(settings)).embed()

    assert double.most_at_once == 2


@pytest.mark.parametrize("backend", ["duckdb"])
def test_answers_that_come_late_belong_to_their_texts(served: World, double: OllamaDouble) -> None:
    """Of requests under way together the first are answered last; each vector is that of its own text all the same."""
    ollama = OllamaSettings(base_url=double.url, batch_size=1, concurrency=4)
    settings = served.settings.model_copy(update={"ollama": ollama})
    model = double.models["all-minilm:latest"]
    encoder, answered = model.encoder, []

    def late(texts: Sequence[str]) -> NDArray[np.float32]:
        if "Fact 0 about topic" in texts[0]:
            answered.append(texts[0])
            time.sleep(0.3 / len(answered))
        return encoder(texts)

    model.encoder = late
    replace(served, settings=settings, providers=InstalledProviders(settings)).embed()

    stored = served.rows("select c.content, e.vector from vector.chunk c join vector.embedding e using (chunk_id)")
    assert len(answered) == len(stored) == 8
    for content, vector in stored:
        np.testing.assert_allclose(vector, encoder([content])[0], atol=1e-6)


def test_a_server_that_goes_away_loses_nothing(served: World, double: OllamaDouble) -> None:
    """One clear error; what was embedded before it is stored, and the next run does the rest."""
    register_spaces(served.store, served.providers, served.settings)
    original = double.answer
    asked = 0

    def answer(method: str, path: str, body: bytes) -> tuple[int, str, bytes, dict[str, str]]:
        nonlocal asked
        asked += b"topic" in body
        return HANG_UP if asked > 1 and path == "/api/embed" else original(method, path, body)

    double.answer = answer  # type: ignore[method-assign]
    with pytest.raises(ProviderUnavailableError, match=f"Ollama at {double.url} broke off"):
        served.embed()
    assert embedded(served) == 4

    del double.answer
    assert served.embed().embedded == 4
    assert embedded(served) == 8


def test_a_poisonous_text_is_quarantined_with_ollamas_words(served: World, double: OllamaDouble) -> None:
    """The others are embedded, the guilty one is listed with what the server said."""
    double.poison = "topic 3 "

    report = served.embed()

    assert (report.embedded, report.rejected) == (7, 1)
    assert served.rows("select reason from vector.quarantine") == [
        (f"Ollama at {double.url}: HTTP 400: the model will not have it",)
    ]


def test_a_model_pulled_anew_in_mid_run_stops_the_space(served: World, double: OllamaDouble) -> None:
    """Vectors of other weights are never stored under the space, whenever they came."""
    register_spaces(served.store, served.providers, served.settings)
    model = double.models["all-minilm:latest"]
    encode = model.encoder

    def encode_and_change(texts: object) -> object:
        model.digest = "f" * 64
        return encode(texts)  # type: ignore[arg-type]

    model.encoder = encode_and_change  # type: ignore[assignment]
    with pytest.raises(SpaceMismatchError, match="model_digest is 'ffff"):
        served.embed()

    assert embedded(served) == 0


def test_one_variable_goes_over_to_ollama(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without declared spaces, whoever names an Ollama gets its model; declared ones are obeyed."""
    monkeypatch.chdir(tmp_path)
    assert [space.provider for space in load_settings().spaces] == ["embedded"]
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://box:11434")
    monkeypatch.setenv("OLLAMA_TIMEOUT_SECONDS", "7")

    settings = load_settings()
    assert [(space.provider, space.model) for space in settings.spaces] == [("ollama", "nomic-embed-text")]
    assert (settings.ollama.address(), settings.ollama.timeout_seconds) == ("http://box:11434", 7)

    monkeypatch.setenv("OLLAMA_EMBED_MODEL", "all-minilm")
    assert load_settings().spaces[0].model == "all-minilm"
    declared = Settings(base_dir=tmp_path, spaces=(SpaceDeclaration(provider="hashing", model="ngram"),))
    assert [space.provider for space in declared.spaces] == ["hashing"]


def test_a_password_in_the_settings_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials of a gateway come from the environment alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holocron.yaml").write_text("ollama: {base_url: 'http://me:a-secret@box'}")

    with pytest.raises(Exception, match=r"ollama\.base_url holds a password") as caught:
        load_settings()
    assert "a-secret" not in str(caught.value)
