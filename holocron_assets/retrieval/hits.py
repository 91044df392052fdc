"""What a search is asked and what it answers. Every score has the name of what it is; two kinds are never mixed."""

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from holocron_assets.errors import ConfigurationError

#: What a word's weight in a passage is made of; https://en.wikipedia.org/wiki/Okapi_BM25
BM25_K1, BM25_B = 1.5, 0.75
#: The constant of reciprocal rank fusion: Cormack, Clarke and Buettcher, SIGIR 2009.
RRF_K = 60


class Mode(StrEnum):
    """What a query is compared by."""

    VECTOR = "vector"  #: the cosine between its vector and a chunk's
    LEXICAL = "lexical"  #: the words that both have, by BM25
    HYBRID = "hybrid"  #: both, fused


class Fusion(StrEnum):
    """How the ranks or scores of a hybrid search become one."""

    RRF = "rrf"  #: reciprocal rank fusion
    WEIGHTED = "weighted"  #: each leg's scores brought to 0..1 by their minimum and maximum, then added


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What each comparison gave a hit; None where it was not made, or did not find it.

    `cosine_similarity`: -1 to 1, comparable in one space only. `bm25`: 0 or more, comparable in one query only. `rrf`:
    the sum over legs of weight / (60 + rank). `weighted`: 0 to 1. `rerank`: as the reranker says.
    """

    cosine_similarity: float | None = None
    bm25: float | None = None
    rrf: float | None = None
    weighted: float | None = None
    rerank: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way of ranking; `vector_weight`, from 0 to 1, is the share of the vectors in a hybrid one."""

    mode: Mode = Mode.HYBRID
    fusion: Fusion = Fusion.RRF
    vector_weight: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.vector_weight <= 1:
            raise ConfigurationError(f"the weight of vectors is a share from 0 to 1, not {self.vector_weight:g}")

    def __str__(self) -> str:
        return f"hybrid:{self.fusion}:{self.vector_weight:g}" if self.mode is Mode.HYBRID else str(self.mode)

    @property
    def ranked_by(self) -> str:
        """The name, in `Scores`, of the score by which it orders."""
        if self.mode is Mode.HYBRID:
            return str(self.fusion)
        return "cosine_similarity" if self.mode is Mode.VECTOR else "bm25"

    def score(self, scores: Scores) -> float:
        """That score; raises `ValueError` where there is none: two kinds are never mixed up."""
        value: float | None = getattr(scores, self.ranked_by)
        if value is None:
            raise ValueError(f"a chunk was found by {self}, and has no {self.ranked_by}")
        return value

    @classmethod
    def asked(cls, mode: Mode | None, fusion: Fusion | None, vector_weight: float | None) -> Self | None:
        """As far as it is said, the rest as it is by itself; None where nothing is, so that another may be meant.

        Raises `ConfigurationError` for a fusion, or a weight, without a hybrid search.
        """
        said: dict[str, Any] = {"mode": mode, "fusion": fusion, "vector_weight": vector_weight}
        given = {name: value for name, value in said.items() if value is not None}
        if mode not in (None, Mode.HYBRID) and len(given) > 1:
            raise ConfigurationError(f"fusion and vector weight belong to a hybrid search, and this one is {mode}")
        return cls(**given) if given else None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The method that `str` wrote: `vector`, `lexical`, `hybrid:rrf:0.5`; raises `ConfigurationError`."""
        try:
            mode, *how = text.split(":")
            if not how:
                return cls(mode=Mode(mode))
            fusion, weight = how
            if Mode(mode) is not Mode.HYBRID:
                raise ValueError(mode)
            return cls(mode=Mode.HYBRID, fusion=Fusion(fusion), vector_weight=float(weight))
        except ValueError as error:
            raise ConfigurationError(
                f"{text!r} is no way of ranking: vector, lexical, hybrid, or e.g. hybrid:weighted:0.5"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that was found, its text, and where that came from. `rank` counts from 1."""

    rank: int
    chunk_id: str
    source_id: str
    title: str | None
    scores: Scores
    text: str
    url: str | None
    start_offset: int
    end_offset: int
    content_sha256: str
    source_type: str
    source_ref: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The hits of a query, the best first.

    `ranked_by` names the score that orders them; `chunks_not_embedded` counts the current chunks that the space lacked
    when it was asked; `notes` say what a reader must know, such as a reranker that failed.
    """

    query: str
    space: str
    embedding_space_id: uuid.UUID
    method: Method
    ranked_by: str
    hits: tuple[Hit, ...]
    chunks_not_embedded: int
    filters: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reranker: str | None = None  #: whose scores are in `rerank`
    retrieval_id: uuid.UUID | None = None  #: of its row in `vector.retrieval`, where it was logged
