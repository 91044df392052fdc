"""Whether a classifier can tell the windows apart: a logistic regression, and an exact test on documents it never saw.

Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017, with ranks in place of counts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, ndtri
from scipy.stats import mannwhitneyu

Matrix = NDArray[np.float64]

#: Weight of the squared coefficients, of vectors whose dimensions have variance 1 on average.
_PENALTY = 1.0
_MOST_STEPS = 200
#: Up to so many documents of each side the exact distribution is counted; beyond, the normal one is as good.
_MOST_EXACT = 50
_DECIMALS = 9
_CHANCE = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """`auc` is how often, of two documents, the current one is told from the other; .5 is guessing. `statistic` is the
    number of such pairs: Mann and Whitney's U, whose one-sided p this is.

    `chance` is what 99 % of areas stay within where there is nothing else. That needs no splits of the reference: of
    documents that the classifier never saw, ranks are equally likely in any order, whatever it has learnt.
    """

    auc: float
    statistic: float
    p: float
    chance: float


def classify(
    vectors: NDArray[np.float32],
    documents: NDArray[np.intp],
    is_current: NDArray[np.bool_],
    random: np.random.Generator,
) -> Classified:
    """Learn from half the documents of each window, and look at the mean score of each of the others.

    Vectors are of shape (rows, dimensions); `documents` and `is_current`, of shape (rows,), say whose they are.
    """
    numbers, at = np.unique(documents, return_index=True)
    held_out = np.zeros(documents.max() + 1, bool)
    for side in (numbers[is_current[at]], numbers[~is_current[at]]):
        held_out[random.permutation(side)[: side.size // 2]] = True
    is_tested = held_out[documents]
    scores = _scores(vectors, is_current, ~is_tested)[is_tested]
    of_document = np.bincount(documents[is_tested], scores) / np.maximum(np.bincount(documents[is_tested]), 1)
    # Equal documents have equal scores, whatever stood beside them in the product.
    of_document = np.round(of_document, _DECIMALS)
    tested = held_out[numbers]
    current = of_document[numbers[is_current[at] & tested]]
    reference = of_document[numbers[~is_current[at] & tested]]
    return _ranked(reference, current)


def _scores(vectors: NDArray[np.float32], is_current: NDArray[np.bool_], is_learnt: NDArray[np.bool_]) -> Matrix:
    """The log-odds of every row to be current, learnt from some; each window counts for half. 0 where all are equal."""
    points = vectors.astype(np.float64)
    points -= points[is_learnt].mean(axis=0)
    spread = np.sqrt(np.square(points[is_learnt]).mean())
    if spread <= 1e-6 * np.abs(vectors).max():
        return np.zeros(len(points))
    points /= spread
    learnt, signs = points[is_learnt], np.where(is_current[is_learnt], 1.0, -1.0)
    weights = signs.size / 2 / np.where(signs > 0, (signs > 0).sum(), (signs < 0).sum())

    def loss(coefficients: Matrix) -> tuple[float, Matrix]:
        margins = signs * (learnt @ coefficients[1:] + coefficients[0])
        pull = -weights * signs * expit(-margins)
        gradient = np.concatenate([[pull.sum()], pull @ learnt + _PENALTY * coefficients[1:]])
        penalty = _PENALTY / 2 * np.square(coefficients[1:]).sum()
        return float((weights * np.logaddexp(0, -margins)).sum() + penalty), gradient

    start = np.zeros(points.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _MOST_STEPS, "gtol": 1e-8})
    return np.asarray(points @ found.x[1:] + found.x[0])


def _ranked(reference: Matrix, current: Matrix) -> Classified:
    pairs = reference.size * current.size
    chance = 0.5 + ndtri(_CHANCE) * np.sqrt((reference.size + current.size + 1) / (12 * pairs))
    values = np.concatenate([reference, current])
    distinct = np.unique(values).size
    if distinct == 1:
        return Classified(auc=0.5, statistic=pairs / 2, p=1.0, chance=float(chance))
    is_exact = distinct == values.size and max(reference.size, current.size) <= _MOST_EXACT
    tested = mannwhitneyu(current, reference, alternative="greater", method="exact" if is_exact else "asymptotic")
    return Classified(
        auc=float(tested.statistic / pairs),
        statistic=float(tested.statistic),
        p=float(tested.pvalue),
        chance=float(chance),
    )
