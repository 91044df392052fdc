"""From vectors to vectors: what is refused, what breaks off, and what comes back."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from holocron_assets.derivation import derive
from holocron_assets.derived_spaces import open_space
from holocron_assets.errors import (
    ConfigurationError,
    SpaceMismatchError,
    VectorError,
)
from holocron_assets.ports import Purpose
from holocron_assets.records import EmbeddingSpace
from holocron_assets.spaces import require_same_space
from holocron_assets.stages.derive import derive_space
from holocron_assets.stages.embed import EmbeddingReport
from holocron_assets.tables import spaces
from holocron_assets.transactions import read
from holocron_assets.vectors import Vectors
from resources.providers.hashing import ByteNgrams
from tests.conftest import Templates
from tests.derived import breaks, broken, derived, fill, registered, runs, six_pages, vectors_of
from tests.world import ORIGIN, World

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(world: World, templates: Templates) -> EmbeddingSpace:
    """The space of a store of six pages, everything embedded."""
    return six_pages(world, templates)


def test_no_model_is_called(world: World, source: EmbeddingSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that breaks whatever is asked of it hinders neither deriving a space nor filling it."""

    def refuse(*_: object) -> None:
        raise AssertionError("a model was called")

    for name in ("__init__", "describe", "embed"):
        monkeypatch.setattr(f"resources.providers.hashing.ByteNgrams.{name}", refuse)

    report = fill(world, derived(world, source, "pca", 4))

    assert (report.embedded, report.api_calls, report.still_pending) == (len(world.current_chunks()), 0, 0)


def test_a_second_filling_does_nothing(world: World, source: EmbeddingSpace) -> None:
    """Nothing is written, and no run recorded."""
    space = derived(world, source, "int8")
    fill(world, space)
    before = runs(world)

    assert fill(world, space).run_id is None
    assert runs(world) == before


def test_deriving_twice_registers_once(world: World, source: EmbeddingSpace) -> None:
    """The same transform of the same source is the same space."""
    assert registered(world, source, "binary").is_new
    assert not registered(world, source, "binary").is_new
    assert len(read(world.store, spaces.list_spaces)) == 2


@pytest.mark.parametrize(
    ("kind", "dimensions", "sample", "reason"),
    [
        ("pca", None, None, "pca needs --dimensions, from 1 to 31"),
        ("pca", 32, None, "pca needs --dimensions, from 1 to 31"),
        ("matryoshka", 40, None, "matryoshka needs --dimensions, from 1 to 31"),
        ("int8", 8, None, "int8 keeps the number of dimensions"),
        ("binary", None, 5, "binary is not fitted on anything"),
        ("pca", 16, 5, "in 5 independent directions, too few for 16 dimensions"),
        ("lda", 16, None, "there is no transform 'lda'. Known: pca, matryoshka, int8, binary"),
    ],
)
def test_what_cannot_be_derived_is_refused(
    world: World, source: EmbeddingSpace, kind: str, dimensions: int | None, sample: int | None, reason: str
) -> None:
    """Each refusal says what is wrong and what would do; nothing is registered."""
    with pytest.raises(ConfigurationError, match=reason):
        derive(world.store, source.slug, kind, dimensions=dimensions, sample=sample, dry_run=False)

    assert read(world.store, spaces.list_spaces) == [source]


def test_a_chain_ends_where_its_name_does(world: World, source: EmbeddingSpace) -> None:
    """A space that is derived so often that no column holds its name is refused."""
    space = source
    for dimensions in range(31, 25, -1):
        space = derived(world, space, "matryoshka", dimensions)

    with pytest.raises(ConfigurationError, match="are too many"):
        derived(world, space, "matryoshka", 8)


def test_without_vectors_nothing_is_fitted(world: World) -> None:
    """What is fitted needs vectors; what is not may be derived before there are any."""
    space = world.run().space

    for kind, dimensions in (("pca", 4), ("int8", None)):
        with pytest.raises(ConfigurationError, match=r"independent directions|Materialise embeddings first"):
            derived(world, space, kind, dimensions)
    assert fill(world, derived(world, space, "binary")).embedded == 0


def test_a_run_that_breaks_off_is_continued(
    world: World, source: EmbeddingSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed stays, the run is recorded as failed, and the next one makes the rest."""
    monkeypatch.setattr("holocron_assets.stages.derive._COMMIT_CHUNKS", 5)
    monkeypatch.setattr("holocron_assets.stages.derive._PAGE_CHUNKS", 8)
    space = derived(world, source, "pca", 4)

    def stop(done: int, total: int) -> None:
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        derive_space(world.store, space, ORIGIN, stop)

    assert len(vectors_of(world, space)) == 8
    assert world.rows("select status from vector.run where status <> 'SUCCEEDED'") == [("FAILED",)]
    assert fill(world, space).embedded == len(world.current_chunks()) - 8
    assert broken(world) == []


KILLED = """
import os, signal, uuid
from holocron_assets.composition import step_store
from holocron_assets.registry import find_state
from holocron_assets.runs import Origin
from holocron_assets.settings import Settings
from holocron_assets.stages import derive
derive._COMMIT_CHUNKS = 5
store = step_store(Settings(base_dir=os.getcwd(), store_url="duckdb:///store.duckdb"))
space = find_state(store, "ngram-pca").space
kill = lambda done, total: os.kill(os.getpid(), signal.SIGKILL)
derive.derive_space(store, space, Origin(kind="dagster", reference="killed"), kill)
"""


def test_a_killed_process_loses_nothing_that_was_committed(
    world: World, source: EmbeddingSpace, tmp_path: Path
) -> None:
    """After SIGKILL the next run ends the dead one and goes on behind its last batch."""
    space = derived(world, source, "pca", 4)

    killed = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert len(vectors_of(world, space)) == 5
    assert fill(world, space).embedded == len(world.current_chunks()) - 5
    assert world.rows("select status from vector.run where status <> 'SUCCEEDED'") == [("FAILED",)]
    assert broken(world) == []


def test_two_at_once_make_every_vector_once(
    world: World, source: EmbeddingSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that fill one space together both succeed, and no chunk has two vectors."""
    monkeypatch.setattr("holocron_assets.stages.derive._COMMIT_CHUNKS", 3)
    space = derived(world, source, "int8")
    reports: list[EmbeddingReport] = []
    threads = [threading.Thread(target=lambda: reports.append(fill(world, space))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(reports) == 2
    assert sum(report.embedded for report in reports) == len(world.current_chunks())
    assert broken(world) == []


def test_a_lost_transform_comes_back_by_deriving_it_again(world: World, source: EmbeddingSpace) -> None:
    """The space is named after its artefact, so the same artefact brings the same space back."""
    space = derived(world, source, "int8")
    world.rows("delete from vector.transform")
    breaks(world, space, "its transform is not stored")

    again = registered(world, source, "int8")

    assert (again.space, again.is_new) == (space, True)
    assert fill(world, space).still_pending == 0
    assert broken(world) == []


def test_a_model_that_changed_is_another_space_here_too(world: World, source: EmbeddingSpace) -> None:
    """What describes itself otherwise than the source was registered is no provider of what is derived from it."""
    space = derived(world, derived(world, source, "matryoshka", 8), "binary")
    opened = open_space(world.store, world.providers, space)
    require_same_space(space, opened.describe())
    changed = replace(opened.describe(), model_digest="f" * 64)

    with pytest.raises(SpaceMismatchError, match="model_digest is 'ffff"):
        require_same_space(space, changed)


def test_a_query_that_is_no_vector_of_the_source_is_refused(
    world: World, source: EmbeddingSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signs of what is not a number would look like any others."""
    space = derived(world, source, "binary")
    nothing = Vectors(values=np.full((1, 32), np.nan, np.float32), truncated_tokens=np.zeros(1, np.int32))
    embed = ByteNgrams.embed

    def embed_no_query(self: ByteNgrams, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        return nothing if purpose is Purpose.QUERY else embed(self, texts, purpose)

    monkeypatch.setattr(ByteNgrams, "embed", embed_no_query)

    with pytest.raises(VectorError, match=f"space {source.slug}: the vector of text 0 of the batch is not finite"):
        world.search("tides", space=space.slug, top_k=1)
