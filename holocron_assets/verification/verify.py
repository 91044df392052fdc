"""Verifying a whole store: every fact, over every row."""

from dataclasses import dataclass, field

from holocron_assets.ports import Store
from holocron_assets.records import ItemType
from holocron_assets.tables import spaces
from holocron_assets.tables.checks import Written
from holocron_assets.verification import contents, keys
from holocron_assets.verification.contents import ChunkFaults, TextFaults, VectorFaults
from holocron_assets.verification.derivations import transforms_are_intact
from holocron_assets.verification.finding import Finding
from holocron_assets.verification.snapshots import snapshots_are_what_they_were


@dataclass(slots=True, kw_only=True)
class Verification:
    """Every finding, and the faults behind those about contents."""

    findings: list[Finding] = field(default_factory=list)
    texts: TextFaults
    chunks: ChunkFaults
    vectors: dict[str, VectorFaults]


def verify(store: Store) -> Verification:
    """Look at every row; writes nothing."""
    everything = Written()
    with store.session(write=False) as session:
        registered = spaces.list_spaces(session)
        active = [space for space in registered if space.is_active]
        result = Verification(
            texts=contents.read_texts(session, everything),
            chunks=contents.read_chunks(session, everything),
            vectors={space.slug: contents.read_vectors(session, space, everything) for space in registered},
        )
        result.findings = [
            keys.ingest_ids_are_unique(session),
            keys.sources_have_one_current_text(session),
            contents.texts_match_their_hashes(result.texts),
            keys.texts_have_their_records(session),
            keys.chunk_ids_are_unique(session),
            contents.chunk_ids_recompute(result.chunks),
            contents.chunks_tile_their_text(result.chunks),
            keys.registry_counts_agree(session),
            keys.vanished_sources_have_no_current_chunks(session),
            keys.chunk_history_is_complete(session),
            keys.embedding_keys_are_unique(session),
            keys.embeddings_match_their_chunks(session),
            keys.embeddings_have_lineage(session),
            contents.vectors_are_valid(result.vectors),
            transforms_are_intact(session),
            snapshots_are_what_they_were(session),
            keys.every_current_chunk_is_embedded(session, active),
            *(keys.nothing_is_quarantined(session, item_type) for item_type in ItemType),
        ]
    return result
