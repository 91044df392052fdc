"""Some rows of some documents, where looking at all of them would tell no more."""

import numpy as np
from numpy.typing import NDArray

from holocron_assets.drift.content.windows import MIN_DOCUMENTS, Windows


def sample_rows(
    windows: Windows, is_wanted: NDArray[np.bool_], most_rows: int, random: np.random.Generator
) -> NDArray[np.intp]:
    """Numbers of at most `most_rows` rows, ascending, of documents that are drawn at random from the wanted ones.

    A document comes with all its rows, or with so many that it leaves room for as many documents as a window must have:
    one with most of all rows does not keep the others out.
    """
    most_each = max(most_rows // MIN_DOCUMENTS, 1)
    shuffled = random.permutation(windows.document_of_row.size)
    by_document = shuffled[np.argsort(windows.document_of_row[shuffled], kind="stable")]
    sizes = windows.rows_of_document
    first = np.concatenate([[0], np.cumsum(sizes)])
    documents = random.permutation(np.flatnonzero(is_wanted))
    taken = np.minimum(sizes[documents], most_each)
    chosen = documents[np.cumsum(taken) <= most_rows]
    rows = [by_document[first[one] : first[one] + most_each][: sizes[one]] for one in chosen]
    return np.sort(np.concatenate(rows))


def draw_documents(is_wanted: NDArray[np.bool_], most: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """At most so many of the wanted documents, of shape (documents,), drawn without looking at their sizes."""
    is_drawn = np.zeros_like(is_wanted)
    is_drawn[random.permutation(np.flatnonzero(is_wanted))[:most]] = True
    return is_drawn


def spread_rows(
    windows: Windows, is_drawn: NDArray[np.bool_], most_rows: int, random: np.random.Generator
) -> NDArray[np.intp]:
    """Numbers of rows, ascending, of all drawn documents, at most `most_rows` of them, as many of each document as
    there is room for.

    None comes with more rows than half of them have: one with most of all rows counts as any other.
    """
    sizes = windows.rows_of_document[is_drawn]
    most_each = max(min(most_rows // sizes.size, int(np.median(sizes))), 1)
    shuffled = random.permutation(np.flatnonzero(is_drawn[windows.document_of_row]))
    by_document = shuffled[np.argsort(windows.document_of_row[shuffled], kind="stable")]
    place = np.arange(by_document.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(by_document[place < most_each])
