"""Drift reports as they are kept, and the history of their figures."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

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
from holocron_assets.identity import canonical_json
from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace
from holocron_assets.tables.staging import BOOLEAN, FLOAT, INTEGER, TEXT, table_of

_COLUMNS = {
    "ordinal": INTEGER,
    "name": TEXT,
    "effect": FLOAT,
    "missing": TEXT,
    **dict.fromkeys(("statistic", "p", "p_adjusted", "watch_floor", "alert_floor"), FLOAT),
    "is_calibrated": BOOLEAN,
    "verdict": TEXT,
    **dict.fromkeys(("reference_value", "current_value"), FLOAT),
    **dict.fromkeys(("explanation", "details_json"), TEXT),
}


def insert_drift_report(session: Session, report: DriftReport) -> None:
    """Record a report, without its metrics."""
    session.execute(
        "insert_drift_report",
        report_id=report.report_id,
        run_id=report.run_id,
        kind=report.kind.value,
        embedding_space_id=report.space_id,
        other_space_id=report.other_space_id,
        verdict=report.verdict.value,
        reference_json=canonical_json(asdict(report.reference)),
        current_json=canonical_json(asdict(report.current)),
        judgements_json=canonical_json([asdict(one) for one in report.judgements]),
        parameters_json=canonical_json(dict(report.parameters)),
        pictures_json=canonical_json([asdict(one) for one in report.pictures]),
        seed=report.seed,
        now=report.created_utc,
    )


def insert_drift_metrics(session: Session, report_id: uuid.UUID, metrics: Sequence[Metric]) -> None:
    """Record the figures of a report, in their order."""
    rows = [
        (
            number,
            one.name,
            one.effect,
            one.missing,
            one.statistic,
            one.p,
            one.p_adjusted,
            one.floor and one.floor.watch,
            one.floor and one.floor.alert,
            one.floor and one.floor.is_calibrated,
            one.verdict and one.verdict.value,
            one.reference,
            one.current,
            one.explanation,
            canonical_json(dict(one.details)),
        )
        for number, one in enumerate(metrics)
    ]
    session.stage("staged_drift_metrics", table_of(_COLUMNS, rows))
    session.execute("insert_drift_metrics", report_id=report_id)


def list_drift_reports(
    session: Session,
    spaces: Mapping[uuid.UUID, EmbeddingSpace],
    space_id: uuid.UUID | None = None,
) -> list[DriftReport]:
    """The reports on a space, or on every one of `spaces`, the newest first; without metrics and pictures."""
    rows = session.rows("list_drift_reports", embedding_space_id=space_id)
    return [_report(row, spaces) for row in rows]


def list_drift_pictures(session: Session, report_id: uuid.UUID) -> list[Picture]:
    """The pictures of a report."""
    return [
        Picture(**one)
        for row in session.rows("list_drift_pictures", report_id=report_id)
        for one in json.loads(row["pictures_json"])
    ]


def list_drift_metrics(session: Session, report_id: uuid.UUID) -> list[Metric]:
    """The figures of a report, in their order."""
    return [_metric(row) for row in session.rows("list_drift_metrics", report_id=report_id)]


def list_metric_history(
    session: Session, kind: Kind, space_id: uuid.UUID, other_space_id: uuid.UUID | None = None
) -> list[HistoryPoint]:
    """What every judged figure came to in all reports of a kind, by name and then by time."""
    rows = session.rows(
        "list_metric_history",
        kind=kind.value,
        embedding_space_id=space_id,
        other_space_id=other_space_id or space_id,
    )
    return [
        HistoryPoint(
            report_id=row["report_id"],
            created_utc=row["created_utc"],
            metric=row["name"],
            effect=row["effect"],
            floor=_floor(row),
            verdict=Verdict(row["verdict"]),
        )
        for row in rows
    ]


def _report(row: Mapping[str, Any], spaces: Mapping[uuid.UUID, EmbeddingSpace]) -> DriftReport:
    other = row["other_space_id"]
    return DriftReport(
        report_id=row["report_id"],
        run_id=row["run_id"],
        kind=Kind(row["kind"]),
        space_id=row["embedding_space_id"],
        space=spaces[row["embedding_space_id"]].slug,
        other_space_id=other,
        other_space=spaces[other].slug if other else None,
        reference=Side(**json.loads(row["reference_json"])),
        current=Side(**json.loads(row["current_json"])),
        judgements=[
            Judgement(**(one | {"subject": Subject(one["subject"]), "verdict": Verdict(one["verdict"])}))
            for one in json.loads(row["judgements_json"])
        ],
        metrics=(),
        parameters=json.loads(row["parameters_json"]),
        seed=row["seed"],
        created_utc=row["created_utc"],
    )


def _metric(row: Mapping[str, Any]) -> Metric:
    return Metric(
        name=row["name"],
        effect=row["effect"],
        missing=row["missing"],
        statistic=row["statistic"],
        p=row["p"],
        p_adjusted=row["p_adjusted"],
        floor=_floor(row),
        verdict=Verdict(row["verdict"]) if row["verdict"] else None,
        reference=row["reference_value"],
        current=row["current_value"],
        explanation=row["explanation"],
        details=json.loads(row["details_json"]),
    )


def _floor(row: Mapping[str, Any]) -> Floor | None:
    if row["watch_floor"] is None:
        return None
    return Floor(watch=row["watch_floor"], alert=row["alert_floor"], is_calibrated=bool(row["is_calibrated"]))
