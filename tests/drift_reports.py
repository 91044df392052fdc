"""Drift reports to draw: one of everything that a page shows, and one whose texts mean harm."""

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np

from holocron_assets.drift import pictures
from holocron_assets.drift.report import (
    DriftReport,
    Floor,
    HistoryPoint,
    Judgement,
    Kind,
    Metric,
    Picture,
    Side,
    Subject,
    Verdict,
)

SCRIPT = "</title></script></style><script>document.title='broken'</script>"
HOSTILE = (
    f"{SCRIPT} \"'><img src=http://127.0.0.1:9/x onerror=\"document.title='broken'\"> {{{{ 7 * 7 }}}} "
    "\x00\x07\x1b \u202egnol dna desrever\u202c \u2066 \ud800 \ufffe ]]> &amp; ${x}"
)
LONG = "endless" * 1_500
FLOOR = Floor(watch=0.02, alert=0.06, is_calibrated=True)
MADE = datetime(2025, 11, 22, 2, 15, tzinfo=UTC)
METRICS = (
    Metric(name="novelty", effect=0.01, floor=FLOOR, verdict=Verdict.OK, reference=0.371, current=0.375, p=0.4),
    Metric(
        name="mean_shift",
        effect=0.083,
        statistic=0.083,
        floor=FLOOR,
        verdict=Verdict.ALERT,
        p=0.0002,
        p_adjusted=0.0004,
        explanation="The centre moved.",
        details={"dimensions": [3, 7], "by": "max T"},
    ),
    Metric(name="truncated_rate", effect=None, missing="the provider does not say what it cuts"),
    Metric(name="linear_cka", effect=float("nan"), reference=float("inf"), current=0.5),
)


def every_kind() -> list[Picture]:
    """A picture of each kind."""
    random = np.random.default_rng(5)
    edges = np.linspace(-4, 4, 17)
    before, after = random.normal(size=(300, 2)), random.normal(0.4, 1.0, size=(250, 2))
    clusters = [
        pictures.Cluster(examples=["Tides", "Harbours"], reference=0.02, current=0.07),
        pictures.Cluster(examples=["Lamps"], reference=0.3, current=0.25),
    ]
    differences = [
        pictures.Interval(label="nDCG@10", mean=-0.073, low=-0.1, high=-0.047),
        pictures.Interval(label="recall@10", mean=0.001, low=-0.01, high=0.012),
    ]
    return [
        pictures.occupancy("Topics", "Shares of clusters.", clusters),
        pictures.overlap("Neighbours", "Kept of ten.", random.integers(5, 11, 200) / 10, k=10, chance=0.001),
        pictures.projection("Both windows", "On the same axes.", before, after, explained=[0.08, 0.05]),
        pictures.histograms(
            "Norms",
            "On common bins.",
            edges,
            np.histogram(before, edges)[0],
            np.histogram(after, edges)[0],
            unit="norm",
        ),
        pictures.history("Novelty", "Over time.", course("novelty", [0.01, None, 0.03, 0.07])),
        pictures.intervals("Retrieval", "With 95 % confidence.", differences),
    ]


def course(metric: str, effects: list[float | None]) -> list[HistoryPoint]:
    """The figure of daily reports, the last of which was made the day before."""
    return [
        HistoryPoint(
            report_id=uuid.UUID(int=100 + day),
            created_utc=MADE - timedelta(days=len(effects) - day),
            metric=metric,
            effect=effect,
            floor=FLOOR,
            verdict=None if effect is None else Verdict.WATCH if effect > FLOOR.watch else Verdict.OK,
        )
        for day, effect in enumerate(effects)
    ]


def content_report() -> DriftReport:
    """A report on content with one of everything."""
    return DriftReport(
        report_id=uuid.UUID(int=1),
        run_id=uuid.UUID(int=2),
        kind=Kind.CONTENT,
        space_id=uuid.UUID(int=3),
        space="embedded/minilm",
        reference=Side(
            label="summer", documents=98_412, chunks=1_012_345, sampled_documents=2_000, sampled_chunks=20_000
        ),
        current=Side(label="this week", documents=5_121, chunks=48_211, sampled_documents=2_000, sampled_chunks=18_811),
        judgements=[
            Judgement(
                subject=Subject.CONTENT,
                verdict=Verdict.ALERT,
                why="A new topic has come.",
                next_step="Look at the clusters, then run `holocron drift snapshot`.",
            ),
            Judgement(subject=Subject.RETRIEVAL, verdict=Verdict.OK, why="As good as before.", next_step="Nothing."),
        ],
        metrics=METRICS,
        parameters={"permutations": 499, "windows": {"to": "2025-11-22", "from": "2025-08-24"}},
        seed=7,
        created_utc=MADE,
        pictures=every_kind(),
    )


def hostile_report() -> DriftReport:
    """A report of which every text means harm, or is endless."""
    text = f"{HOSTILE} {LONG}"
    report = content_report()
    clusters = [
        pictures.Cluster(examples=[HOSTILE, LONG], reference=0.1, current=0.2),
        pictures.Cluster(examples=[LONG], reference=0.2, current=0.1),
    ]
    named = [dataclasses.replace(one, title=HOSTILE, explanation=text) for one in every_kind()]
    return dataclasses.replace(
        report,
        space=HOSTILE,
        reference=dataclasses.replace(report.reference, label=text),
        current=dataclasses.replace(report.current, label=HOSTILE),
        judgements=[dataclasses.replace(one, why=text, next_step=HOSTILE) for one in report.judgements],
        metrics=[
            dataclasses.replace(one, name=HOSTILE, explanation=text, missing=text, details={HOSTILE: [HOSTILE, LONG]})
            for one in report.metrics
        ],
        parameters={HOSTILE: {"text": HOSTILE}, "long": LONG},
        pictures=[
            *named,
            pictures.occupancy(HOSTILE, HOSTILE, clusters),
            pictures.intervals("i", "", [pictures.Interval(label=HOSTILE, mean=0.1, low=0.0, high=0.2)]),
        ],
    )
