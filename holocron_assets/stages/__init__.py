"""The pipeline's work, one stage per module: what is pending, in batches, each batch one transaction.

A stage takes a store, settings and whoever wants to hear of progress. Dagster assets and commands call the
same functions; nothing here knows which.
"""
