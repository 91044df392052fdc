"""What assets with a partition for each space do alike: one space after the other, and none stops the others."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from holocron_assets.assets.embedding_steps import fail_with
from holocron_assets.assets.steps import step_errors
from holocron_assets.errors import ConfigurationError, HolocronError, StoreError
from holocron_assets.ports import Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.tables import spaces
from holocron_assets.transactions import read

#: Does what an asset does for a space, and puts into a dict what there is to tell; what it raises fails this space.
Work = Callable[[EmbeddingSpace, dict[str, Any]], None]


def for_each_space(
    context: dg.AssetExecutionContext, store: Store, work: Work, *, figure: str, said: str
) -> dg.MaterializeResult[None]:
    """Do the work of every partition asked for; then fail, naming every space of which `said` is true.

    A space that failed after something was told of it is observed, not materialised. `figure` is what the others are,
    in the failure's metadata. A `StoreError` is no single space's trouble, and ends the step at once.
    """
    asset = context.asset_key.to_user_string()
    told: dict[str, dict[str, Any]] = {}
    failures: dict[str, HolocronError] = {}
    with step_errors():
        registered = {space.slug: space for space in read(store, spaces.list_spaces)}
        for slug in context.partition_keys:
            metadata = told.setdefault(slug, {})
            try:
                if slug not in registered:
                    raise ConfigurationError("no such space is registered in the store")
                work(registered[slug], metadata)
            except StoreError:
                raise
            except HolocronError as error:
                failures[slug] = error
                context.log.error(f"{slug} {said}", exc_info=error)
    done = [slug for slug in told if slug not in failures]
    if failures:
        # A result would mark every partition as done.
        for slug, metadata in told.items():
            if slug in done:
                context.log_event(dg.AssetMaterialization(asset, partition=slug, metadata=metadata))
            elif metadata:
                context.log_event(dg.AssetObservation(asset, partition=slug, metadata=metadata))
    fail_with(failures, {figure: len(done)}, said)
    for slug, metadata in told.items():
        context.add_asset_metadata(metadata, partition_key=slug)
    return dg.MaterializeResult()
