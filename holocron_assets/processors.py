"""How many processors this process may use."""

import os


def usable_processors() -> int:
    """Those of the machine that the process is not kept from, e.g. by a container's limits."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
