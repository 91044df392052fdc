"""From the rows of a run that ended to its folder: read a page at a time, and written when the session is closed."""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pyarrow as pa

from holocron_assets.artefacts.folders import RunFolders
from holocron_assets.errors import ArtefactError, ConfigurationError, HolocronError
from holocron_assets.ports import Session, Store
from holocron_assets.runs import RunEnded, ignore_end
from holocron_assets.settings import Settings
from holocron_assets.tables import artefacts, spaces
from holocron_assets.tables.artefacts import After
from holocron_assets.transactions import read

#: Some 20 MB of keys and hashes.
_PAGE_ROWS = 65_536
#: Other programs may have written numbers that JSON has not.
_JSON = json.JSONDecoder(parse_constant=str)


def run_folders(settings: Settings) -> RunFolders:
    """Where the settings want artefacts; raises `ConfigurationError` where they want none."""
    if settings.lake.root is None:
        raise ConfigurationError(
            "no artefacts of runs are written, because `lake.root` is not set. Set it in holocron.yaml, or LAKE_ROOT "
            "in the environment. See docs/configuration.md."
        )
    return RunFolders(root=settings.path(settings.lake.root), max_bytes=settings.lake.max_bytes_per_run)


def when_run_ends(settings: Settings, warn: Callable[[str], None]) -> RunEnded:
    """What writes the artefacts of each run that ended, where the settings want them.

    A failure is only warned of: the run's work is committed, and its artefacts can be written later.
    """
    if settings.lake.root is None:
        return ignore_end
    folders = run_folders(settings)

    def write_or_warn(store: Store, run_id: uuid.UUID) -> None:
        try:
            write_artefacts(store, folders, run_id)
        except HolocronError as error:
            warn(f"run {run_id} has no artefacts in the lake, and its work stands: {error}")

    return write_or_warn


def missing_runs(store: Store, folders: RunFolders) -> list[uuid.UUID]:
    """The runs that ended and have no folder, the oldest first."""
    return [run_id for run_id in read(store, artefacts.list_ended_runs) if not folders.holds(run_id)]


def write_artefacts(store: Store, folders: RunFolders, run_id: uuid.UUID) -> bool:
    """Write the folder of a run that ended; False where it is there already, which is left as it is.

    Raises `ArtefactError` when there is no such run, when it has not ended or when its folder cannot be written.
    """
    if folders.holds(run_id):
        return False
    run = read(store, describe_run, run_id)
    space_id = run["embedding_space_id"]
    error = {name: _plain(run[name]) for name in ("run_id", "stage", "completed_utc", "error")}
    files: dict[str, Iterable[dict[str, Any]]] = {
        "errors.ndjson": [error] if run["error"] else [],
        "failed_items.ndjson": map(_failed_item, _rows(store, artefacts.list_failures_of_run, run_id)),
        "chunks.ndjson": map(_chunk, _rows(store, artefacts.list_chunks_of_run, run_id)),
        "embeddings.ndjson": _rows(store, artefacts.list_embeddings_of_run, run_id, space_id) if space_id else [],
    }
    return folders.write(run_id, _plain(run), files)


def describe_run(session: Session, run_id: uuid.UUID) -> dict[str, Any]:
    """An ended run as `run.json` has it; raises `ArtefactError` when there is none, or it has not ended."""
    row = artefacts.get_run(session, run_id)
    if row is None:
        raise ArtefactError(f"no run has the id {run_id}. `holocron status --json` shows the last ones.")
    if row["status"] == "RUNNING":
        raise ArtefactError(
            f"run {run_id} has not ended. If its process {row['worker_id']} is gone, the next run ends it, and writes "
            "its artefacts too."
        )
    known = {space.embedding_space_id: space for space in spaces.list_spaces(session)}
    space = known.get(row["embedding_space_id"])
    asked = _parsed(row.pop("input_json"))
    asked = asked if isinstance(asked, dict) else {}
    return row | {
        **{name: asked.get(name) for name in ("stage", "origin", "reference")},
        "options": _parsed(row.pop("options_json")),
        "metrics": _parsed(row.pop("metrics_json")),
        "space": space and {name: value for name, value in asdict(space).items() if name != "is_active"},
    }


def _rows(store: Store, page: Callable[..., Iterator[pa.RecordBatch]], *keys: uuid.UUID) -> Iterator[dict[str, Any]]:
    """All rows of a query that gives pages; while they are used, no session is open."""

    def gathered(session: Session, after: After) -> list[pa.RecordBatch]:
        return list(page(session, *keys, after=after, limit=_PAGE_ROWS))

    after: After = None
    while batches := read(store, gathered, after):
        for batch in batches:
            yield from batch.to_pylist()
        if sum(batch.num_rows for batch in batches) < _PAGE_ROWS:
            return
        after = batches[-1].slice(batches[-1].num_rows - 1).to_pylist()[0]


def _failed_item(row: dict[str, Any]) -> dict[str, Any]:
    del row["item_key"]
    return row | {"last_failed_utc": _time(row["last_failed_utc"])}


def _chunk(row: dict[str, Any]) -> dict[str, Any]:
    offsets = _parsed(row.pop("offsets_json"))
    return row | {"offsets": offsets, "valid_from_utc": _time(row["valid_from_utc"])}


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    match value:
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case uuid.UUID():
            return str(value)
        case datetime():
            return _time(value)
    return value


def _time(value: datetime) -> str:
    """ISO 8601, UTC, to the microsecond."""
    return value.isoformat(timespec="microseconds") + "Z"


def _parsed(text: str | None) -> Any:
    """The value of a JSON column; its text where another program wrote something else."""
    try:
        return None if text is None else _JSON.decode(text)
    except ValueError:
        return text
