"""Looking up chunks of one table of keys in another."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def places_of(chunks: pa.Table, among: pa.Table) -> NDArray[np.int64]:
    """In which row of `among` each chunk is with the same content, shape (chunks,); -1 where in none.

    Both have the columns chunk_id and content_sha256, and `among` no chunk twice.
    """
    places = pc.index_in(chunks.column("chunk_id"), value_set=among.column("chunk_id").combine_chunks())
    same = pc.equal(among.column("content_sha256").take(places), chunks.column("content_sha256"))
    return np.where(np.asarray(pc.fill_null(same, False)), np.asarray(pc.fill_null(places, -1)), -1).astype(np.int64)
