"""A model that moves: what may happen to one between two runs, for tests of what notices it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from holocron_assets.errors import InputRejectedError
from holocron_assets.ports import EmbeddingProvider, ProviderCatalog, Purpose
from holocron_assets.records import EmbeddingSpace, SpaceIdentity
from holocron_assets.vectors import Vectors
from resources.providers import open_provider


@dataclass
class Moving(EmbeddingProvider):
    """The hashing provider with whatever may happen to a model: `turned` radians, `noise`, another digest or engine."""

    turned: float = 0.0
    noise: float = 0.0
    digest: str | None = None
    version: str = "1"
    rejected: str | None = None
    batch_size: int = 16
    batch_characters: int = 100_000
    concurrency: int = 2
    calls: list[int] = field(default_factory=list)
    after: Any = None
    last: Sequence[str] = ()
    inner: EmbeddingProvider = field(default_factory=lambda: open_provider("hashing", "ngram", {"dimensions": 32}))
    _random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def describe(self) -> SpaceIdentity:
        described = self.inner.describe()
        return described if self.digest is None else replace(described, model_digest=self.digest)

    def runtime(self) -> Mapping[str, str]:
        return {"engine": "moving", "version": self.version}

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        self.calls.append(len(texts))
        self.last = list(texts)
        if self.rejected is not None and any(self.rejected in text for text in texts):
            raise InputRejectedError("too long")
        vectors = self.inner.embed(texts, purpose)
        values = vectors.values.astype(np.float64)
        first, second = values[:, 0].copy(), values[:, 1].copy()
        values[:, 0] = np.cos(self.turned) * first - np.sin(self.turned) * second
        values[:, 1] = np.sin(self.turned) * first + np.cos(self.turned) * second
        values += self.noise * self._random.standard_normal(values.shape)
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        if self.after:
            self.after(self)
        return Vectors(values=values.astype(np.float32), truncated_tokens=vectors.truncated_tokens)


@dataclass
class Catalog(ProviderCatalog):
    """Serves one provider under whatever name."""

    provider: Moving

    def open(self, provider: str, model: str, options: Mapping[str, Any]) -> EmbeddingProvider:
        return self.provider

    def reopen(self, space: EmbeddingSpace) -> EmbeddingProvider:
        return self.provider
