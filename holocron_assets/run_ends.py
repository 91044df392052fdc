"""What is done when a recorded run ended: an event tells of it, and its artefacts are written."""

import uuid
from collections.abc import Callable

from holocron_assets.artefacts.writing import describe_run, when_run_ends
from holocron_assets.errors import HolocronError
from holocron_assets.events import event, event_file
from holocron_assets.ports import Store
from holocron_assets.runs import RunEnded
from holocron_assets.settings import Settings
from holocron_assets.transactions import read


def told_when_run_ends(settings: Settings, warn: Callable[[str], None]) -> RunEnded:
    """What tells of each run that ended as the settings want it. A failure is only warned of: the run's work stands."""
    events, write_artefacts = event_file(settings), when_run_ends(settings, warn)

    def tell(store: Store, run_id: uuid.UUID) -> None:
        if events is not None:
            try:
                run = read(store, describe_run, run_id)
                events.append(
                    event(
                        "run_ended",
                        f"{run_id}",
                        **{name: run[name] for name in ("run_id", "job_id", "job_type", "stage", "status")},
                        space=run["space"] and run["space"]["slug"],
                        origin=run["origin"],
                        reference=run["reference"],
                        started_utc=run["started_utc"],
                        completed_utc=run["completed_utc"],
                        metrics=run["metrics"],
                        error=run["error"],
                    )
                )
            except HolocronError as error:
                warn(f"no event tells of run {run_id}, and its work stands: {error}")
        write_artefacts(store, run_id)

    return tell
