"""From current chunks to vectors, one space at a time, each batch one transaction."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from holocron_assets.anchors import one_in_turn, one_of_each_kind
from holocron_assets.batching import batches
from holocron_assets.clock import utc_now
from holocron_assets.errors import HolocronError, ModelChangedError, ProviderError, ProviderUnavailableError
from holocron_assets.identity import embedding_id
from holocron_assets.ports import EmbeddingProvider, Progress, Session, Store
from holocron_assets.records import Embedding, EmbeddingSpace, ItemType, JobType, QuarantinedItem
from holocron_assets.runs import Origin, Run, record_options, recorded_run
from holocron_assets.spaces import require_same_space
from holocron_assets.stages.calling import EmbeddedBatch, ProviderCalls
from holocron_assets.stages.canary import CanaryPolicy, ensure_canary
from holocron_assets.stages.model_guard import require_canary, require_unmoved
from holocron_assets.tables import canaries, embeddings, quarantine, reembedding
from holocron_assets.tables.embeddings import ChunkContent, Position
from holocron_assets.transactions import read, write
from holocron_assets.vectors import vector_sha256

STAGE = "embed"

_PAGE_CHUNKS = 65536
#: Below what makes SQL Server lock a whole table for one statement.
_INDEXED_AT_ONCE = 4_000
_READ_CHUNKS = 512
_COMMIT_CHUNKS = 1024
#: However slow the provider is, a crash costs no more than this and the calls under way.
_COMMIT_SECONDS = 2.0
#: How often an anchor is asked in mid-run where digest and versions say that nothing changed.
_LOOK_AGAIN_SECONDS = 10.0


@dataclass(slots=True, kw_only=True)
class EmbeddingReport:
    """What embedding one space did."""

    space: EmbeddingSpace
    run_id: uuid.UUID | None = None
    embedded: int = 0
    rejected: int = 0
    still_pending: int = 0
    #: chunks that became current since the run began, where somebody counted them apart from those still pending
    came: int = 0
    quarantined: int = 0
    truncated_texts: int = 0
    truncated_tokens: int = 0
    bytes_processed: int = 0
    api_calls: int = 0
    seconds: float = 0.0
    #: why a derived space lacks chunks, where it does, and the space that it waits for
    held_up: HolocronError | None = None
    waits_for: str | None = None

    def count(self, batch: EmbeddedBatch, embedded: int) -> None:
        """Count a batch that was written, `embedded` of it as new vectors."""
        self.embedded += embedded
        self.rejected += len(batch.rejected)
        self.bytes_processed += batch.bytes_read

    @property
    def vectors_per_second(self) -> float:
        """How fast the provider embedded; 0 when there was nothing to embed."""
        return round(self.embedded / self.seconds, 1) if self.seconds else 0.0


def embed_space(
    store: Store,
    open_provider: Callable[[], EmbeddingProvider],
    space: EmbeddingSpace,
    canary: CanaryPolicy,
    origin: Origin,
    progress: Progress,
) -> EmbeddingReport:
    """Embed every current chunk that `space` has no vector of; opens the provider only when there is one.

    Raises `SpaceMismatchError` before anything is embedded when the provider serves another space now, or embeds the
    space's anchors elsewhere, and `ProviderUnavailableError` when it stays away; what was committed until then stays.
    """
    report = EmbeddingReport(space=space)
    backlog = read(store, embeddings.count_pending_chunks, space.embedding_space_id)
    report.quarantined = backlog.quarantined
    waiting = backlog.pending - backlog.quarantined
    if waiting == 0:
        if read(store, _is_held_to_nothing, space):
            ensure_canary(store, open_provider(), space, canary)
        return report
    with recorded_run(store, origin, JobType.EMBED_CHUNKS, stage=STAGE, space=space) as run:
        report.run_id = run.run_id
        provider = open_provider()
        require_same_space(space, provider.describe())
        runtime = dict(provider.runtime())
        record_options(store, run, {"batch_size": provider.batch_size, "runtime": runtime})
        turn, looked = run.run_id.int, time.monotonic()
        canary_id = require_unmoved(store, provider, space, canary, partial(one_of_each_kind, turn=turn))
        calls = ProviderCalls(provider, space)
        try:
            with calls:
                batches_to_embed = batches(
                    _pending_contents(store, space),
                    lambda chunk: len(chunk.content),
                    size=provider.batch_characters,
                    count=provider.batch_size,
                )
                for embedded in _worth_a_commit(calls.embedded(batches_to_embed)):
                    # What was embedded until now is of this space only if the provider still serves it.
                    require_same_space(space, provider.describe())
                    is_same = runtime == (runtime := dict(provider.runtime()))
                    is_due = time.monotonic() - looked >= _LOOK_AGAIN_SECONDS
                    if is_due or not is_same or not space.model_digest:
                        turn, looked = turn + 1, time.monotonic()
                        choose = partial(one_in_turn if is_same else one_of_each_kind, turn=turn)
                        require = partial(require_unmoved, store, provider, space, canary, choose)
                        _require_unmoved_in_run(report, require)
                    report.count(embedded, write(store, _commit, embedded, space, canary_id, run.run_id))
                    progress(report.embedded + report.rejected, waiting)
        finally:
            _count(run, report, calls)
    after = read(store, embeddings.count_pending_chunks, space.embedding_space_id)
    report.still_pending = after.pending - after.quarantined
    report.quarantined = after.quarantined
    return report


def index_space(store: Store, space: EmbeddingSpace) -> int:
    """Bring what the database compares vectors of a space by up to date; returns how many it took in or out.

    Search is right without it, and slower.
    """
    if not read(store, _count_to_index, space):
        return 0
    done = 0
    while changed := write(store, _index_some, space):
        done += changed
    return done


def _count_to_index(session: Session, space: EmbeddingSpace) -> int:
    return session.count_vectors_to_index(space.embedding_space_id, space.dimensions)


def _index_some(session: Session, space: EmbeddingSpace) -> int:
    return session.index_vectors(space.embedding_space_id, space.dimensions, _INDEXED_AT_ONCE)


def _count(run: Run, report: EmbeddingReport, calls: ProviderCalls) -> None:
    report.api_calls, report.seconds = calls.calls, calls.seconds
    report.truncated_texts, report.truncated_tokens = calls.truncated_texts, calls.truncated_tokens
    run.count(
        chunks_processed=report.embedded + report.rejected,
        embeddings_created=report.embedded,
        api_calls=report.api_calls,
        api_duration_ms=round(report.seconds * 1000),
        bytes_processed=report.bytes_processed,
        texts_rejected=report.rejected,
        texts_truncated=report.truncated_texts,
        tokens_truncated=report.truncated_tokens,
    )


def _pending_contents(store: Store, space: EmbeddingSpace) -> Iterator[ChunkContent]:
    """Pending chunks with their contents, in an order that takes no notice of where one source ends."""
    after: Position | None = None
    while True:
        page = read(store, embeddings.list_pending_chunks, space.embedding_space_id, after=after, limit=_PAGE_CHUNKS)
        for first in range(0, len(page), _READ_CHUNKS):
            yield from read(store, embeddings.list_chunk_contents, page[first : first + _READ_CHUNKS])
        if len(page) < _PAGE_CHUNKS:
            return
        after = page[-1].position


def _worth_a_commit(answers: Iterable[EmbeddedBatch]) -> Iterator[EmbeddedBatch]:
    """The same, put together until they are many or some time has passed; also what came before a failure."""
    gathered, since = EmbeddedBatch(), time.monotonic()
    try:
        for answer in answers:
            gathered.add(answer)
            if len(gathered) >= _COMMIT_CHUNKS or time.monotonic() - since >= _COMMIT_SECONDS:
                yield gathered
                gathered, since = EmbeddedBatch(), time.monotonic()
    except ProviderError:
        if gathered:
            yield gathered
        raise
    if gathered:
        yield gathered


def _is_held_to_nothing(session: Session, space: EmbeddingSpace) -> bool:
    """Whether a space has vectors and no canary: another program filled it, or an earlier version."""
    key = space.embedding_space_id
    if canaries.get_canary(session, key) is not None:
        return False
    return bool(reembedding.list_current_embeddings(session, key, "", after=None, limit=1))


def _require_unmoved_in_run(report: EmbeddingReport, require: Callable[[], object]) -> None:
    """Say what a move in the middle of a run leaves behind: one anchor at a time is looked at."""
    try:
        require()
    except ProviderUnavailableError:
        # It went away since it answered; its digest, where it tells one, was looked at after that.
        if not report.space.model_digest:
            raise
    except ModelChangedError as error:
        if not report.embedded:
            raise
        raise ModelChangedError(
            f"{error} Of the {report.embedded} vectors that this run stored before, some may be of the other model: "
            f"when the old runtime is back, `holocron spaces reembed {report.space.slug}` finds them."
        ) from error


def _commit(
    session: Session, batch: EmbeddedBatch, space: EmbeddingSpace, canary_id: uuid.UUID | None, run_id: uuid.UUID
) -> int:
    require_canary(session, space, canary_id)
    return write_batch(session, batch, space.embedding_space_id, run_id)


def write_batch(session: Session, batch: EmbeddedBatch, space_id: uuid.UUID, run_id: uuid.UUID) -> int:
    """Write what became of some chunks; returns how many vectors were new."""
    now = utc_now()
    embedded = 0
    if batch.accepted:
        matrix = np.concatenate(batch.vectors)
        rows = [
            Embedding(
                embedding_id=embedding_id(one.chunk_id, space_id, one.content_sha256),
                chunk_id=one.chunk_id,
                input_content_sha256=one.content_sha256,
                vector_sha256=vector_sha256(vector),
            )
            for one, vector in zip(batch.accepted, matrix, strict=True)
        ]
        embedded = embeddings.insert_embeddings(session, rows, matrix, space_id, run_id, now)
    if batch.rejected:
        items = [
            QuarantinedItem(
                item_type=ItemType.CHUNK,
                item_id=one.chunk_id,
                item_version=one.content_sha256,
                scope=str(space_id),
                stage=STAGE,
                reason=reason,
            )
            for one, reason in batch.rejected
        ]
        quarantine.upsert_quarantined(session, items, run_id, now)
    return embedded
