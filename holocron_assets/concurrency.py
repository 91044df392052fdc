"""Having a function called by several threads, for a stream of items, without reading far ahead of them."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def answers_as_ready(
    executor: Executor, function: Callable[[Item], Answer], items: Iterable[Item], *, ahead: int
) -> Iterator[Answer]:
    """What `function` answers to each item, in the order in which that is ready; takes items as it needs them.

    At most `ahead` items are waiting or in work. When one fails, what has not begun is given up, what else succeeds
    is still answered, and then the first failure is raised.
    """
    under_way: set[Future[Answer]] = set()
    failures: list[BaseException] = []

    def ready() -> Iterator[Answer]:
        done, rest = wait(under_way, return_when=FIRST_COMPLETED)
        under_way.intersection_update(rest)
        for future in done:
            failure = CancelledError() if future.cancelled() else future.exception()
            if failure is None:
                yield future.result()
            else:
                failures.append(failure)

    for item in items:
        under_way.add(executor.submit(function, item))
        if len(under_way) >= ahead:
            yield from ready()
        if failures:
            break
    while under_way:
        if failures:
            under_way.difference_update([future for future in under_way if future.cancel()])
        yield from ready()
    if failures:
        raise failures[0]
