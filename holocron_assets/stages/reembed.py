"""Embedding again what is embedded already, and comparing before anything is changed.

Equal vectors are left alone. Different ones mean that the model moved: that stops the run, unless it was told to
replace them. Another model, policy or transform is never embedded into a space; it is a space of its own.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from holocron_assets.anchors import one_of_each_kind
from holocron_assets.clock import utc_now
from holocron_assets.derived_spaces import model_space
from holocron_assets.errors import ModelChangedError, NotReadyError
from holocron_assets.ports import EmbeddingProvider, Progress, Session, Store
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.runs import Origin, Run, record_options, recorded_run
from holocron_assets.spaces import require_same_space
from holocron_assets.stages.calling import ProviderCalls
from holocron_assets.stages.canary import (
    CanaryPolicy,
    Choice,
    Comparison,
    compare,
    ensure_canary,
    insert_answers,
    measure,
    told,
)
from holocron_assets.stages.comparing import ChunkAnswer, answers_to
from holocron_assets.stages.replacing import forget_derived, forget_history, replace_vectors
from holocron_assets.tables import canaries, reembedding, runs
from holocron_assets.tables.embeddings import Position
from holocron_assets.tables.reembedding import EarlierRun, EmbeddedChunk, Reached
from holocron_assets.transactions import read, write

STAGE = "reembed"

_PAGE_CHUNKS = 65536
#: Of the runs that embedded a space again, so many are asked how far they came.
_EARLIER_RUNS = 100
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
    that differ by more than the space's tolerance; with `replace` they are replaced instead, some in a transaction.
    Vectors of a model that moved replace all of a space, `NotReadyError` for a part; until the last one the space is
    neither filled nor searched. A model that moves while it is asked stops the run: `ModelChangedError`.
    """
    report = ReembeddingReport(space=space)
    if space.transform_ref is not None:
        source = model_space(store, space)
        raise NotReadyError(
            f"space {space.slug} is derived: no model makes its vectors. Re-embed {source.slug}; what is derived "
            "from a vector that is replaced is made anew by the next run."
        )
    count = read(store, reembedding.count_current_embeddings, space.embedding_space_id, source_prefix, after=None)
    if not count and not replace:
        return report
    earlier = read(store, reembedding.list_reembeddings, space.embedding_space_id, _EARLIER_RUNS)
    options: dict[str, Any] = {"source": source_prefix, "replace": replace}
    with recorded_run(store, origin, JobType.REEMBED_SPACE, stage=STAGE, options=options, space=space) as run:
        report.run_id = run.run_id
        provider = open_provider()
        require_same_space(space, provider.describe())
        options |= {"batch_size": provider.batch_size, "runtime": dict(provider.runtime())}
        record_options(store, run, options)
        ensure_canary(store, provider, space, canary)
        anchors = compare(store, provider, space, canary)
        _require_allowed(space, anchors, source_prefix, replace=replace)
        replaces_all = bool(anchors.moved) or not anchors.is_complete
        tolerance = anchors.tolerance
        if anchors.moved:
            answers = measure(provider, space, canary)
            write(store, insert_answers, space, answers, uuid.uuid4(), is_complete=False)
            tolerance = canary.tolerance_of(answers.repeatability)
        with ProviderCalls(provider, space) as calls:
            work = _Reembedding(store, space, provider, calls, canary, run, options, report, tolerance=tolerance)
            if replaces_all:
                work.forget()
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
        if replaces_all:
            work.complete()
    return report


def _require_allowed(space: EmbeddingSpace, anchors: Comparison, source_prefix: str, *, replace: bool) -> None:
    if not anchors.moved and anchors.is_complete:
        return
    why = told(anchors) if anchors.moved else "Some of its vectors are replaced already"
    if not replace:
        raise ModelChangedError(
            f"space {space.slug}: its model answers otherwise than when it was registered. {why}. Nothing was changed. "
            "Bring the old runtime back, or replace every vector of the space with --replace."
        )
    if source_prefix:
        raise NotReadyError(
            f"space {space.slug}: its model moved, and vectors of before and after must not be mixed. {why}. "
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
        canary: CanaryPolicy,
        run: Run,
        options: Mapping[str, Any],
        report: ReembeddingReport,
        *,
        tolerance: float,
    ) -> None:
        self._store = store
        self._space = space
        self._provider = provider
        self._calls = calls
        self._canary = canary
        self._run = run
        self._options = options
        self._report = report
        self._runtime = dict(provider.runtime())
        self._tolerance = tolerance

    def forget(self) -> None:
        """Nothing that is not current is replaced, so it must not come back: not derived vectors, and not history."""
        while write(self._store, forget_derived, self._space):
            pass
        while write(self._store, forget_history, self._space, self._run.run_id):
            pass

    def reached_by(self, earlier: Sequence[EarlierRun]) -> Reached:
        """Where an interrupted run came to; nowhere if the model answers otherwise now to what that run did."""
        for one in earlier:
            if one.source_prefix != self._options["source"]:
                continue
            if one.status == "SUCCEEDED":
                break
            if one.reached.done:
                return one.reached if self._stands(one.reached) else Reached()
        return Reached()

    def _stands(self, reached: Reached) -> bool:
        wanted = [*reached.sample, reached.chunk_id]
        sample = read(self._store, reembedding.list_sampled_embeddings, self._space.embedding_space_id, wanted)
        if (reached.position, reached.chunk_id) not in [(one.position, one.chunk_id) for one in sample]:
            return False
        return all(answer.distance <= self._tolerance for answer in self._answers(sample))

    def go_on(self, reached: Reached, progress: Progress) -> None:
        self._report.resumed_after = reached.done
        space_id, source = self._space.embedding_space_id, self._options["source"]
        left = read(self._store, reembedding.count_current_embeddings, space_id, source, after=reached.position)
        total = reached.done + left
        for window in self._windows(reached.position):
            answers = self._answers(window)
            different = [answer for answer in answers if not answer.distance <= self._tolerance]
            if different and not self._options["replace"]:
                raise self._moved(different, window)
            self._require_same_model(different)
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

    def _answers(self, chunks: Sequence[EmbeddedChunk]) -> list[ChunkAnswer]:
        return answers_to(self._store, self._space, self._provider, self._calls, chunks)

    def _require_same_model(self, different: Sequence[ChunkAnswer]) -> None:
        """What was answered until now is of one model only if it is still the one that the anchors are of."""
        require_same_space(self._space, self._provider.describe())
        runtime = dict(self._provider.runtime())
        if different or runtime != self._runtime or not self._space.model_digest:
            self._require_unmoved(partial(one_of_each_kind, turn=self._report.compared))
            self._runtime = runtime

    def _require_unmoved(self, choose: Choice) -> None:
        anchors = compare(self._store, self._provider, self._space, self._canary, choose)
        if anchors.moved:
            raise ModelChangedError(
                f"space {self._space.slug}: its model moved while it was asked. {told(anchors)}. What was replaced "
                "before stays; run it again."
            )

    def complete(self) -> None:
        """The space is of one model again: everything current was replaced, and what became history meanwhile goes."""
        self._require_unmoved(list)
        self.forget()
        write(self._store, self._record_complete)

    def _record_complete(self, session: Session) -> None:
        canary = canaries.get_canary(session, self._space.embedding_space_id)
        if canary is not None:
            canaries.update_canary_completed(session, canary.canary_id, utc_now())

    def _moved(self, different: Sequence[ChunkAnswer], window: Sequence[EmbeddedChunk]) -> ModelChangedError:
        worst = max(different, key=lambda answer: answer.distance)
        far = f"is {worst.distance:.2g} of its length away"
        if worst.vector is None or np.isnan(worst.distance):
            far = "is rejected now" if worst.vector is None else "is damaged in the store"
        return ModelChangedError(
            f"space {self._space.slug}: {len(different)} of {len(window)} chunks embed elsewhere than they are stored; "
            f"the worst, {worst.chunk.chunk_id}, {far} (allowed is {self._tolerance:.2g}). None was changed. "
            "Bring the old model or runtime back, or replace the vectors with --replace."
        )

    def _commit(self, session: Session, different: Sequence[ChunkAnswer], reached: Reached) -> None:
        if different:
            replace_vectors(session, self._space, different, self._run.run_id)
        runs.update_run_options(session, self._run.run_id, {**self._options, "reached": asdict(reached)})
