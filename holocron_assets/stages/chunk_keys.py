"""Looking up chunks of one table of keys in another."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class ChunkRows:
    """In which row of a table of keys a chunk is, made ready once to be asked in blocks.

    Keys have the columns chunk_id and content_sha256; `among` has no chunk twice.
    """

    def __init__(self, among: pa.Table) -> None:
        self._ids = _bytes_of(among)
        self._order = np.argsort(self._ids, kind="stable")  # next to nothing where they are in order, as windows are
        self._contents = among.column("content_sha256")

    def of(self, chunks: pa.Table) -> NDArray[np.int64]:
        """The row of each chunk that is there with the same content, shape (chunks,); -1 for others."""
        if not self._ids.size:
            return np.full(chunks.num_rows, -1)
        wanted = _bytes_of(chunks)
        ascending = np.argsort(wanted)  # near ones are looked up near each other: half the time
        places = np.empty(wanted.size, np.int64)
        places[ascending] = np.searchsorted(self._ids, wanted[ascending], sorter=self._order)
        rows = self._order[np.minimum(places, self._ids.size - 1)]
        same = np.asarray(pc.equal(self._contents.take(pa.array(rows)), chunks.column("content_sha256")))
        return np.where(same & (self._ids[rows] == wanted), rows, -1)


def places_of(chunks: pa.Table, among: pa.Table) -> NDArray[np.int64]:
    """The same for all chunks at once."""
    return ChunkRows(among).of(chunks)


def _bytes_of(keys: pa.Table) -> NDArray[np.bytes_]:
    return np.asarray(keys.column("chunk_id").cast(pa.large_binary())).astype("S")
