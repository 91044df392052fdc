"""Two windows as one set of rows: nothing known of a row says which window it is in."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from holocron_assets.comparisons.pooling import pooled
from holocron_assets.stages.windows import Members, Window
from tests.drifting import measured, normal

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def members(texts: list[str], random: np.random.Generator) -> Members:
    """A document of one chunk for each text, in one of two languages, of one of three origins."""
    keys = pa.table(
        {
            "chunk_id": [f"{n:05}" for n in range(len(texts))],
            "content_sha256": texts,
            "source_id": [f"source {n}" for n in range(len(texts))],
            "byte_count": random.integers(100, 2000, len(texts)),
            "language": random.choice(["en", "de"], len(texts)).tolist(),
            "origin": random.choice(["wiki", "papers", "news"], len(texts)).tolist(),
        }
    )
    keys = keys.append_column("fetched_utc", pa.array([NOW] * len(texts), pa.timestamp("us")))
    window = Window(label="some", as_of=NOW)
    return Members(window=window, keys=keys, found=len(texts), file=Path("none"), dimensions=8, lost=0)


def drawn(count: int, name: str, random: np.random.Generator) -> list[str]:
    """Texts of which four in ten are boilerplate, one of 40."""
    return [f"boilerplate {random.integers(40)}" if random.random() < 0.4 else f"{name} {n}" for n in range(count)]


def test_attributes_give_no_more_alarms_than_chance_beside_a_large_reference() -> None:
    """Of twenty times as many documents, with boilerplate in both windows: no attribute is significant too often."""
    names = ("log_length", "language", "origin", "novelty", "norm", "occupancy", "mmd", "mean_shift", "duplicates")
    p = []
    for i in range(30):
        random = np.random.default_rng([1, i])
        windows = pooled(members(drawn(600, "old", random), random), members(drawn(30, "new", random), random))
        found = measured(windows, normal(np.arange(630), random), seed=i, features=16, clusters=16)
        p.append([found.comparisons[name].p for name in names])

    # 1.5 are expected; more than 7 come once in four thousand times.
    often = dict(zip(names, (np.array(p) <= 0.05).sum(axis=0).tolist(), strict=True))
    assert max(often.values()) <= 7, often
