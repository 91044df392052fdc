"""`holocron evaluate`: how well searches find what people judged to be right."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from holocron_assets.cli.origin import command_origin
from holocron_assets.cli.output import counted, json_option, print_json, progress_bar, rows_table, say, show
from holocron_assets.composition import command_store, installed_providers
from holocron_assets.errors import ConfigurationError
from holocron_assets.evaluation.collections import Collection, read_collection
from holocron_assets.evaluation.comparing import METHODS, Comparison
from holocron_assets.evaluation.evaluate import Evaluated, EvaluationReport, Surroundings, evaluate
from holocron_assets.evaluation.metrics import METRICS
from holocron_assets.evaluation.named import NONE_NAMED, deciding_names, named_collections, sample_collection
from holocron_assets.ports import Session, Store
from holocron_assets.preflight import prepare
from holocron_assets.promotion import DEFAULT, space_of_alias
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.hits import Method
from holocron_assets.settings import SAMPLE, Settings, load_settings
from holocron_assets.spaces import named_space
from holocron_assets.tables import spaces
from holocron_assets.transactions import read


@click.command()
@click.argument("collection", required=False)
@click.option("--space", help="Embedding space, by any unmistakable part of its name; without, the one searches use.")
@click.option("--method", "methods", multiple=True, help="A way of ranking, such as vector; may be repeated.")
@json_option
def command(collection: str | None, *, space: str | None, methods: tuple[str, ...], as_json: bool) -> None:
    """Ask the judged queries of COLLECTION, a folder or `sample`, and say how much of what is right was found.

    Without COLLECTION, those of the settings. What is found is kept, and compared with the last time and with other
    spaces; a significant loss makes the exit code 1, until what was lost is found again.
    """
    settings = load_settings()
    store = command_store(settings)
    asked = [Method.parse(one) for one in dict.fromkeys(methods)] or METHODS
    prepare(store, settings)
    around = Surroundings(
        store=store,
        settings=settings,
        providers=installed_providers(settings),
        open_store=command_store,
    )
    chosen = read(store, _chosen, space)
    origin = command_origin("evaluate", settings)
    named = deciding_names(store, settings, collection)
    reports = []
    for one in _collections(store, settings, collection):
        with progress_bar(f"{one.name}", quiet=as_json) as progress:
            reports.append(evaluate(around, chosen, one, asked, origin, progress, named=named))
    if as_json:
        print_json([_plain(report) for report in reports])
    else:
        for report in reports:
            _show(report)
    if any(one.loss for report in reports for one in report.evaluated):
        sys.exit(1)


def _chosen(session: Session, space: str | None) -> EmbeddingSpace:
    registered = spaces.list_spaces(session)
    return space_of_alias(session, registered, DEFAULT) if space is None else named_space(registered, space)


def _collections(store: Store, settings: Settings, wanted: str | None) -> list[Collection]:
    if wanted == SAMPLE:
        return [sample_collection()]
    found = named_collections(store, settings) if wanted is None else [read_collection(Path(wanted))]
    if not found:
        raise ConfigurationError(NONE_NAMED)
    return found


def _show(report: EvaluationReport) -> None:
    of = report.winner or report.evaluated[0].evaluation
    found_in = f"{counted(of.query_count, 'query', 'queries')}, {counted(of.chunk_count, 'chunk', 'chunks')}"
    title = f"{report.space.slug} on {report.collection}: {found_in}"
    columns = ["method", *METRICS.values(), "since the last"]
    show(rows_table(title, columns, [_row(one, report) for one in report.evaluated], prose="since the last"))
    if of.skipped_count or of.unknown_count:
        say(
            f"{counted(of.skipped_count, 'query was', 'queries were')} not asked, because nothing there is right; "
            f"{counted(of.unknown_count, 'judgement is', 'judgements are')} of what this store does not hold.",
            "yellow",
        )
    _show_method(report)
    for rival, comparison in report.rivals:
        say(f"compared with {rival.slug}: {comparison}, {_word(comparison)}")


def _show_method(report: EvaluationReport) -> None:
    """Which method won here, and which searches use."""
    space, winner, used = report.space.slug, report.winner, report.used
    if winner is not None and used is not None and winner.evaluation_id == used.evaluation_id:
        say(f"* the method to use for {space}: {winner.method}")
        return
    if winner is None:
        say("No method won: not every one was evaluated on this collection. Leave `--method` out for that.", "yellow")
    else:
        say(f"* the best on {report.collection}: {winner.method}")
    if used is not None:
        say(f"Searches in {space} rank by {used.method}, as was best on {used.collection}.")
    else:
        say(f"Searches in {space} rank by {Method()}: `evaluation.collections` names nothing that says otherwise.")


def _row(one: Evaluated, report: EvaluationReport) -> list[object]:
    mark = " *" if report.winner and one.evaluation.evaluation_id == report.winner.evaluation_id else ""
    figures = [f"{value:.4f}" for value in asdict(one.evaluation.metrics).values()]
    if one.since_last is None:
        changed = "first"
    else:
        changed = f"{one.since_last.difference.mean:+.4f}, p {one.since_last.difference.p:.3f}, {_word(one.since_last)}"
        if one.loss and one.loss.old != one.since_last.old:
            changed += f"; {one.loss.difference.mean:+.4f} since {one.loss.old.evaluated_utc:%Y-%m-%d}, worse"
    return [one.evaluation.method + mark, *figures, changed]


def _word(comparison: Comparison) -> str:
    difference = comparison.difference
    if not comparison.is_like_with_like:
        return "not to be compared"
    return "worse" if difference.is_loss else "better" if difference.is_gain else "no sure difference"


def _plain(report: EvaluationReport) -> dict[str, Any]:
    """A report without what is said elsewhere."""
    return {
        "space": report.space.slug,
        "collection": report.collection,
        "winner": report.winner.method if report.winner else None,
        "used": report.used.method if report.used else None,
        "evaluations": [
            asdict(one.evaluation)
            | {"is_new": one.is_new, "since_last": _difference(one.since_last), "loss": _difference(one.loss)}
            for one in report.evaluated
        ],
        "rivals": [{"space": rival.slug, **(_difference(one) or {})} for rival, one in report.rivals],
    }


def _difference(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    verdict = {"is_loss": comparison.difference.is_loss, "is_gain": comparison.difference.is_gain}
    return {"old_evaluation_id": comparison.old.evaluation_id, **asdict(comparison.difference), **verdict}
