"""A drift report as one page for people, which needs no network, no script and no other file."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache, partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from holocron_assets.drawing import readable
from holocron_assets.drift import pictures
from holocron_assets.drift.charts import svg, table
from holocron_assets.drift.figures import MISSING, number, p_value
from holocron_assets.drift.page.wording import (
    QUESTIONS,
    about,
    amounts,
    command,
    exact,
    floors,
    from_to,
    headline,
    label,
    missing_reason,
    question,
    verdict_word,
)
from holocron_assets.drift.report import DriftReport, HistoryPoint, Metric, Picture, Verdict

__all__ = ["render"]

_PACKAGE = "holocron_assets.drift.page"
_MOST_TEXT, _MOST_NAME = 2_000, 160


def render(report: DriftReport, history: Sequence[HistoryPoint]) -> str:
    """The page; `history` has the figures of earlier reports on the same question, in any order."""
    page = (
        _templates()
        .get_template("page.html")
        .render(
            report=report,
            headline=headline(report),
            about=about(report),
            judgements=[
                (question(one.subject, report.kind), verdict_word(one.verdict, one.subject), one)
                for one in report.judgements
            ],
            amounts=amounts(report.kind),
            command=command(report),
            not_asked=[asked for subject, asked in QUESTIONS.items() if not _has(report, subject)],
            figures=[_figure(one) for one in report.pictures],
            courses=[_figure(one) for one in _courses(report, history)],
            judged=sorted((one for one in report.metrics if one.verdict), key=_gravest_first),
            context=[one for one in report.metrics if not one.verdict],
            style=_style(),
            style_hash=_hash(_style()),
        )
    )
    return page.lstrip()


def _figure(picture: Picture) -> dict[str, Any]:
    return {"picture": picture, "svg": svg(picture, headed=False), "table": table(picture)}


def _courses(report: DriftReport, history: Sequence[HistoryPoint]) -> Iterator[Picture]:
    """A picture over time of each figure that has a floor and was measured before."""
    for metric in report.metrics:
        earlier = [one for one in history if one.metric == metric.name and one.report_id != report.report_id]
        if metric.floor and earlier:
            now = HistoryPoint(
                report_id=report.report_id,
                created_utc=report.created_utc,
                metric=metric.name,
                effect=metric.effect,
                floor=metric.floor,
                verdict=metric.verdict,
            )
            earlier = [one for one in earlier if one.created_utc <= report.created_utc]
            yield pictures.history(label(metric.name), metric.explanation, [*earlier, now])


def _has(report: DriftReport, subject: str) -> bool:
    return any(one.subject == subject for one in report.judgements)


def _gravest_first(metric: Metric) -> int:
    return -list(Verdict).index(metric.verdict or Verdict.OK)


def _shown(value: object) -> object:
    """What is put into the page: as it is where it was made for a page, else readable, and escaped afterwards."""
    return value if hasattr(value, "__html__") else readable(value, _MOST_TEXT)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader(_PACKAGE, ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "brief": partial(readable, most=_MOST_NAME),
        "number": number,
        "p_value": p_value,
        "label": label,
        "exact": exact,
        "floors": floors,
        "from_to": from_to,
        "missing_reason": missing_reason,
    }
    templates.globals |= {"MISSING": MISSING}
    return templates


@cache
def _style() -> str:
    return files(_PACKAGE).joinpath("page.css").read_text(encoding="utf-8")


def _hash(style: str) -> str:
    """What the page's policy knows its style by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
