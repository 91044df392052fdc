"""An independent all-MiniLM-L6-v2: BERT written out in float64 numpy, to test the real provider against.

Slow and plain on purpose. It shares no code with `resources.providers`.
"""

import math
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray
from safetensors.numpy import load_file

Array = NDArray[np.float64]

_HEADS = 12
_erf = np.vectorize(math.erf, otypes=[np.float64])


class Oracle:
    """Reads `model.safetensors` and `tokenizer.json` in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._weights = {
            name: tensor.astype(np.float64) for name, tensor in load_file(folder / "model.safetensors").items()
        }
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()

    def tokens(self, text: str, max_tokens: int = 512) -> list[int]:
        self._tokenizer.enable_truncation(max_tokens)
        return self._tokenizer.encode(text).ids

    def embed(self, text: str, max_tokens: int = 512) -> Array:
        tokens = self.tokens(text, max_tokens)
        x = (
            self._weights["embeddings.word_embeddings.weight"][tokens]
            + self._weights["embeddings.position_embeddings.weight"][: len(tokens)]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        x = self._standardise(x, "embeddings.LayerNorm")
        for number in range(6):
            x = self._layer(x, f"encoder.layer.{number}")
        mean = x.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _layer(self, x: Array, layer: str) -> Array:
        query, key, value = (self._heads(x, f"{layer}.attention.self.{role}") for role in ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        attended = (weights @ value).transpose(1, 0, 2).reshape(x.shape)
        x = self._standardise(
            self._linear(attended, f"{layer}.attention.output.dense") + x, f"{layer}.attention.output.LayerNorm"
        )
        inner = self._linear(x, f"{layer}.intermediate.dense")
        gelu = inner * 0.5 * (1 + _erf(inner / math.sqrt(2)))
        return self._standardise(self._linear(gelu, f"{layer}.output.dense") + x, f"{layer}.output.LayerNorm")

    def _heads(self, x: Array, name: str) -> Array:
        return self._linear(x, name).reshape(len(x), _HEADS, -1).transpose(1, 0, 2)

    def _linear(self, x: Array, name: str) -> Array:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _standardise(self, x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        return centred / np.sqrt(variance + 1e-12) * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
