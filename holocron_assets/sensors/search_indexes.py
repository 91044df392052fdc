"""The sensor `search_indexes`: the search index of a space follows its embeddings, whichever run made them."""

import dagster as dg

from holocron_assets.settings import Settings


def search_indexes(settings: Settings) -> dg.SensorDefinition:
    """The sensor, looking as often as the settings say; it asks for the partitions whose embeddings are newer."""
    return dg.AutomationConditionSensorDefinition(
        "search_indexes",
        target=dg.AssetSelection.assets("search_index"),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=settings.sensors.interval_seconds,
        emit_backfills=False,
        description="Brings the search indexes up to date of the spaces that were embedded since.",
    )
