"""Deriving a space from another: fitting a transform on a sample of its vectors, and registering both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holocron_assets.clock import utc_now
from holocron_assets.derived_spaces import derived, model_space
from holocron_assets.errors import ConfigurationError
from holocron_assets.identity import embedding_id, text_sha256
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.spaces import identity_of, named_space, space_of
from holocron_assets.stages.model_guard import require_settled
from holocron_assets.tables import spaces, transforms
from holocron_assets.tables.embeddings import ChunkKey
from holocron_assets.tables.transforms import LOOKED_UP_AT_ONCE, StoredTransform
from holocron_assets.transactions import read, write
from holocron_assets.transforms import KINDS, Transform, artefact_sha256
from holocron_assets.vectors import vector_sha256

#: How many vectors a transform is fitted on, unless it is said otherwise.
SAMPLE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedSpace:
    """A space that is derived from the one called `source`, and whether the registry has it only now."""

    space: EmbeddingSpace
    source: str
    transform: StoredTransform
    is_new: bool
    is_registered: bool


def derive(
    store: Store, wanted: str, kind: str, *, dimensions: int | None, sample: int | None, dry_run: bool
) -> DerivedSpace:
    """Fit a transform on a sample of a space's vectors and register the space that it makes; `dry_run` only looks.

    The next run fills it. Raises `ConfigurationError` for what cannot be: an unknown space, more dimensions than it
    has, or too few vectors; `NotReadyError` while the source's vectors are being replaced.
    """
    source = named_space(read(store, spaces.list_spaces), wanted)
    require_settled(store, model_space(store, source))
    drawn = _Sample(store, source)
    transform, told = _fitted(source, drawn, kind, dimensions, sample)
    artefact = transform.artefact()
    space = space_of(derived(identity_of(source), transform))
    stored = StoredTransform(
        embedding_space_id=space.embedding_space_id,
        source_space_id=source.embedding_space_id,
        transform_ref=transform.ref,
        kind=kind,
        parameters=transform.parameters,
        artefact_sha256=artefact_sha256(artefact),
        sample={**drawn.described(), **told} if transform.is_fitted else {},
        created_utc=utc_now(),
    )
    is_new = space.embedding_space_id not in read(store, transforms.list_transforms)
    if is_new and not dry_run:
        write(store, _register, space, stored, artefact)
    return DerivedSpace(
        space=space, source=source.slug, transform=stored, is_new=is_new, is_registered=not (is_new and dry_run)
    )


class _Sample:
    """The vectors of the first current chunks of a space in order of their ids, which are hashes: a random sample."""

    def __init__(self, store: Store, space: EmbeddingSpace) -> None:
        self._store = store
        self._space = space
        self._drawn: list[ChunkKey] = []
        self._hashes: list[str] = []

    def vectors(self, count: int) -> Iterator[NDArray[np.float32]]:
        """At most `count`, in batches; fewer where there are fewer, or some are damaged."""
        chunks = read(self._store, transforms.list_embedded_chunks, self._space.embedding_space_id, count)
        for first in range(0, len(chunks), LOOKED_UP_AT_ONCE):
            part = chunks[first : first + LOOKED_UP_AT_ONCE]
            present, vectors = read(self._store, transforms.list_vectors, self._space, part)
            self._drawn += present
            self._hashes += map(vector_sha256, vectors)
            yield vectors

    def described(self) -> Mapping[str, Any]:
        """Which vectors they were."""
        space_id = self._space.embedding_space_id
        ids = [str(embedding_id(one.chunk_id, space_id, one.content_sha256)) for one in self._drawn]
        return {
            "vectors": len(ids),
            "chosen": "current chunks, the first in order of chunk_id",
            "embedding_ids_sha256": text_sha256("\n".join(ids)),
            "vectors_sha256": text_sha256("\n".join(self._hashes)),
        }


def _fitted(
    source: EmbeddingSpace, drawn: _Sample, kind: str, dimensions: int | None, sample: int | None
) -> tuple[Transform, Mapping[str, Any]]:
    if kind not in KINDS:
        raise ConfigurationError(f"there is no transform {kind!r}. Known: {', '.join(KINDS)}.")
    wanted = KINDS[kind]
    if wanted.takes_dimensions and not 0 < (dimensions or 0) < source.dimensions:
        raise ConfigurationError(
            f"{kind} needs --dimensions, from 1 to {source.dimensions - 1}: {source.slug} has {source.dimensions}."
        )
    if dimensions is not None and not wanted.takes_dimensions:
        raise ConfigurationError(f"{kind} keeps the number of dimensions: leave --dimensions out.")
    if sample is not None and not wanted.is_fitted:
        raise ConfigurationError(f"{kind} is not fitted on anything: leave --sample out.")
    return wanted.fit(
        drawn.vectors(sample or SAMPLE),
        source.dimensions,
        dimensions or source.dimensions,
        normalized=source.normalize,
    )


def _register(session: Session, space: EmbeddingSpace, transform: StoredTransform, artefact: bytes) -> None:
    spaces.insert_space(session, space, transform.created_utc)
    transforms.insert_transform(session, transform, artefact)
