"""Searching: a query's words and its vector are compared with what is current in one embedding space."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.anchors import a_short_one
from holocron_assets.derived_spaces import open_space
from holocron_assets.errors import InputError
from holocron_assets.ports import Progress, ProviderCatalog, Purpose, Session, Store
from holocron_assets.promotion import DEFAULT, space_of_alias
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.filters import Filters
from holocron_assets.retrieval.hits import Fusion, Hit, Method, Mode, SearchResult
from holocron_assets.retrieval.index import Candidate
from holocron_assets.spaces import named_space, require_same_space
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.indexing import IndexPlace, current_index
from holocron_assets.stages.model_guard import require_model_unmoved
from holocron_assets.tables import spaces
from holocron_assets.transactions import read
from holocron_assets.vectors import require_valid

#: A longer query is an accident: no model reads so much, and its words would match everything.
MOST_CHARACTERS = 20_000
_HYBRID, _EVERYTHING = Method(), Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one space: the query, how to rank, how many hits, and what they must be.

    `min_score` bounds the score that the hits are ranked by.
    """

    query: str
    method: Method = _HYBRID
    top_k: int = 5
    filters: Filters = _EVERYTHING
    min_score: float | None = None


def search(
    store: Store,
    providers: ProviderCatalog,
    canary: CanaryPolicy,
    place: IndexPlace,
    question: Question,
    *,
    space: str | None = None,
    alias: str = DEFAULT,
    progress: Progress | None = None,
) -> SearchResult:
    """The best current chunks for a question, in `space` (by any unmistakable part of its name) or by an alias.

    Raises `InputError` for a query that cannot be answered, `ConfigurationError` when it is not clear which space is
    meant, and `SpaceMismatchError` when the provider's vectors are no longer those of the space.
    """
    _require_answerable(question)
    chosen = read(store, _chosen, space, alias)
    vectors = None
    if question.method.mode is not Mode.LEXICAL:
        vectors = query_vectors(store, providers, canary, chosen, [question.query])
    index = current_index(store, chosen, place, progress)
    (candidates,) = index.rank([question.query], vectors, question.method, question.top_k, question.filters)
    if question.min_score is not None:
        candidates = [one for one in candidates if score_of(one, question.method) >= question.min_score]
    return SearchResult(
        query=question.query,
        space=chosen.slug,
        embedding_space_id=chosen.embedding_space_id,
        method=question.method,
        ranked_by=ranked_by(question.method),
        hits=tuple(index.hits(candidates)),
        chunks_not_embedded=index.manifest.chunks_not_embedded,
        filters=question.filters.given(),
    )


def query_vectors(
    store: Store, providers: ProviderCatalog, canary: CanaryPolicy, space: EmbeddingSpace, queries: Sequence[str]
) -> NDArray[np.float32]:
    """The vectors of queries in a space, of shape (len(queries), dimensions), by the model that made those of chunks.

    Raises `SpaceMismatchError` when it is another one now.
    """
    provider = open_space(store, providers, space)
    require_same_space(space, provider.describe())
    require_model_unmoved(store, providers, space, canary, a_short_one)
    vectors = provider.embed(queries, Purpose.QUERY).values
    # The name may have come to mean another model since it was looked at.
    require_same_space(space, provider.describe())
    require_valid(vectors, space, len(queries))
    return vectors


def ranked_by(method: Method) -> str:
    """The name, in `Scores`, of the score by which a method orders."""
    if method.mode is Mode.HYBRID:
        return "rrf" if method.fusion is Fusion.RRF else "weighted"
    return "cosine_similarity" if method.mode is Mode.VECTOR else "bm25"


def score_of(found: Candidate | Hit, method: Method) -> float:
    """The score that a method ordered it by."""
    return float(getattr(found.scores, ranked_by(method)))


def _require_answerable(question: Question) -> None:
    if not question.query.strip():
        raise InputError("the query is empty; ask for something")
    if len(question.query) > MOST_CHARACTERS:
        raise InputError(f"the query has {len(question.query):,} characters; ask with at most {MOST_CHARACTERS:,}")
    if question.top_k < 1:
        raise InputError(f"{question.top_k} hits cannot be found; ask for at least one")


def _chosen(session: Session, space: str | None, alias: str) -> EmbeddingSpace:
    registered = spaces.list_spaces(session)
    if space is None:
        return space_of_alias(session, registered, alias)
    return named_space([one for one in registered if one.is_active], space)
