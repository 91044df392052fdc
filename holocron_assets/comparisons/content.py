"""Whether the texts of a space are other ones than they were: what came lately beside what was there."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from holocron_assets.clock import utc_now
from holocron_assets.comparisons.content_words import judgement, pictures_of, told
from holocron_assets.comparisons.figures import metrics_of
from holocron_assets.comparisons.keeping import keep
from holocron_assets.comparisons.pooling import pooled
from holocron_assets.drift.content.measuring import ContentDrift, measure
from holocron_assets.drift.report import DriftReport, Judgement, Kind, Side, Subject, Verdict
from holocron_assets.drift.verdicts import judged
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.runs import Origin, recorded_run
from holocron_assets.sections import DriftSettings
from holocron_assets.settings import Settings
from holocron_assets.stages.windows import Members, Window, by_time, gathered, since, since_snapshot
from holocron_assets.tables import drift_windows
from holocron_assets.transactions import read

STAGE = "content drift"

_BLOCK = 4096
_TITLE_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is compared: with a snapshot, with all that was fetched before a time, or as the settings say."""

    snapshot: str | None = None
    since: datetime | None = None


class _Vectors:
    """The vectors of both windows one after the other."""

    def __init__(self, parts: Sequence[Members]) -> None:
        self._parts = parts
        self._vectors = [part.vectors for part in parts]

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """See `VectorSource`."""
        for part in self._parts:
            yield from part.blocks(_BLOCK)

    def rows(self, wanted: NDArray[np.intp]) -> NDArray[np.float32]:
        """See `VectorSource`."""
        reference, current = self._vectors
        first = len(reference)
        return np.concatenate([reference[wanted[wanted < first]], current[wanted[wanted >= first] - first]])


def compare_content(
    store: Store, settings: Settings, space: EmbeddingSpace, choice: Choice, origin: Origin
) -> DriftReport:
    """Compare what a space holds of a current window with a reference, and keep the report.

    Raises `NotReadyError` where a window has too few documents, and says how many are needed.
    """
    drift = settings.drift
    windows = read(store, _windows, space, choice, drift)
    options = {"reference": windows[0].label, "current": windows[1].label, "seed": drift.seed}
    with (
        recorded_run(store, origin, JobType.DRIFT_TEST, stage=STAGE, options=options, space=space) as run,
        gathered(store, space, windows, settings.path(drift.folder)) as (reference, current),
    ):
        if reference.keys.num_rows and not current.keys.num_rows and windows[0].snapshot:
            report = _nothing_came(space, reference, current, drift, run.run_id)
        else:
            # A thread of the matrix library that waits for another costs as much as one that works.
            with threadpool_limits(1):
                measured = measure(
                    pooled(reference, current),
                    _Vectors([reference, current]),
                    dimensions=space.dimensions,
                    seed=drift.seed,
                    permutations=drift.permutations,
                )
            titles = read(store, _titles, [reference, current], measured)
            report = _report(space, (reference, current), measured, titles, drift, run.run_id)
        run.count(chunks_compared=reference.keys.num_rows + current.keys.num_rows)
        keep(store, report)
    return report


def _windows(session: Session, space: EmbeddingSpace, choice: Choice, drift: DriftSettings) -> tuple[Window, Window]:
    now = utc_now()
    if choice.since is not None:
        return since(choice.since, now)
    if name := choice.snapshot or drift.reference:
        return since_snapshot(session, space, name, now)
    return by_time(session, space, drift.window_days, now)


def _titles(session: Session, parts: Sequence[Members], measured: ContentDrift) -> dict[int, str]:
    """Of the rows that clusters are shown by."""
    first = parts[0].keys.num_rows
    rows = sorted({row for cluster in (*measured.grown, *measured.shrunk) for row in cluster.exemplars})
    ids = {row: parts[row >= first].keys.column("chunk_id")[row - first * (row >= first)].as_py() for row in rows}
    titles = drift_windows.list_chunk_titles(session, list(ids.values()))
    return {row: " ".join(titles.get(chunk_id, chunk_id).split())[:_TITLE_CHARACTERS] for row, chunk_id in ids.items()}


def _report(
    space: EmbeddingSpace,
    parts: tuple[Members, Members],
    measured: ContentDrift,
    titles: Mapping[int, str],
    drift: DriftSettings,
    run_id: uuid.UUID,
) -> DriftReport:
    metrics = judged(metrics_of(measured))
    return DriftReport(
        report_id=uuid.uuid4(),
        run_id=run_id,
        kind=Kind.CONTENT,
        space_id=space.embedding_space_id,
        space=space.slug,
        reference=_side(parts[0], measured),
        current=_side(parts[1], measured),
        judgements=[judgement(metrics, measured, titles)],
        metrics=metrics,
        parameters=_parameters(parts) | asdict(measured.method) | {"clusters_shown": told(measured, titles)},
        seed=drift.seed,
        created_utc=utc_now(),
        pictures=pictures_of(measured, titles),
    )


def _nothing_came(
    space: EmbeddingSpace, reference: Members, current: Members, drift: DriftSettings, run_id: uuid.UUID
) -> DriftReport:
    sides = [
        Side(
            label=part.window.label,
            documents=int(part.documents.max(initial=-1)) + 1,
            chunks=part.keys.num_rows,
            sampled_documents=0,
            sampled_chunks=0,
        )
        for part in (reference, current)
    ]
    return DriftReport(
        report_id=uuid.uuid4(),
        run_id=run_id,
        kind=Kind.CONTENT,
        space_id=space.embedding_space_id,
        space=space.slug,
        reference=sides[0],
        current=sides[1],
        judgements=[
            Judgement(
                subject=Subject.CONTENT,
                verdict=Verdict.OK,
                why=f"Nothing came that {reference.window.label} does not hold: there is nothing to compare.",
                next_step="Nothing needs to be done.",
            )
        ],
        metrics=(),
        parameters=_parameters((reference, current)),
        seed=drift.seed,
        created_utc=utc_now(),
    )


def _side(members: Members, measured: ContentDrift) -> Side:
    window = measured.reference if members.window.without is None and members.window.since.year == 1 else None
    of = window or measured.current
    return Side(
        label=members.window.label,
        documents=of.documents,
        chunks=of.rows,
        sampled_documents=of.sampled_documents,
        sampled_chunks=of.sampled_rows,
    )


def _parameters(parts: tuple[Members, Members]) -> dict[str, object]:
    """What is needed to find the same chunks again."""
    told: dict[str, object] = {"as_of": parts[0].window.as_of.isoformat()}
    snapshot = parts[0].window.snapshot
    if snapshot is None:
        return told | {"split": parts[0].window.until.isoformat()}
    return told | {
        "snapshot": snapshot.name,
        "snapshot_id": str(snapshot.snapshot_id),
        "membership_sha256": snapshot.membership_sha256,
        "vectors_missing": snapshot.chunk_count - parts[0].keys.num_rows,
    }
