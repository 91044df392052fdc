"""What kind of change the model of a space went through. Pure.

The cut-offs are a judgement from a ladder that was measured: the Cranfield collection's 1,400 texts, embedded by
all-MiniLM-L6-v2 as it is and changed on purpose.

    change                       cosine mean  least     overlap@10  Procrustes
    one by one, or in batches    1            1 - 1e-6
    weights stored as fp16       1.00000      1.00000   .9994       0.00000
    weights stored as int8       .99947       .99634    .980        .00041
    int8 while it computes       .99454       .98295    .911        .00968
    128 tokens instead of 256    .950         .750      .679        .114
    another model                                       .392        .530
"""

from enum import StrEnum

from holocron_assets.drift.paired.agreement import Agreement
from holocron_assets.drift.paired.procrustes import Procrustes

#: 1 less the least cosine that rounding explains; ten times what was measured.
NOISE_DISTANCE = 1e-5
#: By how much of it the length of a vector may change and be called the same: rounding stays below 1e-4.
LENGTH_TOLERANCE = 1e-3
#: Between "int8 while it computes" and "128 tokens instead of 256".
QUANTISED_MEAN_COSINE = 0.99
#: Between them too: a limit that is cut moves few texts, and those far.
QUANTISED_LEAST_COSINE = 0.95
QUANTISED_OVERLAP = 0.85
#: What weights stored as int8 keep, and somewhat more than they leave behind.
ROTATED_OVERLAP = 0.98
ROTATED_RESIDUAL = 1e-3


class ModelChange(StrEnum):
    """From nothing to everything; only of the first two may old and new vectors stand in one index."""

    IDENTICAL = "identical"  #: every bit
    NOISE = "numeric noise"  #: the same but for rounding
    QUANTISED = "quantisation-like"  #: a little off, neighbours mostly kept
    ROTATED = "rotated"  #: the same neighbours in another frame: turned, mirrored or scaled
    DIFFERENT = "different"  #: another space


def classify(agreement: Agreement, overlap: float, procrustes: Procrustes | None) -> ModelChange:
    """`overlap` is the mean overlap@10 of neighbours among the old vectors and among the new ones.

    A scaled and moved space is laid over the old one with nothing left, but has other neighbours by cosine: it is
    different, not rotated.
    """
    if agreement.bitwise_equal == 1:
        return ModelChange.IDENTICAL
    keeps_lengths = agreement.largest_length_change <= LENGTH_TOLERANCE
    if keeps_lengths and agreement.least_cosine >= 1 - NOISE_DISTANCE:
        return ModelChange.NOISE
    is_near = agreement.mean_cosine >= QUANTISED_MEAN_COSINE and agreement.least_cosine >= QUANTISED_LEAST_COSINE
    fits = procrustes is not None and procrustes.after <= ROTATED_RESIDUAL
    if fits and overlap >= ROTATED_OVERLAP and not (is_near and keeps_lengths):
        return ModelChange.ROTATED
    return ModelChange.QUANTISED if is_near and overlap >= QUANTISED_OVERLAP else ModelChange.DIFFERENT
