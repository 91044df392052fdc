"""The outside world: databases and embedding providers. Nothing here knows Dagster assets."""
