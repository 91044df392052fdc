"""How alike the structures of two spaces are, whatever their dimensions: context, never a gate. Pure.

Both measures forgive too much to decide by: while 9 of 100 neighbours changed, CKA was measured at .997.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from holocron_assets.drift.paired.pairs import COSINE_DECIMALS, Matrix, centred, directions, require_pairs

#: Texts whose distances to each other are ranked: half a million distances.
_RANKED_TEXTS = 1000
_LEAST_PAIRS = 4
#: What rounding leaves of a sum of numbers about 1 that is 0.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Linear centred kernel alignment (CKA) of the same texts in two spaces; 1 is a rotation, scaling and offset.

    Of n texts in two spaces that have nothing to do with each other, `debiased` is about 0, and may be below. `biased`
    is not: where both fill their d1 and d2 dimensions evenly it is about sqrt(d1 d2 / ((n + d1) (n + d2))).
    """

    biased: float
    debiased: float


def alignment(old: Matrix, new: Matrix) -> Alignment | None:
    """CKA by Kornblith et al., ICML 2019, and the same with HSIC_1, the unbiased estimate of Song et al., JMLR 2012.

    None where one side has no structure: its vectors are all the same, all but one, or all equally far apart. Needs 4
    texts. Time is by n d1 d2: no kernel of n x n is built.
    """
    require_pairs(old, new, least=_LEAST_PAIRS)
    first, second = (_scaled(centred(vectors)) for vectors in (old, new))
    cross, own, other = _squares(first, second), _squares(first, first), _squares(second, second)
    unbiased = [_unbiased(*one) for one in ((first, second, cross), (first, first, own), (second, second, other))]
    if min(unbiased[1:]) <= _ROUNDING:
        return None
    return Alignment(
        biased=cross / float(np.sqrt(own * other)), debiased=unbiased[0] / float(np.sqrt(unbiased[1] * unbiased[2]))
    )


def distance_correlation(old: Matrix, new: Matrix, *, seed: int) -> float | None:
    """Spearman's correlation of the cosine distances of all pairs of texts: representational similarity analysis.

    Kriegeskorte et al., 2008. Of up to 1,000 texts, drawn by `seed`. None where all distances of one side are the same.
    """
    require_pairs(old, new, least=_LEAST_PAIRS)
    rows = np.arange(len(old))
    if rows.size > _RANKED_TEXTS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _RANKED_TEXTS, replace=False))
    first, second = _centred_ranks(old[rows]), _centred_ranks(new[rows])
    sizes = float(first @ first) * float(second @ second)
    return float(first @ second) / float(np.sqrt(sizes)) if sizes else None


def _centred_ranks(vectors: Matrix) -> NDArray[np.float64]:
    facing = directions(vectors)
    cosines = np.round((facing @ facing.T)[np.triu_indices(len(facing), 1)], COSINE_DECIMALS)
    ranks = rankdata(-cosines)
    # The mean of ranks is known, and so is exact.
    return np.asarray(ranks - (ranks.size + 1) / 2)


def _scaled(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """At Frobenius norm 1, which changes no ratio and keeps numbers in range; zeros as they are."""
    return np.asarray(vectors / (np.linalg.norm(vectors) or 1.0))


def _squares(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The sum of the products of both kernels' entries, which is that of the squared cross product's."""
    return float(((first.T @ second) ** 2).sum())


def _unbiased(first: NDArray[np.float64], second: NDArray[np.float64], squares: float) -> float:
    """n (n - 3) times HSIC_1 of two linear kernels without their diagonals, from the vectors, not from the kernels.

    For a kernel and itself it is a sum of squares. `squares` is the sum of the products of the kernels' entries, with
    the diagonals.
    """
    count = len(first)
    diagonals = (first**2).sum(axis=1), (second**2).sum(axis=1)
    # The sum of each kernel's rows: for centred vectors nothing but minus the diagonal, and rounding.
    sums = [
        vectors @ vectors.sum(axis=0) - diagonal for vectors, diagonal in zip((first, second), diagonals, strict=True)
    ]
    return float(
        squares
        - diagonals[0] @ diagonals[1]
        + sums[0].sum() * sums[1].sum() / ((count - 1) * (count - 2))
        - 2 / (count - 2) * (sums[0] @ sums[1])
    )
