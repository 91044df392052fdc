"""Which rows hold a term, and how often: the part of a segment that a lexical search reads. Pure, but for its files."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

#: More than that of one term in one text tells nothing more.
_MOST = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """The terms of n rows of text.

    `terms` are sorted; term i is in `rows[starts[i]:starts[i + 1]]`, ascending, as often as `counts` says there.
    `lengths`, of shape (n,), counts the terms of each row.
    """

    terms: pa.StringArray
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.uint16]
    lengths: NDArray[np.int32]

    def find(self, term: str) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
        """The rows that hold a term, and how often each."""
        at = bisect_left(range(len(self.terms)), term, key=lambda index: self.terms[index].as_py())
        if at == len(self.terms) or self.terms[at].as_py() != term:
            return self.rows[:0], self.counts[:0]
        here = slice(int(self.starts[at]), int(self.starts[at + 1]))
        return self.rows[here], self.counts[here]

    def save(self, folder: Path) -> None:
        """Write them as files that `open_postings` maps."""
        terms = pa.table({"term": self.terms})
        with pa.OSFile(str(folder / "terms.arrow"), "wb") as file, pa.ipc.new_file(file, terms.schema) as writer:
            writer.write_table(terms)
        for name in ("starts", "rows", "counts", "lengths"):
            np.save(folder / f"{name}.npy", getattr(self, name))


def open_postings(folder: Path) -> Postings:
    """What `Postings.save` wrote; the larger arrays stay on disk until they are read.

    Raises one of what numpy and Arrow raise, or `ValueError`, for anything else.
    """
    with pa.memory_map(str(folder / "terms.arrow")) as file:
        table = pa.ipc.open_file(file).read_all()
        table.validate(full=True)
        terms = table.column("term").combine_chunks()
    found = Postings(
        terms=terms,
        starts=np.load(folder / "starts.npy"),
        rows=np.load(folder / "rows.npy", mmap_mode="r"),
        counts=np.load(folder / "counts.npy", mmap_mode="r"),
        lengths=np.load(folder / "lengths.npy"),
    )
    kinds = [str(one.dtype) for one in (found.starts, found.rows, found.counts, found.lengths)]
    if terms.type != pa.string() or kinds != ["int64", "int32", "uint16", "int32"]:
        raise ValueError("its words are of another kind than those of an index")
    ends = (0, found.rows.size)
    if found.starts.shape != (len(terms) + 1,) or (found.starts[0], found.starts[-1]) != ends:
        raise ValueError("its words do not say where each of them is found")
    if (np.diff(found.starts) < 0).any() or found.counts.shape != found.rows.shape:
        raise ValueError("its words do not say in order where each of them is found")
    return found


def postings_of(texts: Iterable[Sequence[str]]) -> Postings:
    """The postings of rows, of each of which the terms are given."""
    known: dict[str, int] = {}
    terms, rows, counts, lengths = array("i"), array("i"), array("H"), array("i")
    for row, text in enumerate(texts):
        found = Counter(text)
        lengths.append(len(text))
        terms.extend([known.setdefault(term, len(known)) for term in found])
        rows.extend([row] * len(found))
        counts.extend([min(count, _MOST) for count in found.values()])
    return _sorted_by_term(
        list(known),
        np.frombuffer(terms, np.int32),
        np.frombuffer(rows, np.int32),
        np.frombuffer(counts, np.uint16),
        np.frombuffer(lengths, np.int32),
    )


def merged(parts: Sequence[tuple[Postings, NDArray[np.bool_]]]) -> Postings:
    """The postings of the rows that are kept of each part, numbered anew in the order of the parts.

    Of each part a mask of shape (its rows,) says which are kept.
    """
    known: dict[str, int] = {}
    terms, rows, counts, lengths = [], [], [], []
    first = 0
    for part, kept in parts:
        names = part.terms.to_pylist()
        here = np.repeat(
            np.array([known.setdefault(name, len(known)) for name in names], np.int32), np.diff(part.starts)
        )
        stays = kept[part.rows]
        numbers = (np.cumsum(kept) - 1 + first).astype(np.int32)
        terms.append(here[stays])
        rows.append(numbers[part.rows[stays]])
        counts.append(part.counts[stays])
        lengths.append(part.lengths[kept])
        first += int(kept.sum())
    return _sorted_by_term(
        list(known), np.concatenate(terms), np.concatenate(rows), np.concatenate(counts), np.concatenate(lengths)
    )


def _sorted_by_term(
    names: list[str],
    terms: NDArray[np.int32],
    rows: NDArray[np.int32],
    counts: NDArray[np.uint16],
    lengths: NDArray[np.int32],
) -> Postings:
    """`terms` index `names`; a name that no posting has any more is left out. Rows ascend within a term already."""
    used = np.bincount(terms, minlength=len(names))
    by_name = sorted((name for name, count in zip(names, used, strict=True) if count))
    place = {name: index for index, name in enumerate(by_name)}
    renumbered = np.array([place.get(name, -1) for name in names], np.int32)
    ordered = renumbered[terms] if names else terms
    order = np.argsort(ordered, kind="stable")
    starts = np.zeros(len(by_name) + 1, np.int64)
    np.cumsum(np.bincount(ordered, minlength=len(by_name)), out=starts[1:])
    return Postings(
        terms=pa.array(by_name, pa.string()), starts=starts, rows=rows[order], counts=counts[order], lengths=lengths
    )
