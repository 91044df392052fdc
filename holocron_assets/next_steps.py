"""The commands that messages end with, written once so that they all name the same."""

EVERYTHING = "dagster asset materialize --select '+key:embeddings'"
