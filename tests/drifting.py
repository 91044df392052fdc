"""Windows of made vectors, for tests of content drift."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.findings import ContentDrift
from holocron_assets.drift.content.measuring import measure
from holocron_assets.drift.content.windows import Attribute, Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """A source that yields blocks of any one size."""

    vectors: NDArray[np.float32]
    block: int = 1000

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """See `VectorSource`."""
        for first in range(0, len(self.vectors), self.block):
            yield self.vectors[first : first + self.block]

    def rows(self, wanted: NDArray[np.intp]) -> NDArray[np.float32]:
        """See `VectorSource`."""
        return self.vectors[wanted]


def windows_of(
    reference: int, current: int, *, chunks: int = 1, giant: int = 0, **attributes: Attribute
) -> tuple[Windows, NDArray[np.intp]]:
    """So many documents on each side, of so many chunks, and which document each row is of.

    With `giant`, the first document of the current window has so many more.
    """
    documents = np.repeat(np.arange(reference + current), chunks)
    documents = np.concatenate([documents, np.full(giant, reference)])
    # Rows are in no order of documents: they come by the hash of their chunk.
    documents = np.random.default_rng(3).permutation(documents)
    is_current = np.arange(reference + current) >= reference
    return Windows(document_of_row=documents, is_current=is_current, attributes=attributes), documents


def normal(
    documents: NDArray[np.intp], random: np.random.Generator, *, dimensions: int = 8, correlation: float = 0.0
) -> NDArray[np.float64]:
    """Vectors of standard normal numbers; those of one document are correlated."""
    of_document = random.standard_normal((int(documents.max()) + 1, dimensions)) * np.sqrt(correlation)
    return of_document[documents] + random.standard_normal((documents.size, dimensions)) * np.sqrt(1 - correlation)


def measured(
    windows: Windows,
    vectors: NDArray[np.floating],
    *,
    seed: int = 1,
    permutations: int = 99,
    clusters: int = 64,
    features: int = 64,
) -> ContentDrift:
    """Measured with fewer permutations and features than by default, which is faster."""
    return measure(
        windows,
        Vectors(vectors=vectors.astype(np.float32)),
        dimensions=vectors.shape[1],
        seed=seed,
        permutations=permutations,
        clusters=clusters,
        features=features,
    )
