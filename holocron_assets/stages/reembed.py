"""Embedding again what is embedded already, and comparing before anything is changed.

Equal vectors are left alone. Different ones mean that the model moved: that stops the run, unless it was told to
replace them. Another model, policy or transform is never embedded into a space; it is a space of its own.
"""

from collections.abc import Callable
from typing import Any

from holocron_assets.derived_spaces import model_space
from holocron_assets.errors import ConfigurationError, ModelChangedError, NotReadyError
from holocron_assets.ports import EmbeddingProvider, Progress, Store
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.runs import Origin, record_options, recorded_run
from holocron_assets.spaces import require_same_space
from holocron_assets.stages.calling import ProviderCalls
from holocron_assets.stages.canary import (
    CanaryPolicy,
    Comparison,
    compare,
    ensure_canary,
    told,
)
from holocron_assets.stages.reembedding_run import ReembeddingReport, ReembeddingRun
from holocron_assets.tables import reembedding, sources
from holocron_assets.transactions import read

STAGE = "reembed"

#: Of the runs that embedded a space again, so many are asked how far they came.
_EARLIER_RUNS = 100


def reembed_space(
    store: Store,
    open_provider: Callable[[], EmbeddingProvider],
    space: EmbeddingSpace,
    canary: CanaryPolicy,
    origin: Origin,
    progress: Progress,
    *,
    source_prefix: str = "",
    replace: bool = False,
) -> ReembeddingReport:
    """Embed the current embeddings of a space again, those of sources whose id begins with `source_prefix`.

    Goes on where an earlier run of the same scope was interrupted, if what that did is what the model answers now.
    Raises `SpaceMismatchError` when the provider serves another space, and `ModelChangedError` at the first vectors
    that differ by more than the space's tolerance; with `replace` they are replaced instead, some in a transaction.
    Vectors of a model that moved replace all of a space, `NotReadyError` for a part; until the last one the space is
    neither filled nor searched. A model that moves while it is asked stops the run: `ModelChangedError`.
    """
    report = ReembeddingReport(space=space)
    if space.transform_ref is not None:
        source = model_space(store, space)
        raise NotReadyError(
            f"space {space.slug} is derived: no model makes its vectors. Re-embed {source.slug}; what is derived "
            "from a vector that is replaced is made anew by the next run."
        )
    count = read(store, reembedding.count_current_embeddings, space.embedding_space_id, source_prefix, after=None)
    if not count and source_prefix and not read(store, sources.count_sources, source_prefix):
        raise ConfigurationError(
            f"no source is registered whose id begins with {source_prefix!r}, so nothing of {space.slug} was compared"
        )
    if not count and not replace:
        return report
    earlier = read(store, reembedding.list_reembeddings, space.embedding_space_id, _EARLIER_RUNS)
    options: dict[str, Any] = {"source": source_prefix, "replace": replace}
    with recorded_run(store, origin, JobType.REEMBED_SPACE, stage=STAGE, options=options, space=space) as run:
        report.run_id = run.run_id
        provider = open_provider()
        require_same_space(space, provider.describe())
        options |= {"batch_size": provider.batch_size, "runtime": dict(provider.runtime())}
        record_options(store, run, options)
        ensure_canary(store, provider, space, canary)
        anchors = compare(store, provider, space, canary)
        _require_allowed(space, anchors, source_prefix, replace=replace)
        with ProviderCalls(provider, space) as calls:
            work = ReembeddingRun(store, space, provider, calls, canary, run, options, report)
            try:
                work.go_through(anchors, earlier, progress)
            finally:
                run.count(
                    chunks_processed=report.compared,
                    embeddings_replaced=report.replaced,
                    texts_rejected=report.rejected,
                    api_calls=calls.calls,
                    api_duration_ms=round(calls.seconds * 1000),
                    bytes_processed=calls.bytes_read,
                )
    return report


def _require_allowed(space: EmbeddingSpace, anchors: Comparison, source_prefix: str, *, replace: bool) -> None:
    if not anchors.moved and anchors.is_complete:
        return
    why = told(anchors) if anchors.moved else "Some of its vectors are replaced already"
    if not replace:
        raise ModelChangedError(
            f"space {space.slug}: its model answers otherwise than when it was registered. {why}. Nothing was changed. "
            "Bring the old runtime back, or replace every vector of the space with --replace."
        )
    if source_prefix:
        raise NotReadyError(
            f"space {space.slug}: its model moved, and vectors of before and after must not be mixed. {why}. "
            "Replace the whole space: leave --source out."
        )
