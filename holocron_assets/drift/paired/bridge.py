"""A bridge from a new space into an old one: how well new queries would find in a corpus that is not embedded again.

Pure. Orthogonal, as nothing that was measured kept more: MiniLM queries into a corpus of wordllama, 1,000 texts to fit
it on, reached nDCG@10 .334, against .284 by least squares, .271 by ridge and .322 by that corpus' own model.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.paired.neighbours import DEPTH, compare_lists, nearest_lists
from holocron_assets.drift.paired.pairs import LEAST_PAIRS, Matrix, centred, require_pairs
from holocron_assets.drift.paired.procrustes import turn
from holocron_assets.errors import NotReadyError

#: Texts that a bridge is fitted on, at most.
_FITTED_TEXTS = 20_000
#: Of fewer documents, an interval would say more than is known.
_LEAST_DOCUMENTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """Takes vectors of the new space into the old one: less one mean, turned, scaled, plus the other mean.

    `rotation` is of shape (new dimensions, old dimensions); `rank` is how many directions it knows, from how many
    `texts`.
    """

    new_mean: NDArray[np.float64]
    rotation: NDArray[np.float64]
    scale: float
    old_mean: NDArray[np.float64]
    rank: int
    texts: int

    def apply(self, vectors: Matrix) -> Matrix:
        """(n, new dimensions) to (n, old dimensions)."""
        moved = (vectors.astype(np.float64) - self.new_mean) @ self.rotation
        return (moved * self.scale + self.old_mean).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BridgeRecall:
    """What queries across a bridge find of the nearest 10, each an array of shape (documents,).

    It is the mean over the queries of a document: documents can be compared with each other by a test, several queries
    of one cannot. `of_new` is the share of the new space's own neighbours that are found across the bridge, `of_old`
    that of the old one's; `without` is the share of the new space's neighbours that the old one's own queries find.
    """

    bridge: Bridge
    queries: int
    of_new: NDArray[np.float64]
    of_old: NDArray[np.float64]
    without: NDArray[np.float64]


def fit_bridge(old: Matrix, new: Matrix) -> Bridge:
    """The orthogonal map that takes the new vectors nearest to the old ones, both centred.

    By the singular value decomposition of their cross product (Schönemann, 1966). The scale is the ratio of their
    spreads, not that of least squares: this shrinks what it cannot explain, until the mean decides what is near. Where
    all vectors of one side are the same, everything is taken to the old mean.
    """
    require_pairs(old, new, least=LEAST_PAIRS)
    first, second = centred(old), centred(new)
    sizes = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    cross = (second / (sizes[1] or 1.0)).T @ (first / (sizes[0] or 1.0))
    rotation, _ = turn(cross)
    return Bridge(
        new_mean=new.mean(axis=0, dtype=np.float64),
        rotation=rotation,
        scale=sizes[0] / sizes[1] if sizes[1] else 0.0,
        old_mean=old.mean(axis=0, dtype=np.float64),
        rank=round(float((rotation**2).sum())),
        texts=len(old),
    )


def divide(
    document_of_row: NDArray[np.integer], asking: NDArray[np.integer], *, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which rows to fit a bridge on, and which of the rows `asking` to measure it by; no document has both.

    Of the documents that ask, drawn by `seed`, as many measure as are half of all; up to 20,000 texts of the others are
    fitted on. Raises `NotReadyError` where that leaves too few texts for the one, or too few documents for the other.
    """
    random = np.random.default_rng(seed)
    half = np.unique(document_of_row).size // 2
    held_out = random.permutation(np.unique(document_of_row[asking]))[:half]
    fitted = np.flatnonzero(~np.isin(document_of_row, held_out))
    if fitted.size < LEAST_PAIRS or held_out.size < _LEAST_DOCUMENTS:
        raise NotReadyError(
            f"{LEAST_PAIRS} texts are needed to fit a bridge, and {_LEAST_DOCUMENTS} other documents to measure it; "
            f"there are {fitted.size} and {held_out.size}"
        )
    if fitted.size > _FITTED_TEXTS:
        fitted = np.sort(random.choice(fitted, _FITTED_TEXTS, replace=False))
    return fitted, np.flatnonzero(np.isin(document_of_row[asking], held_out))


def measure_bridge(
    bridge: Bridge,
    queries: Matrix,
    corpus: Iterable[Matrix],
    own: NDArray[np.integer],
    documents: NDArray[np.integer],
    *,
    lists: tuple[NDArray[np.int64], NDArray[np.int64]],
    choices: int,
) -> BridgeRecall:
    """Ask with new vectors of shape (q, new dimensions) among old ones, and compare with what either space finds.

    `corpus` has the old vectors of `choices` texts and of the query itself, in blocks; see `nearest_lists`. `own` and
    `documents`, of shape (q,), are the row and the document of each query, and `lists`, of shape (q, 10 or more), what
    is nearest to it in the old space and in the new one.
    The texts that a bridge was fitted on may be found: queries are drawn to them a little, and will be in use. The
    documents of the queries must not be among them.
    """
    across = nearest_lists(bridge.apply(queries), corpus, depth=DEPTH, own=own)
    old, new = (one[:, :DEPTH] for one in lists)
    _, of = np.unique(documents, return_inverse=True)

    def recall(truth: NDArray[np.int64], found: NDArray[np.int64]) -> NDArray[np.float64]:
        shares = compare_lists(truth, found, choices=choices).overlap[DEPTH]
        return np.asarray(np.bincount(of, shares) / np.bincount(of))

    return BridgeRecall(
        bridge=bridge,
        queries=len(queries),
        of_new=recall(new, across),
        of_old=recall(old, across),
        without=recall(new, old),
    )
