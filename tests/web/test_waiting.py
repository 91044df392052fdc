"""Waiting for what takes long: how far it is, that it goes on, and that not everybody begins it."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from holocron_assets.errors import InputError, UnfinishedError
from holocron_assets.ports import Progress
from holocron_assets.web.waiting import Desk


def test_what_is_ready_in_time_is_answered() -> None:
    """Answers and errors come through."""

    def refuse(progress: Progress) -> str:
        raise InputError("not this")

    desk = Desk()

    assert asyncio.run(desk.answer("a", lambda progress: "answer")) == "answer"
    with pytest.raises(InputError, match="not this"):
        asyncio.run(desk.answer("a", refuse))


def test_what_takes_long_is_told_and_done_anew() -> None:
    """Until it ends everybody is told how far it is and nobody begins it again; then it is done anew, quickly."""
    release, begun = threading.Event(), []

    def build(progress: Progress) -> int:
        begun.append(threading.current_thread())
        progress(2048, 70_000)
        release.wait(30)
        return len(begun)

    async def ask() -> int:
        desk = Desk(patience_seconds=0.1)
        for _ in range(3):
            with pytest.raises(UnfinishedError, match="is being built: 2,048 of 70,000 chunks"):
                await desk.answer("space", build)
        assert len(begun) == 1
        assert await desk.answer("another space", lambda progress: 7) == 7
        release.set()
        begun[0].join()
        return await desk.answer("space", build)

    assert asyncio.run(ask()) == 2
    assert begun[0].daemon


def test_not_everything_is_begun_at_once() -> None:
    """Past a number of questions under way others wait for their turn, in their order; past a number of those, none."""
    release, begun = threading.Event(), []

    def work(name: str) -> Callable[[Progress], str]:
        def answer(progress: Progress) -> str:
            begun.append(name)
            release.wait(30)
            return name

        return answer

    async def ask() -> list[str]:
        desk = Desk(patience_seconds=5, most=2, most_waiting=3)
        waiting = [asyncio.create_task(desk.answer(name, work(name))) for name in "abcde"]
        await asyncio.sleep(0.05)
        assert sorted(begun) == ["a", "b"]
        with pytest.raises(UnfinishedError, match="2 searches are under way already, 3 wait, and this one"):
            await desk.answer("f", work("f"))
        release.set()
        answers = await asyncio.gather(*waiting)
        assert not desk.is_busy
        return [*answers, await desk.answer("f", work("f"))]

    assert asyncio.run(ask()) == list("abcdef")


def test_whose_turn_does_not_come_in_time_is_told() -> None:
    """It was not begun, and takes nobody's place; nor does one who no longer wants an answer."""
    release, begun = threading.Event(), []

    async def ask() -> str:
        desk = Desk(patience_seconds=0.2, most=1)
        late = asyncio.create_task(desk.answer("a", lambda progress: release.wait(30)))
        await asyncio.sleep(0.05)
        gone = asyncio.create_task(desk.answer("b", begun.append))
        with pytest.raises(UnfinishedError, match="1 searches are under way"):
            await desk.answer("c", begun.append)
        gone.cancel()
        with pytest.raises(UnfinishedError):
            await late
        with pytest.raises(asyncio.CancelledError):
            await gone
        release.set()
        return await desk.answer("d", lambda progress: "answered")

    assert asyncio.run(ask()) == "answered"
    assert not begun


def test_what_began_in_one_loop_is_waited_for_in_another() -> None:
    """What is prepared before the page listens is not begun again by the first who asks."""
    release, desk = threading.Event(), Desk(patience_seconds=0.1)

    with pytest.raises(UnfinishedError):
        asyncio.run(desk.answer("space", lambda progress: release.wait(30)))
    with pytest.raises(UnfinishedError):
        asyncio.run(desk.answer("space", lambda progress: pytest.fail("it was begun again")))
    release.set()

    async def ask() -> str:
        return await desk.answer("space", lambda progress: "answered")

    assert asyncio.run(ask()) == "answered"
