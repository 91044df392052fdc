"""Comparisons over a store: of windows of a space, of a model with itself, of two spaces; each ends in a drift report.

`content`, `model` and `spaces` make one kind each, by the statistics of `holocron_assets.drift`; `retrieval` says what
a change does to searches; `keeping` writes a report to the store and to a page, and reads it again.
"""
