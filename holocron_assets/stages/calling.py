"""Calling a provider for the chunks of one space, while others write what it answered before."""

import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from holocron_assets.concurrency import answers_as_ready
from holocron_assets.errors import InputRejectedError, ProviderError, ProviderUnavailableError, VectorError
from holocron_assets.ports import EmbeddingProvider
from holocron_assets.records import EmbeddingSpace
from holocron_assets.tables.embeddings import ChunkContent, ChunkKey
from holocron_assets.vectors import require_valid

#: For each thread: enough to go on with while a commit is made; never less than the next batch, nor many large ones.
_CHUNKS_AHEAD, _LEAST_AHEAD, _MOST_AHEAD = 1024, 2, 8
_RETRY_SECONDS = (1.0, 4.0, 16.0)
#: For parts of a batch that failed for a reason that may pass: the provider answers others, so it is not waited for.
_PART_RETRY_SECONDS = (1.0,)
#: However long a provider asks to be left alone.
_LONGEST_PAUSE = 300.0
#: No model has a reason to reject this; one that does is broken, and its rejections say nothing of the texts.
_HARMLESS_TEXT = "The tide comes in twice a day."


@dataclass(slots=True)
class EmbeddedBatch:
    """What became of some chunks: those with their vectors, row by row, and those rejected, with the reason.

    `bytes_read` is how much text the vectors were made of.
    """

    accepted: list[ChunkKey] = field(default_factory=list)
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    rejected: list[tuple[ChunkKey, str]] = field(default_factory=list)
    bytes_read: int = 0

    def __len__(self) -> int:
        return len(self.accepted) + len(self.rejected)

    def add(self, other: "EmbeddedBatch") -> None:
        """Take in another batch."""
        self.accepted += other.accepted
        self.vectors += other.vectors
        self.rejected += other.rejected
        self.bytes_read += other.bytes_read


class ProviderCalls:
    """Calls a provider in threads of its own, as many as gain anything, and counts what that cost.

    `seconds` are those in which at least one call was under way: what a run waits for, however many share it.
    The threads end with the block that `with` opens; an attempt that would wait for another is then given up.
    """

    def __init__(self, provider: EmbeddingProvider, space: EmbeddingSpace) -> None:
        self._provider = provider
        self._space = space
        self._executor = ThreadPoolExecutor(provider.concurrency, thread_name_prefix="provider")
        self._is_closed = threading.Event()
        self._lock = threading.Lock()
        self._under_way = 0
        self._busy_since = 0.0
        self.calls = 0
        self.seconds = 0.0
        self.truncated_texts = 0
        self.truncated_tokens = 0
        self.bytes_read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed.set()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def embedded(self, batches: Iterable[list[ChunkContent]]) -> Iterator[EmbeddedBatch]:
        """What becomes of each batch; takes the next ones while a former one is dealt with."""
        ahead = min(max(_CHUNKS_AHEAD // self._provider.batch_size, _LEAST_AHEAD), _MOST_AHEAD)
        ahead *= self._provider.concurrency
        return answers_as_ready(self._executor, self._embed_batch, batches, ahead=ahead)

    def _embed_batch(self, batch: list[ChunkContent]) -> EmbeddedBatch:
        done = EmbeddedBatch()
        self._attempt(batch, done, _RETRY_SECONDS)
        with self._lock:
            self.bytes_read += done.bytes_read
        return done

    def _attempt(self, batch: Sequence[ChunkContent], done: EmbeddedBatch, pauses: Sequence[float]) -> None:
        """Embed a batch; one that is rejected is halved until the text that is to blame stands alone."""
        try:
            vectors = self._embed([one.content for one in batch], pauses)
        except (InputRejectedError, VectorError) as error:
            self._blame(batch, error, done, pauses)
        except ProviderUnavailableError as error:
            if error.is_busy:
                raise
            # A text may take a server down with it, again and again; a server that is away is away for any text.
            try:
                self._embed([_HARMLESS_TEXT], ())
            except ProviderError:
                raise error from None
            self._blame(batch, error, done, _PART_RETRY_SECONDS)
        else:
            done.accepted.extend(batch)
            done.vectors.append(vectors)
            done.bytes_read += sum(len(one.content.encode()) for one in batch)

    def _blame(
        self, batch: Sequence[ChunkContent], error: ProviderError, done: EmbeddedBatch, pauses: Sequence[float]
    ) -> None:
        if len(batch) == 1:
            self._require_sound()
            done.rejected.append((batch[0], str(error)))
            return
        middle = len(batch) // 2
        self._attempt(batch[:middle], done, pauses)
        self._attempt(batch[middle:], done, pauses)

    def _require_sound(self) -> None:
        """Raise when the provider rejects a harmless text too: then no text of the batch is to blame.

        Asked after each rejection, because a provider may break in the middle of a batch.
        """
        try:
            self._embed([_HARMLESS_TEXT], _RETRY_SECONDS)
        except (InputRejectedError, VectorError) as error:
            raise ProviderError(
                f"space {self._space.slug}: a text was rejected, and so was a harmless one, because: {error}. "
                "Nothing of the batch was stored or quarantined: mend the provider and run again."
            ) from error

    def _embed(self, texts: Sequence[str], pauses: Sequence[float]) -> NDArray[np.float32]:
        """One call, tried again after each pause when the provider says that this may help."""
        for pause in pauses:
            try:
                return self._call(texts)
            except ProviderUnavailableError as error:
                # Not all at the same moment, or they would be turned away together again.
                wanted = max(pause * random.uniform(0.5, 1.5), error.retry_after or 0.0)  # noqa: S311 - no secret
                if self._is_closed.wait(min(wanted, _LONGEST_PAUSE)):
                    raise
        return self._call(texts)

    def _call(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._is_closed.is_set():
            raise ProviderUnavailableError(f"space {self._space.slug}: given up")
        with self._lock:
            self.calls += 1
            self._busy_since = self._busy_since if self._under_way else time.monotonic()
            self._under_way += 1
        try:
            vectors = self._provider.embed(texts)
        finally:
            with self._lock:
                self._under_way -= 1
                self.seconds += 0.0 if self._under_way else time.monotonic() - self._busy_since
        require_valid(vectors.values, self._space, len(texts))
        with self._lock:
            self.truncated_texts += int(np.count_nonzero(vectors.truncated_tokens))
            self.truncated_tokens += int(vectors.truncated_tokens.sum())
        return vectors.values
