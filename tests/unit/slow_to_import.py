"""A worker's function in a module that takes a second to import."""

import time
from collections.abc import Sequence

time.sleep(1)


def behave(items: Sequence[str]) -> list[str]:
    """What the workers run."""
    return [f"{item} done" for item in items]
