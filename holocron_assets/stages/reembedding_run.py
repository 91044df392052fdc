"""A run that embeds a space again: window by window, each compared, then committed with how far it came."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from holocron_assets.anchors import one_of_each_kind
from holocron_assets.clock import utc_now
from holocron_assets.errors import ModelChangedError, NotReadyError
from holocron_assets.ports import EmbeddingProvider, Progress, Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.runs import Run
from holocron_assets.spaces import require_same_space
from holocron_assets.stages.calling import ProviderCalls
from holocron_assets.stages.canary import (
    CanaryPolicy,
    Choice,
    Comparison,
    compare,
    insert_answers,
    measure,
    told,
)
from holocron_assets.stages.comparing import ChunkAnswer, answers_to
from holocron_assets.stages.model_guard import require_canary
from holocron_assets.stages.replacing import forget_derived, forget_history, forget_vectors, replace_vectors
from holocron_assets.tables import canaries, reembedding, runs
from holocron_assets.tables.embeddings import Position
from holocron_assets.tables.reembedding import EarlierRun, EmbeddedChunk, Reached
from holocron_assets.transactions import read, write

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


class _AnchorsTellNothingError(Exception):
    """Chunks embed elsewhere although no anchor does, and the space is to be replaced."""


class ReembeddingRun:
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
    ) -> None:
        self._store = store
        self._space = space
        self._provider = provider
        self._calls = calls
        self._canary = canary
        self._run = run
        self._options = dict(options)
        self._report = report
        self._runtime = dict(provider.runtime())
        self._replaces_all = False

    def go_through(self, anchors: Comparison, earlier: Sequence[EarlierRun], progress: Progress) -> None:
        """Compare everything with what `anchors` say the model is, and replace what may be."""
        self._hold_to(anchors.canary_id, anchors.tolerance)
        if anchors.moved:
            self._begin_replacing_all()
        elif not anchors.is_complete:
            self._replaces_all = True
            self._forget()
        try:
            self._go_on(self._reached_by(earlier), progress)
        except _AnchorsTellNothingError:
            self._begin_replacing_all()
            self._report.resumed_after = self._report.compared = 0
            self._go_on(Reached(), progress)
        if self._replaces_all:
            self._complete()

    def _hold_to(self, canary_id: uuid.UUID | None, tolerance: float) -> None:
        self._canary_id, self._tolerance = canary_id, tolerance
        self._options["canary_id"] = str(canary_id)

    def _begin_replacing_all(self) -> None:
        """From here on the space holds vectors of two models, until the last is replaced."""
        answers, canary_id = measure(self._provider, self._space, self._canary), uuid.uuid4()
        write(self._store, insert_answers, self._space, answers, canary_id, is_complete=False)
        self._hold_to(canary_id, self._canary.tolerance_of(answers.repeatability))
        self._replaces_all = True
        self._forget()

    def _forget(self) -> None:
        """Nothing that is not current is replaced, so it must not come back: not derived vectors, and not history."""
        while write(self._store, forget_derived, self._space):
            pass
        while write(self._store, forget_history, self._space, self._run.run_id):
            pass

    def _reached_by(self, earlier: Sequence[EarlierRun]) -> Reached:
        """Where an interrupted run came to; nowhere if the model answers otherwise now to what that run did."""
        for one in earlier:
            if one.source_prefix != self._options["source"] or one.canary_id != self._options["canary_id"]:
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

    def _go_on(self, reached: Reached, progress: Progress) -> None:
        self._report.resumed_after = reached.done
        space_id, source = self._space.embedding_space_id, self._options["source"]
        left = read(self._store, reembedding.count_current_embeddings, space_id, source, after=reached.position)
        total = reached.done + left
        for window in self._windows(reached.position):
            answers = self._answers(window)
            different = [answer for answer in answers if not answer.distance <= self._tolerance]
            if different and not self._options["replace"]:
                raise self._moved(different, window)
            self._require_may_replace(different)
            self._require_same_model(different)
            answered = {answer.chunk.embedding_id for answer in answers}
            gone = [one for one in window if one.embedding_id not in answered] if self._replaces_all else []
            reached = reached.after(window)
            write(self._store, self._commit, different, gone, reached)
            self._report.compared += len(answers)
            self._report.replaced += sum(answer.vector is not None for answer in different)
            self._report.rejected += sum(answer.vector is None for answer in different)
            known = [answer.distance for answer in answers if np.isfinite(answer.distance)]
            self._report.largest_distance = max([self._report.largest_distance, *known])
            progress(reached.done, total)

    def _require_may_replace(self, different: Sequence[ChunkAnswer]) -> None:
        """What is damaged is replaced by itself; a sound vector that differs is of another model, as all may be."""
        if self._replaces_all or not any(np.isfinite(answer.distance) for answer in different):
            return
        if self._options["source"]:
            raise NotReadyError(
                f"space {self._space.slug}: its model answers otherwise than it did, although no anchor shows it, and "
                "vectors of before and after must not be mixed. Replace the whole space: leave --source out."
            )
        raise _AnchorsTellNothingError

    def _windows(self, after: Position | None) -> Iterator[list[EmbeddedChunk]]:
        """As many at a time as are embedded in about the time that a crash may cost."""
        size = min(self._provider.batch_size * self._provider.concurrency, _MOST_AT_ONCE)
        while page := (write if self._replaces_all else read)(self._store, self._page, after):
            while page:
                began = time.monotonic()
                yield page[:size]
                after, page = page[:size][-1].position, page[size:]
                if time.monotonic() - began < _WINDOW_SECONDS / 2:
                    size = min(2 * size, _MOST_AT_ONCE)

    def _page(self, session: Session, after: Position | None) -> list[EmbeddedChunk]:
        """The next that are current. What is not, and might be when its place was passed, is forgotten before that."""
        while self._replaces_all and forget_history(session, self._space, self._run.run_id):
            pass
        space_id, source = self._space.embedding_space_id, self._options["source"]
        return reembedding.list_current_embeddings(session, space_id, source, after=after, limit=_PAGE_CHUNKS)

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

    def _complete(self) -> None:
        """The space is of one model again: everything current was replaced, and what became history meanwhile goes."""
        self._require_unmoved(list)
        self._forget()
        write(self._store, self._record_complete)

    def _record_complete(self, session: Session) -> None:
        canary = require_canary(session, self._space, self._canary_id)
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

    def _commit(
        self, session: Session, different: Sequence[ChunkAnswer], gone: Sequence[EmbeddedChunk], reached: Reached
    ) -> None:
        require_canary(session, self._space, self._canary_id)
        if different:
            replace_vectors(session, self._space, different, self._run.run_id)
        if gone:
            forget_vectors(session, self._space, gone, self._run.run_id)
        runs.update_run_options(session, self._run.run_id, {**self._options, "reached": asdict(reached)})
