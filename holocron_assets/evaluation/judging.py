"""What the judgements of a collection name in a store."""

from collections.abc import Mapping
from dataclasses import dataclass

from holocron_assets.errors import InputError
from holocron_assets.evaluation.collections import Collection, Query
from holocron_assets.evaluation.corpora import source_id_of
from holocron_assets.ports import Session
from holocron_assets.tables.evaluations import Judged, list_searchable_chunks, list_searchable_sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgements:
    """The queries that something in a store is relevant for, and `gains[query_id][document]`.

    Documents are ids of sources or of chunks. `skipped` queries have none that is relevant; `unknown` judgements are of
    what the store does not hold, which no way of ranking could find, so they count for none.
    """

    judged: Judged
    queries: tuple[Query, ...]
    gains: Mapping[str, Mapping[str, float]]
    skipped: int
    unknown: int


def judge(session: Session, collection: Collection) -> Judgements:
    """Look up what the judgements are of: the documents of the collection, or sources or chunks of the store.

    Raises `InputError` when nothing of it is there, or both kinds are. All documents that a collection brings count, as
    others count them.
    """
    if collection.corpus is not None:
        gains = {
            query_id: {source_id_of(collection, document): gain for document, gain in judged.items()}
            for query_id, judged in collection.judgements.items()
        }
        return _judgements(collection, Judged.CORPUS, gains, unknown=0)
    named = sorted({document for judged in collection.judgements.values() for document in judged})
    sources, chunks = list_searchable_sources(session, named), list_searchable_chunks(session, named)
    if sources and chunks:
        raise InputError(
            f"the judgements of the collection {collection.name} name both sources and chunks ({len(sources):,} and "
            f"{len(chunks):,} that are there, such as {min(sources)!r:.300} and {min(chunks)!r}). Judge either."
        )
    known = sources or chunks
    gains = {
        query_id: {document: gain for document, gain in judged.items() if document in known}
        for query_id, judged in collection.judgements.items()
    }
    unknown = sum(map(len, collection.judgements.values())) - sum(map(len, gains.values()))
    found = _judgements(collection, Judged.CHUNKS if chunks else Judged.SOURCES, gains, unknown=unknown)
    if not found.queries:
        raise InputError(
            f"of the {len(named):,} sources or chunks that the collection {collection.name} judges, this store has no "
            "relevant one. Its qrels.tsv names them by source_id or chunk_id, as `holocron search --json` does."
        )
    return found


def _judgements(
    collection: Collection, judged: Judged, gains: Mapping[str, Mapping[str, float]], *, unknown: int
) -> Judgements:
    queries = tuple(one for one in collection.queries if max(gains.get(one.query_id, {}).values(), default=0.0) > 0)
    skipped = len(collection.queries) - len(queries)
    return Judgements(judged=judged, queries=queries, gains=gains, skipped=skipped, unknown=unknown)
