"""How two spaces differ on the chunks that both hold: by their neighbours, shapes, searches and costs."""

import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from holocron_assets.clock import utc_now
from holocron_assets.comparisons import retrieval
from holocron_assets.comparisons.common_chunks import CommonChunks, common_chunks, require_common
from holocron_assets.comparisons.keeping import keep
from holocron_assets.comparisons.space_figures import SpaceDrift, metrics_of
from holocron_assets.comparisons.versions import VERSIONS
from holocron_assets.drift import pictures
from holocron_assets.drift.figures import share
from holocron_assets.drift.paired.bridge import BridgeRecall, divide, fit_bridge, measure_bridge
from holocron_assets.drift.paired.measure import measure
from holocron_assets.drift.paired.neighbours import DEPTH, DEPTHS, compare_lists, nearest_lists
from holocron_assets.drift.report import DriftReport, Judgement, Kind, Metric, Picture, Side, Subject, Verdict
from holocron_assets.drift.verdicts import judged
from holocron_assets.errors import ConfigurationError, NotReadyError
from holocron_assets.evaluation.evaluate import Surroundings
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.retrieval.hits import Method, Mode
from holocron_assets.runs import Origin, recorded_run
from holocron_assets.stages.indexing import IndexPlace, current_index
from holocron_assets.stages.model_guard import HeldTo, settled
from holocron_assets.stages.windows import Members, Window, filled, listed
from holocron_assets.transactions import read

STAGE = "space comparison"

#: The most chunks that each is compared with each, and that are searched in. Sampled by document.
_EACH_WITH_EACH, _SEARCHED = 4000, 200_000
_QUERIES = 1000
_TIMED = 20
_BLOCK = 4096


def compare_two_spaces(
    around: Surroundings,
    reference: EmbeddingSpace,
    current: EmbeddingSpace,
    origin: Origin,
    *,
    as_of: datetime | None = None,
) -> DriftReport:
    """Compare `current` with `reference`, on the chunks that both held with the same content `as_of` then, or hold now.

    What searches find, and how long they take, is always of now.
    Raises `NotReadyError` where they share too few, and while the vectors of one are being replaced, and
    `ConfigurationError` for one space twice, and for a time that is still to come.
    """
    if reference == current:
        raise ConfigurationError(f"{reference.slug} cannot be compared with itself")
    held_to = {side: settled(around.store, one) for side, one in (("reference", reference), ("current", current))}
    now = utc_now()
    if as_of is not None and as_of > now:
        raise ConfigurationError(f"nobody knows what the spaces will hold at {as_of:%Y-%m-%d %H:%M} UTC")
    window = [Window(label="all", as_of=as_of or now)]
    (before,), (after,) = (read(around.store, listed, space, window) for space in (reference, current))
    require_common(before, after, reference, current)  # before a run is recorded: it would be no failure of one
    options = {"reference": reference.slug, "current": current.slug}
    with recorded_run(around.store, origin, JobType.DRIFT_TEST, stage=STAGE, options=options, space=current) as run:
        settings = around.settings
        folder = settings.path(settings.drift.folder)
        with (
            filled(around.store, reference, [before], folder, held_to["reference"]) as (of_reference,),
            filled(around.store, current, [after], folder, held_to["current"]) as (of_current,),
        ):
            common = common_chunks(of_reference, of_current)
            measured = _measure(around, reference, current, common)
            run.count(chunks_compared=common.documents.size)
            report = _report(
                around, reference, current, common, measured, held_to, run.run_id, by_settings=as_of is None
            )
        keep(around.store, report)
    return report


def _measure(
    around: Surroundings, reference: EmbeddingSpace, current: EmbeddingSpace, common: CommonChunks
) -> SpaceDrift:
    seed = around.settings.drift.seed
    paired = measure(*common.pair(common.sample(_EACH_WITH_EACH, seed)), seed=seed)
    searched = common.sample(_SEARCHED, seed)
    asking = np.sort(np.random.default_rng(seed).permutation(searched.size)[:_QUERIES])
    depth = min(max(DEPTHS), searched.size - 1)
    queries = common.pair(searched[asking])
    before, after = (
        nearest_lists(asked, _blocks(vectors_of, searched), depth=depth, own=asking)
        for asked, vectors_of in zip(queries, (common.of_reference, common.of_current), strict=True)
    )
    documents = common.documents[searched]
    bridge: BridgeRecall | str
    try:
        fitted, measuring = divide(documents, asking, seed=seed)
        bridge = measure_bridge(
            fit_bridge(*common.pair(searched[fitted])),
            queries[1][measuring],
            _blocks(common.of_reference, searched),
            asking[measuring],
            documents[asking[measuring]],
            lists=(before[measuring], after[measuring]),
            choices=searched.size - 1,
        )
    except NotReadyError as error:
        bridge = str(error)
    return SpaceDrift(
        paired=paired,
        searched=compare_lists(before, after, choices=searched.size - 1),
        asking=documents[asking],
        bridge=bridge,
        milliseconds=(_latency(around, reference, queries[0]), _latency(around, current, queries[1])),
        effects=retrieval.of_spaces(around, reference, current),
    )


def _blocks(
    vectors_of: Callable[[NDArray[np.intp]], NDArray[np.float32]], chunks: NDArray[np.intp]
) -> Iterator[NDArray[np.float32]]:
    for start in range(0, chunks.size, _BLOCK):
        yield vectors_of(chunks[start : start + _BLOCK])


def _latency(around: Surroundings, space: EmbeddingSpace, queries: NDArray[np.float32]) -> float:
    """Milliseconds that the search index takes to rank a query, in the middle of some."""
    index = current_index(around.store, space, IndexPlace.of(around.settings))
    taken = []
    for query in queries[:_TIMED]:
        began = time.perf_counter()
        index.rank([""], query[None], Method(mode=Mode.VECTOR), DEPTH)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def _report(
    around: Surroundings,
    reference: EmbeddingSpace,
    current: EmbeddingSpace,
    common: CommonChunks,
    measured: SpaceDrift,
    held_to: Mapping[str, HeldTo],
    run_id: uuid.UUID,
    *,
    by_settings: bool,
) -> DriftReport:
    metrics = judged([*metrics_of(measured, reference, current), *measured.effects.metrics])
    of_retrieval = retrieval.judgement(metrics, (reference.slug, current.slug))
    loss = next(one for one in metrics if one.name == "neighbour_loss")
    judgements = [_judgement(reference, current, loss, of_retrieval), of_retrieval]
    return DriftReport(
        report_id=uuid.uuid4(),
        run_id=run_id,
        kind=Kind.SPACES,
        space_id=reference.embedding_space_id,
        space=reference.slug,
        other_space_id=current.embedding_space_id,
        other_space=current.slug,
        reference=_side(reference, common.reference, common),
        current=_side(current, common.current, common),
        judgements=[one for one in judgements if one is not None],
        metrics=metrics,
        parameters={
            "as_of": common.reference.window.as_of.isoformat(),
            "by_settings": by_settings,
            "canary_ids": {side: one.canary_id and str(one.canary_id) for side, one in held_to.items()},
            "evaluations": measured.effects.evaluations,
            "versions": VERSIONS,
            "common_chunks": int(common.documents.size),
            "queries": measured.asking.size,
            "searched_chunks": measured.searched.choices + 1,
            "each_with_each": measured.paired.pairs,
            "dimensions": {"reference": reference.dimensions, "current": current.dimensions},
        },
        seed=around.settings.drift.seed,
        created_utc=utc_now(),
        pictures=_pictures(measured),
    )


def _side(space: EmbeddingSpace, members: Members, common: CommonChunks) -> Side:
    return Side(
        label=space.slug,
        documents=members.document_count,
        chunks=members.keys.num_rows,
        sampled_documents=int(np.unique(common.documents).size),
        sampled_chunks=int(common.documents.size),
    )


def _judgement(
    reference: EmbeddingSpace, current: EmbeddingSpace, loss: Metric, of_retrieval: Judgement | None
) -> Judgement:
    kept = f"{share(1 - (loss.effect or 0.0))} of the nearest {DEPTH} chunks are the same in both"
    told = {
        Verdict.OK: (
            f"The two agree: {kept}.",
            "Either may be searched; take the cheaper one."
            if of_retrieval is None or of_retrieval.verdict is Verdict.OK
            else "Keep the one that finds more.",
        ),
        Verdict.WATCH: (
            f"The two differ noticeably: {kept}.",
            f"Evaluate both before you promote {current.slug}: `holocron evaluate`.",
        ),
        Verdict.ALERT: (
            f"The two are unlike: {kept}.",
            "Nothing is wrong: they are two spaces. Never compare vectors of one with the other, and evaluate both "
            f"before you promote {current.slug}: `holocron evaluate`.",
        ),
    }
    why, next_step = told[loss.verdict or Verdict.OK]
    return Judgement(subject=Subject.SPACE, verdict=loss.verdict or Verdict.OK, why=why, next_step=next_step)


def _pictures(measured: SpaceDrift) -> list[Picture]:
    change = measured.searched
    shown = [
        pictures.overlap(
            "Neighbours in common",
            f"For each of {measured.asking.size:,} chunks, how many of its {DEPTH} nearest are the same in both.",
            change.overlap[DEPTH],
            k=DEPTH,
            chance=change.chance(DEPTH),
        )
    ]
    if measured.effects.found:
        shown.append(
            pictures.intervals(
                "Change of nDCG@10",
                "From the reference to the other space by vectors, on each collection that both were evaluated on.",
                measured.effects.intervals,
            )
        )
    return shown
