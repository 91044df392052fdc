"""What a report of content drift compares: which windows, what they hold, and whether that is enough."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from holocron_assets.clock import utc_now
from holocron_assets.comparisons.vanished import Vanished
from holocron_assets.comparisons.versions import VERSIONS
from holocron_assets.drift.content.windows import MIN_DOCUMENTS, Windows, require_ready
from holocron_assets.drift.report import Judgement, Subject, Verdict
from holocron_assets.errors import ConfigurationError, NotReadyError
from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace
from holocron_assets.sections import DriftSettings
from holocron_assets.stages.windows import Listed, Window, by_time, find_snapshot, listed, since, since_snapshot
from holocron_assets.tables import drift_windows

#: Of the chunks of a snapshot, from where on it is told that their vectors are gone, and from where on nothing else is.
_GONE_TO_TELL, _GONE_TO_REFUSE = 0.1, 0.5
_TAKE_ANOTHER = "Take another snapshot, `holocron drift snapshot NAME`, and name it as the reference."


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is compared: with a snapshot, with all that was fetched before a time, or as the settings say.

    `as_of` is when the space held what is compared; None is now.
    """

    snapshot: str | None = None
    since: datetime | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """The chunks of both windows, and what vanished of the snapshot, where the reference is one.

    `canary_id` names the answers that the vectors of the space were held to, `reference_missing` a snapshot that the
    settings name and the space has not. `by_settings`: nobody chose the windows for this report alone.
    """

    chosen: tuple[Listed, Listed]
    vanished: Vanished | None
    canary_id: uuid.UUID | None
    by_settings: bool
    reference_missing: str | None

    @property
    def is_told_without(self) -> bool:
        """Whether something is to be said of a snapshot, while nothing came to compare it with, or too little."""
        reference, current = self.chosen
        if self.vanished is None:
            return False
        if reference.keys.num_rows and not current.keys.num_rows:
            return True
        too_few = min(reference.document_count, current.document_count) < MIN_DOCUMENTS
        return too_few and self.vanished.verdict is not Verdict.OK

    @property
    def gone(self) -> int:
        """How many chunks of the snapshot have no vectors any more: they were replaced, and history is not."""
        reference = self.chosen[0]
        snapshot = reference.window.snapshot
        return 0 if snapshot is None else snapshot.chunk_count - reference.found

    @property
    def thinned(self) -> Judgement | None:
        """What to say where much of the snapshot is gone; None where it is not."""
        snapshot = self.chosen[0].window.snapshot
        if snapshot is None or self.gone <= _GONE_TO_TELL * snapshot.chunk_count:
            return None
        return Judgement(
            subject=Subject.CONTENT,
            verdict=Verdict.WATCH,
            why=f"{self.gone:,} of the {snapshot.chunk_count:,} chunks of snapshot {snapshot.name} have no vectors any "
            "more: what is said of it rests on the others.",
            next_step=_TAKE_ANOTHER,
        )

    def with_warning(self, judgement: Judgement) -> Judgement:
        """A judgement that also says where the settings name a snapshot that the space has not."""
        if self.reference_missing is None:
            return judgement
        warning = f"The space has no snapshot {self.reference_missing!r}, which the settings name: compared by time."
        return replace(judgement, why=f"{judgement.why} {warning}")

    def require_fit(self) -> None:
        """Raise `NotReadyError` where a window has too few documents, or its snapshot too few vectors."""
        snapshot = self.chosen[0].window.snapshot
        if snapshot is not None and self.gone > _GONE_TO_REFUSE * snapshot.chunk_count:
            raise NotReadyError(
                f"{self.gone:,} of the {snapshot.chunk_count:,} chunks of snapshot {snapshot.name} have no vectors any "
                f"more, and the others do not speak for it. {_TAKE_ANOTHER}"
            )
        counts = [one.document_count for one in self.chosen]
        is_current = np.repeat([False, True], counts)
        require_ready(Windows(document_of_row=np.arange(sum(counts)), is_current=is_current, attributes={}))

    @property
    def parameters(self) -> dict[str, object]:
        """What is needed to find the same chunks again."""
        reference, _ = self.chosen
        told: dict[str, object] = {
            "as_of": reference.window.as_of.isoformat(),
            "by_settings": self.by_settings,
            "canary_id": None if self.canary_id is None else str(self.canary_id),
            "versions": VERSIONS,
        }
        if self.reference_missing is not None:
            told["reference_missing"] = self.reference_missing
        snapshot = reference.window.snapshot
        if snapshot is None:
            return told | {"split": reference.window.until.isoformat()}
        return told | {
            "snapshot": snapshot.name,
            "snapshot_id": str(snapshot.snapshot_id),
            "membership_sha256": snapshot.membership_sha256,
            "vectors_missing": self.gone,
            "documents_drawn": reference.drawn,
        }


def ask(
    session: Session, space: EmbeddingSpace, choice: Choice, drift: DriftSettings, canary_id: uuid.UUID | None
) -> Asked:
    """Find what is to be compared. Raises `ConfigurationError` for a time to come, or before the snapshot."""
    as_of, now = choice.as_of or utc_now(), utc_now()
    if as_of > now:
        raise ConfigurationError(f"nobody knows what the space will hold at {as_of:%Y-%m-%d %H:%M} UTC")
    missing = None
    if choice.since is not None:
        windows = since(choice.since, as_of)
    elif choice.snapshot is not None:
        windows = _since_snapshot(session, space, choice.snapshot, as_of)
    elif drift.reference is not None and find_snapshot(session, space, drift.reference) is not None:
        windows = _since_snapshot(session, space, drift.reference, as_of)
    else:
        windows, missing = by_time(session, space, drift.window_days, as_of), drift.reference
    snapshot, vanished = windows[0].snapshot, None
    if snapshot is not None:
        gone = drift_windows.count_vanished_documents(session, snapshot.snapshot_id, as_of)
        vanished = Vanished(snapshot=snapshot, documents=gone)
    reference, current = listed(session, space, windows)
    return Asked(
        chosen=(reference, current),
        vanished=vanished,
        canary_id=canary_id,
        by_settings=choice == Choice(),
        reference_missing=missing,
    )


def _since_snapshot(session: Session, space: EmbeddingSpace, name: str, as_of: datetime) -> tuple[Window, Window]:
    windows = since_snapshot(session, space, name, as_of)
    snapshot = windows[0].snapshot
    if snapshot is not None and as_of < snapshot.created_utc:
        raise ConfigurationError(
            f"snapshot {name} is of {snapshot.created_utc:%Y-%m-%d %H:%M}: nothing came since at {as_of:%Y-%m-%d %H:%M}"
        )
    return windows
