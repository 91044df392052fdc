"""Searching: a query's words and its vector are compared with what is current in one embedding space."""

import math
import re
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from holocron_assets.anchors import a_short_one
from holocron_assets.derived_spaces import model_space, open_space
from holocron_assets.errors import IndexDamagedError, QuestionError, SearchIndexError, StoreBusyError
from holocron_assets.evaluation.comparing import best_method
from holocron_assets.ports import EmbeddingProvider, Progress, ProviderCatalog, Purpose, Session, Store
from holocron_assets.promotion import DEFAULT, space_of_alias
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.filters import Filters
from holocron_assets.retrieval.hits import Hit, Method, Mode, SearchResult
from holocron_assets.retrieval.index import Candidate, SearchIndex
from holocron_assets.retrieval.reranking import HitVectors, NoReranker, Reranker, reranked
from holocron_assets.spaces import named_space, require_same_space
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.indexing import IndexPlace, current_index, refresh_index
from holocron_assets.stages.model_guard import require_model_unmoved, require_settled
from holocron_assets.tables import spaces
from holocron_assets.transactions import read
from holocron_assets.vectors import require_valid

#: A longer query is an accident: no model reads so much, and its words would match everything.
MOST_CHARACTERS = 20_000
#: Half of a character: what is left of bytes that were read in another encoding than they were written in.
_SURROGATE = re.compile("[\ud800-\udfff]")
_EVERYTHING = Filters()
_Read = TypeVar("_Read")
#: A searcher compares the model of a space with its registered anchors so often, and when it gets others.
_ANCHOR_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one space: the query, how to rank, how many hits, and what they must be.

    Without a method the hits are ranked as was best when the space was evaluated; where it never was, by both legs with
    equal weights. `min_score` bounds the score by which the method ranks, before a reranker; it needs a method.
    """

    query: str
    method: Method | None = None
    top_k: int = 5
    filters: Filters = _EVERYTHING
    min_score: float | None = None


class Log(Protocol):
    """Keeps what was searched for and found."""

    def __call__(self, result: SearchResult, *, top_k: int, min_score: float | None) -> uuid.UUID:
        """Write it down, as `holocron_assets.retrieval_log.log_retrieval` does; returns its `retrieval_id`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meaning:
    """A space, what ranks best there as far as is known, and what the store looked like then from outside."""

    space: EmbeddingSpace
    method: Method
    stamp: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """When the model of a space was compared with the anchors of a canary; `stamp`: since when these count."""

    canary_id: uuid.UUID | None
    stamp: str | None
    seconds: float


class Searcher:
    """Answers questions from the search indexes of a store. May be used by several threads at once.

    What it opened stays open. While nothing is committed to the store, what it was asked before in a space, by vectors
    or not, it answers without waiting for whoever holds it.
    """

    def __init__(
        self,
        store: Store,
        providers: ProviderCatalog,
        canary: CanaryPolicy,
        place: IndexPlace,
        log: Log,
        reranker: Reranker | None = None,
        *,
        rerank_depth: int = 20,
        logs: bool = False,
    ) -> None:
        self._store = store
        self._providers = providers
        self._canary = canary
        self._place = place
        self._reranker = reranker or NoReranker()
        self._depth = rerank_depth
        self._log, self._logs = log, logs
        self._meanings: dict[tuple[str, str], _Meaning] = {}
        self._compared: dict[uuid.UUID, _Compared] = {}
        self._locks: dict[uuid.UUID, threading.Lock] = {}
        self._indexes: dict[str, SearchIndex] = {}
        self._opened: dict[str, EmbeddingProvider] = {}

    def search(
        self,
        question: Question,
        *,
        space: str | None = None,
        alias: str = DEFAULT,
        log: bool | None = None,
        progress: Progress | None = None,
    ) -> SearchResult:
        """The best current chunks for a question, in `space` (by any unmistakable part of its name) or by an alias.

        With `log` they are written to `vector.retrieval`, too; where it is None, if this searcher `logs`.

        Raises `QuestionError` for what cannot be asked, `ConfigurationError` when it is not clear which space is meant,
        and `SpaceMismatchError` when the provider's vectors are no longer those of the space.
        """
        _require_answerable(question)
        meaning = self._meant(space, alias)
        chosen, method = meaning.space, question.method or meaning.method
        vectors = self._embedded(chosen, [question.query]) if method.mode is not Mode.LEXICAL else None
        depth = question.top_k if isinstance(self._reranker, NoReranker) else max(question.top_k, self._depth)

        def found(index: SearchIndex) -> tuple[SearchIndex, list[Candidate], list[Hit]]:
            (candidates,) = index.rank([question.query], vectors, method, depth, question.filters)
            if question.min_score is not None:
                candidates = [one for one in candidates if method.score(one.scores) >= question.min_score]
            return index, candidates, index.hits(candidates)

        index, candidates, hits = self._read(chosen, found, progress)
        result = SearchResult(
            query=question.query,
            space=chosen.slug,
            embedding_space_id=chosen.embedding_space_id,
            method=method,
            ranked_by=method.ranked_by,
            hits=tuple(hits),
            chunks_not_embedded=index.manifest.chunks_not_embedded,
            filters=question.filters.given(),
            notes=(index.manifest.note,) if vectors is not None and index.manifest.note else (),
        )
        compared = None if vectors is None else HitVectors(query=vectors[0], hits=index.vectors(candidates))
        result = reranked(result, self._reranker, compared, question.top_k)
        if not (self._logs if log is None else log):
            return result
        return replace(result, retrieval_id=self._log(result, top_k=question.top_k, min_score=question.min_score))

    def space(self, space: str | None = None, alias: str = DEFAULT) -> EmbeddingSpace:
        """The space that a name or an alias means; raises as `search`."""
        return self._meant(space, alias).space

    def index(self, space: EmbeddingSpace, progress: Progress | None = None) -> SearchIndex:
        """The index of a space, with nothing stale in it."""
        index = current_index(self._store, space, self._place, progress, known=self._indexes.get(space.slug))
        self._indexes[space.slug] = index
        return index

    def passages(self, space: EmbeddingSpace, source_id: str, progress: Progress | None = None) -> list[Hit]:
        """Every current chunk of a source, in the order of its text, without scores."""
        return self._read(space, lambda index: index.passages(source_id), progress)

    def _read(self, space: EmbeddingSpace, reading: Callable[[SearchIndex], _Read], progress: Progress | None) -> _Read:
        """What is read from the index of a space; from one that is built anew where its files turn out damaged."""
        try:
            return reading(self.index(space, progress))
        except IndexDamagedError:
            refreshed = refresh_index(self._store, space, self._place, progress, examines=True)
        self._indexes[space.slug] = refreshed.index
        try:
            return reading(refreshed.index)
        except IndexDamagedError as error:
            raise SearchIndexError(
                f"{error.__cause__ or error}. The index is as it was built, so the store holds it so: `holocron "
                "verify` names what is wrong there."
            ) from error

    def _meant(self, space: str | None, alias: str) -> _Meaning:
        """What is asked for by a name or an alias, read again where something was committed, or that cannot be told."""
        stamp = self._store.stamp()
        known = self._meanings.get(_named(space, alias))
        if known is not None and stamp is not None and known.stamp == stamp:
            return known
        chosen, method = read(self._store, _chosen, space, alias)
        meaning = _Meaning(space=chosen, method=method, stamp=stamp)
        # Whoever was answered goes on with the whole name.
        self._meanings |= dict.fromkeys([_named(space, alias), _named(chosen.slug, alias)], meaning)
        return meaning

    def _require_compared(self, space: EmbeddingSpace) -> None:
        """Compare the model of a space with the registered anchors, unless that was done just now; by one at a time."""
        if self._is_compared(space):
            return
        with self._locks.setdefault(space.embedding_space_id, threading.Lock()):
            # Of several who found it due, the first has done it meanwhile.
            if not self._is_compared(space):
                self._compare(space)

    def _is_compared(self, space: EmbeddingSpace) -> bool:
        known = self._compared.get(space.embedding_space_id)
        if known is None or time.monotonic() - known.seconds >= _ANCHOR_SECONDS:
            return False
        stamp = self._store.stamp()
        if stamp is not None and stamp == known.stamp:
            return True
        if require_settled(self._store, model_space(self._store, space)) != known.canary_id:
            return False
        self._compared[space.embedding_space_id] = replace(known, stamp=stamp)
        return True

    def _compare(self, space: EmbeddingSpace) -> None:
        stamp = self._store.stamp()
        try:
            self._provider(space)
            canary_id = require_model_unmoved(self._store, self._providers, space, self._canary, a_short_one)
        except StoreBusyError:
            # Nothing was committed since it was fit, so it still is; the model's digest is looked at in any case.
            known = self._compared.get(space.embedding_space_id)
            if known is None or stamp is None or known.stamp != stamp:
                raise
            canary_id = known.canary_id
        self._compared[space.embedding_space_id] = _Compared(canary_id=canary_id, stamp=stamp, seconds=time.monotonic())

    def _provider(self, space: EmbeddingSpace) -> EmbeddingProvider:
        """What embeds queries of a space; raises `SpaceMismatchError` when it serves another one now."""
        if space.slug not in self._opened:
            # What a derived space's vectors are made by is read from the store, and never changes.
            self._opened[space.slug] = open_space(self._store, self._providers, space)
        provider = self._opened[space.slug]
        require_same_space(space, provider.describe())
        return provider

    def _embedded(self, space: EmbeddingSpace, queries: Sequence[str]) -> NDArray[np.float32]:
        self._require_compared(space)
        provider = self._provider(space)
        vectors = provider.embed(queries, Purpose.QUERY).values
        # The name may have come to mean another model since it was looked at.
        require_same_space(space, provider.describe())
        require_valid(vectors, space, len(queries))
        return vectors


def _named(space: str | None, alias: str) -> tuple[str, str]:
    return ("alias", alias) if space is None else ("space", space)


def _require_answerable(question: Question) -> None:
    given: tuple[object, object, object] = (question.query, question.top_k, question.min_score)
    if not isinstance(given[0], str):
        raise QuestionError(f"a query is a text, and {given[0]!r:.50} is none")
    if not isinstance(given[1], int):
        raise QuestionError(f"{given[1]!r:.50} hits cannot be found; ask for a whole number")
    if not isinstance(given[2], float | int | None) or not math.isfinite(given[2] or 0):
        raise QuestionError(f"a least score is a number, and {given[2]!r:.50} is none")
    if not question.query.strip():
        raise QuestionError("the query is empty; ask for something")
    if len(question.query) > MOST_CHARACTERS:
        raise QuestionError(f"the query has {len(question.query):,} characters; ask with at most {MOST_CHARACTERS:,}")
    filtered = question.filters.given().values()
    texts = [text for one in filtered for text in ([one] if isinstance(one, str) else one)]
    if longest := max((len(text) for text in texts if len(text) > MOST_CHARACTERS), default=None):
        raise QuestionError(f"a filter has {longest:,} characters; nothing that is filtered by has so many")
    if _SURROGATE.search("".join([question.query, *texts])):
        raise QuestionError("the query or a filter is no valid Unicode; was it handed over in another encoding?")
    if question.top_k < 1:
        raise QuestionError(f"{question.top_k} hits cannot be found; ask for at least one")
    if question.min_score is not None and question.method is None:
        raise QuestionError(
            "a least score is of the score that ranks, and without a mode that is whichever was best when the space "
            "was evaluated: say the mode, too"
        )


def _chosen(session: Session, space: str | None, alias: str) -> tuple[EmbeddingSpace, Method]:
    registered = spaces.list_spaces(session)
    if space is None:
        chosen = space_of_alias(session, registered, alias)
    else:
        chosen = named_space([one for one in registered if one.is_active], space)
    return chosen, best_method(session, chosen.embedding_space_id) or Method()
