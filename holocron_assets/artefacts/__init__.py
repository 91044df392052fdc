"""The artefacts of runs: files in the lake that tell of each run that ended, for whoever has no access to the store.

See `docs/decisions/0014-run-artefacts.md`.
"""
