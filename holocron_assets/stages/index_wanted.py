"""What the store says that the search index of a space should hold."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace
from holocron_assets.tables import embeddings, index_rows, page_classes

_KEYS = pa.schema([("chunk_id", pa.string()), ("row_version", pa.string()), ("source_id", pa.string())])


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTypes:
    """What the pages of sources are classified as: `types[row]` is that of the source `source_ids[row]`."""

    source_ids: pa.Array
    types: pa.Array

    def of(self, source_ids: pa.Array) -> pa.Array:
        """The type for each of some sources, null where its page has none."""
        return self.types.take(pc.index_in(source_ids, value_set=self.source_ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The chunks of an index with the versions of their rows, and the state in which the store says so.

    `page_types` is None where the database does not classify pages.
    """

    state: Mapping[str, str]
    keys: pa.Table
    page_types: PageTypes | None
    chunks_not_embedded: int


def wanted(session: Session, space: EmbeddingSpace, known: Mapping[str, str] | None) -> Wanted | None:
    """What an index of the space should hold; None where the state is the one that is known."""
    state = index_state(session, space)
    if state == known:
        return None
    page_types = _page_types(session)
    return Wanted(
        state=state,
        keys=_keys(session, space, page_types),
        page_types=page_types,
        chunks_not_embedded=embeddings.count_pending_chunks(session, space.embedding_space_id).pending,
    )


def index_state(session: Session, space: EmbeddingSpace) -> dict[str, str]:
    """What differs, in one or another value, whenever an index of the space would."""
    state = dict(index_rows.get_index_state(session, space.embedding_space_id))
    if page_classes.count_page_class_tables(session):
        state |= page_classes.get_page_class_state(session)
    return state


def list_keys(session: Session, space: EmbeddingSpace) -> pa.Table:
    """chunk_id and row_version of all that an index of the space should hold."""
    return _keys(session, space, _page_types(session))


def versions(found: pa.Array, source_ids: pa.Array, page_types: PageTypes | None) -> pa.Array:
    """The versions of rows: what the store has for each, and the type of its page."""
    if page_types is None:
        return found
    types = pc.fill_null(page_types.of(source_ids), "")
    return pc.binary_join_element_wise(found, types, "|")


def _keys(session: Session, space: EmbeddingSpace, page_types: PageTypes | None) -> pa.Table:
    batches = index_rows.list_index_keys(session, space.embedding_space_id)
    table = pa.Table.from_batches([batch.cast(_KEYS) for batch in batches], _KEYS).combine_chunks()
    ids, found, source_ids = (table.column(name).combine_chunks() for name in _KEYS.names)
    return pa.table({"chunk_id": ids, "row_version": versions(found, source_ids, page_types)})


def _page_types(session: Session) -> PageTypes | None:
    if not page_classes.count_page_class_tables(session):
        return None
    found = page_classes.list_page_types(session)
    return PageTypes(source_ids=pa.array(list(found), pa.string()), types=pa.array(list(found.values()), pa.string()))
