"""How well a space and a way of ranking find what people judged to be right.

`metrics` and `statistics` are arithmetic, `collections` reads files of queries and judgements.
"""
