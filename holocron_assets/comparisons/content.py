"""Whether the texts of a space are other ones than they were: what came lately beside what was there."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from holocron_assets.clock import utc_now
from holocron_assets.comparisons.content_figures import metrics_of
from holocron_assets.comparisons.content_windows import Asked, Choice, ask
from holocron_assets.comparisons.content_words import judgement, pictures_of, told
from holocron_assets.comparisons.keeping import keep
from holocron_assets.comparisons.pooling import pooled
from holocron_assets.comparisons.vanished import Vanished
from holocron_assets.drift.content.findings import ContentDrift
from holocron_assets.drift.content.findings import Window as MeasuredWindow
from holocron_assets.drift.content.measuring import measure
from holocron_assets.drift.report import DriftReport, Judgement, Kind, Side, Verdict
from holocron_assets.drift.verdicts import judged
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.runs import Origin, recorded_run
from holocron_assets.sections import DriftSettings
from holocron_assets.settings import Settings
from holocron_assets.stages.model_guard import settled
from holocron_assets.stages.windows import Listed, Members, filled
from holocron_assets.tables import drift_windows
from holocron_assets.transactions import read

__all__ = ["STAGE", "Choice", "compare_content"]

STAGE = "content drift"

_BLOCK = 4096
_TITLE_CHARACTERS = 80


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

    Raises `NotReadyError` where a window has too few documents, and says how many are needed; where too much of a
    snapshot has no vectors any more; and while the vectors of the space are being replaced.
    """
    drift = settings.drift
    held_to = settled(store, space)
    asked = read(store, ask, space, choice, drift, held_to.canary_id)
    reference, current = asked.chosen
    options = {"reference": reference.label, "current": current.label, "seed": drift.seed}
    if not asked.is_told_without:
        asked.require_fit()  # before a run is recorded: that too little came is no failure of one
    with recorded_run(store, origin, JobType.DRIFT_TEST, stage=STAGE, options=options, space=space) as run:
        if asked.vanished is not None and asked.is_told_without:
            report = _unmeasured(space, asked, asked.vanished, drift, run.run_id)
        else:
            with filled(store, space, asked.chosen, settings.path(drift.folder), held_to) as (before, after):
                # A thread of the matrix library that waits for another costs as much as one that works.
                with threadpool_limits(1):
                    measured = measure(
                        pooled(before, after),
                        _Vectors([before, after]),
                        dimensions=space.dimensions,
                        seed=drift.seed,
                        permutations=drift.permutations,
                    )
                titles = read(store, _titles, [before, after], measured)
            lost = before.lost + after.lost
            report = _report(space, asked, measured, titles, drift, run.run_id, lost)
        run.count(chunks_compared=reference.keys.num_rows + current.keys.num_rows)
        keep(store, report)
    return report


def _titles(session: Session, parts: Sequence[Members], measured: ContentDrift) -> dict[int, str]:
    """Of the rows that clusters are shown by."""
    first = parts[0].keys.num_rows
    rows = sorted({row for cluster in (*measured.grown, *measured.shrunk) for row in cluster.exemplars})
    ids = {row: parts[row >= first].keys.column("chunk_id")[row - first * (row >= first)].as_py() for row in rows}
    titles = drift_windows.list_chunk_titles(session, list(ids.values()))
    return {row: " ".join(titles.get(chunk_id, chunk_id).split())[:_TITLE_CHARACTERS] for row, chunk_id in ids.items()}


def _report(
    space: EmbeddingSpace,
    asked: Asked,
    measured: ContentDrift,
    titles: Mapping[int, str],
    drift: DriftSettings,
    run_id: uuid.UUID,
    lost: int,
) -> DriftReport:
    metrics = judged(metrics_of(measured))
    found, others = asked.with_warning(judgement(metrics, measured, titles)), []
    if asked.vanished is not None:
        metrics.append(asked.vanished.metric)
        if asked.vanished.verdict is not Verdict.OK:
            others.append(asked.vanished.judgement())
    if asked.thinned is not None:
        others.append(asked.thinned)
    return DriftReport(
        report_id=uuid.uuid4(),
        run_id=run_id,
        kind=Kind.CONTENT,
        space_id=space.embedding_space_id,
        space=space.slug,
        reference=_side(asked.chosen[0], measured.reference),
        current=_side(asked.chosen[1], measured.current),
        judgements=_together(found, others),
        metrics=metrics,
        parameters=asked.parameters
        | asdict(measured.method)
        | {"vectors_lost_meanwhile": lost, "clusters_shown": told(measured, titles)},
        seed=drift.seed,
        created_utc=utc_now(),
        pictures=pictures_of(measured, titles),
    )


def _together(found: Judgement, others: Sequence[Judgement]) -> list[Judgement]:
    """That texts are alike is no judgement of its own beside a graver one on content, but a part of its reason."""
    if found.verdict is not Verdict.OK or not others:
        return [found, *others]
    first, *rest = others
    return [replace(first, why=f"{first.why} {found.why}"), *rest]


def _unmeasured(
    space: EmbeddingSpace, asked: Asked, vanished: Vanished, drift: DriftSettings, run_id: uuid.UUID
) -> DriftReport:
    """Of what vanished, where too little came to be compared."""
    sides = [
        Side(
            label=one.label,
            documents=one.document_count,
            chunks=one.keys.num_rows,
            sampled_documents=0,
            sampled_chunks=0,
        )
        for one in asked.chosen
    ]
    came = "Too little came" if sides[1].chunks else "Nothing came"
    of_vanished = vanished.judgement()
    came = f"{came} that {sides[0].label} does not hold: there is nothing to compare."
    return DriftReport(
        report_id=uuid.uuid4(),
        run_id=run_id,
        kind=Kind.CONTENT,
        space_id=space.embedding_space_id,
        space=space.slug,
        reference=sides[0],
        current=sides[1],
        judgements=[
            replace(of_vanished, why=f"{came} {of_vanished.why}" if vanished.documents else came),
            *([asked.thinned] if asked.thinned else []),
        ],
        metrics=[vanished.metric],
        parameters=asked.parameters,
        seed=drift.seed,
        created_utc=utc_now(),
    )


def _side(one: Listed, of: MeasuredWindow) -> Side:
    return Side(
        label=one.label,
        documents=of.documents,
        chunks=of.rows,
        sampled_documents=of.sampled_documents,
        sampled_chunks=of.sampled_rows,
    )
