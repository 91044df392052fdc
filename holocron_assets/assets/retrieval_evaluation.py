"""The `retrieval_evaluation` asset: how well each space finds what people judged to be right."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg

from holocron_assets.assets import checking, pictures, schemas
from holocron_assets.assets.each_space import for_each_space
from holocron_assets.assets.search_index import search_index
from holocron_assets.assets.steps import logged_progress, origin_of, step_errors
from holocron_assets.evaluation.collections import Collection
from holocron_assets.evaluation.comparing import METHODS, retrieval_did_not_get_worse
from holocron_assets.evaluation.corpora import OpenStore
from holocron_assets.evaluation.evaluate import EvaluationReport, Surroundings, evaluate
from holocron_assets.evaluation.metrics import METRICS
from holocron_assets.evaluation.named import NONE_NAMED, deciding_names, named_collections
from holocron_assets.partitions import SPACES
from holocron_assets.ports import ProviderCatalog, Session, Store
from holocron_assets.preflight import prepare
from holocron_assets.records import EmbeddingSpace
from holocron_assets.settings import Settings
from holocron_assets.tables import evaluations
from holocron_assets.tables.evaluations import Evaluation
from holocron_assets.tables.overview import LengthCount
from holocron_assets.transactions import read
from holocron_assets.verification.finding import Finding


@dg.asset(
    deps=[search_index],
    partitions_def=SPACES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="retrieval",
    kinds={"python", "table"},
    pool="embedding",
    metadata=schemas.table("vector.retrieval_evaluation", schemas.EVALUATIONS, ["evaluation_id"]),
)
def retrieval_evaluation(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    providers: dg.ResourceParam[ProviderCatalog],
    open_store: dg.ResourceParam[OpenStore],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """How much of what people judged right is found in a space, by each way of ranking; one partition per space.

    Asks the queries of the collections that the settings name. What is found is kept where it is not what was found
    the last time, and the best way of ranking is marked: searches in the space use it. A space that fails does not stop
    the others; the run then fails and names it.
    """
    with step_errors():
        prepare(store, settings)
        collections = named_collections(store, settings)
    if not collections:
        context.log.warning(NONE_NAMED)
    around = Surroundings(store=store, settings=settings, providers=providers, open_store=open_store)

    def evaluate_all(space: EmbeddingSpace, metadata: dict[str, Any]) -> None:
        metadata |= _metadata(store, _evaluate(context, around, space, collections))

    return for_each_space(context, store, evaluate_all, figure="evaluated", said="was not evaluated")


@dg.multi_asset_check(
    name="retrieval_evaluation_checks",
    specs=checking.specs("retrieval_evaluation", [], [retrieval_did_not_get_worse]),
    can_subset=True,
)
def retrieval_evaluation_checks(
    context: dg.AssetCheckExecutionContext, store: dg.ResourceParam[Store]
) -> Iterator[dg.AssetCheckResult]:
    """What is found is no less than it was."""
    with step_errors():
        findings = [read(store, _look, checking.asked_partitions(context))]
    yield from checking.results(context, findings)


def _look(session: Session, partitions: Sequence[str]) -> Finding:
    return retrieval_did_not_get_worse(session, checking.spaces_to_check(session, partitions))


def _evaluate(
    context: dg.AssetExecutionContext, around: Surroundings, space: EmbeddingSpace, collections: Sequence[Collection]
) -> list[EvaluationReport]:
    reports = []
    named = deciding_names(around.store, around.settings)
    for collection in collections:
        progress = logged_progress(context, f"{space.slug} on {collection.name}")
        report = evaluate(around, space, collection, METHODS, origin_of(context), progress, named=named)
        reports.append(report)
        for rival, comparison in report.rivals:
            context.log.info(f"{space.slug} beside {rival.slug}: {comparison}")
        if unknown := report.evaluated[0].evaluation.unknown_count:
            context.log.warning(f"{collection.name}: {unknown} judgements are of what the store does not hold")
    return reports


def _metadata(store: Store, reports: Sequence[EvaluationReport]) -> dict[str, Any]:
    """Figures of the winning method, which Dagster plots over time, and every method beside it."""
    metadata: dict[str, Any] = {}
    for report in reports:
        about = f"{report.collection}: "
        best = report.winner or report.evaluated[0].evaluation
        metadata |= {f"{about}{METRICS[name]}": value for name, value in asdict(best.metrics).items()}
        metadata |= {
            f"{about}best method": best.method,
            f"{about}queries": best.query_count,
            f"{about}evaluations that are new": sum(one.is_new for one in report.evaluated),
            f"{about}judgements of nothing there": best.unknown_count,
            f"{about}methods": _table(report),
            f"{about}nDCG@10 by method": pictures.shares(
                f"nDCG@10 on {report.collection}",
                {one.evaluation.method: one.evaluation.metrics.ndcg_at_10 for one in report.evaluated},
            ),
            f"{about}queries by nDCG@10": pictures.bars(
                f"Queries by nDCG@10, {best.method}", "hundredths", _spread(store, best)
            ),
        }
        if report.used:
            metadata["method to use"] = report.used.method
    return metadata


def _table(report: EvaluationReport) -> dg.MetadataValue:
    rows = [
        {
            "method": one.evaluation.method,
            **{METRICS[name]: round(value, 4) for name, value in asdict(one.evaluation.metrics).items()},
            "since the last": "" if one.since_last is None else str(one.since_last),
        }
        for one in report.evaluated
    ]
    return schemas.rows_table(["method", *METRICS.values(), "since the last"], rows)


def _spread(store: Store, winner: Evaluation) -> list[LengthCount]:
    """How many queries came to which tenth; the last has those that came to 1 too."""
    measured = read(store, evaluations.list_evaluation_queries, winner.evaluation_id)
    tenths = Counter(min(int(one.metrics.ndcg_at_10 * 10), 9) for one in measured)
    return [LengthCount(length=10 * tenth, n=tenths[tenth]) for tenth in range(10)]
