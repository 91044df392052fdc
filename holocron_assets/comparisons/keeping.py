"""Keeping drift reports: in the store, and as pages that a browser opens from disk."""

import uuid
from dataclasses import replace
from pathlib import Path

from holocron_assets.drift.page import render
from holocron_assets.drift.report import DriftReport, HistoryPoint, Kind
from holocron_assets.errors import ConfigurationError, UnknownItemError
from holocron_assets.ports import Session, Store
from holocron_assets.settings import Settings
from holocron_assets.tables import drift_reports, spaces
from holocron_assets.transactions import read, write


def keep(store: Store, report: DriftReport) -> None:
    """Write a report and its figures, in one transaction."""
    write(store, _keep, report)


def write_page(store: Store, settings: Settings, report: DriftReport, file: Path | None = None) -> Path:
    """Write the page of a report, with the history of its figures; by default in the folder of the settings.

    Raises `ConfigurationError` where it cannot be written.
    """
    place = file or settings.path(settings.drift.folder) / report.space / f"{report.kind}-{report.report_id}.html"
    page = render(report, read(store, history_of, report))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {place}: {error.strerror}. Name another file, or another folder as drift.folder; the report "
            f"is kept: `holocron drift show {str(report.report_id)[:8]} --html FILE`."
        ) from error
    return place


def history_of(session: Session, report: DriftReport) -> list[HistoryPoint]:
    """What the judged figures of a report came to in it, and before it in reports on the same question."""
    alike = {
        one.report_id
        for one in list_reports(session, report.space_id)
        if _question(one) == _question(report) and one.created_utc <= report.created_utc
    }
    points = drift_reports.list_metric_history(session, report.kind, report.space_id, report.other_space_id)
    return [one for one in points if one.report_id in alike]


def list_reports(session: Session, space_id: uuid.UUID | None = None) -> list[DriftReport]:
    """The reports on a space, or on all of them, the newest first; without figures and pictures."""
    known = {space.embedding_space_id: space for space in spaces.list_spaces(session)}
    return drift_reports.list_drift_reports(session, known, space_id)


def newest(session: Session, space_id: uuid.UUID, kind: Kind) -> DriftReport | None:
    """The last report of a kind on a space that asks what the settings ask; others are somebody's own question."""
    known = list_reports(session, space_id)
    return next((one for one in known if one.kind is kind and one.parameters.get("by_settings", True)), None)


def newest_of_pair(session: Session, one: uuid.UUID, other: uuid.UUID) -> DriftReport | None:
    """The last comparison of two spaces as they were on its day, whichever of them was the reference."""
    known = [*list_reports(session, one), *list_reports(session, other)]
    pair = [
        report
        for report in known
        if {report.space_id, report.other_space_id} == {one, other} and report.parameters.get("by_settings", True)
    ]
    return max(pair, key=lambda report: report.created_utc, default=None)


def whole_report(session: Session, wanted: str) -> DriftReport:
    """The report whose id begins so, with figures and pictures; raises `UnknownItemError` unless there is just one."""
    found = [one for one in list_reports(session) if str(one.report_id).startswith(wanted.lower())]
    if len(found) != 1 or not wanted:
        raise UnknownItemError(
            f"{len(found) if wanted else 'all'} drift reports have an id that begins with {wanted!r}; "
            "`holocron drift list` names them"
        )
    (report,) = found
    return replace(
        report,
        metrics=drift_reports.list_drift_metrics(session, report.report_id),
        pictures=drift_reports.list_drift_pictures(session, report.report_id),
    )


def _question(report: DriftReport) -> tuple[object, ...]:
    """What tells questions of one kind apart: who asked, and what the reference was."""
    return report.kind, report.parameters.get("by_settings", True), report.parameters.get("snapshot_id")


def _keep(session: Session, report: DriftReport) -> None:
    drift_reports.insert_drift_report(session, report)
    drift_reports.insert_drift_metrics(session, report.report_id, report.metrics)
