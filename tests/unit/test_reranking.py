"""Rerankers: the orders that they give, and that a failing one leaves the order as it was."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holocron_assets.errors import ConfigurationError
from holocron_assets.model_servers import OllamaSettings
from holocron_assets.retrieval.hits import Hit, SearchResult
from holocron_assets.retrieval.reranking import (
    HitVectors,
    MaximalMarginalRelevance,
    NoReranker,
    Reranker,
    Reranking,
    reranked,
)
from holocron_assets.sections import RerankSettings
from holocron_assets.settings import Settings
from resources.rerankers import RERANKERS, open_reranker
from tests.http_double import Answer, answer
from tests.ollama_double import Model, OllamaDouble
from tests.searching import a_hit, a_result

#: Two directions that answer the query, of which the first is there twice, and one that does not.
QUERY = np.array([1, 1, 0], np.float32)
VECTORS = np.array([[1, 0.9, 0], [1, 0.9, 0.01], [0.2, 1, 0], [0, 0, 1]], np.float32)
RESULT = a_result(["near", "nearly the same", "another", "elsewhere"])


def vectors(found: Sequence[Sequence[float]] = VECTORS.tolist()) -> HitVectors:
    return HitVectors(query=QUERY, hits=np.array(found, np.float32).reshape(-1, 3))


def texts(result: SearchResult) -> list[str]:
    return [hit.text for hit in result.hits]


def test_mmr_passes_over_a_near_duplicate() -> None:
    """What repeats the best hit comes after what says something else."""
    found = reranked(RESULT, MaximalMarginalRelevance(0.5), vectors(), 3)

    assert texts(found) == ["near", "another", "elsewhere"]
    assert [hit.rank for hit in found.hits] == [1, 2, 3]
    assert (found.ranked_by, found.reranker, found.notes) == ("rerank", "mmr", ())


def test_mmr_without_diversity_is_relevance() -> None:
    """With 0 the score is the cosine to the query."""
    found = reranked(RESULT, MaximalMarginalRelevance(0), vectors(), 10)

    cosines = VECTORS @ QUERY / np.linalg.norm(VECTORS, axis=1) / np.linalg.norm(QUERY)
    assert [hit.scores.rerank for hit in found.hits] == pytest.approx(sorted(cosines, reverse=True), abs=1e-6)
    assert [hit.scores.rrf for hit in found.hits] == [hit.scores.rrf for hit in RESULT.hits]


def test_mmr_with_nothing_but_diversity() -> None:
    """With 1 the query does not count: after the first by id comes what is least like it."""
    found = MaximalMarginalRelevance(1).rerank("q", RESULT.hits, vectors([[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]]))

    first = min(range(4), key=lambda place: RESULT.hits[place].chunk_id)
    assert found.order[0] == first
    assert found.scores[0] == 0


@given(
    st.lists(st.sampled_from([(1.0, 0.0, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 0.0), (0.1, 0.2, -0.3)]), max_size=12),
    st.floats(0, 1),
    st.randoms(use_true_random=False),
)
def test_mmr_is_deterministic(found: list[tuple[float, ...]], diversity: float, shuffler: Any) -> None:
    """Whatever the order that hits come in, they leave in the same one, equals by chunk id; scores never rise."""
    hits = [a_hit(rank, str(rank)) for rank in range(1, len(found) + 1)]
    places = list(range(len(hits)))
    shuffler.shuffle(places)
    mmr = MaximalMarginalRelevance(diversity)

    first = mmr.rerank("q", hits, vectors(found))
    second = mmr.rerank("q", [hits[place] for place in places], vectors([found[place] for place in places]))

    assert list(first.order) == [places[place] for place in second.order]
    assert first.scores == second.scores
    assert list(first.scores) == sorted(first.scores, reverse=True)
    assert all(-1 - 1e-9 <= score <= 1 + 1e-9 for score in first.scores)


def test_mmr_without_vectors_keeps_the_order() -> None:
    """A search of words alone has none; a note says that the order is the search's own."""
    found = reranked(RESULT, MaximalMarginalRelevance(), None, 2)

    assert texts(found) == ["near", "nearly the same"]
    assert found.ranked_by == "rrf"
    (note,) = found.notes
    assert note == (
        "the reranker mmr failed, so hits are in the order of rrf: it compares vectors, and this search had none"
    )


def test_no_reranker_changes_nothing() -> None:
    """Hits, scores and what they are ranked by stay as they are."""
    assert reranked(RESULT, NoReranker(), vectors(), 10) == RESULT
    assert texts(reranked(RESULT, NoReranker(), None, 1)) == ["near"]


@dataclass
class Answering:
    """A reranker that gives this answer."""

    answer: Reranking | None
    name: str = "answering"

    def rerank(self, query: str, hits: Sequence[Hit], vectors: HitVectors | None) -> Reranking | None:
        return self.answer


@pytest.mark.parametrize(
    "given_order",
    [
        Reranking(order=(0, 1, 2), scores=(1, 1, 1)),
        Reranking(order=(0, 0, 1, 2), scores=(1, 1, 1, 1)),
        Reranking(order=(3, 2, 1, 4), scores=(1, 1, 1, 1)),
        Reranking(order=(3, 2, 1, 0), scores=(1, 1, 1)),
        Reranking(order=(3, 2, 1, 0), scores=(1, 1, 1, float("nan"))),
    ],
)
def test_no_hit_is_lost_or_doubled(given_order: Reranking) -> None:
    """A reranker that leaves out or repeats a hit, or gives no number, has failed."""
    found = reranked(RESULT, Answering(given_order), None, 10)

    assert found.hits == RESULT.hits
    assert "the reranker answering failed" in found.notes[0]


def test_without_hits_nothing_is_asked() -> None:
    """Nothing found is nothing to order."""
    assert reranked(a_result([]), MaximalMarginalRelevance(), None, 5) == a_result([])


# Ollama


def scored(asked: dict[str, Any]) -> str:
    """By the number in the passage."""
    passage = asked["messages"][1]["content"].rpartition("Passage:\n")[2]
    return json.dumps({"score": float(passage.split()[0])})


@pytest.fixture
def ollama() -> Iterator[OllamaDouble]:
    """A server with one chat model."""
    with OllamaDouble(models={"llama3.2:latest": Model(capabilities=["completion"])}, says=scored) as double:
        yield double


def reranker(double: OllamaDouble, tmp_path: Path, **options: Any) -> Reranker:
    settings = Settings(
        base_dir=tmp_path,
        ollama=OllamaSettings(base_url=double.url, concurrency=2),
        rerank=RerankSettings(name="ollama", options={"model": "llama3.2", **options}),
    )
    return open_reranker(settings.rerank.name, settings.rerank.options, settings)


FOUND = a_result(["0.1 one", "0.9 two", "0.5 three", "0.9 four"])


def test_a_chat_model_orders_passages(ollama: OllamaDouble, tmp_path: Path) -> None:
    """The best first, equals by chunk id, each with the score that the model gave it."""
    found = reranked(FOUND, reranker(ollama, tmp_path), None, 3)

    equals = sorted(FOUND.hits[1::2], key=lambda hit: hit.chunk_id)
    assert texts(found) == [*(hit.text for hit in equals), "0.5 three"]
    assert [hit.scores.rerank for hit in found.hits] == [0.9, 0.9, 0.5]
    assert (found.ranked_by, found.reranker, found.notes) == ("rerank", "ollama llama3.2", ())


def test_what_the_model_is_asked(ollama: OllamaDouble, tmp_path: Path) -> None:
    """One passage at a time, under a schema, at temperature 0; query and passage are cut to their limit."""
    result = replace(a_result(["0.5 " + "x" * 5000]), query="q" * 1_000_000)

    reranked(result, reranker(ollama, tmp_path, passage_characters=500), None, 1)

    (asked,) = ollama.requests
    assert ollama.paths == ["/api/chat"]
    assert asked["stream"] is False
    assert asked["format"]["properties"]["score"] == {"type": "number", "minimum": 0, "maximum": 1}
    assert asked["format"]["additionalProperties"] is False
    assert asked["options"] == {"temperature": 0, "seed": 0, "num_predict": 64, "num_ctx": 4096}
    passage = "0.5 " + "x" * 496
    assert asked["messages"][1]["content"] == f"Query: {'q' * 500}\n\nPassage:\n{passage}"


def test_requests_are_with_the_server_side_by_side(ollama: OllamaDouble, tmp_path: Path) -> None:
    """As many at once as the section `ollama` allows, and no more."""
    ollama.seconds_per_request = 0.05

    reranked(FOUND, reranker(ollama, tmp_path), None, 3)

    assert ollama.most_at_once == 2


@pytest.mark.parametrize(
    "said",
    [
        "85",
        "0.85",
        '"0.85"',
        "Score: .7",
        '{"score": 85}',
        '{"score": 1.01}',
        '{"score": -0.1}',
        '{"score": "0.85"}',
        '{"score": true}',
        '{"score": null}',
        '{"score": NaN}',
        '{"score": 1e999}',
        '{"score": 0.5, "why": "it says so"}',
        '{"score": 0.5} and more',
        '{"points": 0.5}',
        "[0.5]",
        "",
        '{"score": 0.',
    ],
)
def test_an_answer_that_is_no_score_is_refused(said: str, ollama: OllamaDouble, tmp_path: Path) -> None:
    """It is never clamped or searched for a number: the order stays, and the note shows what was said."""
    ollama.says = lambda asked: said if "three" in asked["messages"][1]["content"] else scored(asked)

    found = reranked(FOUND, reranker(ollama, tmp_path), None, 3)

    assert found.hits == FOUND.hits[:3]
    assert found.ranked_by == "rrf"
    (note,) = found.notes
    assert note.startswith("the reranker ollama llama3.2 failed, so hits are in the order of rrf: Ollama at http")
    assert "no score from 0 to 1" in note


@pytest.mark.parametrize("said", ['{"score": 0}', ' {"score": 1}\n', '{"score":0.73}'])
def test_the_ends_of_the_scale_are_scores(said: str, ollama: OllamaDouble, tmp_path: Path) -> None:
    """0 and 1 are scores, and space around the object does not matter."""
    ollama.says = lambda _: said

    assert reranked(FOUND, reranker(ollama, tmp_path), None, 3).ranked_by == "rerank"


@pytest.mark.parametrize(
    ("instead", "message"),
    [
        (answer(404, {"error": "model 'llama3.2' not found"}), "has no model llama3.2. Run `ollama pull llama3.2`"),
        (answer(404, b"404 page not found", "text/plain"), "HTTP 404"),
        (answer(500, {"error": "out of memory"}), "HTTP 500: out of memory"),
        (answer(400, {"error": "bad"}), "HTTP 400: bad"),
        (answer(200, {"error": "x"}), "answers without a message"),
        (answer(200, [1]), "answers without a message"),
        (answer(200, b"<html>", "text/html"), "instead of JSON"),
        ((0, "", b"", {}), "broke off"),
    ],
)
def test_a_server_that_fails_leaves_the_order(
    instead: Answer, message: str, ollama: OllamaDouble, tmp_path: Path
) -> None:
    """Whatever goes wrong with one passage, the whole first order stays and the note says why."""
    ollama.instead = [None, instead]

    found = reranked(FOUND, reranker(ollama, tmp_path), None, 3)

    assert found.hits == FOUND.hits[:3]
    assert message in found.notes[0]


def test_a_slow_model_is_not_waited_for(ollama: OllamaDouble, tmp_path: Path) -> None:
    """After the time for all passages the search goes on as it was."""
    ollama.seconds_per_request = 0.4
    began = time.monotonic()

    found = reranked(FOUND, reranker(ollama, tmp_path, timeout_seconds=0.6), None, 3)

    assert time.monotonic() - began < 2
    assert found.hits == FOUND.hits[:3]
    assert "within 0.6 s. Raise rerank.options.timeout_seconds, or lower rerank.depth" in found.notes[0]


def test_a_server_that_is_away_leaves_the_order(ollama: OllamaDouble, tmp_path: Path) -> None:
    """A search does not fail because its reranker is not there."""
    opened = reranker(ollama, tmp_path)
    ollama.__exit__(None, None, None)

    assert "cannot be reached" in reranked(FOUND, opened, None, 3).notes[0]


def test_half_a_character_leaves_the_order(ollama: OllamaDouble, tmp_path: Path) -> None:
    """A query that is no valid Unicode cannot be sent."""
    found = reranked(replace(FOUND, query="\ud800"), reranker(ollama, tmp_path), None, 3)

    assert "not valid Unicode" in found.notes[0]


# The table and the settings


def test_what_a_reranker_raises_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a reranker of someone else's raises, the search answers."""
    monkeypatch.setitem(RERANKERS, "broken", f"{__name__}:Broken")

    opened = open_reranker("broken", {}, Settings(base_dir=tmp_path))

    assert (
        "broken failed, so hits are in the order of rrf: ZeroDivisionError: "
        in reranked(FOUND, opened, None, 3).notes[0]
    )


class Broken:
    """Divides by zero."""

    name = "broken"

    def __init__(self, options: object, settings: object) -> None:
        """Nothing is needed."""

    def rerank(self, query: str, hits: Sequence[Hit], vectors: HitVectors | None) -> Reranking:
        return Reranking(order=(1 // 0,), scores=())


def test_every_reranker_opens(tmp_path: Path) -> None:
    """Each line of the table is a reranker; by default it is none."""
    options = {"none": {}, "mmr": {"diversity": 0.2}, "ollama": {"model": "llama3.2"}}

    assert options.keys() == RERANKERS.keys()
    for name, given_options in options.items():
        assert open_reranker(name, given_options, Settings(base_dir=tmp_path)).name.startswith(name)
    assert RerankSettings().name == "none"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("best", {}, r"no reranker 'best'. Known: none, mmr, ollama. Correct `rerank:` in holocron.yaml"),
        ("none", {"x": 1}, r"reranker 'none', x: .* Known options: none. Correct it under `rerank:`"),
        ("mmr", {"diversity": 2}, r"reranker 'mmr', diversity: Input should be less than or equal to 1"),
        ("ollama", {}, r"reranker 'ollama', model: Field required"),
        ("ollama", {"model": "m", "api_key": "x"}, r"reranker 'ollama', api_key: secrets come from the environment"),
    ],
)
def test_a_fault_in_the_settings_is_named(name: str, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    """The reranker, the option and where to correct it."""
    with pytest.raises(ConfigurationError, match=message):
        open_reranker(name, options, Settings(base_dir=tmp_path))
