"""Transforms of vectors: fitted on a sample once, kept as an artefact, applied to any vector of their source. Pure.

A row comes out bit for bit the same alone or in a batch, and on every machine: projections are sums of integers that
float64 holds exactly, in whatever order they are added up (docs/decisions/0015-derived-spaces.md).
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from holocron_assets.errors import ConfigurationError, TransformError
from holocron_assets.identity import canonical_json

#: Of the artefact and of what is computed from it: whoever changes a number that comes out raises it.
VERSION = 1

#: A projection counts in units of 2**-26. The numbers of a vector no longer than 1 are then integers up to 2**26, and a
#: product of two such vectors, with all its partial sums, is an integer up to 2**52: float64 is exact up to 2**53.
_UNIT_BITS = 26
_LARGEST_CODE = 127

Matrix = NDArray[np.float32]


class Transform(ABC):
    """Makes a vector of `dimensions` numbers, of unit length where `normalize` says so, of `source_dimensions`."""

    kind: ClassVar[str]
    #: Whether it is asked for with a number of dimensions, and whether it is fitted on a sample.
    takes_dimensions: ClassVar[bool] = False
    is_fitted: ClassVar[bool] = False

    def __init__(self, source_dimensions: int, dimensions: int, *, normalize: bool) -> None:
        self.source_dimensions = source_dimensions
        self.dimensions = dimensions
        self.normalize = normalize

    @classmethod
    @abstractmethod
    def fit(
        cls, sample: Iterable[Matrix], source_dimensions: int, dimensions: int, *, normalized: bool
    ) -> tuple[Self, Mapping[str, Any]]:
        """Fit it on batches of vectors of shape (n, source_dimensions); also returns what the sample told of itself.

        `normalized` says that the source's vectors have unit length. Raises `ConfigurationError` when the sample is
        too small.
        """

    @abstractmethod
    def apply(self, vectors: Matrix) -> Matrix:
        """(n, source_dimensions) to (n, dimensions), row by row. What loses all its length comes out as zeros."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What it is, in words and numbers, but for its matrix."""
        return {
            "version": VERSION,
            "kind": self.kind,
            "source_dimensions": self.source_dimensions,
            "dimensions": self.dimensions,
            "normalize": self.normalize,
        }

    def artefact(self) -> bytes:
        """All of it: a line of canonical JSON, then its matrix, if it has one, in little-endian integers."""
        return canonical_json(dict(self.parameters)).encode() + b"\n" + self._matrix()

    def _matrix(self) -> bytes:
        return b""

    @classmethod
    def read(cls, parameters: Mapping[str, Any], matrix: bytes) -> Self:
        """What `artefact` wrote."""
        if matrix:
            raise ValueError("bytes are left over")
        return cls(parameters["source_dimensions"], parameters["dimensions"], normalize=parameters["normalize"])

    @property
    def ref(self) -> str:
        """Names it for ever: what it is, its version, and the beginning of its artefact's hash."""
        size = f"-{self.dimensions}" if self.takes_dimensions else ""
        return f"{self.kind}{size}/{VERSION}:{artefact_sha256(self.artefact())[:16]}"


class Pca(Transform):
    """The directions that hold most of the squared length of the sample, which is not centred: cosines are kept."""

    kind = "pca"
    takes_dimensions = True
    is_fitted = True

    def __init__(
        self, source_dimensions: int, dimensions: int, *, normalize: bool, directions: NDArray[np.float64]
    ) -> None:
        super().__init__(source_dimensions, dimensions, normalize=normalize)
        #: Of shape (source_dimensions, dimensions), integers in units of 2**-26.
        self._directions = directions

    @classmethod
    def fit(
        cls, sample: Iterable[Matrix], source_dimensions: int, dimensions: int, *, normalized: bool
    ) -> tuple[Self, Mapping[str, Any]]:
        """The right singular vectors of the sample's largest singular values, each with its largest number positive."""
        products = np.zeros((source_dimensions, source_dimensions))
        for batch in sample:
            rows = batch.astype(np.float64)
            products += rows.T @ rows
        values, vectors = np.linalg.eigh(products)
        values, vectors = values[::-1], vectors[:, ::-1][:, :dimensions]
        rank = int(np.count_nonzero(values > max(values[0], 0.0) * source_dimensions * np.finfo(np.float64).eps))
        if rank < dimensions:
            raise ConfigurationError(
                f"the sample has vectors in {rank} independent directions, too few for {dimensions} dimensions. Fit on "
                "a larger sample, when more chunks are embedded, or ask for fewer dimensions."
            )
        largest = vectors[np.argmax(np.abs(vectors), axis=0), np.arange(dimensions)]
        directions = np.rint(np.ldexp(vectors * np.sign(largest), _UNIT_BITS)) + 0.0
        kept = float(values[:dimensions].sum() / values.sum())
        fitted = cls(source_dimensions, dimensions, normalize=normalized, directions=directions)
        return fitted, {"squared_length_kept": round(kept, 6)}

    def apply(self, vectors: Matrix) -> Matrix:
        """See `Transform`."""
        rows = _rows(vectors, self.source_dimensions)
        # A power of two brings rows of any length down to 1.
        shifts = np.zeros((len(rows), 1), np.int32)
        if not self.normalize:
            _, exponents = np.frexp(np.abs(rows).max(axis=1, keepdims=True, initial=0.0))
            shifts = exponents + (self.source_dimensions.bit_length() + 1) // 2
        units = np.rint(np.ldexp(rows, _UNIT_BITS - shifts))
        return _finished(np.ldexp(units @ self._directions, shifts - 2 * _UNIT_BITS), normalize=self.normalize)

    def _matrix(self) -> bytes:
        return self._directions.astype("<i4").tobytes()

    @classmethod
    def read(cls, parameters: Mapping[str, Any], matrix: bytes) -> Self:
        """See `Transform`."""
        source_dimensions, dimensions = parameters["source_dimensions"], parameters["dimensions"]
        directions = np.frombuffer(matrix, "<i4").reshape(source_dimensions, dimensions).astype(np.float64)
        return cls(source_dimensions, dimensions, normalize=parameters["normalize"], directions=directions)


class Matryoshka(Transform):
    """The first numbers of a vector, for models that were trained to put what matters there."""

    kind = "matryoshka"
    takes_dimensions = True

    @classmethod
    def fit(
        cls, sample: Iterable[Matrix], source_dimensions: int, dimensions: int, *, normalized: bool
    ) -> tuple[Self, Mapping[str, Any]]:
        """Nothing is fitted."""
        return cls(source_dimensions, dimensions, normalize=normalized), {}

    def apply(self, vectors: Matrix) -> Matrix:
        """See `Transform`."""
        return _finished(_rows(vectors, self.source_dimensions)[:, : self.dimensions], normalize=self.normalize)


class Int8(Transform):
    """Whole numbers from -127 to 127, in one scale for all: the largest number of the sample is 127."""

    kind = "int8"
    is_fitted = True

    def __init__(self, source_dimensions: int, dimensions: int, *, normalize: bool, largest: float) -> None:
        super().__init__(source_dimensions, dimensions, normalize=normalize)
        self._largest = largest

    @classmethod
    def fit(
        cls, sample: Iterable[Matrix], source_dimensions: int, dimensions: int, *, normalized: bool
    ) -> tuple[Self, Mapping[str, Any]]:
        """The scale."""
        largest = max((float(np.abs(batch).max(initial=0.0)) for batch in sample), default=0.0)
        if not largest:
            raise ConfigurationError("the sample has no vector to take the scale from. Materialise embeddings first.")
        return cls(source_dimensions, dimensions, normalize=False, largest=largest), {}

    def apply(self, vectors: Matrix) -> Matrix:
        """See `Transform`. A number beyond the largest of the sample is cut off there."""
        codes = np.rint(_rows(vectors, self.source_dimensions) * (_LARGEST_CODE / self._largest))
        return _finished(np.clip(codes, -_LARGEST_CODE, _LARGEST_CODE), normalize=False)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """See `Transform`."""
        return {**super().parameters, "largest": self._largest}

    @classmethod
    def read(cls, parameters: Mapping[str, Any], matrix: bytes) -> Self:
        """See `Transform`."""
        if matrix or not parameters["largest"] > 0:
            raise ValueError("no scale, or bytes left over")
        dimensions = parameters["dimensions"]
        return cls(dimensions, dimensions, normalize=parameters["normalize"], largest=parameters["largest"])


class Binary(Transform):
    """The signs alone, as 1 and -1; 0 counts as positive. The cosine is 1 - 2 * (differing signs) / dimensions."""

    kind = "binary"

    @classmethod
    def fit(
        cls, sample: Iterable[Matrix], source_dimensions: int, dimensions: int, *, normalized: bool
    ) -> tuple[Self, Mapping[str, Any]]:
        """Nothing is fitted."""
        return cls(source_dimensions, dimensions, normalize=False), {}

    def apply(self, vectors: Matrix) -> Matrix:
        """See `Transform`."""
        return np.where(_rows(vectors, self.source_dimensions) >= 0, np.float32(1), np.float32(-1))


#: What may be asked for, by its name.
KINDS: Mapping[str, type[Transform]] = {kind.kind: kind for kind in (Pca, Matryoshka, Int8, Binary)}


def artefact_sha256(artefact: bytes) -> str:
    """SHA-256 of an artefact as lower-case hex."""
    return hashlib.sha256(artefact).hexdigest()


def load(artefact: bytes, sha256: str) -> Transform:
    """The transform of an artefact; raises `TransformError` unless it is the one with this hash."""
    if artefact_sha256(artefact) != sha256:
        raise TransformError("its artefact is not what its hash says")
    line, _, matrix = artefact.partition(b"\n")
    try:
        parameters = json.loads(line)
        if parameters["version"] != VERSION:
            raise TransformError(
                f"its artefact is of version {parameters['version']}, and only {VERSION} is known here"
            )
        return KINDS[parameters["kind"]].read(parameters, matrix)
    except (ValueError, KeyError, TypeError) as error:
        raise TransformError(f"its artefact cannot be read: {type(error).__name__}: {error}") from error


def _rows(vectors: Matrix, dimensions: int) -> NDArray[np.float64]:
    if vectors.ndim != 2 or vectors.shape[1] != dimensions:
        raise TransformError(f"vectors of shape {vectors.shape} were handed to a transform of {dimensions} dimensions")
    return np.ascontiguousarray(vectors, np.float64)


def _finished(rows: NDArray[np.float64], *, normalize: bool) -> Matrix:
    """As float32, of unit length where that is wanted; adding 0 makes -0 of any origin 0."""
    if normalize:
        lengths = np.sqrt(np.square(np.ascontiguousarray(rows)).sum(axis=1, keepdims=True))
        rows = rows / np.where(lengths > 0, lengths, 1.0)
    return rows.astype(np.float32) + np.float32(0)
