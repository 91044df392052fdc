"""The chunks that two spaces hold with the same content."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from holocron_assets.drift.paired.pairs import LEAST_PAIRS
from holocron_assets.errors import NotReadyError
from holocron_assets.records import EmbeddingSpace
from holocron_assets.stages.chunk_keys import places_of
from holocron_assets.stages.windows import Listed, Members, codes_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CommonChunks:
    """By chunk id: their rows in each space, and the document of each; shape (chunks,)."""

    reference: Members
    current: Members
    reference_rows: NDArray[np.int64]
    current_rows: NDArray[np.int64]
    documents: NDArray[np.int32]

    def sample(self, most: int, seed: int) -> NDArray[np.intp]:
        """About `most` chunks, those of whole documents, which are drawn by `seed`; of one that is larger a part."""
        if self.documents.size <= most:
            return np.arange(self.documents.size)
        drawn = np.random.default_rng(seed).permutation(int(self.documents.max()) + 1)
        sizes = np.bincount(self.documents, minlength=drawn.size)[drawn]
        kept = drawn[: int(np.searchsorted(np.cumsum(sizes), most)) + 1]
        return np.flatnonzero(np.isin(self.documents, kept))[: 2 * most]

    def of_reference(self, chunks: NDArray[np.intp]) -> NDArray[np.float32]:
        """Their vectors in the reference."""
        return np.asarray(self.reference.vectors[self.reference_rows[chunks]])

    def of_current(self, chunks: NDArray[np.intp]) -> NDArray[np.float32]:
        """Their vectors in the other space."""
        return np.asarray(self.current.vectors[self.current_rows[chunks]])

    def pair(self, chunks: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Their vectors in both spaces."""
        return self.of_reference(chunks), self.of_current(chunks)


def require_common(before: Listed, after: Listed, reference: EmbeddingSpace, current: EmbeddingSpace) -> None:
    """Raise `NotReadyError` where two spaces share too few chunks to be compared."""
    count = int(np.count_nonzero(places_of(before.keys, after.keys) >= 0))
    if count < LEAST_PAIRS:
        activations = [f"`holocron spaces activate {one.slug}`" for one in (reference, current) if not one.is_active]
        raise NotReadyError(
            f"{reference.slug} and {current.slug} hold {f'{count} chunks' if count else 'no chunk'} in common with the "
            f"same content, and {LEAST_PAIRS} are needed. Fill both, with "
            f"{', '.join([*activations, '`dagster asset materialize --select embeddings`'])}."
        )


def common_chunks(before: Members, after: Members) -> CommonChunks:
    """What both hold."""
    places = places_of(before.keys, after.keys)
    rows = np.flatnonzero(places >= 0)
    documents, _ = codes_of(before.keys.column("source_id").take(pa.array(rows)))
    return CommonChunks(
        reference=before, current=after, reference_rows=rows, current_rows=places[rows], documents=documents
    )
