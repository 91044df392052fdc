"""Finding the chunks nearest to a query: exact cosine, in one space, among what is current."""

import json
from dataclasses import dataclass
from typing import Any

from holocron_assets.anchors import a_short_one
from holocron_assets.derived_spaces import open_space
from holocron_assets.ports import ProviderCatalog, Purpose, Session, Store
from holocron_assets.promotion import DEFAULT, space_of_alias
from holocron_assets.records import EmbeddingSpace
from holocron_assets.spaces import named_space, require_same_space
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.model_guard import require_model_unmoved
from holocron_assets.tables import embeddings, spaces
from holocron_assets.transactions import read
from holocron_assets.vectors import nearest, require_valid


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that was found. `cosine_similarity` is 1 for the same direction, and comparable in one space only."""

    rank: int
    chunk_id: str
    source_id: str
    title: str | None
    cosine_similarity: float
    text: str
    url: str | None
    start_offset: int
    end_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The hits of a query, the nearest first, and how many current chunks the space lacked when it was asked."""

    query: str
    space: str
    hits: tuple[Hit, ...]
    chunks_not_embedded: int


def search(
    store: Store,
    providers: ProviderCatalog,
    canary: CanaryPolicy,
    query: str,
    *,
    top_k: int,
    space: str | None = None,
    alias: str = DEFAULT,
) -> SearchResult:
    """The `top_k` current chunks nearest to `query`, in `space` (by any unmistakable part of its name) or by an alias.

    Raises `ConfigurationError` when it is not clear which space is meant, and `SpaceMismatchError` when the
    provider's vectors are no longer those of the space.
    """
    chosen = read(store, _chosen, space, alias)
    provider = open_space(store, providers, chosen)
    require_same_space(chosen, provider.describe())
    require_model_unmoved(store, providers, chosen, canary, a_short_one)
    vectors = provider.embed([query], Purpose.QUERY)
    # The name may have come to mean another model since it was looked at.
    require_same_space(chosen, provider.describe())
    require_valid(vectors.values, chosen, 1)
    with store.session(write=False) as session:
        asked = vectors.values[0]
        near = nearest(embeddings.list_current_vectors(session, chosen.embedding_space_id, asked, top_k), asked, top_k)
        details = embeddings.list_hit_details(session, [one.chunk_id for one in near])
        backlog = embeddings.count_pending_chunks(session, chosen.embedding_space_id)
    hits = []
    for rank, one in enumerate(near, start=1):
        detail = details[one.chunk_id]
        offsets: dict[str, Any] = json.loads(detail.offsets_json)
        reference = json.loads(detail.source_ref_json)
        hits.append(
            Hit(
                rank=rank,
                chunk_id=one.chunk_id,
                source_id=detail.source_id,
                title=detail.title or reference.get("resource_id"),
                cosine_similarity=one.cosine_similarity,
                text=detail.content,
                url=reference.get("url"),
                start_offset=offsets["start_offset"],
                end_offset=offsets["end_offset"],
            )
        )
    return SearchResult(query=query, space=chosen.slug, hits=tuple(hits), chunks_not_embedded=backlog.pending)


def _chosen(session: Session, space: str | None, alias: str) -> EmbeddingSpace:
    registered = spaces.list_spaces(session)
    if space is None:
        return space_of_alias(session, registered, alias)
    return named_space([one for one in registered if one.is_active], space)
