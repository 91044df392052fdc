"""A worker process: reads batches from standard input, answers on standard output, ends when its parent does.

`python -m holocron_assets.worker_main MODULE:FUNCTION SECONDS BYTES` calls the function on each batch. The
parent enforces the time limit; the limits set here are for what the parent cannot reach: memory, and a
worker whose parent was killed while a document hung.
"""

import os
import pickle
import pkgutil
import signal
import sys

#: What a worker says before anything else: it has imported its function, and time may be counted against batches.
READY = "ready"

_GRACE_SECONDS = 10


def main(target: str, timeout_seconds: float, memory_bytes: int) -> None:
    """Serve until standard input closes."""
    function = pkgutil.resolve_name(target)
    requests = sys.stdin.buffer
    # Whatever a library prints must not end up between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _limit_memory(memory_bytes)
    pickle.dump(READY, answers)
    answers.flush()
    _fall_silent()
    while True:
        try:
            batch = pickle.load(requests)  # noqa: S301 - written by our own parent process
        except EOFError:
            return
        _die_unless_done_in(timeout_seconds + _GRACE_SECONDS)
        answer: tuple[bool, object]
        try:
            answer = True, function(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent decides what becomes of the batch
            answer = False, f"raised {type(error).__name__}: {error}"
        _die_unless_done_in(0)
        pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()


def _fall_silent() -> None:
    """What is said while starting explains why a worker cannot; what libraries say of documents would fill a disk."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _limit_memory(limit_bytes: int) -> None:
    """A document that explodes gets a MemoryError, and the machine is spared. Not available on Windows."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - exists on POSIX only

    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    except (ValueError, OSError):  # macOS knows the limit and refuses to set it
        return


def _die_unless_done_in(seconds: float) -> None:
    """Have the kernel end this process after a time; zero takes it back. Not available on Windows."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
