"""`holocron drift`: whether content, model or meaning moved."""

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from holocron_assets.cli import FAILED
from holocron_assets.cli.origin import command_origin
from holocron_assets.cli.output import json_option, print_json, rows_table, say, show
from holocron_assets.comparisons import keeping
from holocron_assets.comparisons.anchor_sets import AnchorSet, anchor_sets
from holocron_assets.comparisons.content import Choice, compare_content
from holocron_assets.comparisons.model import compare_model
from holocron_assets.comparisons.spaces import compare_two_spaces
from holocron_assets.composition import command_store, installed_providers
from holocron_assets.drift.figures import p_value
from holocron_assets.drift.page.wording import headline
from holocron_assets.drift.report import DriftReport, Kind, Metric, Verdict
from holocron_assets.errors import ConfigurationError
from holocron_assets.evaluation.evaluate import Surroundings
from holocron_assets.ports import Session
from holocron_assets.preflight import prepare
from holocron_assets.promotion import DEFAULT, space_of_alias
from holocron_assets.records import EmbeddingSpace
from holocron_assets.settings import load_settings
from holocron_assets.spaces import named_space
from holocron_assets.stages.snapshots import take_snapshot
from holocron_assets.tables import drift_windows, spaces
from holocron_assets.transactions import read

_STYLES = {Verdict.OK: "green", Verdict.WATCH: "yellow", Verdict.ALERT: "bold red"}

space_option = click.option(
    "--space", help="Embedding space, by any unmistakable part of its name; without, the one searches use."
)
#: As reports write times too, to the microsecond.
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f"])

html_option = click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as a page to this file."
)


@click.group()
def command() -> None:
    """Tell whether contents, the model or the space moved, and whether it matters."""


@command.command()
@click.argument("name")
@space_option
@json_option
def snapshot(name: str, *, space: str | None, as_json: bool) -> None:
    """Keep which chunks a space holds now under NAME, to compare with later. It never changes."""
    settings = load_settings()
    store = command_store(settings)
    prepare(store, settings)
    chosen = read(store, _chosen, space)
    taken = take_snapshot(store, chosen, name)
    if as_json:
        print_json(taken)
    else:
        say(f"{name} keeps {taken.chunk_count:,} chunks of {taken.document_count:,} documents in {chosen.slug}.")


@command.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """Show what is kept: snapshots, the oldest first, and reports with their verdicts, the newest first.

    `holocron drift show` tells what is in a report.
    """
    store = command_store(load_settings())
    snapshots = read(store, drift_windows.list_snapshots)
    reports = read(store, keeping.list_reports)
    if as_json:
        print_json({"snapshots": snapshots, "reports": [_plain(one) for one in reports]})
        return
    slugs = {one.embedding_space_id: one.slug for one in read(store, spaces.list_spaces)}
    if snapshots:
        columns = ["snapshot", "space", "documents", "chunks", "taken"]
        rows: list[list[object]] = [
            [one.name, slugs[one.embedding_space_id], one.document_count, one.chunk_count, one.created_utc]
            for one in snapshots
        ]
        show(rows_table("Snapshots", columns, rows))
    else:
        say("No snapshot yet: `holocron drift snapshot NAME` takes one.")
    if reports:
        columns = ["report", "kind", "verdict", "made", "space"]
        rows = [
            [str(one.report_id)[:8], one.kind.value, one.verdict.value, one.created_utc, _spaces_of(one)]
            for one in reports
        ]
        show(rows_table("Reports", columns, rows, prose="space"))
    else:
        say("No report yet: `holocron drift compare` makes one.")


@command.command()
@space_option
@click.option("--model", is_flag=True, help="Embed the anchors again: does the model still answer as it did?")
@click.option("--with", "other", metavar="SPACE", help="Compare with another space.")
@click.option("--reference", metavar="NAME", help="Compare what came since with a snapshot.")
@click.option("--since", type=_TIME, help="Compare what was fetched since then with what was before, UTC.")
@click.option(
    "--as-of",
    type=_TIME,
    help="Compare what spaces held then, UTC, as a report names it; without, what they hold now.",
)
@html_option
@json_option
def compare(
    space: str | None,
    *,
    model: bool,
    other: str | None,
    reference: str | None,
    since: datetime | None,
    as_of: datetime | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Make a report, and keep it: of what came lately, unless an option names another question.

    An alert makes the exit code 1; that two spaces are unlike is none to act on.
    """
    if sum((model, other is not None, reference is not None, since is not None)) > 1:
        raise ConfigurationError("--model, --with, --reference and --since are different questions: ask one at a time")
    if as_of is not None and model:
        raise ConfigurationError("--as-of is about what spaces held; --model asks the model, which answers as of now")
    settings = load_settings()
    store = command_store(settings)
    prepare(store, settings)
    origin = command_origin("drift compare", settings)
    around = Surroundings(
        store=store, settings=settings, providers=installed_providers(settings), open_store=command_store
    )
    chosen = read(store, _chosen, space)
    if model:
        report = compare_model(around, chosen, origin)
        if report.space != chosen.slug and not as_json:
            say(f"{chosen.slug} is made of {report.space}, whose model it is.")
    elif other is not None:
        rival = named_space(read(store, spaces.list_spaces), other)
        report = compare_two_spaces(around, chosen, rival, origin, as_of=as_of)
    else:
        choice = Choice(snapshot=reference, since=since, as_of=as_of)
        report = compare_content(store, settings, chosen, choice, origin)
    page = keeping.write_page(store, settings, report, html)
    if as_json:
        print_json(_plain(report) | {"page": str(page)})
    else:
        _tell(report)
        say(f"Report {str(report.report_id)[:8]}, the whole of it: {page}")
    if report.calls_for_action:
        sys.exit(FAILED)


@command.command("show")
@click.argument("report_id")
@html_option
@json_option
def show_(report_id: str, *, html: Path | None, as_json: bool) -> None:
    """Show a kept report, by its id or the beginning of it."""
    settings = load_settings()
    store = command_store(settings)
    report = read(store, keeping.whole_report, report_id)
    if as_json:
        print_json(_plain(report))
    else:
        _tell(report)
    if html is not None:
        keeping.write_page(store, settings, report, html)


@command.command()
@space_option
@json_option
def anchors(*, space: str | None, as_json: bool) -> None:
    """Show which texts a space is held to, since when, by what runtime, and whether the settings name others now."""
    settings = load_settings()
    store = command_store(settings)
    chosen = read(store, _chosen, space)
    found = anchor_sets(store, settings, chosen)
    if as_json:
        print_json(found)
        return
    columns = ["recorded", "anchors", "state", "runtime"]
    show(rows_table(f"Anchors of {chosen.slug}", columns, [_anchors_row(one) for one in found], prose="runtime"))
    if found and (found[0].added or found[0].removed):
        say(
            f"The settings name {found[0].added} anchors that are not in the newest set and lack {found[0].removed} "
            "that are; they count for spaces and replacements to come.",
            "yellow",
        )


def _chosen(session: Session, space: str | None) -> EmbeddingSpace:
    registered = spaces.list_spaces(session)
    return space_of_alias(session, registered, DEFAULT) if space is None else named_space(registered, space)


def _tell(report: DriftReport) -> None:
    say(headline(report), "bold")
    for side in (report.reference, report.current):
        has = f"{side.documents:,} documents, {side.chunks:,} chunks"
        say(f"  {side.label}: {f'{side.documents:,} anchors' if report.kind is Kind.MODEL else has}")
    for one in report.judgements:
        say(f"{one.subject.value}: {one.verdict.value}", _STYLES[one.verdict])
        say(f"  {one.why}\n  Next: {one.next_step}")
    rows = [_metric_row(one) for one in report.metrics if one.verdict is not None]
    if rows:
        show(rows_table("Figures", ["figure", "effect", "watch / alert from", "p", "verdict"], rows))
    for metric in report.metrics:
        if metric.missing:
            say(f"{metric.name} is missing: {metric.missing}")


def _metric_row(one: Metric) -> list[object]:
    p = one.p_adjusted
    return [
        one.name,
        f"{one.effect:.4g}",
        "" if one.floor is None else f"{one.floor.watch:.3g} / {one.floor.alert:.3g}",
        "" if p is None else p_value(p),
        "" if one.verdict is None else one.verdict.value,
    ]


def _anchors_row(one: AnchorSet) -> list[object]:
    runtime = ", ".join(f"{name} {value}" for name, value in one.runtime.items())
    return [one.recorded_utc, one.anchors, "in use" if one.is_newest else "history", runtime]


def _spaces_of(report: DriftReport) -> str:
    return report.space if report.other_space is None else f"{report.space} and {report.other_space}"


def _plain(report: DriftReport) -> dict[str, Any]:
    """A report without its pictures."""
    plain = asdict(report) | {"verdict": report.verdict}
    del plain["pictures"]
    return plain
