"""The folders of runs' artefacts: whole or not there, within their bound, whoever else writes or dies meanwhile."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.artefacts.folders import RUN, RUNS, RunFolders, line_of
from holocron_assets.errors import ArtefactError
from holocron_assets.runs import this_process

ROOT = Path(__file__).parents[2]
RUN_ID = uuid.UUID("5f0f6c1e-8a43-4c0c-9d2e-0a51c1a0f7d2")
PATH = f"vector_runs/{RUN_ID}/a.ndjson"
LINES = [{"number": number, "text": "x" * 80} for number in range(100)]
#: Writes a folder in a process of its own, which is killed at the given function.
KILLED = """
import os, signal, sys, uuid
from pathlib import Path
from holocron_assets.artefacts import folders

module, name, count = sys.argv[3], sys.argv[4], int(sys.argv[5])
target = {"os": os, "Path": Path}[module]
original, calls = getattr(target, name), []

def killed(*given, **named):
    calls.append(1)
    if len(calls) == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*given, **named)

setattr(target, name, killed)
folders.RunFolders(root=Path(sys.argv[1]), max_bytes=10**6).write(
    uuid.UUID(sys.argv[2]), {"run_id": sys.argv[2]}, {"a.ndjson": ({"number": n} for n in range(50_000))}
)
"""


@pytest.fixture
def folders(tmp_path: Path) -> RunFolders:
    """A lake with nothing in it."""
    return RunFolders(root=tmp_path / "lake", max_bytes=1_000_000)


def written(folders: RunFolders, lines: Any = LINES) -> bool:
    return folders.write(RUN_ID, {"run_id": str(RUN_ID)}, {"a.ndjson": lines})


def there(folders: RunFolders) -> set[str]:
    """What lies where the folders of runs are, hidden or not."""
    return {path.name for path in (folders.root / RUNS).iterdir()}


def lines_there(folders: RunFolders) -> list[Any]:
    return [json.loads(line) for line in (folders.folder(RUN_ID) / "a.ndjson").read_bytes().splitlines()]


def part_of(writer: str) -> str:
    """The name under which a process writes the folder."""
    return f".{RUN_ID}~{writer.replace('/', '~')}~0123abcd.part"


@pytest.mark.parametrize("max_bytes", [0, 900, 1_200, 3_000, 9_000])
def test_a_folder_has_no_more_bytes_than_it_may(tmp_path: Path, max_bytes: int) -> None:
    """A file ends with the last whole line that fits, and `run.json`, which is always whole, counts those left out."""
    folders = RunFolders(root=tmp_path, max_bytes=max_bytes)

    assert written(folders)

    told = json.loads((folders.folder(RUN_ID) / RUN).read_bytes())
    kept = lines_there(folders) if told["files"] else []
    assert kept == LINES[: len(kept)]
    assert told["lines_left_out"] == {PATH: len(LINES) - len(kept)}
    files = list(folders.folder(RUN_ID).iterdir())
    assert sum(path.stat().st_size for path in files) <= max_bytes or len(files) == 1


def test_a_line_that_does_not_fit_ends_the_file(tmp_path: Path) -> None:
    """Lines are left out from there on, also shorter ones: what is kept is a beginning."""
    lines = [{"a": 1}, {"a": "x" * 5_000}, {"a": 2}]

    written(RunFolders(root=tmp_path, max_bytes=3_000), lines)

    assert lines_there(RunFolders(root=tmp_path, max_bytes=0)) == lines[:1]


def test_without_lines_there_is_no_file(folders: RunFolders) -> None:
    """A file is there only where it has something to tell."""
    assert written(folders, [])

    assert [path.name for path in folders.folder(RUN_ID).iterdir()] == [RUN]


def test_half_a_surrogate_pair_can_be_written() -> None:
    """What another program stored as text and UTF-8 does not know comes out of the JSON as it was."""
    encoded = line_of({"reason": "half \ud800 \u00e9"})

    assert json.loads(encoded) == {"reason": "half \ud800 \u00e9"}
    assert encoded.decode() == '{"reason":"half \\ud800 \u00e9"}\n'


def test_what_somebody_else_put_there_is_not_overwritten(folders: RunFolders) -> None:
    """A folder of the run's name that has other things in it is an error that names it, and stays as it is."""
    folders.folder(RUN_ID).mkdir(parents=True)
    (folders.folder(RUN_ID) / "notes.txt").write_text("mine")

    with pytest.raises(ArtefactError, match=rf"cannot write .*{RUN_ID}: Directory not empty"):
        written(folders)

    assert [path.name for path in folders.folder(RUN_ID).iterdir()] == ["notes.txt"]
    assert there(folders) == {str(RUN_ID)}


def test_writers_at_once_leave_one_folder(folders: RunFolders) -> None:
    """Of writers of one run at the same time one writes it; the others are not in its way, and leave nothing."""
    begun = threading.Barrier(4, timeout=30)
    answers: list[bool] = []

    def lines() -> Iterator[dict[str, Any]]:
        begun.wait()
        yield from LINES

    threads = [threading.Thread(target=lambda: answers.append(written(folders, lines()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [False, False, False, True]
    assert there(folders) == {str(RUN_ID)}
    assert lines_there(folders) == LINES


@pytest.mark.parametrize("step", ["os fsync 1", "os fsync 2", "os fsync 3", "Path rename 1", "os fsync 4"])
def test_a_killed_writer_leaves_a_whole_folder_or_none(folders: RunFolders, step: str) -> None:
    """Killed anywhere, it leaves no half folder under the run's name, and the next writer removes what it left."""
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(folders.root), str(RUN_ID), *step.split()],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL
    is_whole = step == "os fsync 4"
    assert folders.holds(RUN_ID) == is_whole
    (left,) = there(folders)
    assert left == str(RUN_ID) if is_whole else left.startswith(f".{RUN_ID}~{platform.node()}~")

    assert written(folders) == (not is_whole)

    assert there(folders) == {str(RUN_ID)}
    assert len(lines_there(folders)) == (50_000 if is_whole else len(LINES))


def test_what_living_writers_write_is_left_to_them(folders: RunFolders) -> None:
    """Nothing is removed that a living process, or one of another machine, may be writing; nor anything else."""
    others = {part_of(this_process()), part_of("elsewhere/1/1"), ".notes.part", ".hidden"}
    for name in others:
        (folders.root / RUNS / name).mkdir(parents=True)

    written(folders)

    assert there(folders) == {*others, str(RUN_ID)}


def test_what_nobody_touched_for_a_day_is_removed(folders: RunFolders) -> None:
    """A writer on another machine that died is known by its silence."""
    part = folders.root / RUNS / part_of("elsewhere/1/1")
    part.mkdir(parents=True)
    (part / "a.ndjson").write_text("half a li")
    for path in (part / "a.ndjson", part):
        os.utime(path, (1_700_000_000, 1_700_000_000))

    written(folders)

    assert there(folders) == {str(RUN_ID)}


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """What a full disk does, by the operating system's own limit on the size of a file."""
    resource = pytest.importorskip("resource", reason="only POSIX has such limits")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_more_is_named(folders: RunFolders) -> None:
    """An error in the middle of a file leaves nothing, and says what failed and how to write it later."""
    with files_no_longer_than(2_000), pytest.raises(ArtefactError) as raised:
        written(folders)

    assert "File too large" in str(raised.value)
    assert str(folders.folder(RUN_ID)) in str(raised.value)
    assert "`holocron artefacts --missing`" in str(raised.value)
    assert there(folders) == set()
    assert written(folders)


def test_a_lake_where_nobody_may_look_is_named(tmp_path: Path) -> None:
    """Whatever the system says of the place, the error is ours."""
    nowhere = RunFolders(root=tmp_path / ("x" * 300), max_bytes=1_000_000)

    for attempt in (lambda: nowhere.holds(RUN_ID), lambda: written(nowhere)):
        with pytest.raises(ArtefactError, match="File name too long"):
            attempt()


def test_an_error_while_reading_leaves_nothing(folders: RunFolders) -> None:
    """When the lines cannot be read to their end, there is no folder."""

    def lines() -> Iterator[dict[str, Any]]:
        yield LINES[0]
        raise ArtefactError("the store is away")

    with pytest.raises(ArtefactError, match="the store is away"):
        written(folders, lines())

    assert there(folders) == set()


def test_a_folder_may_be_removed_and_written_anew(folders: RunFolders) -> None:
    """Whoever deletes a folder has it written again."""
    written(folders)
    shutil.rmtree(folders.folder(RUN_ID))

    assert written(folders)
