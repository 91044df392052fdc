"""Running a function over batches in processes of their own, so that no document can stop the others.

A batch that takes too long, or whose process dies, is taken apart until the guilty item stands alone.
Why not `multiprocessing`: `docs/decisions/0005-worker-processes.md`.
"""

import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Generic, Self, TypeVar

from holocron_assets.concurrency import answers_as_ready
from holocron_assets.errors import WorkerStartError
from holocron_assets.worker_main import READY

Item = TypeVar("Item")
Answer = TypeVar("Answer")

#: Batches under way per worker: one in work, the others ready while the main process writes to the store.
_QUEUED_PER_WORKER = 4
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """What one batch may take before its process is ended."""

    timeout_seconds: float
    memory_bytes: int


class WorkerPool(Generic[Item, Answer]):
    """Worker processes that call `target`, a `"module:function"` from a list of items to a list of answers.

    `split` takes an item that failed alone further apart (None: it cannot be); `blame` makes the answer
    for an item that failed with a given reason. Workers start when there is work for them, and end with the block
    that `with` opens.
    """

    def __init__(
        self,
        target: str,
        *,
        workers: int,
        limits: WorkerLimits,
        split: Callable[[Item], Sequence[Item] | None],
        blame: Callable[[Item, str], Answer],
    ) -> None:
        self._target = target
        self._workers = workers
        self._limits = limits
        self._split = split
        self._blame = blame
        self._local = threading.local()
        self._processes: list[_Worker] = []
        self._is_closed = False
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="worker")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; what they had not answered is lost."""
        with self._lock:
            self._is_closed = True
        for worker in self._processes:
            worker.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def answers(self, batches: Iterable[Sequence[Item]]) -> Iterator[list[Answer]]:
        """The answers to each batch, in the order in which they are ready; takes batches as it needs them.

        Raises `WorkerStartError` when a worker cannot even be started.
        """
        return answers_as_ready(self._executor, self._answer, batches, ahead=self._workers * _QUEUED_PER_WORKER)

    def _answer(self, batch: Sequence[Item]) -> list[Answer]:
        try:
            answers: list[Answer] = self._worker().call(batch)
        except _BatchFailedError as error:
            if self._is_closed:
                return []
            parts = [[item] for item in batch] if len(batch) > 1 else self._apart(batch[0])
            if parts is None:
                return [self._blame(batch[0], str(error))]
            return [answer for part in parts for answer in self._answer(part)]
        return answers

    def _apart(self, item: Item) -> list[list[Item]] | None:
        parts = self._split(item)
        return None if parts is None else [[part] for part in parts]

    def _worker(self) -> "_Worker":
        """This thread's worker, started when there is none or the last one died."""
        worker: _Worker | None = getattr(self._local, "worker", None)
        if worker is None or not worker.is_alive():
            # Under the lock, so that none is started after everything was ended.
            with self._lock:
                if self._is_closed:
                    raise _BatchFailedError("was given up")
                if worker is not None:
                    self._processes.remove(worker)
                worker = _Worker(self._target, self._limits)
                self._processes.append(worker)
            worker.wait_until_ready()
            self._local.worker = worker
        return worker


class _BatchFailedError(Exception):
    """A worker gave no answer to a batch; the message says how it failed."""


class _Worker:
    """One worker process and the pipes to it."""

    def __init__(self, target: str, limits: WorkerLimits) -> None:
        self._limits = limits
        self._last_words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill()
        arguments = [target, str(limits.timeout_seconds), str(limits.memory_bytes)]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "holocron_assets.worker_main", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._last_words,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise WorkerStartError("a worker process has no pipes")
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._stdin, self._stdout, self._last_words):
            # What was not sent yet has nobody to go to; and another thread may be closing it too.
            with suppress(OSError, ValueError):
                pipe.close()

    def wait_until_ready(self) -> None:
        """Wait until the worker has imported what it needs; raises `WorkerStartError` with its last words."""
        timed_out = threading.Event()
        try:
            with self._ended_after(_START_SECONDS, timed_out):
                said = pickle.load(self._stdout)  # noqa: S301 - from our own process
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            how = f"said nothing for {_START_SECONDS:g} s" if timed_out.is_set() else "ended while starting"
            words: list[str] = []
            with suppress(ValueError):  # closed meanwhile
                self._last_words.seek(0)
                words = self._last_words.read().decode(errors="replace").strip().splitlines()
            self.kill()
            raise WorkerStartError(
                f"a worker process {how}: {words[-1] if words else 'without a word'}. No document is to blame, and "
                "none was held back: mend the installation, or free some memory, and run again."
            ) from error
        if said != READY:
            raise WorkerStartError(f"a worker process began with {said!r} instead of {READY!r}")

    def call(self, batch: object) -> list:  # type: ignore[type-arg]
        """Send a batch and wait for its answers; raises `_BatchFailedError`."""
        timed_out = threading.Event()
        try:
            with self._ended_after(self._limits.timeout_seconds, timed_out):
                pickle.dump(batch, self._stdin, protocol=pickle.HIGHEST_PROTOCOL)
                self._stdin.flush()
                succeeded, answer = pickle.load(self._stdout)  # noqa: S301 - from our own process
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:  # ValueError: closed meanwhile
            self.kill()
            if timed_out.is_set():
                raise _BatchFailedError(f"took longer than {self._limits.timeout_seconds:g} s") from error
            code = self._process.returncode
            raise _BatchFailedError(f"ended its worker process (exit code {code})") from error
        if timed_out.is_set():
            self.kill()  # it answered in the last moment, and is being ended: the next batch must not be given to it
        if not succeeded:
            raise _BatchFailedError(answer)
        return answer  # type: ignore[no-any-return]

    @contextmanager
    def _ended_after(self, seconds: float, timed_out: threading.Event) -> Iterator[None]:
        """Ends the process, and says so in `timed_out`, when the block takes longer."""

        def end() -> None:
            timed_out.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
