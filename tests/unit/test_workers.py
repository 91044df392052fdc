"""Worker processes: what becomes of items that hang, explode or crash."""

import os
import signal
import time
from collections.abc import Sequence

import pytest

from holocron_assets.errors import WorkerStartError
from holocron_assets.workers import WorkerLimits, WorkerPool

LIMITS = WorkerLimits(timeout_seconds=1.5, memory_bytes=1024**3)


def behave(items: Sequence[str]) -> list[str]:
    """What the workers run: each item says what to do."""
    for item in items:
        if item == "hang":
            time.sleep(600)
        elif item == "spin":
            while True:
                pass
        elif item.endswith("crash"):
            os.kill(os.getpid(), signal.SIGKILL)
        elif item == "explode":
            _ = bytearray(2 * 1024**3)
        elif item == "raise":
            raise ValueError("no good")
        elif item == "print":
            print("chatter on standard output")  # noqa: T201 - it must not end up between the answers
    return [str(os.getpid()) if item == "pid" else f"{item} done" for item in items]


def pool_of(
    target: str = "tests.unit.test_workers:behave", *, workers: int = 1, limits: WorkerLimits = LIMITS
) -> WorkerPool[str, str]:
    return WorkerPool[str, str](
        target,
        workers=workers,
        limits=limits,
        split=lambda item: item.split("+") if "+" in item else None,
        blame=lambda item, reason: f"{item} {reason}",
    )


def answers(batches: list[list[str]], workers: int = 1) -> set[str]:
    with pool_of(workers=workers) as pool:
        return {answer for batch in pool.answers(batches) for answer in batch}


def test_every_item_is_answered() -> None:
    """Answers come for every item of every batch, whoever worked on it."""
    batches = [[f"{batch}/{item}" for item in range(7)] for batch in range(20)]

    assert answers(batches, workers=2) == {f"{item} done" for batch in batches for item in batch}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("hang", "took longer than 1.5 s"),
        ("spin", "took longer than 1.5 s"),
        ("crash", "ended its worker process (exit code -9)"),
        ("explode", "raised MemoryError: "),
        ("raise", "raised ValueError: no good"),
    ],
)
def test_a_bad_item_is_blamed_and_the_others_are_answered(item: str, reason: str) -> None:
    """Whatever one item does, its neighbours in the batch and the next batch are answered."""
    assert answers([["a", item, "b"], ["c"]]) == {"a done", "b done", "c done", f"{item} {reason}"}


def test_nothing_is_blamed_when_workers_cannot_start() -> None:
    """A worker that cannot import what it should run is an error with its last words, not a fault of every item."""
    with (
        pool_of("tests.unit.no_such_module:behave") as pool,
        pytest.raises(WorkerStartError, match=r"No module named 'tests\.unit\.no_such_module'.*none was held back"),
    ):
        list(pool.answers([["a"]]))


def test_starting_is_not_counted_as_work() -> None:
    """However short the time limit of a batch, a worker may take longer to start."""
    limits = WorkerLimits(timeout_seconds=0.5, memory_bytes=1024**3)

    with pool_of("tests.unit.slow_to_import:behave", limits=limits) as pool:
        assert list(pool.answers([["a"]])) == [["a done"]]


def test_workers_serve_one_call_after_the_other() -> None:
    """What starting a worker costs is paid once for a pool, however often it is asked."""
    with pool_of() as pool:
        ((first,),) = pool.answers([["pid"]])
        ((second,),) = pool.answers([["pid"]])

    assert first == second


def test_an_item_that_can_be_split_is() -> None:
    """An item that fails alone is taken apart before any of it is blamed."""
    assert answers([["a+crash"]]) == {"a done", "crash ended its worker process (exit code -9)"}


def test_what_workers_print_does_not_disturb() -> None:
    """Output of a library in a worker is not taken for an answer."""
    assert answers([["print"], ["a"]]) == {"print done", "a done"}


def test_leaving_early_ends_the_workers() -> None:
    """Whoever stops listening is not waited for by the workers."""
    started = time.monotonic()

    with pool_of(limits=WorkerLimits(timeout_seconds=60, memory_bytes=1024**3)) as pool:
        next(pool.answers([["a"], *[["hang"]] * 4]))

    assert time.monotonic() - started < 10


def test_batches_are_taken_as_they_are_needed() -> None:
    """Only a few batches are held at once, so that memory is bounded however many there are."""
    taken = 0

    def batches() -> object:
        nonlocal taken
        for number in range(50):
            taken += 1
            yield [str(number)]

    with pool_of() as pool:
        stream = pool.answers(batches())  # type: ignore[arg-type]
        next(stream)

        assert taken <= 5
        assert sum(1 for _ in stream) == 49
