"""The search page: a read-only web page over a store's search indexes, for one person's browser (docs/search.md).

`application` makes it of its parts; `serving` lets it listen. What an address asks is read in `asking`, what takes long
is waited for in `waiting`, and `guarding` stands before all of it. Nothing here knows Dagster or an adapter.
"""
