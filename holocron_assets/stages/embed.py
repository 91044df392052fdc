"""From current chunks to vectors, one space at a time, each batch one transaction."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holocron_assets.clock import utc_now
from holocron_assets.errors import InputRejectedError, ProviderError, TransientError, VectorError
from holocron_assets.identity import embedding_id, vector_sha256
from holocron_assets.ports import EmbeddingProvider, Progress, Store
from holocron_assets.records import Embedding, EmbeddingSpace, ItemType, JobType, QuarantinedItem
from holocron_assets.runs import Origin, Run, record_options, recorded_run
from holocron_assets.spaces import require_same_space
from holocron_assets.tables import embeddings, quarantine
from holocron_assets.tables.embeddings import ChunkContent, Position
from holocron_assets.vectors import require_valid

STAGE = "embed"

_PAGE_CHUNKS = 65536
_RETRY_SECONDS = (1.0, 4.0, 16.0)
#: No model has a reason to reject this; one that does is broken, and its rejections say nothing of the texts.
_HARMLESS_TEXT = "The tide comes in twice a day."


@dataclass(slots=True, kw_only=True)
class EmbeddingReport:
    """What embedding one space did."""

    space: EmbeddingSpace
    run_id: uuid.UUID | None = None
    embedded: int = 0
    rejected: int = 0
    still_pending: int = 0
    quarantined: int = 0
    truncated_texts: int = 0
    truncated_tokens: int = 0
    bytes_processed: int = 0
    api_calls: int = 0
    seconds: float = 0.0

    @property
    def vectors_per_second(self) -> float:
        """How fast the provider embedded; 0 when there was nothing to embed."""
        return round(self.embedded / self.seconds, 1) if self.seconds else 0.0


def embed_space(
    store: Store,
    open_provider: Callable[[], EmbeddingProvider],
    space: EmbeddingSpace,
    origin: Origin,
    progress: Progress,
) -> EmbeddingReport:
    """Embed every current chunk that `space` has no vector of; opens the provider only when there is one.

    Raises `SpaceMismatchError` before anything is embedded when the provider serves another space now,
    and `ProviderUnavailableError` when it stays away; what was committed until then stays.
    """
    report = EmbeddingReport(space=space)
    with store.session(write=False) as session:
        backlog = embeddings.count_pending_chunks(session, space.embedding_space_id)
    report.quarantined = backlog.quarantined
    waiting = backlog.pending - backlog.quarantined
    if waiting == 0:
        return report
    with recorded_run(store, origin, JobType.EMBED_CHUNKS, stage=STAGE, space=space) as run:
        report.run_id = run.run_id
        provider = open_provider()
        require_same_space(space, provider.describe())
        record_options(store, run, {"batch_size": provider.batch_size, "runtime": dict(provider.runtime())})
        try:
            for batch in _pending_batches(store, space, provider.batch_size):
                _embed_batch(store, provider, space, batch, run, report)
                progress(report.embedded + report.rejected, waiting)
        finally:
            _count(run, report)
    with store.session(write=False) as session:
        after = embeddings.count_pending_chunks(session, space.embedding_space_id)
    report.still_pending = after.pending - after.quarantined
    report.quarantined = after.quarantined
    return report


def _count(run: Run, report: EmbeddingReport) -> None:
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


def _pending_batches(store: Store, space: EmbeddingSpace, size: int) -> Iterator[list[ChunkContent]]:
    """Pending chunks with their contents, in batches that take no notice of where one source ends."""
    after: Position | None = None
    while True:
        with store.session(write=False) as session:
            page = embeddings.list_pending_chunks(session, space.embedding_space_id, after=after, limit=_PAGE_CHUNKS)
        for first in range(0, len(page), size):
            with store.session(write=False) as session:
                contents = embeddings.list_chunk_contents(session, page[first : first + size])
            if contents:
                yield contents
        if len(page) < _PAGE_CHUNKS:
            return
        after = page[-1].position


def _embed_batch(
    store: Store,
    provider: EmbeddingProvider,
    space: EmbeddingSpace,
    batch: Sequence[ChunkContent],
    run: Run,
    report: EmbeddingReport,
) -> None:
    accepted: list[ChunkContent] = []
    vectors: list[NDArray[np.float32]] = []
    rejected: list[tuple[ChunkContent, str]] = []
    for part, outcome in _attempts(provider, space, batch, report):
        if isinstance(outcome, str):
            _require_sound(provider, space, report)
            rejected.append((part[0], outcome))
        else:
            accepted.extend(part)
            vectors.append(outcome)
    now = utc_now()
    with store.session() as session:
        if accepted:
            matrix = np.concatenate(vectors)
            rows = [
                Embedding(
                    embedding_id=embedding_id(one.chunk_id, space.embedding_space_id, one.content_sha256),
                    chunk_id=one.chunk_id,
                    input_content_sha256=one.content_sha256,
                    vector_sha256=vector_sha256(vector),
                )
                for one, vector in zip(accepted, matrix, strict=True)
            ]
            report.embedded += embeddings.insert_embeddings(
                session, rows, matrix, space.embedding_space_id, run.run_id, now
            )
        if rejected:
            items = [
                QuarantinedItem(
                    item_type=ItemType.CHUNK,
                    item_id=one.chunk_id,
                    item_version=one.content_sha256,
                    scope=str(space.embedding_space_id),
                    stage=STAGE,
                    reason=reason,
                )
                for one, reason in rejected
            ]
            quarantine.upsert_quarantined(session, items, run.run_id, now)
    report.rejected += len(rejected)
    report.bytes_processed += sum(len(one.content.encode()) for one in accepted)


def _require_sound(provider: EmbeddingProvider, space: EmbeddingSpace, report: EmbeddingReport) -> None:
    """Raise when the provider rejects a harmless text too: then no text of the batch is to blame.

    Asked after each rejection, because a provider may break in the middle of a batch.
    """
    try:
        _embed(provider, space, [_HARMLESS_TEXT], report)
    except (InputRejectedError, VectorError) as error:
        raise ProviderError(
            f"space {space.slug}: a text was rejected, and so was a harmless one, because: {error}. "
            "Nothing of the batch was stored or quarantined: mend the provider and run again."
        ) from error


def _attempts(
    provider: EmbeddingProvider, space: EmbeddingSpace, batch: Sequence[ChunkContent], report: EmbeddingReport
) -> Iterator[tuple[Sequence[ChunkContent], NDArray[np.float32] | str]]:
    """Embed a batch; one that is rejected is halved until the text that is to blame stands alone."""
    try:
        yield batch, _embed(provider, space, [one.content for one in batch], report)
    except (InputRejectedError, VectorError) as error:
        if len(batch) == 1:
            yield batch, str(error)
            return
        middle = len(batch) // 2
        yield from _attempts(provider, space, batch[:middle], report)
        yield from _attempts(provider, space, batch[middle:], report)


def _embed(
    provider: EmbeddingProvider, space: EmbeddingSpace, texts: Sequence[str], report: EmbeddingReport
) -> NDArray[np.float32]:
    """One call, tried again after a pause when the provider says that this may help."""
    for pause in _RETRY_SECONDS:
        try:
            return _call(provider, space, texts, report)
        except TransientError:
            time.sleep(pause)
    return _call(provider, space, texts, report)


def _call(
    provider: EmbeddingProvider, space: EmbeddingSpace, texts: Sequence[str], report: EmbeddingReport
) -> NDArray[np.float32]:
    started = time.monotonic()
    try:
        vectors = provider.embed(texts)
    finally:
        report.api_calls += 1
        report.seconds += time.monotonic() - started
    require_valid(vectors.values, space, len(texts))
    report.truncated_texts += int(np.count_nonzero(vectors.truncated_tokens))
    report.truncated_tokens += int(vectors.truncated_tokens.sum())
    return vectors.values
