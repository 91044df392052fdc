"""How well a space and a way of ranking find what people judged to be right.

`metrics` and `statistics` are arithmetic, `collections` reads files of queries and judgements, `named` those that the
settings name, `judging` finds what they name in a store, `corpora` fills a store of its own with documents that a
collection brings, `ranking` makes rankings of documents of rankings of chunks, `evaluate` has all that done and keeps
what came of it, `comparing` says what changed.
"""
