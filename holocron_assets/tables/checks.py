"""Facts that must hold: counting violations, reading back what runs wrote, and repairing."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from holocron_assets.ports import Session

#: How many offenders a check names; how many a repair takes at a time.
LISTED = 20
REPAIRED_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CountDisagreement:
    """A source whose registered number of chunks is not the number `n` that is current."""

    source_id: str
    registered: int
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkOfSource:
    """A chunk and its source, if it names one."""

    chunk_id: str
    source_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Whose rows to read back: those of some runs, or every row there is."""

    run_ids: tuple[uuid.UUID, ...] | None = None

    def parameters(self) -> dict[str, object]:
        """As the queries take it."""
        return {"every_run": self.run_ids is None, "run_ids": [str(run) for run in self.run_ids or ()]}


def count_duplicate_records(session: Session) -> int:
    """Ingest records whose id is another record's."""
    return _count(session, "count_duplicate_records")


def list_text_disagreements(session: Session, limit: int = LISTED) -> list[str]:
    """Sources whose registered text is not their one current text."""
    return [row["source_id"] for row in session.rows("list_text_disagreements", limit=limit)]


def list_texts_without_record(session: Session, limit: int = LISTED) -> list[uuid.UUID]:
    """Texts whose ingest record is no longer stored."""
    return [row["text_id"] for row in session.rows("list_texts_without_record", limit=limit)]


def count_duplicate_chunks(session: Session) -> int:
    """Chunks whose id is another chunk's."""
    return _count(session, "count_duplicate_chunks")


def list_count_disagreements(session: Session, limit: int = LISTED) -> list[CountDisagreement]:
    """Sources whose registered number of chunks is wrong."""
    return [CountDisagreement(**row) for row in session.rows("list_count_disagreements", limit=limit)]


def list_stray_chunks(session: Session, limit: int = LISTED) -> list[ChunkOfSource]:
    """Current chunks that no living source accounts for."""
    return [ChunkOfSource(**row) for row in session.rows("list_stray_chunks", limit=limit)]


def get_version_agreement(session: Session) -> bool:
    """Whether current chunks and open versions are the same set; costs a fraction of naming where they are not."""
    return bool(session.rows("get_version_agreement")[0]["agree"])


def list_version_disagreements(session: Session, limit: int = LISTED) -> list[ChunkOfSource]:
    """Current chunks without exactly one open version, and open versions without a current chunk."""
    if get_version_agreement(session):
        return []
    return [ChunkOfSource(**row) for row in session.rows("list_version_disagreements", limit=limit)]


def list_duplicate_embeddings(session: Session, limit: int = LISTED) -> list[uuid.UUID]:
    """All but the oldest embedding of each idempotency key."""
    return [row["embedding_id"] for row in session.rows("list_duplicate_embeddings", limit=limit)]


def list_unmatched_embeddings(session: Session, limit: int = LISTED) -> list[uuid.UUID]:
    """Embeddings of a content that their chunk never had."""
    return [row["embedding_id"] for row in session.rows("list_unmatched_embeddings", limit=limit)]


def list_embeddings_without_lineage(session: Session, limit: int = LISTED) -> list[uuid.UUID]:
    """Embeddings whose run, or that run's job, is not recorded for their space."""
    return [row["embedding_id"] for row in session.rows("list_embeddings_without_lineage", limit=limit)]


def list_written_texts(session: Session, written: Written) -> Iterator[pa.RecordBatch]:
    """text_id, source_id, text_sha256, content, ingest_id."""
    return _written(session, "list_written_texts", written)


def list_written_chunks(session: Session, written: Written) -> Iterator[pa.RecordBatch]:
    """Current chunks: chunk_id, source_id, content, content_sha256, the three offsets, policy_version."""
    return _written(session, "list_written_chunks", written)


def list_written_spans(session: Session, written: Written) -> Iterator[pa.RecordBatch]:
    """source_id, the three offsets, algorithm and expected_end of current chunks, each source's in order."""
    return _written(session, "list_written_spans", written)


def list_written_embeddings(session: Session, space_id: uuid.UUID, written: Written) -> Iterator[pa.RecordBatch]:
    """embedding_id, chunk_id, input_content_sha256, vector, vector_sha256 of one space."""
    return _written(session, "list_written_embeddings", written, embedding_space_id=space_id)


def delete_embeddings(session: Session, embedding_ids: Sequence[uuid.UUID]) -> int:
    """Repair: delete these, so that they are pending again."""
    return session.execute("delete_embeddings", embedding_ids=[str(key) for key in embedding_ids])


def delete_texts(session: Session, text_ids: Sequence[uuid.UUID]) -> int:
    """Repair: delete these, so that their records are read again."""
    return session.execute("delete_texts", text_ids=[str(key) for key in text_ids])


def request_chunking(session: Session, source_ids: Sequence[str], now: datetime) -> int:
    """Repair: have these sources cut again."""
    return session.execute("request_chunking", source_ids=list(source_ids), now=now)


def retire_chunks_by_id(session: Session, chunk_ids: Sequence[str], now: datetime) -> int:
    """Repair: retire these chunks."""
    return session.execute("retire_chunks_by_id", chunk_ids=list(chunk_ids), now=now)


def end_chunk_versions(session: Session, chunk_ids: Sequence[str], now: datetime) -> int:
    """Repair: end every open version of these chunks."""
    return session.execute("end_chunk_versions", chunk_ids=list(chunk_ids), now=now)


def request_examination_of_sources(session: Session, source_ids: Sequence[str]) -> int:
    """Repair: have every record of these sources read again."""
    return session.execute("request_examination_of_sources", source_ids=list(source_ids))


def _written(session: Session, query: str, written: Written, **parameters: object) -> Iterator[pa.RecordBatch]:
    """Nothing is asked for runs that were none: the answer would cost a pass over the table."""
    if written.run_ids == ():
        return iter(())
    return session.stream(query, **parameters, **written.parameters())


def _count(session: Session, query: str) -> int:
    return int(session.rows(query)[0]["n"])
