"""The `search_index` asset: what a space is searched in, brought up to date before anybody asks."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from holocron_assets.assets import checking, schemas
from holocron_assets.assets.each_space import for_each_space
from holocron_assets.assets.space_embeddings import space_embeddings
from holocron_assets.assets.steps import logged_progress, step_errors
from holocron_assets.partitions import SPACES
from holocron_assets.ports import Store
from holocron_assets.preflight import prepare
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.graph import LEAST_RECALL
from holocron_assets.retrieval.index import SearchIndex
from holocron_assets.retrieval.manifest import examined_files
from holocron_assets.retrieval.recall import TOP_K
from holocron_assets.settings import Settings
from holocron_assets.stages.index_recall import Recall, count_differences, measure_recall
from holocron_assets.stages.indexing import IndexPlace, published_index, refresh_index
from holocron_assets.tables import spaces as space_table
from holocron_assets.transactions import read
from holocron_assets.verification.finding import Finding

#: What a materialisation says of its recall, for its check.
_RECALL, _QUERIES = f"recall@{TOP_K}", "queries compared"
_SAMPLED = 5
_SAMPLED_CHARACTERS = 100


#: Asks for the partitions that were embedded since an index of them was last asked for. Not `since_last_handled`: an
#: index that ends says nothing of what was embedded while it was made. Not `any_deps_updated`: it does not tell when
#: that was, and so loses what was embedded between two looks, of which the first asked.
FOLLOWS_EMBEDDINGS = (
    dg.AutomationCondition.any_deps_match(dg.AutomationCondition.newly_updated())
    .since(dg.AutomationCondition.newly_requested())
    .with_label("embedded since")
)


@dg.asset(
    deps=[space_embeddings],
    partitions_def=SPACES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    automation_condition=FOLLOWS_EMBEDDINGS,
    group_name="search",
    kinds={"python"},
)
def search_index(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """The files that one embedding space is searched in, one partition per space.

    Takes in what changed since they were published, and nothing else. A search does so itself where it finds them
    behind; it need not wait for what is done here.
    """
    with step_errors():
        prepare(store, settings)

    def refresh(space: EmbeddingSpace, metadata: dict[str, Any]) -> None:
        metadata |= _refreshed(context, store, settings, space)

    return for_each_space(context, store, refresh, figure="up to date", said="is not up to date")


def index_is_current(lacking: int, left_over: int) -> Finding:
    """The index has every current chunk that has a vector, as it is now, and no other."""
    return Finding(
        claim="index_is_current",
        holds=not lacking and not left_over,
        explanation=f"{lacking} chunks are not in the index as they are now, and {left_over} should not be in it. "
        "Materialise search_index; where that changes nothing, delete its folder first."
        if lacking or left_over
        else "Every chunk that can be searched is in the index, and no other.",
        figures={"chunks lacking": lacking, "chunks left over": left_over},
    )


def index_files_are_whole(changed: Sequence[str], files: int) -> Finding:
    """Every file of the index is what was written, byte for byte."""
    return Finding(
        claim="index_files_are_whole",
        holds=not changed,
        explanation=f"{len(changed)} of {files} files are not what was written. Materialise search_index, which builds "
        "such an index anew."
        if changed
        else f"All {files} files are what was written.",
        figures={"files": files, "files changed": len(changed)},
        offenders=changed,
    )


def index_recall(worst: Recall) -> Finding:
    """Of the nearest chunks that the store finds for some queries, the index finds nearly all."""
    return Finding(
        claim="index_recall",
        holds=worst.share >= LEAST_RECALL,
        explanation=f"The index finds {worst.share:.1%} of the {TOP_K} nearest chunks of {worst.queries} queries; at "
        f"least {LEAST_RECALL:.0%} are wanted."
        + ("" if worst.share >= LEAST_RECALL else " Materialise search_index, which builds such an index anew."),
        figures={"queries": worst.queries},
    )


@dg.multi_asset_check(
    name="search_index_checks",
    specs=checking.specs("search_index", [index_is_current, index_files_are_whole, index_recall]),
    can_subset=True,
)
def search_index_checks(
    context: dg.AssetCheckExecutionContext, store: dg.ResourceParam[Store], settings: dg.ResourceParam[Settings]
) -> Iterator[dg.AssetCheckResult]:
    """The published index holds what the store holds, and answers as it does."""
    with step_errors():
        asked = checking.asked_partitions(context)
        # Of the run's partitions alone: these checks block, and what is wrong elsewhere is no reason to stop this run.
        spaces = [space for slug, space in _registered(store).items() if (slug in asked if asked else space.is_active)]
        findings = _findings(context, store, settings, spaces)
    yield from checking.results(context, findings)


def _findings(
    context: dg.AssetCheckExecutionContext, store: Store, settings: Settings, spaces: Sequence[EmbeddingSpace]
) -> list[Finding]:
    lacking = left_over = files = 0
    changed: list[str] = []
    recalls: list[Recall] = []
    for space in spaces:
        place = IndexPlace.of(settings)
        index = published_index(store, space, place)
        differences = count_differences(store, space, index)
        lacking, left_over = lacking + differences[0], left_over + differences[1]
        examined = examined_files(place.folder(store, space))
        files += len(examined)
        changed += [f"{space.slug}: {name}" for name, is_whole in examined.items() if not is_whole]
        if index is not None:
            recalls.append(_measured(context, space, index) or measure_recall(store, space, index))
    worst = min(recalls, key=lambda one: (one.share, -one.queries), default=Recall(share=1.0, queries=0))
    return [index_is_current(lacking, left_over), index_files_are_whole(changed, files), index_recall(worst)]


def _measured(context: dg.AssetCheckExecutionContext, space: EmbeddingSpace, index: SearchIndex) -> Recall | None:
    """What the same run measured when it materialised this very index."""
    asked = dg.AssetRecordsFilter(asset_key=dg.AssetKey("search_index"), asset_partitions=[space.slug])
    for record in context.instance.fetch_materializations(asked, limit=1).records:
        told = record.asset_materialization.metadata if record.asset_materialization else {}
        if record.run_id == context.run.run_id and told["version"].value == index.manifest.version:
            share, queries = told[_RECALL].value, told[_QUERIES].value
            return Recall(share=float(str(share)), queries=int(str(queries)))
    return None


def _registered(store: Store) -> dict[str, EmbeddingSpace]:
    return {space.slug: space for space in read(store, space_table.list_spaces)}


def _refreshed(
    context: dg.AssetExecutionContext, store: Store, settings: Settings, space: EmbeddingSpace
) -> dict[str, Any]:
    """Bring one space's index up to date, and build it anew if it is not fit; returns what there is to tell of it."""
    progress = logged_progress(context, f"{space.slug}: chunks indexed")
    place = IndexPlace.of(settings)
    report = refresh_index(store, space, place, progress, examines=True)
    recall = measure_recall(store, space, report.index)
    if recall.share < LEAST_RECALL:
        distrusted = f"it found {recall.share:.1%} of what is nearest"
        context.log.warning(f"the search index of {space.slug} is built anew: {distrusted}")
        report = refresh_index(store, space, place, progress, distrusted=distrusted)
        recall = measure_recall(store, space, report.index)
    manifest = report.index.manifest
    if manifest.note:
        context.log.warning(f"{space.slug}: {manifest.note}")
    return {
        "dagster/partition_row_count": manifest.live_count,
        "version": manifest.version,
        "kind": report.index.kind,
        "note": manifest.note or "none",
        "added": report.added,
        "retired": report.retired,
        "merged": report.merged,
        "seconds": round(report.seconds, 3),
        **({"built anew because": report.rebuilt} if report.rebuilt else {}),
        "segments": len(manifest.segments),
        "bytes": manifest.size_bytes,
        "chunks without vector": manifest.chunks_not_embedded,
        _RECALL: recall.share,
        _QUERIES: recall.queries,
        "folder": dg.MetadataValue.path(str(report.index.folder)),
        "sample": _sample(report.index),
    }


def _sample(index: SearchIndex) -> dg.MetadataValue:
    rows = [
        {"title": hit.title, "chunk": hit.chunk_id[:12], "text": hit.text[:_SAMPLED_CHARACTERS]}
        for hit in index.hits(index.sampled(_SAMPLED))
    ]
    return schemas.rows_table(["title", "chunk", "text"], rows)
