"""Content drift: whether the texts of one space are other ones than they were. Two windows, different texts. Pure.

`measuring.measure` is the whole of it. Chunks of one document resemble each other, so that documents, not chunks, are
what chance may have put into the one window or the other: a test that permutes chunks always sees drift.

`windows` says what is compared, `sampling` and `fitting` choose what vectors are compared by, without looking at which
window a document is in, `streaming` adds that up by document in one pass, `statistics` has the figures of two sides,
`permuting` how surprising they are, and `classifying`, `detecting`, `lengths`, `topics` and `pictures` what else a
reader wants to know.
"""
