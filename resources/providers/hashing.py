"""The `hashing` provider: vectors of byte n-grams, for tests and for trying the plumbing.

It knows spelling, not meaning: texts that share passages are near each other, a translation is not. It
needs no model, and integer arithmetic makes its vectors the same on every platform.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from holocron_assets.errors import InputRejectedError
from holocron_assets.identity import text_sha256
from holocron_assets.ports import EmbeddingProvider, Purpose
from holocron_assets.records import SpaceIdentity
from holocron_assets.vectors import Vectors
from resources.providers.options import Options, require_model

MODEL = "ngram"

#: Named in the digest: whoever changes a vector changes this sentence too.
_ALGORITHM = "signed feature hashing of overlapping UTF-8 byte n-grams, SplitMix64 finaliser, slot from the high half"

_WORD_BYTES = 8


class ByteNgramOptions(Options):
    """How long an n-gram is, in bytes, and how many slots it is hashed into."""

    dimensions: int = Field(default=256, ge=8, le=4096)
    ngram: int = Field(default=5, ge=1, le=_WORD_BYTES)


class ByteNgrams(EmbeddingProvider):
    """Signed feature hashing (Weinberger et al. 2009, arXiv:0902.2206), normalised to unit length."""

    batch_size = 4096
    batch_characters = 16_000_000
    concurrency = 1

    def __init__(self, model: str, options: Mapping[str, Any]) -> None:
        require_model("hashing", model, MODEL)
        self._options = ByteNgramOptions.read("hashing", options)

    def describe(self) -> SpaceIdentity:
        policy = self._options.model_dump()
        return SpaceIdentity(
            provider="hashing",
            model_name=MODEL,
            model_tag="v1",
            model_digest=text_sha256(_ALGORITHM),
            dimensions=self._options.dimensions,
            normalize=True,
            distance_metric="cosine",
            preprocess_policy=policy,
            is_plain=self._options == ByteNgramOptions(),
            description="hashed byte n-grams: spelling, not meaning",
        )

    def runtime(self) -> Mapping[str, str]:
        return {"engine": "numpy", "numpy": np.__version__}

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        values = np.empty((len(texts), self._options.dimensions), np.float32)
        for row, text in enumerate(texts):
            values[row] = self._vector(text)
        return Vectors(values=values, truncated_tokens=np.zeros(len(texts), np.int32))

    def _vector(self, text: str) -> NDArray[np.float64]:
        dimensions = self._options.dimensions
        slots = _uniform(_ngrams(text, self._options.ngram), 2 * dimensions)
        counts = np.bincount(slots, minlength=2 * dimensions)
        signed = counts[:dimensions] - counts[dimensions:]
        if not signed.any():  # an empty text, or n-grams that cancel out: a unit vector all the same
            signed[0] = 1
        return signed / math.sqrt(int(signed @ signed))


def _ngrams(text: str, length: int) -> NDArray[np.uint64]:
    """Each run of `length` bytes as one number; a shorter text is one n-gram, filled with zeros."""
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise InputRejectedError("the text is not valid Unicode: it holds half a surrogate pair") from error
    count = max(len(raw) - length + 1, min(len(raw), 1))
    # One unaligned 8-byte word at every byte: far cheaper than joining the bytes one by one.
    words = np.ndarray((count,), "<u8", raw + bytes(_WORD_BYTES - 1), strides=(1,))
    return words & np.uint64((1 << 8 * length) - 1)


def _uniform(keys: NDArray[np.uint64], slots: int) -> NDArray[np.int64]:
    """Spread `keys` evenly over `range(slots)`, in place.

    The mixing is the finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195).
    """
    keys ^= keys >> np.uint64(30)
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    keys ^= keys >> np.uint64(27)
    keys *= np.uint64(0x94D049BB133111EB)
    keys >>= np.uint64(32)
    keys *= np.uint64(slots)
    keys >>= np.uint64(32)
    return keys.view(np.int64)
