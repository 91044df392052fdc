"""Finding chunks: words, vectors, and both; the files in which a space is searched. Pure, but for those files."""
