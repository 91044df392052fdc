"""Benchmarks: commands that print figures as ratios to a floor measured in the same run. Never timed tests.

`python -m benchmarks --help`
"""
