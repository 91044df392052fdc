"""The Dagster assets, one per module with its checks beside it.

Thin: they call a stage, and tell in Dagster's words what it did. What a stage does is in
`holocron_assets.stages`, what a check looks at in `holocron_assets.verification`.
"""

import warnings

import dagster as dg

# Single-run backfills are marked beta; a warning at every import would only teach people to ignore warnings.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
