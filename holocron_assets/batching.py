"""Cutting a stream into batches that fit into memory or into one transaction. Pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def batches(
    items: Iterable[Item], size_of: Callable[[Item], int], *, size: int, count: int | None = None
) -> Iterator[list[Item]]:
    """All items in their order; a batch ends with the item that makes it `count` long or at least `size` large."""
    batch: list[Item] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size_of(item)
        if total >= size or len(batch) == count:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
