"""What `embeddings` and `space_embeddings` share: embedding some spaces, telling of it, and their checks."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import dagster as dg

from holocron_assets.assets import checking, schemas
from holocron_assets.assets.steps import logged_progress, mark_permanent, origin_of, step_errors
from holocron_assets.clock import utc_now
from holocron_assets.errors import HolocronError, ModelChangedError, NotReadyError, StoreError, TransientError
from holocron_assets.partitions import mirror_spaces
from holocron_assets.ports import ProviderCatalog, Session, Store
from holocron_assets.records import EmbeddingSpace, ItemType
from holocron_assets.settings import Settings
from holocron_assets.spaces import transforms_of
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.derive import derive_space
from holocron_assets.stages.embed import STAGE, EmbeddingReport, embed_space, index_space
from holocron_assets.stages.register import register_successor
from holocron_assets.tables import embeddings, overview, spaces
from holocron_assets.tables.checks import Written
from holocron_assets.transactions import read, write
from holocron_assets.verification import contents, keys
from holocron_assets.verification.derivations import transforms_are_intact
from holocron_assets.verification.finding import Finding

METADATA = schemas.table("vector.embedding", schemas.EMBEDDINGS, ["embedding_id"])
#: The assets that write `vector.embedding`: what a check of one found right, that of the other need not read again.
_CHECKED = ("embeddings", "space_embeddings")
LINEAGE = schemas.lineage(
    {
        "vector": [("chunks", "content"), ("embedding_spaces", "embedding_space_id")],
        "chunk_id": [("chunks", "chunk_id")],
        "input_content_sha256": [("chunks", "content_sha256")],
    }
)


def embed_spaces(
    context: dg.AssetExecutionContext,
    store: Store,
    providers: ProviderCatalog,
    settings: Settings,
    wanted: Sequence[EmbeddingSpace],
) -> tuple[list[EmbeddingReport], dict[str, HolocronError]]:
    """Bring spaces up to date one after another; one that fails is reported, and the others go on.

    Where the settings say so, what answers under a changed model's name is registered and brought up to date too.
    """
    reports: list[EmbeddingReport] = []
    failures: dict[str, HolocronError] = {}
    policy = CanaryPolicy.of(settings)
    began = utc_now()
    # What others are derived from comes before them.
    todo = deque(sorted(wanted, key=lambda one: len(transforms_of(one.transform_ref))))
    while todo:
        space = todo.popleft()
        opened = partial(providers.reopen, space)
        progress = logged_progress(context, f"{space.slug}: chunks embedded")
        try:
            if space.transform_ref is None:
                report = embed_space(store, opened, space, policy, origin_of(context), progress)
            else:
                report = derive_space(store, space, origin_of(context), progress)
        except StoreError:
            raise  # the store is not one space's trouble, and when it is busy the step is tried again
        except HolocronError as error:
            failures[space.slug] = error
            context.log.error(f"{space.slug} is not up to date", exc_info=error)
            if isinstance(error, ModelChangedError) and settings.canary.on_change == "register":
                successor = _register_successor(context, store, providers, space, policy)
                todo += [one for one in successor if one.is_active and one not in (*wanted, *todo)]
            continue
        reports.append(report)
        try:
            index_space(store, space)
        except StoreError as error:
            context.log.warning(f"{space.slug}: searching it is slower than it need be, because {error}")
        if report.truncated_texts:
            context.log.warning(
                f"{space.slug}: {report.truncated_texts} of {report.embedded} texts are longer than the model reads; "
                f"{report.truncated_tokens} tokens were left out. Smaller chunks would keep them."
            )
        _leave_what_came(context, store, report, began)
        if report.still_pending:
            why = report.held_up or TransientError(
                f"{report.still_pending} current chunks have no vector yet; run again"
            )
            # What waits for a space that failed for good waits for ever.
            cause = failures.get(report.waits_for or "")
            is_final = cause is not None and not isinstance(cause, TransientError)
            failures[space.slug] = NotReadyError(str(why)) if is_final else why
    return reports, failures


def _leave_what_came(context: dg.AssetExecutionContext, store: Store, report: EmbeddingReport, since: datetime) -> None:
    """Count what others made current since the step began apart from what is pending: this run could not see it."""
    if not report.still_pending:
        return
    found = read(store, embeddings.count_missing_chunks, report.space.embedding_space_id, since, utc_now())
    report.still_pending, report.came = found.missing - found.came, found.came
    if report.came:
        context.log.warning(
            f"{report.space.slug}: {report.came} chunks came while this run embedded; the next run embeds them"
        )


def _register_successor(
    context: dg.AssetExecutionContext,
    store: Store,
    providers: ProviderCatalog,
    space: EmbeddingSpace,
    policy: CanaryPolicy,
) -> list[EmbeddingSpace]:
    """The space of what answers under the name of `space` now; none when it cannot be registered, which is told."""
    try:
        successor = register_successor(store, providers.reopen(space), space, policy)
    except StoreError:
        raise
    except HolocronError as error:
        context.log.error(f"what answers for {space.slug} now was not registered", exc_info=error)
        return []
    mirror_spaces(context.instance, read(store, spaces.list_spaces), this_run=context.run.run_id)
    context.log.warning(
        f"{successor.slug} is registered beside {space.slug}, and filled. When it is complete: "
        f"`holocron spaces promote {successor.slug}`, then `holocron spaces deactivate {space.slug}`."
    )
    return [successor]


def complete_sources(store: Store) -> tuple[int, dict[UUID, int]]:
    """Mark the sources that every active space has completely; returns how many, and each space's embeddings."""
    totals = read(store, overview.list_embedding_counts)
    if not read(store, overview.get_counts).pending_sources:
        return 0, totals
    return write(store, embeddings.mark_indexed_sources, utc_now()), totals


def fail_with(
    failures: Mapping[str, HolocronError], figures: Mapping[str, Any], said: str = "is not up to date"
) -> None:
    """End the step in failure, naming every space of which this is `said`; `figures` say what was done before."""
    if failures:
        if not any(isinstance(error, TransientError) for error in failures.values()):
            mark_permanent()
        raise dg.Failure(
            description="; ".join(f"{slug} {said}: {why}" for slug, why in failures.items()),
            metadata=figures,
            allow_retries=False,
        )


def log_filled_partitions(
    context: dg.AssetExecutionContext, reports: Sequence[EmbeddingReport], totals: Mapping[UUID, int]
) -> None:
    """Report the spaces that are up to date as partitions of `space_embeddings`."""
    for report in reports:
        if not report.still_pending:
            metadata = space_metadata(report, totals)
            context.log_event(
                dg.AssetMaterialization("space_embeddings", partition=report.space.slug, metadata=metadata)
            )


def space_metadata(report: EmbeddingReport, totals: Mapping[UUID, int]) -> dict[str, int | float | str]:
    """What embedding one space did, for its partition."""
    return {
        "dagster/partition_row_count": totals.get(report.space.embedding_space_id, 0),
        "embedded": report.embedded,
        "vectors per second": report.vectors_per_second,
        "provider calls": report.api_calls,
        "seconds in provider": round(report.seconds, 3),
        "bytes embedded": report.bytes_processed,
        "texts cut short": report.truncated_texts,
        "quarantined": report.quarantined,
        "still pending": report.still_pending,
        "came meanwhile": report.came,
        "dimensions": report.space.dimensions,
        "model": f"{report.space.provider} {report.space.model_name} {report.space.model_tag}",
        "model digest": report.space.model_digest,
    }


def work_table(reports: Sequence[EmbeddingReport], totals: Mapping[UUID, int]) -> dg.MetadataValue:
    """What was done in each space, as a table."""
    return schemas.rows_table(
        ["space", "embedded", "vectors in all", "vectors per second", "calls", "seconds", "bytes", "quarantined"],
        [
            {
                "space": report.space.slug,
                "embedded": report.embedded,
                "vectors in all": totals.get(report.space.embedding_space_id, 0),
                "vectors per second": report.vectors_per_second,
                "calls": report.api_calls,
                "seconds": round(report.seconds, 3),
                "bytes": report.bytes_processed,
                "quarantined": report.quarantined,
            }
            for report in reports
        ],
    )


def embedding_checks(asset: str) -> dg.AssetChecksDefinition:
    """The checks of an asset that writes `vector.embedding`."""

    @dg.multi_asset_check(
        name=f"{asset}_checks",
        specs=checking.specs(
            asset,
            [
                keys.embedding_keys_are_unique,
                keys.embeddings_match_their_chunks,
                keys.embeddings_have_lineage,
                contents.vectors_are_valid,
                transforms_are_intact,
                keys.every_current_chunk_is_embedded,
            ],
            [keys.nothing_is_quarantined],
        ),
        can_subset=True,
    )
    def checks(context: dg.AssetCheckExecutionContext, store: dg.ResourceParam[Store]) -> Iterator[dg.AssetCheckResult]:
        """Vectors are what they say, made once, of contents their chunks had, by runs that are recorded."""
        with step_errors(), store.session(write=False) as session:
            reading = checking.to_read_back(context, store, session, STAGE, [contents.vectors_are_valid], _CHECKED)
            findings = _findings(context, session, asset, reading.written)
        yield from checking.results(context, findings, reading)

    return checks


def _findings(context: dg.AssetCheckExecutionContext, session: Session, asset: str, written: Written) -> list[Finding]:
    registered = spaces.list_spaces(session)
    vectors = {space.slug: contents.read_vectors(session, space, written) for space in registered}
    return [
        keys.embedding_keys_are_unique(session),
        keys.embeddings_match_their_chunks(session),
        keys.embeddings_have_lineage(session),
        contents.vectors_are_valid(vectors),
        transforms_are_intact(session),
        keys.every_current_chunk_is_embedded(session, _asked_for(context, registered), _began(context)),
        keys.nothing_is_quarantined(session, ItemType.CHUNK),
    ]


def _asked_for(context: dg.AssetCheckExecutionContext, registered: Sequence[EmbeddingSpace]) -> list[EmbeddingSpace]:
    """The active spaces; in a run for some partitions, only those, because the others were not its task."""
    active = [space for space in registered if space.is_active]
    if not (context.has_partition_key or context.has_partition_key_range):
        return active
    return [space for space in active if space.slug in context.partition_keys]


def _began(context: dg.AssetCheckExecutionContext) -> datetime | None:
    """When this run began to embed, by the clock of its host; None where checks are asked for alone."""
    steps = {key.asset_key.to_user_string() for key in context.selected_asset_check_keys}
    kinds = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_RESTARTED}
    started = [
        record.timestamp
        for record in context.instance.get_records_for_run(context.run.run_id, of_type=kinds).records
        if record.event_log_entry.step_key in steps
    ]
    return datetime.fromtimestamp(max(started), UTC).replace(tzinfo=None) if started else None
