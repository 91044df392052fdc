"""Exchange records: what other software reads and writes instead of `ingest.IngestRecords`. No store, no Dagster.

`content_hash` is their frozen hash, `envelope` makes them of ingest records, `opening` finds the columns of ingest
records in them, and `snapshot` is the folder in which many of them lie. Which records travel is decided in
`holocron_assets.stages`, by `export` and `lake`; reading files is `holocron_assets.intake`'s.
"""
