"""A bridge from a new space into an old one: how well new queries would find in a corpus that is not embedded again.

Pure. Orthogonal, as nothing that was measured kept more: MiniLM queries into a corpus of wordllama, 1,000 texts to fit
it on, reached nDCG@10 .334, against .284 by least squares, .271 by ridge and .322 by that corpus' own model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.paired.neighbours import DEPTH, compare_lists, nearest_lists
from holocron_assets.drift.paired.pairs import LEAST_PAIRS, Matrix, centred, require_pairs
from holocron_assets.drift.paired.procrustes import turn
from holocron_assets.errors import InputError, NotReadyError

#: Texts that a bridge is fitted on, and queries it is measured with, at most.
_FITTED_TEXTS, _QUERIES = 20_000, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """Takes vectors of the new space into the old one: less one mean, turned, scaled, plus the other mean.

    `rotation` is of shape (new dimensions, old dimensions); `rank` is how many directions it knows.
    """

    new_mean: NDArray[np.float64]
    rotation: NDArray[np.float64]
    scale: float
    old_mean: NDArray[np.float64]
    rank: int

    def apply(self, vectors: Matrix) -> Matrix:
        """(n, new dimensions) to (n, old dimensions)."""
        moved = (vectors.astype(np.float64) - self.new_mean) @ self.rotation
        return (moved * self.scale + self.old_mean).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRecall:
    """What queries across a bridge find, measured on documents that it was not fitted on; of the nearest 10.

    Each array is of shape (documents,), the mean over the queries of a document: documents can be compared with each
    other by a test, several queries of one cannot. `of_new` is the share of the new space's own neighbours that are
    found across the bridge, `of_old` that of the old one's; `without` is the share of the new space's neighbours that
    the old one's own queries find. `chance` is what any row would find.
    """

    bridge: Bridge
    fitted_texts: int
    searched_texts: int
    queries: int
    of_new: NDArray[np.float64]
    of_old: NDArray[np.float64]
    without: NDArray[np.float64]
    chance: float


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
    )


def measure_bridge(
    old: Matrix, new: Matrix, document_of_row: Sequence[int] | NDArray[np.integer], *, seed: int
) -> BridgeRecall:
    """Fit on half of the documents, drawn by `seed`, and ask with texts of the others for their nearest 10.

    Only these others are searched, and never the text that asks: the map has learnt by heart where the texts are that
    it was fitted on. `document_of_row` is of shape (rows,). Raises `NotReadyError` where one half of the documents has
    too few texts.
    """
    require_pairs(old, new, least=2 * LEAST_PAIRS)
    documents = np.asarray(document_of_row)
    if documents.shape != (len(old),):
        raise InputError(f"{documents.size} rows have a document, and {len(old)} a vector")
    random = np.random.default_rng(seed)
    names = random.permutation(np.unique(documents))
    is_fitted = np.isin(documents, names[: len(names) // 2])
    fitted = _drawn(np.flatnonzero(is_fitted), _FITTED_TEXTS, random)
    held_out = np.flatnonzero(~is_fitted)
    if min(fitted.size, held_out.size) < LEAST_PAIRS:
        raise NotReadyError(
            f"{LEAST_PAIRS} texts are needed in each half of the documents to fit a bridge and to measure it; of the "
            f"{len(names)} documents one half has {fitted.size} and the other {held_out.size}"
        )
    bridge = fit_bridge(old[fitted], new[fitted])
    asking = _drawn(np.arange(held_out.size), _QUERIES, random)
    searched_old, searched_new, of = old[held_out], new[held_out], documents[held_out][asking]
    own = nearest_lists(searched_new[asking], [searched_new], depth=DEPTH, own=asking)
    before = nearest_lists(searched_old[asking], [searched_old], depth=DEPTH, own=asking)
    across = nearest_lists(bridge.apply(searched_new[asking]), [searched_old], depth=DEPTH, own=asking)
    choices = held_out.size - 1
    return BridgeRecall(
        bridge=bridge,
        fitted_texts=fitted.size,
        searched_texts=held_out.size,
        queries=asking.size,
        of_new=_recall(own, across, of, choices),
        of_old=_recall(before, across, of, choices),
        without=_recall(own, before, of, choices),
        chance=DEPTH / choices,
    )


def _drawn(rows: NDArray[np.intp], most: int, random: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(random.choice(rows, most, replace=False)) if rows.size > most else rows


def _recall(
    truth: NDArray[np.int64], found: NDArray[np.int64], documents: NDArray[np.integer], choices: int
) -> NDArray[np.float64]:
    """The share of the true neighbours that were found, by document, from one query or several of each."""
    shares = compare_lists(truth, found, choices=choices).overlap[DEPTH]
    _, of = np.unique(documents, return_inverse=True)
    return np.asarray(np.bincount(of, shares) / np.bincount(of))
