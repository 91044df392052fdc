"""`python -m benchmarks SCENARIO`: run one scenario in a folder of its own and print its figures."""

import argparse
import shutil
import tempfile
from pathlib import Path

from benchmarks.corpus import KINDS
from benchmarks.scenarios import SCENARIOS


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--documents", type=int, help="how many documents; each scenario has its own default")
    parser.add_argument("--kind", choices=KINDS, default="web", help="what documents (default: web)")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder otherwise")
    arguments = parser.parse_args()
    run, documents = SCENARIOS[arguments.scenario]
    folder = Path(tempfile.mkdtemp(prefix="holocron-bench-", dir=arguments.folder))
    try:
        for line in run(folder, arguments.documents or documents, arguments.kind):
            print(line, flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
