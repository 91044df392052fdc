"""The checks of `drift_reports` and `space_comparison`: what the newest reports give a reason to look at, or to do.

One that fails says what is found, and one that passes what is not known: of that, a webhook need not hear every night.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from holocron_assets.assets import checking
from holocron_assets.assets.steps import step_errors
from holocron_assets.comparisons import keeping, retrieval
from holocron_assets.drift.report import DriftReport, Kind, Metric, Subject, Verdict
from holocron_assets.evaluation.statistics import ALPHA
from holocron_assets.ports import Session, Store
from holocron_assets.promotion import searched_and_others
from holocron_assets.records import EmbeddingSpace
from holocron_assets.tables import drift_reports as reports_table
from holocron_assets.transactions import read
from holocron_assets.verification.finding import Finding


def content_is_stable(session: Session, wanted: Sequence[EmbeddingSpace]) -> Finding:
    """The texts that came lately are like those that were there, as the newest content reports say."""
    return _finding("content_is_stable", session, wanted, Kind.CONTENT, Subject.CONTENT)


def model_is_the_same(session: Session, wanted: Sequence[EmbeddingSpace]) -> Finding:
    """Models answer as on the day when their spaces were registered, as the newest model reports say."""
    return _finding("model_is_the_same", session, wanted, Kind.MODEL, Subject.MODEL)


def retrieval_did_not_get_worse(session: Session, wanted: Sequence[EmbeddingSpace]) -> Finding:
    """What models answer now finds no less in the stored vectors, as the newest model reports say."""
    return _finding("retrieval_did_not_get_worse", session, wanted, Kind.MODEL, Subject.RETRIEVAL)


def searched_space_finds_most(session: Session) -> Finding:
    """No other active space finds more by vectors than the one that searches use, as the newest reports on both say."""
    searched, others = searched_and_others(session)
    told, better, unknown = list[DriftReport](), dict[str, str](), []
    for space in others:
        report = keeping.newest_of_pair(session, searched.embedding_space_id, space.embedding_space_id)
        if report is None:
            unknown.append(f"{space.slug} was not compared with it yet: materialise space_comparison.")
            continue
        metrics = reports_table.list_drift_metrics(session, report.report_id)
        if any(retrieval.is_of_retrieval(one) and one.effect is not None for one in metrics):
            told.append(report)
        else:
            unknown.append(f"The report on {space.slug} of {report.created_utc:%Y-%m-%d} {_silence(metrics)}")
        if more := [_told_of(one, report, space) for one in metrics if _finds_more(one, report, space)]:
            better[space.slug] = (
                f"{space.slug} finds more than {searched.slug}, which is searched: {'; '.join(more)}, as reported on "
                f"{report.created_utc:%Y-%m-%d}. `holocron spaces promote {space.slug}` has searches use it."
            )
    return Finding(
        claim="searched_space_finds_most",
        holds=not better,
        explanation=" ".join(
            better.values() or [_all_is_well(told, f"{len(others)} other spaces", "finds more"), *unknown]
        )
        if others
        else f"{searched.slug} is the only active space.",
        blocks=False,
        figures={"compared": len(told), "finding more": len(better)},
        offenders=list(better),
    )


_CLAIMS = (content_is_stable, model_is_the_same, retrieval_did_not_get_worse)


@dg.multi_asset_check(name="drift_reports_checks", specs=checking.specs("drift_reports", [], _CLAIMS), can_subset=True)
def drift_reports_checks(
    context: dg.AssetCheckExecutionContext, store: dg.ResourceParam[Store]
) -> Iterator[dg.AssetCheckResult]:
    """The newest reports give no reason to look or to act."""
    with step_errors():
        findings = read(store, _findings, checking.asked_partitions(context))
    yield from checking.results(context, findings)


@dg.multi_asset_check(
    name="space_comparison_checks",
    specs=checking.specs("space_comparison", [], [searched_space_finds_most]),
    can_subset=True,
)
def space_comparison_checks(
    context: dg.AssetCheckExecutionContext, store: dg.ResourceParam[Store]
) -> Iterator[dg.AssetCheckResult]:
    """Searches use the space that finds most."""
    with step_errors():
        findings = [read(store, searched_space_finds_most)]
    yield from checking.results(context, findings)


def _findings(session: Session, partitions: Sequence[str]) -> list[Finding]:
    wanted = checking.spaces_to_check(session, partitions)
    return [claim(session, wanted) for claim in _CLAIMS]


def _finding(claim: str, session: Session, wanted: Sequence[EmbeddingSpace], kind: Kind, subject: Subject) -> Finding:
    # The model of a derived space is reported on under the space that it is made of.
    asked = [one for one in wanted if kind is not Kind.MODEL or one.transform_ref is None]
    newest = {one.slug: keeping.newest(session, one.embedding_space_id, kind) for one in asked}
    reports = [one for one in newest.values() if one]
    told = [(report, one) for report in reports for one in report.judgements if one.subject is subject]
    grave = [(report, one) for report, one in told if one.verdict is not Verdict.OK]
    known = [report for report, _ in told]
    unknown = [
        f"The report on {one.space} of {one.created_utc:%Y-%m-%d} "
        + _silence(reports_table.list_drift_metrics(session, one.report_id))
        for one in reports
        if one not in known
    ]
    if without := [slug for slug, report in newest.items() if report is None]:
        unknown.append(f"There is no report on {', '.join(without)} yet: the log of drift_reports says what it lacks.")
    found = [f"{report.space} on {report.created_utc:%Y-%m-%d}: {one.why} {one.next_step}" for report, one in grave]
    return Finding(
        claim=claim,
        holds=not grave,
        explanation=" ".join(
            found or [_all_is_well(known, f"{len(asked)} spaces", "gives a reason to look"), *unknown]
        ),
        blocks=any(one.verdict is Verdict.ALERT for _, one in grave),
        figures={"reports": len(told), "to look at": len(grave)},
        offenders=[f"{report.space}: {one.verdict.value}" for report, one in grave],
    )


def _all_is_well(told: Sequence[DriftReport], wanted: str, what: str) -> str:
    """What is known where nothing is wrong."""
    if not told:
        return "Nothing is known."
    oldest = min(one.created_utc for one in told)
    return f"{len(told)} of {wanted} have a report on it, the oldest of {oldest:%Y-%m-%d}, and none {what}."


def _silence(metrics: Sequence[Metric]) -> str:
    """Why a report judges no search, as the end of a sentence."""
    return f"does not say it: {retrieval.reasons(metrics) or 'nothing could be asked'}."


def _finds_more(metric: Metric, report: DriftReport, space: EmbeddingSpace) -> bool:
    """Whether one of two compared spaces finds more than the other by a figure: surely, and enough to be noticed."""
    if not retrieval.is_of_retrieval(metric) or metric.effect is None or metric.p_adjusted is None:
        return False
    gain = metric.effect if report.space_id == space.embedding_space_id else -metric.effect
    return metric.p_adjusted < ALPHA and gain >= retrieval.FLOOR.watch


def _told_of(metric: Metric, report: DriftReport, space: EmbeddingSpace) -> str:
    values = [metric.current, metric.reference]
    more, less = reversed(values) if report.space_id == space.embedding_space_id else values
    return f"on {retrieval.collection_of(metric)} nDCG@10 is {more or 0:.3f} instead of {less or 0:.3f}"
