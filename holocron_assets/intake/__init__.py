"""Reading what a user hands over: files into ingest records. No store, no Dagster.

Nothing here is fatal for more than it must be: a bad line is a `Reject` with its number, a file that ends
in the middle gives what came before it and says so.
"""
