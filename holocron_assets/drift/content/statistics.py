"""Figures of two sides, for many ways at once to divide documents into them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.sums import Columns, Sums

Matrix = NDArray[np.float64]

#: Shares are no less in the population stability index, which has no value for one of 0.
_LEAST_SHARE = 1e-4
#: What is left of a share of 0 when it is added up from differences to the mean.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """By name, for each way: what is tested, large where sides differ, and how much they differ, of shape (ways,).

    `differences`, of shape (ways, dimensions), are those of the means.
    """

    statistics: Mapping[str, NDArray[np.float64]]
    effects: Mapping[str, NDArray[np.float64]]
    differences: Matrix


def figures(sums: Sums, reference: Matrix, current: Matrix) -> Figures:
    """Compare two sides, each the sums of its groups for every way, of shape (ways, columns).

    - mean_shift: the length of the difference of mean vectors; the effect is its square;
    - mmd: `squared_mmd`;
    - occupancy, and each attribute that names something: `triangular` of the shares; the effect is `jensen_shannon`;
    - norm, and each attribute that is a number: how much its mean grew.

    Neither the first nor the third kind of effect is 0 without drift: see `beyond_chance`.
    """
    columns = sums.columns
    grown = current / current[:, :1] - reference / reference[:, :1]
    differences = grown[:, columns.mean]
    shift = np.sqrt(np.square(differences).sum(axis=1))
    discrepancy = squared_mmd(reference, current, columns)
    statistics = {"mean_shift": shift, "mmd": discrepancy}
    effects = {"mean_shift": np.square(shift), "mmd": discrepancy}
    for name in columns.shares:
        old, new = shares(sums, reference, name), shares(sums, current, name)
        statistics[name] = triangular(old, new)
        effects[name] = jensen_shannon(old, new)
    for name, at in columns.numbers.items():
        statistics[name] = np.abs(grown[:, at])
        effects[name] = grown[:, at]
    return Figures(statistics=statistics, effects=effects, differences=differences)


def beyond_chance(
    columns: Columns, name: str, effect: NDArray[np.float64], chance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Effects less what chance alone gives on average, so that they mean the same at every number of documents.

    Of shape (ways,), and (permutations,) for chance. The square of a shift is made a length again.
    """
    if name in columns.shares:
        return np.asarray(np.maximum(effect - chance.mean(), 0))
    if name == "mean_shift":
        return np.asarray(np.sqrt(np.maximum(effect - chance.mean(), 0)))
    return effect


def is_squared(columns: Columns, name: str) -> bool:
    """Whether an effect grows with the square of how much differs: what chance makes of it shrinks with documents, not
    with their root."""
    return name == "mmd" or name in columns.shares


def shares(sums: Sums, sides: Matrix, name: str) -> Matrix:
    """Shares of rows, of shape (sides, names), from the sums of each side."""
    where = sums.columns.shares[name]
    found = sums.pooled[where] + sides[:, where] / sides[:, :1]
    return np.where(found > _ROUNDING, found, 0.0)


def squared_mmd(reference: Matrix, current: Matrix, columns: Columns) -> NDArray[np.float64]:
    """The squared maximum mean discrepancy of Gretton et al., JMLR 2012, by random features; no bias, so below 0 at
    times. Pairs of rows of one group are left out, not only those of a row with itself: chunks of one document are
    alike, which is no drift."""
    features = (columns.random.stop - columns.random.start) / 2
    within = 0.0
    for side in (reference, current):
        squared = np.square(side[:, columns.random]).sum(axis=1)
        within = within + (squared - side[:, 2]) / (np.square(side[:, 0]) - side[:, 1])
    across = (reference[:, columns.random] * current[:, columns.random]).sum(axis=1)
    return np.asarray((within - 2 * across / (reference[:, 0] * current[:, 0])) / features)


def triangular(old: Matrix, new: Matrix) -> NDArray[np.float64]:
    """The sum of (new - old)^2 / ((new + old) / 2) over the last axis: triangular discrimination (Topsoe, 2000)."""
    both = (old + new) / 2
    return np.asarray((np.square(new - old) / np.where(both > 0, both, 1.0)).sum(axis=-1))


def jensen_shannon(old: Matrix, new: Matrix) -> NDArray[np.float64]:
    """The divergence of two sets of shares, from 0 to ln 2 = 0.69 (nats): Lin, IEEE Trans. Information Theory 1991."""
    both = (old + new) / 2
    total = np.zeros(both.shape[:-1])
    for side in (old, new):
        ratio = np.divide(side, both, out=np.ones_like(both), where=side > 0)
        total += (side * np.log(ratio)).sum(axis=-1) / 2
    return np.maximum(total, 0)


def stability_index(old: NDArray[np.float64], new: NDArray[np.float64]) -> float:
    """The population stability index of credit scoring, with shares of 0.0001 at least. Context: it has no test."""
    old, new = np.maximum(old, _LEAST_SHARE), np.maximum(new, _LEAST_SHARE)
    return float(((new - old) * np.log(new / old)).sum())
