"""The chunks of two windows as one set of rows, with what is known of each."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from holocron_assets.drift.content.windows import Attribute, Categorical, Numeric, Windows
from holocron_assets.stages.windows import Members, codes_of


def pooled(reference: Members, current: Members) -> Windows:
    """The rows of the reference, then those of the current window.

    Nothing that is said of a row depends on which window it is in, nor on how many others that holds: else permuting
    the windows would tell nothing.
    """
    parts = (reference, current)
    before, after = (part.documents for part in parts)
    first = int(before.max(initial=-1)) + 1
    documents = np.concatenate([before, after + first])
    keys = pa.concat_tables([part.keys for part in parts])
    lengths = pc.fill_null(keys.column("byte_count"), 0)
    attributes: dict[str, Attribute] = {
        "log_length": Numeric(values=np.log1p(np.asarray(lengths).astype(np.float64))),
    }
    for name in ("language", "origin"):
        codes, names = codes_of(keys.column(name))
        attributes[name] = Categorical(codes=codes, names=names.to_pylist())
    is_current = np.arange(int(documents.max(initial=-1)) + 1) >= first
    times = np.full(is_current.size, np.inf)
    np.minimum.at(times, documents, np.asarray(keys.column("fetched_utc").cast(pa.int64())).astype(np.float64))
    texts, _ = codes_of(keys.column("content_sha256"))
    return Windows(document_of_row=documents, is_current=is_current, attributes=attributes, times=times, texts=texts)
