"""Holocron Assets: raw web records become embeddings you can trust."""

__version__ = "0.1.0"
