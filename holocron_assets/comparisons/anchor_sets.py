"""Which texts a space was held to, when and by what: its canaries, from the newest on."""

import hashlib
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from holocron_assets.anchors import anchors
from holocron_assets.derived_spaces import model_space
from holocron_assets.identity import text_sha256
from holocron_assets.ports import Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.settings import Settings
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.tables import canaries
from holocron_assets.transactions import read


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorSet:
    """A canary: its anchors by kind, the digest of their texts' digests, and what it was recorded by.

    `added` and `removed` are how many anchors the settings name now that it lacks, and how many it has that they do
    not name; of the newest set only.
    """

    canary_id: uuid.UUID
    recorded_utc: datetime
    anchors: int
    kinds: Mapping[str, int]
    set_sha256: str
    runtime: Mapping[str, str]
    repeatability: float
    is_complete: bool
    is_newest: bool
    added: int = 0
    removed: int = 0


def anchor_sets(store: Store, settings: Settings, space: EmbeddingSpace) -> list[AnchorSet]:
    """Those of a space, the newest first; of a derived space, those of the model that it is made of."""
    return read(store, _anchor_sets, settings, model_space(store, space))


def _anchor_sets(session: Session, settings: Settings, space: EmbeddingSpace) -> list[AnchorSet]:
    named = {text_sha256(one.text) for one in anchors(CanaryPolicy.of(settings).own_anchors)}
    found = []
    for number, canary in enumerate(canaries.list_canaries(session, space.embedding_space_id)):
        known, _ = canaries.list_anchors(session, canary, space.dimensions)
        texts = sorted(text_sha256(one.text) for one in known)
        found.append(
            AnchorSet(
                canary_id=canary.canary_id,
                recorded_utc=canary.recorded_utc,
                anchors=len(known),
                kinds=dict(Counter(one.kind for one in known)),
                set_sha256=hashlib.sha256("\n".join(texts).encode()).hexdigest(),
                runtime=canary.runtime,
                repeatability=canary.repeatability,
                is_complete=canary.is_complete,
                is_newest=not number,
                added=0 if number else len(named - set(texts)),
                removed=0 if number else len(set(texts) - named),
            )
        )
    return found
