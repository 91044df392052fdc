"""A folder like a user's, for a benchmark to run the real command in."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Cost, cost_of, environment

EVERYTHING = "+key:embeddings"
FROM_RECORDS = "key:extracted_texts or key:chunks or key:embedding_spaces or key:embeddings"

#: A file that changed just now is not remembered as read.
LONG_AGO = (1_700_000_000, 1_700_000_000)


@dataclass(frozen=True, slots=True)
class Project:
    """Settings, a Dagster instance and a store in one folder."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, *, records: Path | None, workers: int, provider: str = "hashing") -> "Project":
        """A fresh project that would load `records`."""
        folder.mkdir(parents=True)
        model = {"hashing": "ngram", "embedded": "all-minilm-l6-v2"}[provider]
        (folder / "holocron.yaml").write_text(
            f"ingest: [{records or ''}]\nextraction: {{workers: {workers}}}\n"
            f"spaces: [{{provider: {provider}, model: {model}}}]\n"
        )
        shutil.copy(Path(__file__).parents[1] / "dagster.yaml", folder)
        if records is not None:
            os.utime(records, LONG_AGO)
        return cls(folder)

    def copy(self, folder: Path, *, workers: int) -> "Project":
        """The same store and instance in another folder, with another number of workers."""
        shutil.copytree(self.folder, folder)
        settings = folder / "holocron.yaml"
        lines = settings.read_text().splitlines()
        settings.write_text("\n".join([lines[0], f"extraction: {{workers: {workers}}}", *lines[2:]]))
        return Project(folder)

    @property
    def store(self) -> Path:
        """The store's file."""
        return self.folder / ".holocron" / "store.duckdb"

    def materialize(self, selection: str = EVERYTHING) -> Cost:
        """Run `dagster asset materialize` here, as a user does."""
        return cost_of(self.command(selection), self.folder, environment())

    @staticmethod
    def command(selection: str = EVERYTHING) -> list[str]:
        """The command line."""
        module = ["-m", "holocron_assets.definitions"]
        return [sys.executable, "-m", "dagster", "asset", "materialize", *module, "--select", selection]
