"""Everything that pairs of vectors tell. Pure."""

from dataclasses import dataclass

import numpy as np

from holocron_assets.drift.paired.agreement import Agreement, agreement
from holocron_assets.drift.paired.classes import ModelChange, classify
from holocron_assets.drift.paired.geometry import Geometry, geometry
from holocron_assets.drift.paired.neighbours import DEPTH, DEPTHS, NeighbourChange, compare_lists, nearest_lists
from holocron_assets.drift.paired.pairs import LEAST_PAIRS, Matrix, require_pairs
from holocron_assets.drift.paired.procrustes import Procrustes, procrustes
from holocron_assets.drift.paired.similarity import Alignment, alignment, distance_correlation


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDrift:
    """Of the same texts, old and new. `neighbours` are those of each text among the others, on either side.

    None stands for what has no value: see the function that a figure is from.
    """

    pairs: int
    agreement: Agreement
    neighbours: NeighbourChange
    procrustes: Procrustes | None
    alignment: Alignment | None
    distance_correlation: float | None
    old: Geometry
    new: Geometry

    @property
    def change(self) -> ModelChange:
        """Which kind of change it is, if one model is meant by both."""
        return classify(self.agreement, float(self.neighbours.overlap[DEPTH].mean()), self.procrustes)


def measure(old: Matrix, new: Matrix, *, seed: int) -> PairedDrift:
    """Compare the vectors of n texts, of shape (n, dimensions), whose dimensions may differ.

    For up to some 10,000 texts: each is compared with each. Raises `NotReadyError` below 32, `VectorError` for a row
    that is not finite and `InputError` where the numbers of rows differ.
    """
    require_pairs(old, new, least=LEAST_PAIRS)
    count = len(old)
    depth = min(max(DEPTHS), count - 1)
    before, after = (nearest_lists(one, [one], depth=depth, own=np.arange(count)) for one in (old, new))
    return PairedDrift(
        pairs=count,
        agreement=agreement(old, new),
        neighbours=compare_lists(before, after, choices=count - 1),
        procrustes=procrustes(old, new),
        alignment=alignment(old, new),
        distance_correlation=distance_correlation(old, new, seed=seed),
        old=geometry(old, before[:, :DEPTH]),
        new=geometry(new, after[:, :DEPTH]),
    )
