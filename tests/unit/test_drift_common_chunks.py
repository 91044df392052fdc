"""Drawing chunks that two spaces have in common."""

import numpy as np
import pyarrow as pa
import pytest

from holocron_assets.clock import utc_now
from holocron_assets.comparisons.common_chunks import CommonChunks
from holocron_assets.stages.windows import Members, Window


def of_sizes(*sizes: int) -> CommonChunks:
    """Chunks of documents that are so large, in any order."""
    documents = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes), dtype=np.int32), sizes))
    rows = np.arange(documents.size)
    window = Window(label="all", as_of=utc_now())
    members = Members(window=window, keys=pa.table({}), found=0, file=None, dimensions=1, lost=0)  # type: ignore[arg-type]
    return CommonChunks(reference=members, current=members, reference_rows=rows, current_rows=rows, documents=documents)


@pytest.mark.parametrize("seed", range(5))
def test_a_document_that_is_nearly_everything_is_drawn_from(seed: int) -> None:
    """However large one document is, as many chunks are drawn as are wanted, and at most twice as many."""
    for common in (of_sizes(9000, *[1] * 100), of_sizes(*[3] * 1000), of_sizes(9000)):
        drawn = common.sample(500, seed)
        assert 500 <= drawn.size <= 1000
        assert np.unique(drawn).size == drawn.size
