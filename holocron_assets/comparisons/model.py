"""Whether the model behind a space still answers as it did: its anchors, embedded again and compared pair by pair."""

import uuid
from collections.abc import Sequence

import numpy as np

from holocron_assets.clock import utc_now
from holocron_assets.comparisons.anchor_sets import AnchorSet, anchor_sets
from holocron_assets.comparisons.keeping import keep
from holocron_assets.comparisons.model_figures import Asked, Found, metrics_of
from holocron_assets.comparisons.retrieval import Effects, is_of_retrieval, judgement, of_model
from holocron_assets.comparisons.versions import VERSIONS
from holocron_assets.derived_spaces import model_space
from holocron_assets.drift import pictures
from holocron_assets.drift.paired.classes import (
    QUANTISED_OVERLAP,
    ModelChange,
)
from holocron_assets.drift.paired.measure import measure
from holocron_assets.drift.paired.neighbours import DEPTH, NeighbourChange, compare_lists, nearest_lists
from holocron_assets.drift.paired.pairs import LEAST_PAIRS
from holocron_assets.drift.report import (
    DriftReport,
    Judgement,
    Kind,
    Metric,
    Picture,
    Side,
    Subject,
    Verdict,
    gravest,
)
from holocron_assets.drift.verdicts import judged
from holocron_assets.errors import NotReadyError
from holocron_assets.evaluation.evaluate import Surroundings
from holocron_assets.ports import EmbeddingProvider
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.runs import Origin, recorded_run
from holocron_assets.stages.canary import CanaryPolicy, ask_again, runtime_changes
from holocron_assets.stages.model_guard import HeldTo, unsettled
from holocron_assets.stages.windows import Window, gathered
from holocron_assets.vectors import relative_distances

STAGE = "model drift"

_BLOCK = 4096

_WORDS = {
    ModelChange.IDENTICAL: (Verdict.OK, "every answer is the same, bit by bit", "Nothing needs to be done."),
    ModelChange.NOISE: (Verdict.OK, "the answers differ by no more than rounding", "Nothing needs to be done."),
    ModelChange.QUANTISED: (
        Verdict.WATCH,
        "the answers are a little off, as when weights are stored in fewer bits; most neighbours stay",
        "The space has changed under its name. Bring the old weights or runtime back, or embed it again: `holocron "
        "spaces reembed {space} --replace`.",
    ),
    ModelChange.ROTATED: (
        Verdict.ALERT,
        "the answers keep their neighbours among each other, but in another frame: old and new vectors must not mix",
        "Nothing more is embedded in it. Bring the old model back, or replace all vectors: `holocron spaces reembed "
        "{space} --replace`.",
    ),
    ModelChange.DIFFERENT: (
        Verdict.ALERT,
        "the answers are those of another model, or of one that reads its input differently",
        "Nothing more is embedded in it. Bring the old model back, or replace all vectors: `holocron spaces reembed "
        "{space} --replace`; or register what answers now as a space of its own.",
    ),
}
#: Of what is found by the same answers among the same vectors.
_UNCHANGED = Judgement(
    subject=Subject.RETRIEVAL,
    verdict=Verdict.OK,
    why="The model answers as it did, bit by bit: searches find what they found.",
    next_step="Nothing needs to be done.",
)
#: What to do about a model that moved by more than is embedded beyond.
_REFUSED = (
    "Bring the old runtime back; or, if the difference is of no account, set `canary.tolerance` in holocron.yaml, or "
    "replace the vectors: `holocron spaces reembed {space} --replace`."
)


def compare_model(around: Surroundings, space: EmbeddingSpace, origin: Origin) -> DriftReport:
    """Embed the anchors of a space again, and say how far and in which way the answers moved.

    Of a derived space, those of the model that it is made of. Raises `NotReadyError` where the space has no anchors, or
    too few, and while its vectors are being replaced; and as the provider does.
    """
    model = model_space(around.store, space)
    held_to = _anchors_of(around, model)  # before a run is recorded: having none is no failure of one
    provider = around.providers.reopen(model)
    options = {"space": model.slug, "anchors": "of its newest canary"}
    with recorded_run(around.store, origin, JobType.DRIFT_TEST, stage=STAGE, options=options, space=model) as run:
        asked = _asked(around, model, held_to, provider)
        found = Found() if len(asked.then) < LEAST_PAIRS else _compared(around, asked, provider)
        run.count(anchors_embedded=len(asked.again.anchors))
        report = _report(around, asked, found, run.run_id)
        keep(around.store, report)
    return report


def _compared(around: Surroundings, asked: Asked, provider: EmbeddingProvider) -> Found:
    paired = measure(asked.then, asked.now, seed=around.settings.drift.seed)
    in_corpus = _in_corpus(around, asked)
    change = paired.change
    if change is ModelChange.QUANTISED and in_corpus is not None:
        kept = float(in_corpus.overlap[DEPTH].mean())
        change = change if kept >= QUANTISED_OVERLAP else ModelChange.DIFFERENT
    # Of an identical model there is nothing to ask: what is found depends on its answers and on the stored vectors.
    effects = Effects() if _is_identical(asked, change) else of_model(around, asked.space, provider)
    return Found(paired=paired, in_corpus=in_corpus, change=change, effects=effects)


def _is_identical(asked: Asked, change: ModelChange | None) -> bool:
    return change is ModelChange.IDENTICAL and not asked.rejected


def _anchors_of(around: Surroundings, space: EmbeddingSpace) -> AnchorSet:
    """Those that the space is held to."""
    known = anchor_sets(around.store, around.settings, space)
    if not known:
        raise NotReadyError(
            f"space {space.slug} has no anchors yet: they are embedded with its first vectors. Materialise embeddings."
        )
    if not known[0].is_complete:
        raise unsettled(space)
    if known[0].anchors < LEAST_PAIRS:
        raise NotReadyError(
            f"space {space.slug} is held to {known[0].anchors} anchors, and {LEAST_PAIRS} are needed: its model took "
            "no more. Name texts that it takes as `canary.anchors` in holocron.yaml, which count from the next "
            f"`holocron spaces reembed {space.slug} --replace` on."
        )
    return known[0]


def _asked(around: Surroundings, space: EmbeddingSpace, held_to: AnchorSet, provider: EmbeddingProvider) -> Asked:
    again = ask_again(around.store, provider, space)
    if again is None or again.canary.canary_id != held_to.canary_id:
        raise unsettled(space)
    answered = np.isfinite(again.now).all(axis=1)
    return Asked(
        space=space,
        held_to=held_to,
        again=again,
        then=again.then[answered],
        now=again.now[answered],
        as_of=utc_now(),
    )


def _in_corpus(around: Surroundings, asked: Asked) -> NeighbourChange | None:
    """What of the neighbours that anchors have among the stored vectors is kept; None where these are too few."""
    settings = around.settings
    window = Window(label="all", as_of=asked.as_of)
    held_to = HeldTo(space=asked.space, canary_id=asked.held_to.canary_id)
    with gathered(around.store, asked.space, [window], settings.path(settings.drift.folder), held_to) as (members,):
        if members.keys.num_rows <= DEPTH:
            return None
        then = now = nearest_lists(asked.then, members.blocks(_BLOCK), depth=DEPTH)
        if not np.array_equal(asked.then, asked.now):
            now = nearest_lists(asked.now, members.blocks(_BLOCK), depth=DEPTH)
        return compare_lists(then, now, choices=members.keys.num_rows)


def _report(around: Surroundings, asked: Asked, found: Found, run_id: uuid.UUID) -> DriftReport:
    space, canary = asked.space, asked.again.canary
    metrics = judged([*metrics_of(asked, found, CanaryPolicy.of(around.settings)), *found.effects.metrics])
    of_retrieval = _UNCHANGED if _is_identical(asked, found.change) else judgement(metrics)
    judgements = [_judgement(around, asked, found, metrics), of_retrieval]
    count = len(asked.again.anchors)
    return DriftReport(
        report_id=uuid.uuid4(),
        run_id=run_id,
        kind=Kind.MODEL,
        space_id=space.embedding_space_id,
        space=space.slug,
        reference=_side(f"answers of {canary.recorded_utc:%Y-%m-%d %H:%M}", count, count),
        current=_side("answers of now", count, len(asked.then)),
        judgements=[one for one in judgements if one is not None],
        metrics=metrics,
        parameters={
            "as_of": asked.as_of.isoformat(),
            "canary_id": str(canary.canary_id),
            "anchor_set_sha256": asked.held_to.set_sha256,
            "anchors_named_since": asked.held_to.added,
            "anchors_no_longer_named": asked.held_to.removed,
            "change": found.change.value if found.change else "rejected",
            "anchors": count,
            "rejected_anchors": asked.rejected,
            "runtime": {"then": dict(canary.runtime), "now": dict(asked.again.runtime)},
            "repeatability": canary.repeatability,
            "neighbours": DEPTH,
            "evaluations": found.effects.evaluations,
            "versions": VERSIONS,
        },
        seed=around.settings.drift.seed,
        created_utc=utc_now(),
        pictures=_pictures(found),
    )


def _side(label: str, anchors: int, looked_at: int) -> Side:
    return Side(label=label, documents=anchors, chunks=anchors, sampled_documents=looked_at, sampled_chunks=looked_at)


def _judgement(around: Surroundings, asked: Asked, found: Found, metrics: Sequence[Metric]) -> Judgement:
    """By the kind of change, and no milder than any figure of the answers."""
    if found.change is None:
        verdict, what, next_step = Verdict.ALERT, "nearly all are rejected now", _WORDS[ModelChange.DIFFERENT][2]
    else:
        verdict, what, next_step = _WORDS[found.change]
        what = f"{what} ({found.change.value})"
        if asked.rejected:
            what = f"{asked.rejected} are rejected now; of the others, {what}"
        if found.change is ModelChange.NOISE and (refused := _refusal(around, asked)):
            verdict, what, next_step = Verdict.WATCH, f"{what}, but {refused}", _REFUSED
    of_answers = [one.verdict for one in metrics if one.verdict and not is_of_retrieval(one)]
    graver = gravest([verdict, *of_answers])
    if graver is not verdict:
        worst = next(one for one in metrics if one.verdict is graver)
        what, next_step = f"{what}, and by {worst.name.replace('_', ' ')} it is more", _WORDS[ModelChange.DIFFERENT][2]
    told = runtime_changes(asked.again.canary.runtime, asked.again.runtime)
    return Judgement(
        subject=Subject.MODEL,
        verdict=graver,
        why=f"Of {len(asked.again.anchors)} anchors, {what}." + (f" The runtime says: {told}." if told else ""),
        next_step=next_step.format(space=asked.space.slug),
    )


def _refusal(around: Surroundings, asked: Asked) -> str:
    """What to say where the model moved so little that no vector suffers, and too far for more to be embedded."""
    tolerance = CanaryPolicy.of(around.settings).tolerance_of(asked.again.canary.repeatability)
    farthest = float(relative_distances(asked.then, asked.now).max())
    if farthest <= tolerance:
        return ""
    return f"up to {farthest:.2g} of a vector's length, and nothing is embedded beyond {tolerance:.2g}"


def _pictures(found: Found) -> list[Picture]:
    if found.paired is None:
        return []
    change = found.in_corpus or found.paired.neighbours
    cosines = found.paired.agreement.cosines
    edges = np.linspace(min(float(cosines.min()), 0.999), 1.0, 21)
    shown = [
        pictures.overlap(
            "Neighbours kept",
            f"For each anchor, how many of its {DEPTH} nearest neighbours are the same by the new answers.",
            change.overlap[DEPTH],
            k=DEPTH,
            chance=change.chance(DEPTH),
        ),
        pictures.histograms(
            "Cosine of old and new answer",
            "Anchors by the cosine of the two; 1 is the same direction.",
            edges,
            None,
            np.histogram(cosines, edges)[0],
            unit="cosine",
        ),
    ]
    if found.effects.found:
        shown.append(
            pictures.intervals(
                "Change of nDCG@10",
                "On each collection of judged queries, with 95 % confidence.",
                found.effects.intervals,
            )
        )
    return shown
