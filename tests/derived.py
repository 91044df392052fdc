"""What tests of derived spaces share: a store to derive from, and ways to look at what was derived."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from holocron_assets.derivation import DerivedSpace, derive
from holocron_assets.errors import (
    TransformError,
)
from holocron_assets.records import EmbeddingSpace
from holocron_assets.registry import probe
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.derive import derive_space
from holocron_assets.stages.embed import EmbeddingReport
from holocron_assets.tables import spaces, transforms
from holocron_assets.transactions import read
from holocron_assets.verification.verify import verify
from tests.conftest import Templates
from tests.world import ORIGIN, World, page_row, prose, silent


def pages(count: int, start: int = 1, **columns: Any) -> list[dict[str, Any]]:
    return [page_row(f"Page {n}", n, prose(f"topic {n}", 2500), **columns) for n in range(start, start + count)]


def six_pages(world: World, templates: Templates) -> EmbeddingSpace:
    """Fill a store with six pages, everything embedded; returns its space."""

    def fill_up() -> None:
        world.add(*pages(6))
        world.run()

    templates.fill(world.settings, "six pages", fill_up)
    (space,) = read(world.store, spaces.list_spaces)
    return space


def derived(world: World, of: EmbeddingSpace, kind: str, dimensions: int | None = None) -> EmbeddingSpace:
    return registered(world, of, kind, dimensions).space


def registered(world: World, of: EmbeddingSpace, kind: str, dimensions: int | None = None) -> DerivedSpace:
    return derive(world.store, of.slug, kind, dimensions=dimensions, sample=None, dry_run=False)


def fill(world: World, space: EmbeddingSpace) -> EmbeddingReport:
    return derive_space(world.store, space, ORIGIN, silent)


def vectors_of(world: World, space: EmbeddingSpace) -> dict[str, NDArray[np.float32]]:
    """Every current vector of a space that is what its hash says, by chunk."""
    with world.store.session(write=False) as session:
        chunks = transforms.list_embedded_chunks(session, space.embedding_space_id, 1_000_000)
        present, vectors = transforms.list_vectors(session, space, chunks)
    return dict(zip((one.chunk_id for one in present), vectors, strict=True))


def broken(world: World) -> list[str]:
    return [finding.claim for finding in verify(world.store).findings if not finding.holds]


def runs(world: World) -> int:
    return int(world.rows("select count(*) from vector.run")[0][0])


def breaks(world: World, space: EmbeddingSpace, reason: str) -> None:
    """Neither filled nor searched, and verification says why."""
    before = runs(world)
    for action in (
        lambda: fill(world, space),
        lambda: world.search("tides", space=space.slug, top_k=1),
        lambda: probe(world.store, world.providers, CanaryPolicy.of(world.settings), space.slug),
    ):
        with pytest.raises(TransformError, match=f"space {space.slug}: .*{reason}.* Restore its row"):
            action()
    assert runs(world) == before
    findings = {finding.claim: finding for finding in verify(world.store).findings if not finding.holds}
    assert reason in findings["transforms_are_intact"].offenders[0]
    assert findings["transforms_are_intact"].blocks
