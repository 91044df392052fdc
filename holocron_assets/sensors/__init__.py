"""Dagster sensors, one module each: what they watch, and what they ask for when it changes.

A sensor looks and asks; the work is done by runs. It waits for nobody: where the store is held by another process, it
skips its turn and says so.
"""
