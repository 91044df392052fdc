"""Calling a provider for the chunks of one space, while others write what it answered before."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from holocron_assets.concurrency import answers_as_ready
from holocron_assets.errors import InputRejectedError, ProviderError, TransientError, VectorError
from holocron_assets.ports import EmbeddingProvider
from holocron_assets.records import EmbeddingSpace
from holocron_assets.tables.embeddings import ChunkContent
from holocron_assets.vectors import require_valid

_RETRY_SECONDS = (1.0, 4.0, 16.0)
#: One batch in work, one that is ready when it is done.
_BATCHES_AHEAD = 2
#: No model has a reason to reject this; one that does is broken, and its rejections say nothing of the texts.
_HARMLESS_TEXT = "The tide comes in twice a day."


@dataclass(slots=True)
class EmbeddedBatch:
    """What became of a batch: chunks with their vectors, row by row, and chunks that were rejected, with the reason."""

    accepted: list[ChunkContent] = field(default_factory=list)
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    rejected: list[tuple[ChunkContent, str]] = field(default_factory=list)


class ProviderCalls:
    """Calls a provider in a thread of its own, and counts what that cost.

    The thread ends with the block that `with` opens; an attempt that would wait for another is then given up.
    """

    def __init__(self, provider: EmbeddingProvider, space: EmbeddingSpace) -> None:
        self._provider = provider
        self._space = space
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="provider")
        self._is_closed = threading.Event()
        self.calls = 0
        self.seconds = 0.0
        self.truncated_texts = 0
        self.truncated_tokens = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed.set()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def embedded(self, batches: Iterable[list[ChunkContent]]) -> Iterator[EmbeddedBatch]:
        """What becomes of each batch; takes the next ones while a former one is dealt with."""
        return answers_as_ready(self._executor, self._embed_batch, batches, ahead=_BATCHES_AHEAD)

    def _embed_batch(self, batch: list[ChunkContent]) -> EmbeddedBatch:
        done = EmbeddedBatch()
        self._attempt(batch, done)
        return done

    def _attempt(self, batch: Sequence[ChunkContent], done: EmbeddedBatch) -> None:
        """Embed a batch; one that is rejected is halved until the text that is to blame stands alone."""
        try:
            vectors = self._embed([one.content for one in batch])
        except (InputRejectedError, VectorError) as error:
            if len(batch) == 1:
                self._require_sound()
                done.rejected.append((batch[0], str(error)))
                return
            middle = len(batch) // 2
            self._attempt(batch[:middle], done)
            self._attempt(batch[middle:], done)
        else:
            done.accepted.extend(batch)
            done.vectors.append(vectors)

    def _require_sound(self) -> None:
        """Raise when the provider rejects a harmless text too: then no text of the batch is to blame.

        Asked after each rejection, because a provider may break in the middle of a batch.
        """
        try:
            self._embed([_HARMLESS_TEXT])
        except (InputRejectedError, VectorError) as error:
            raise ProviderError(
                f"space {self._space.slug}: a text was rejected, and so was a harmless one, because: {error}. "
                "Nothing of the batch was stored or quarantined: mend the provider and run again."
            ) from error

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One call, tried again after a pause when the provider says that this may help."""
        for pause in _RETRY_SECONDS:
            try:
                return self._call(texts)
            except TransientError:
                if self._is_closed.wait(pause):
                    raise
        return self._call(texts)

    def _call(self, texts: Sequence[str]) -> NDArray[np.float32]:
        started = time.monotonic()
        try:
            vectors = self._provider.embed(texts)
        finally:
            self.calls += 1
            self.seconds += time.monotonic() - started
        require_valid(vectors.values, self._space, len(texts))
        self.truncated_texts += int(np.count_nonzero(vectors.truncated_tokens))
        self.truncated_tokens += int(vectors.truncated_tokens.sum())
        return vectors.values
