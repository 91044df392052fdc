"""How well rows match the words of a query, by BM25 over all segments of an index together. Pure.

The weight of a term t in a row d is idf(t) * f / (f + k1 * (1 - b + b * |d| / avg)), where f counts t in d, |d| counts
the terms of d, avg is the mean of that, and idf(t) = ln(1 + (N - n + 0.5) / (n + 0.5)) for n of N rows that hold t.
That is Robertson and Zaragoza (2009) without the constant factor k1 + 1, as Lucene has it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.retrieval.hits import BM25_B, BM25_K1
from holocron_assets.retrieval.postings import Postings

_DECIMALS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class WordPart:
    """The words of n rows, and which of these still count, of shape (n,)."""

    postings: Postings
    live: NDArray[np.bool_]


class WordIndex:
    """The words of all parts together.

    Statistics are those of the rows that count, whatever a filter leaves out of them: a score does not depend on it.
    """

    def __init__(self, parts: Sequence[WordPart]) -> None:
        self._parts = parts
        self._rows = sum(int(part.live.sum()) for part in parts)
        length = sum(float(part.postings.lengths[part.live].sum()) for part in parts)
        self._mean = length / self._rows if length else 1.0

    def scores(self, terms: Sequence[str]) -> list[NDArray[np.float64]]:
        """Of each part the scores of its rows, of shape (n,): 0 where a row has none of the terms, or does not count.

        A term that is asked twice counts twice.
        """
        scores = [np.zeros(part.live.size) for part in self._parts]
        scored: list[list[NDArray[np.int32]]] = [[] for _ in self._parts]
        for term in sorted(terms):
            found = [part.postings.find(term) for part in self._parts]
            counted = [part.live[numbers] for part, (numbers, _) in zip(self._parts, found, strict=True)]
            holding = sum(int(mask.sum()) for mask in counted)
            idf = math.log1p((self._rows - holding + 0.5) / (holding + 0.5))
            for number, ((numbers, counts), mask) in enumerate(zip(found, counted, strict=True)):
                here, often = numbers[mask], counts[mask].astype(np.float64)
                length = self._parts[number].postings.lengths[here] / self._mean
                scores[number][here] += idf * often / (often + BM25_K1 * (1 - BM25_B + BM25_B * length))
                scored[number].append(here)
        for score, rows in zip(scores, scored, strict=True):
            for here in rows:
                score[here] = np.round(score[here], _DECIMALS)
        return scores
