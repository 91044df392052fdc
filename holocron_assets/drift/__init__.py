"""Drift: whether content, model or meaning moved, by how much, and whether it matters.

`content` has the statistics of two windows of one space, `paired` those of two answers to the same texts. Both are
pure. `report` has the records that a comparison ends in, `verdicts` says what they mean, and `page` shows them.
"""
