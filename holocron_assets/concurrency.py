"""Having a function called by several threads, for a stream of items, without reading far ahead of them."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def answers_as_ready(
    executor: Executor, function: Callable[[Item], Answer], items: Iterable[Item], *, ahead: int
) -> Iterator[Answer]:
    """What `function` answers to each item, in the order in which that is ready; takes items as it needs them.

    At most `ahead` items are waiting or in work. When one fails, or no further one can be had, what has not begun is
    given up, what else succeeds is still answered, and then the first failure is raised.
    """
    calls = _Calls(executor, function, iter(items))
    while not calls.failures and calls.begin():
        if len(calls.under_way) >= ahead:
            yield from calls.ready()
    while calls.under_way:
        if calls.failures:
            calls.give_up()
        yield from calls.ready()
    if calls.failures:
        raise calls.failures[0]


class _Calls(Generic[Item, Answer]):
    def __init__(self, executor: Executor, function: Callable[[Item], Answer], items: Iterator[Item]) -> None:
        self._executor = executor
        self._function = function
        self._items = items
        self.under_way: set[Future[Answer]] = set()
        self.failures: list[BaseException] = []

    def begin(self) -> bool:
        """Begin with the next item; False when there is none."""
        try:
            item = next(self._items)
        except StopIteration:
            return False
        except Exception as error:  # noqa: BLE001 - raised after what is under way
            self.failures.append(error)
            return False
        self.under_way.add(self._executor.submit(self._function, item))
        return True

    def ready(self) -> Iterator[Answer]:
        """What is answered by now, at least one unless nothing is under way."""
        done, self.under_way = wait(self.under_way, return_when=FIRST_COMPLETED)
        for future in done:
            failure = CancelledError() if future.cancelled() else future.exception()
            if failure is None:
                yield future.result()
            else:
                self.failures.append(failure)

    def give_up(self) -> None:
        """Leave what has not begun."""
        self.under_way = {future for future in self.under_way if not future.cancel()}
