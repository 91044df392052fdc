"""The dynamic partitions that mirror the registry of spaces: the registry is the truth, these are its picture."""

from collections.abc import Sequence

import dagster as dg

from holocron_assets.records import EmbeddingSpace
from holocron_assets.run_history import UNDER_WAY

SPACES = dg.DynamicPartitionsDefinition(name="embedding_spaces")


def mirror_spaces(instance: dg.DagsterInstance, spaces: Sequence[EmbeddingSpace], *, this_run: str | None) -> None:
    """Add a partition for each active space at once; remove those of inactive ones only while nothing else runs.

    A run whose partition is removed under it fails when it reports its result. What this registry does not know stays:
    another store that shares the instance may.
    """
    name = str(SPACES.name)
    wanted = {space.slug for space in spaces if space.is_active}
    present = set(instance.get_dynamic_partitions(name))
    if wanted - present:
        instance.add_dynamic_partitions(name, sorted(wanted - present))
    surplus = present & {space.slug for space in spaces if not space.is_active}
    if surplus and not _others_under_way(instance, this_run):
        for slug in sorted(surplus):
            instance.delete_dynamic_partition(name, slug)


def _others_under_way(instance: dg.DagsterInstance, this_run: str | None) -> bool:
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=UNDER_WAY))
    return any(run.run_id != this_run for run in runs)
