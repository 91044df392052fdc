"""Waiting for what may take long: a while, and then whoever asked is told how far it is. The work goes on."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from holocron_assets.errors import UnfinishedError
from holocron_assets.ports import Progress

Answer = TypeVar("Answer")

PATIENCE_SECONDS = 10.0
_MOST_AT_ONCE, _MOST_WAITING = 16, 200


class Desk:
    """Has questions answered in threads, `most` at once, and waits `patience_seconds` for each.

    Beyond these up to `most_waiting` wait for their turn, in their order, and for no longer than that altogether.
    Work that takes longer is finished all the same, for what it leaves behind: an index. Its answer is dropped, because
    it may be stale when somebody asks again; who does so meanwhile waits for it, and then has the same done anew.
    The threads are no reason for the process not to end; but it must do so at once (`os._exit`) while any is at work in
    a library, which would not outlive the interpreter.
    """

    def __init__(
        self,
        patience_seconds: float = PATIENCE_SECONDS,
        most: int = _MOST_AT_ONCE,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        self._patience = patience_seconds
        self._most = most
        self._most_waiting = most_waiting
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()
        self._running = 0
        self._late: dict[str, list[Future[None]]] = {}
        self._progress: dict[str, tuple[int, int]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether anything is still worked on."""
        return self._running > 0

    async def answer(self, about: str, work: Callable[[Progress], Answer]) -> Answer:
        """What `work` answers, or raises; `about` names what it may have to build, so that not all of them do.

        Raises `UnfinishedError` when it takes too long.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        for earlier in list(self._late.get(about, ())):
            if not await _ended(earlier, deadline - loop.time()):
                raise self._unfinished(about)
        await self._turn(deadline)
        answered: Future[Answer] = Future()
        ended = self._start(about, work, answered)
        if await _ended(ended, deadline - loop.time()):
            return answered.result()
        with self._lock:
            if ended.done():
                return answered.result()
            self._late.setdefault(about, []).append(ended)
        raise self._unfinished(about)

    async def _turn(self, deadline: float) -> None:
        """Wait until one more may be begun; raises `UnfinishedError` where that takes too long, or too many wait."""
        with self._lock:
            if self._running < self._most:
                self._running += 1
                return
            if len(self._waiting) >= self._most_waiting:
                raise self._crowded()
            turn: Future[None] = Future()
            self._waiting.append(turn)
        try:
            await _ended(turn, deadline - asyncio.get_running_loop().time())
        except asyncio.CancelledError:
            with self._lock:
                self._leave(turn)
            raise
        with self._lock:
            if not turn.done():
                self._waiting.remove(turn)
                raise self._crowded()

    def _leave(self, turn: Future[None] | None = None) -> None:
        """Let the next one begin, if any waits; `turn` is that of one who waits no longer. With the lock held."""
        if turn is not None and not turn.done():
            self._waiting.remove(turn)
        elif self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._running -= 1

    def _crowded(self) -> UnfinishedError:
        return UnfinishedError(
            f"{self._running} searches are under way already, {len(self._waiting)} wait, and this one was not begun"
        )

    def _start(self, about: str, work: Callable[[Progress], Answer], answered: Future[Answer]) -> Future[None]:
        """Begin in a thread of its own; what is returned is done when that has ended."""
        ended: Future[None] = Future()

        def report(done: int, total: int) -> None:
            self._progress[about] = done, total

        def run() -> None:
            try:
                answered.set_result(work(report))
            except BaseException as error:  # noqa: BLE001 - whoever waits for it raises it
                answered.set_exception(error)
            with self._lock:
                self._leave()
                self._late[about] = [one for one in self._late.get(about, ()) if one is not ended]
                if not self._late[about]:
                    del self._late[about]
                    self._progress.pop(about, None)
                ended.set_result(None)

        threading.Thread(target=run, name=f"answering {about}", daemon=True).start()
        return ended

    def _unfinished(self, about: str) -> UnfinishedError:
        done, total = self._progress.get(about, (0, 0))
        if total:
            return UnfinishedError(f"the search index is being built: {done:,} of {total:,} chunks")
        return UnfinishedError(
            "the answer is not ready yet: the store is waited for, or a process that builds the search index"
        )


async def _ended(work: Future[None], seconds: float) -> bool:
    """Whether it ends in time."""
    done, _ = await asyncio.wait([asyncio.wrap_future(work)], timeout=max(seconds, 0))
    return bool(done)
