"""What providers that ask a server have in common, whatever it speaks."""

import numpy as np
from numpy.typing import NDArray

from holocron_assets.errors import ProviderError
from holocron_assets.model_servers import ModelServerSettings
from holocron_assets.ports import EmbeddingProvider
from holocron_assets.vectors import NORM_TOLERANCE

#: What a model is asked first, to see what its vectors are like.
PROBE = "why is the sky blue?"


class ServedProvider(EmbeddingProvider):
    """Is asked as the settings of its server say."""

    def __init__(self, asked_as: ModelServerSettings) -> None:
        self._asked_as = asked_as

    @property
    def batch_size(self) -> int:
        return self._asked_as.batch_size

    @property
    def batch_characters(self) -> int:
        return self._asked_as.batch_characters

    @property
    def concurrency(self) -> int:
        """One more than are with the server at once: it reads its answer meanwhile."""
        return self._asked_as.concurrency + 1


def is_normalized(vector: NDArray[np.float32], model: str) -> bool:
    """Whether the answer to `PROBE` has length 1; `ProviderError` where it has none. `model` is for messages."""
    norm = float(np.linalg.norm(vector.astype(np.float64)))
    if not np.isfinite(norm) or norm == 0:
        raise ProviderError(f"{model} embeds {PROBE!r} as a vector of length {norm}")
    return abs(norm - 1) <= NORM_TOLERANCE
