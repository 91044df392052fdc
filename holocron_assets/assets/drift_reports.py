"""The assets `drift_reports` and `space_comparison`: whether contents, models and spaces moved, and how much."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dagster as dg

from holocron_assets.assets import pictures, schemas
from holocron_assets.assets.each_space import for_each_space
from holocron_assets.assets.embedding_steps import fail_with
from holocron_assets.assets.embeddings import embeddings
from holocron_assets.assets.space_embeddings import space_embeddings
from holocron_assets.assets.steps import origin_of, step_errors
from holocron_assets.comparisons import keeping
from holocron_assets.drift.charts import svg
from holocron_assets.drift.report import DriftReport
from holocron_assets.errors import HolocronError, NotReadyError, StoreError
from holocron_assets.evaluation.corpora import OpenStore
from holocron_assets.evaluation.evaluate import Surroundings
from holocron_assets.partitions import SPACES
from holocron_assets.ports import ProviderCatalog, Store
from holocron_assets.preflight import prepare
from holocron_assets.promotion import searched_and_others
from holocron_assets.records import EmbeddingSpace
from holocron_assets.settings import Settings
from holocron_assets.transactions import read

_METADATA = schemas.table("vector.drift_report", schemas.DRIFT_REPORTS, ["report_id"])


@dg.asset(
    deps=[space_embeddings],
    partitions_def=SPACES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="drift",
    kinds={"python", "table"},
    pool="embedding",
    metadata=_METADATA,
)
def drift_reports(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    providers: dg.ResourceParam[ProviderCatalog],
    open_store: dg.ResourceParam[OpenStore],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """Whether the texts of a space are other ones than they were, and its model still the same; one partition a space.

    Compares what came lately with what was there before, or with the snapshot that the settings name, and has the
    model embed its anchors again. A comparison that lacks documents is left out, and the log says how many it needs.
    """
    with step_errors():
        prepare(store, settings)
    around = Surroundings(store=store, settings=settings, providers=providers, open_store=open_store)

    def report_on(space: EmbeddingSpace, metadata: dict[str, Any]) -> None:
        reports, failure = _reports_on(context, around, space)
        metadata |= _metadata(around, reports)
        if failure is not None:
            raise failure

    return for_each_space(context, store, report_on, figure="reported on", said="has no whole report")


@dg.asset(deps=[embeddings], group_name="drift", kinds={"python", "table"}, pool="embedding", metadata=_METADATA)
def space_comparison(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    providers: dg.ResourceParam[ProviderCatalog],
    open_store: dg.ResourceParam[OpenStore],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """How every other active space differs from the one that searches use, on the chunks that both hold."""
    # scipy takes long to import, and no other asset needs it.
    from holocron_assets.comparisons.spaces import compare_two_spaces  # noqa: PLC0415

    failures: dict[str, HolocronError] = {}
    reports = []
    with step_errors():
        prepare(store, settings)
        around = Surroundings(store=store, settings=settings, providers=providers, open_store=open_store)
        default, others = read(store, searched_and_others)
        if not others:
            context.log.warning("there is one active space, and nothing to compare it with")
        for space in others:
            try:
                reports.append(compare_two_spaces(around, default, space, origin_of(context)))
            except StoreError:
                raise
            except NotReadyError as error:
                context.log.warning(f"{space.slug} is not compared: {error}")
            except HolocronError as error:
                failures[space.slug] = error
        metadata = _metadata(around, reports)
    if failures and reports:
        context.log_event(dg.AssetMaterialization("space_comparison", metadata=metadata))
    fail_with(failures, {"compared": len(reports)}, "was not compared")
    return dg.MaterializeResult(metadata=metadata)


def _reports_on(
    context: dg.AssetExecutionContext, around: Surroundings, space: EmbeddingSpace
) -> tuple[list[DriftReport], HolocronError | None]:
    """What could be reported, and the error of what could not; neither report waits for the other."""
    # See `space_comparison`.
    from holocron_assets.comparisons.content import Choice, compare_content  # noqa: PLC0415
    from holocron_assets.comparisons.model import compare_model  # noqa: PLC0415

    origin = origin_of(context)
    wanted: list[Callable[[], DriftReport]] = [
        partial(compare_content, around.store, around.settings, space, Choice(), origin)
    ]
    if space.transform_ref is None:  # else its model is that of the space that it is derived from
        wanted.append(partial(compare_model, around, space, origin))
    reports: list[DriftReport] = []
    failure = None
    for make in wanted:
        try:
            reports.append(make())
        except StoreError:
            raise
        except NotReadyError as error:
            context.log.warning(f"{space.slug}: a report is left out: {error}")
        except HolocronError as error:
            failure = failure or error
    return reports, failure


def _metadata(around: Surroundings, reports: Sequence[DriftReport]) -> dict[str, Any]:
    """Verdicts, judged figures, which Dagster plots over time, what is missing, and the pictures of the pages."""
    metadata: dict[str, Any] = {"reports": len(reports)}
    for report in reports:
        about = report.kind.value if report.other_space is None else report.other_space
        missing = [f"{one.name}: {one.missing}" for one in report.metrics if one.missing]
        metadata |= {
            f"{about}: verdict": report.verdict.value,
            # No Markdown: titles of pages are in it.
            f"{about}: in words": dg.MetadataValue.text(
                "\n".join(f"{one.subject.value}: {one.verdict.value}. {one.why}" for one in report.judgements)
            ),
            **({f"{about}: missing": dg.MetadataValue.text("\n".join(missing))} if missing else {}),
            f"{about}: page": dg.MetadataValue.path(str(keeping.write_page(around.store, around.settings, report))),
            **{
                f"{about}: {one.name}": one.effect
                for one in report.metrics
                if one.verdict is not None and one.effect is not None
            },
            **{f"{about}: {one.title}": pictures.embedded(one.title, svg(one)) for one in report.pictures},
        }
    return metadata
