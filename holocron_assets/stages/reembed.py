"""Embedding again what is embedded already, and comparing before anything is changed.

Equal vectors are left alone. Different ones mean that the model moved: that stops the run, unless it was told to
replace them. Another model, policy or transform is never embedded into a space; it is a space of its own.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holocron_assets.batching import batches
from holocron_assets.clock import utc_now
from holocron_assets.derived_spaces import derived_from, model_space
from holocron_assets.errors import ModelChangedError, NotReadyError
from holocron_assets.identity import vector_sha256
from holocron_assets.ports import EmbeddingProvider, Progress, Session, Store
from holocron_assets.records import EmbeddingSpace, ItemType, JobType, QuarantinedItem
from holocron_assets.runs import Origin, Run, record_options, recorded_run
from holocron_assets.spaces import require_same_space
from holocron_assets.stages.calling import ProviderCalls
from holocron_assets.stages.canary import (
    CanaryPolicy,
    Comparison,
    compare,
    ensure_canary,
    insert_answers,
    measure,
    told,
)
from holocron_assets.stages.embed import STAGE as EMBED_STAGE
from holocron_assets.tables import embeddings, quarantine, reembedding, runs, transforms
from holocron_assets.tables.embeddings import PendingChunk, Position
from holocron_assets.tables.reembedding import EmbeddedChunk, Reached, Replacement
from holocron_assets.transactions import read, write
from holocron_assets.vectors import relative_distances

STAGE = "reembed"

_PAGE_CHUNKS = 65536
_MOST_AT_ONCE = 1024
#: About how long one transaction's vectors take to embed; a crash costs no more.
_WINDOW_SECONDS = 2.0


@dataclass(slots=True, kw_only=True)
class ReembeddingReport:
    """What embedding a space again did. `resumed_after` were done by an earlier run that did not come to its end.

    `largest_distance` is how far a vector was from the stored one, in lengths of that.
    """

    space: EmbeddingSpace
    run_id: uuid.UUID | None = None
    resumed_after: int = 0
    compared: int = 0
    replaced: int = 0
    rejected: int = 0
    largest_distance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What the model answers to the content of an embedded chunk now; without a vector it rejects it, for a reason."""

    chunk: EmbeddedChunk
    vector: NDArray[np.float32] | None
    distance: float
    reason: str = ""


def reembed_space(
    store: Store,
    open_provider: Callable[[], EmbeddingProvider],
    space: EmbeddingSpace,
    canary: CanaryPolicy,
    origin: Origin,
    progress: Progress,
    *,
    source_prefix: str = "",
    replace: bool = False,
) -> ReembeddingReport:
    """Embed the current embeddings of a space again, those of sources whose id begins with `source_prefix`.

    Goes on where an earlier run of the same scope was interrupted, if what that did is what the model answers now.
    Raises `SpaceMismatchError` when the provider serves another space, and `ModelChangedError` at the first vectors
    that differ by more than the space's tolerance; with `replace` they are replaced instead, some in a transaction, and
    the space's anchors at the end. Vectors of a model that moved replace all of a space: `NotReadyError` for a part.
    """
    report = ReembeddingReport(space=space)
    if space.transform_ref is not None:
        source = model_space(store, space)
        raise NotReadyError(
            f"space {space.slug} is derived: no model makes its vectors. Re-embed {source.slug}; what is derived "
            "from a vector that is replaced is made anew by the next run."
        )
    if not read(store, reembedding.count_current_embeddings, space.embedding_space_id, source_prefix, after=None):
        return report
    earlier = read(store, reembedding.get_last_reembedding, space.embedding_space_id)
    options = {"source": source_prefix, "replace": replace}
    with recorded_run(store, origin, JobType.REEMBED_SPACE, stage=STAGE, options=options, space=space) as run:
        report.run_id = run.run_id
        provider = open_provider()
        require_same_space(space, provider.describe())
        options |= {"batch_size": provider.batch_size, "runtime": dict(provider.runtime())}
        record_options(store, run, options)
        ensure_canary(store, provider, space, canary)
        anchors = compare(store, provider, space, canary)
        _require_allowed(space, anchors, source_prefix, replace=replace)
        with ProviderCalls(provider, space) as calls:
            work = _Reembedding(store, space, provider, calls, run, options, report, anchors.tolerance)
            try:
                work.go_on(work.reached_by(earlier), progress)
            finally:
                run.count(
                    chunks_processed=report.compared,
                    embeddings_replaced=report.replaced,
                    texts_rejected=report.rejected,
                    api_calls=calls.calls,
                    api_duration_ms=round(calls.seconds * 1000),
                )
        if anchors.moved:
            write(store, insert_answers, space, measure(provider, space, canary), uuid.uuid4())
    return report


def _require_allowed(space: EmbeddingSpace, anchors: Comparison, source_prefix: str, *, replace: bool) -> None:
    if anchors.moved and not replace:
        raise ModelChangedError(
            f"space {space.slug}: its model answers otherwise than when it was registered. {told(anchors)}. Nothing "
            "was changed. Bring the old runtime back, or replace every vector of the space with --replace."
        )
    if anchors.moved and source_prefix:
        raise NotReadyError(
            f"space {space.slug}: its model moved, and vectors of before and after must not be mixed. {told(anchors)}. "
            "Replace the whole space: leave --source out."
        )


class _Reembedding:
    """One run under way."""

    def __init__(
        self,
        store: Store,
        space: EmbeddingSpace,
        provider: EmbeddingProvider,
        calls: ProviderCalls,
        run: Run,
        options: Mapping[str, Any],
        report: ReembeddingReport,
        tolerance: float,
    ) -> None:
        self._store = store
        self._space = space
        self._provider = provider
        self._calls = calls
        self._run = run
        self._options = options
        self._report = report
        self._tolerance = tolerance

    def reached_by(self, earlier: reembedding.Reembedding | None) -> Reached:
        """Where an interrupted run came to; nowhere if the model answers otherwise now to what that run did."""
        nowhere = Reached()
        if earlier is None or earlier.status == "SUCCEEDED" or earlier.source_prefix != self._options["source"]:
            return nowhere
        wanted = [*earlier.reached.sample, earlier.reached.chunk_id]
        sample = read(self._store, reembedding.list_sampled_embeddings, self._space.embedding_space_id, wanted)
        stands = any(
            (one.position, one.chunk_id) == (earlier.reached.position, earlier.reached.chunk_id) for one in sample
        )
        is_same = stands and all(answer.distance <= self._tolerance for answer in self._answers(sample))
        return earlier.reached if is_same else nowhere

    def go_on(self, reached: Reached, progress: Progress) -> None:
        self._report.resumed_after = reached.done
        space_id, source = self._space.embedding_space_id, self._options["source"]
        left = read(self._store, reembedding.count_current_embeddings, space_id, source, after=reached.position)
        total = reached.done + left
        for window in self._windows(reached.position):
            # What is compared is of this space only if the provider still serves it.
            require_same_space(self._space, self._provider.describe())
            answers = self._answers(window)
            different = [answer for answer in answers if not answer.distance <= self._tolerance]
            if different and not self._options["replace"]:
                raise self._moved(different, window)
            reached = reached.after(window)
            write(self._store, self._commit, different, reached)
            self._report.compared += len(answers)
            self._report.replaced += sum(answer.vector is not None for answer in different)
            self._report.rejected += sum(answer.vector is None for answer in different)
            known = [answer.distance for answer in answers if np.isfinite(answer.distance)]
            self._report.largest_distance = max([self._report.largest_distance, *known])
            progress(reached.done, total)

    def _windows(self, after: Position | None) -> Iterator[list[EmbeddedChunk]]:
        """As many at a time as are embedded in about the time that a crash may cost."""
        size = min(self._provider.batch_size * self._provider.concurrency, _MOST_AT_ONCE)
        space_id, source = self._space.embedding_space_id, self._options["source"]
        while page := read(
            self._store,
            reembedding.list_current_embeddings,
            space_id,
            source,
            after=after,
            limit=_PAGE_CHUNKS,
        ):
            while page:
                began = time.monotonic()
                yield page[:size]
                after, page = page[:size][-1].position, page[size:]
                if time.monotonic() - began < _WINDOW_SECONDS / 2:
                    size = min(2 * size, _MOST_AT_ONCE)

    def _answers(self, window: Sequence[EmbeddedChunk]) -> list[_Answer]:
        """Of those whose content is still what was embedded."""
        by_chunk = {one.chunk_id: one for one in window}
        keys = [PendingChunk(position=one.position, chunk_id=one.chunk_id) for one in window]
        contents = [
            content
            for content in read(self._store, embeddings.list_chunk_contents, keys)
            if content.content_sha256 == by_chunk[content.chunk_id].content_sha256
        ]
        sound, matrix = read(self._store, transforms.list_vectors, self._space, contents)
        stored = {one.chunk_id: vector for one, vector in zip(sound, matrix, strict=True)}
        # What is stored and is no vector of the space, or not what its hash says, is nowhere near any.
        nowhere = np.full(self._space.dimensions, np.nan, np.float32)
        asked = batches(
            contents,
            lambda one: len(one.content),
            size=self._provider.batch_characters,
            count=self._provider.batch_size,
        )
        answers = []
        for batch in self._calls.embedded(asked):
            answers += [
                _Answer(chunk=by_chunk[one.chunk_id], vector=None, distance=float("inf"), reason=reason)
                for one, reason in batch.rejected
            ]
            if not batch.accepted:
                continue
            chunks = [by_chunk[one.chunk_id] for one in batch.accepted]
            vectors = np.concatenate(batch.vectors)
            distances = relative_distances(np.stack([stored.get(one.chunk_id, nowhere) for one in chunks]), vectors)
            answers += [
                _Answer(chunk=chunk, vector=vector, distance=float(distance))
                for chunk, vector, distance in zip(chunks, vectors, distances, strict=True)
            ]
        return answers

    def _moved(self, different: Sequence[_Answer], window: Sequence[EmbeddedChunk]) -> ModelChangedError:
        worst = max(different, key=lambda answer: answer.distance)
        far = "is rejected now" if worst.vector is None else f"is {worst.distance:.2g} of its length away"
        return ModelChangedError(
            f"space {self._space.slug}: {len(different)} of {len(window)} chunks embed elsewhere than they are stored; "
            f"the worst, {worst.chunk.chunk_id}, {far} (allowed is {self._tolerance:.2g}). None was changed. "
            "Bring the old model or runtime back, or replace the vectors with --replace."
        )

    def _commit(self, session: Session, different: Sequence[_Answer], reached: Reached) -> None:
        now = utc_now()
        if different:
            replacements = [
                Replacement(
                    embedding_id=answer.chunk.embedding_id,
                    old_vector_sha256=answer.chunk.vector_sha256,
                    new_vector_sha256=None if answer.vector is None else vector_sha256(answer.vector),
                )
                for answer in different
            ]
            nothing = np.zeros(self._space.dimensions, np.float32)
            vectors = np.stack([nothing if answer.vector is None else answer.vector for answer in different])
            reembedding.insert_replacements(session, replacements, vectors, self._run.run_id, now)
            derived = derived_from(session, self._space.embedding_space_id)
            reembedding.delete_derived_embeddings(session, derived)
            reembedding.update_embedding_vectors(session, self._run.run_id)
        if rejected := [answer for answer in different if answer.vector is None]:
            reembedding.delete_rejected_embeddings(session)
            items = [
                QuarantinedItem(
                    item_type=ItemType.CHUNK,
                    item_id=answer.chunk.chunk_id,
                    item_version=answer.chunk.content_sha256,
                    scope=str(self._space.embedding_space_id),
                    stage=EMBED_STAGE,
                    reason=answer.reason,
                )
                for answer in rejected
            ]
            quarantine.upsert_quarantined(session, items, self._run.run_id, now)
        runs.update_run_options(session, self._run.run_id, {**self._options, "reached": asdict(reached)})
